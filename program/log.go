package program

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/lmittmann/tint"
)

// newLogger logs with colours to a terminal, where a person reads, and plain text to anything else. An empty level is
// "info".
func newLogger(out *os.File, level string) (*slog.Logger, error) {
	var minimum slog.Level
	if level != "" {
		if err := minimum.UnmarshalText([]byte(level)); err != nil {
			return nil, fmt.Errorf("LOG_LEVEL %q is not accepted: use debug, info, warn or error", level)
		}
	}
	if info, err := out.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return slog.New(tint.NewTextHandler(out, &tint.Options{Level: minimum})), nil
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: minimum})), nil
}
