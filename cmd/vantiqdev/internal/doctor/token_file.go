package doctor

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxToken is many times what a token has; a connector reads no more either.
const maxToken = 64 << 10

// readToken reads an authTokenFile as a connector does for every link. A pipe, of which reading may never end, is none.
func readToken(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", named(name, err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return "", named(name, err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxToken+1))
	token := strings.TrimSpace(string(text))
	switch {
	case err != nil:
		return "", named(name, err)
	case len(text) > maxToken:
		return "", fmt.Errorf("%s has more than %d bytes: is it the right file?", name, maxToken)
	case token == "":
		return "", fmt.Errorf("%s is empty", name)
	}
	return token, nil
}

// named returns an error of the file system with the file's name before it, once.
func named(name string, err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return fmt.Errorf("%s: %w", name, err)
}
