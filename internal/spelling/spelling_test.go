package spelling_test

import (
	"testing"

	"github.com/vantiq-go/connectorsdk/internal/spelling"
)

func TestNearest(t *testing.T) {
	candidates := []string{"run", "serve", "watch", "query", "tcpProbePort", "h"}
	for name, want := range map[string]string{
		"rum":          "run",
		"rnu":          "run",
		"sreve":        "serve",
		"wacth":        "watch",
		"WATCH":        "watch",
		"wathc":        "watch",
		"qurey":        "query",
		"tcpPropePrt":  "tcpProbePort",
		"tcppropeport": "tcpProbePort",
		"atchw":        "",
		"fly":          "",
		"n":            "",
		"":             "",
	} {
		if got := spelling.Nearest(name, candidates); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}
