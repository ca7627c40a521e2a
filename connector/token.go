package connector

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// token returns the auth token, from its file if that is where it comes from.
func (c *SourceConnection) token() (protocol.Secret, error) {
	if c.options.AuthToken != "" {
		return c.options.AuthToken, nil
	}
	token, err := readToken(c.options.AuthTokenFile)
	if err != nil {
		return "", fmt.Errorf("reading authTokenFile: %w", err)
	}
	if token == "" {
		return "", fmt.Errorf("authTokenFile %s is empty", c.options.AuthTokenFile)
	}
	c.tokenHash = sha256.Sum256([]byte(token))
	secret := protocol.Secret(token)
	c.presented.Store(&secret)
	return secret, nil
}

// maxToken is many times what a token has.
const maxToken = 64 << 10

// readToken reads a file that holds a token and blanks around it. A pipe, of which reading may never end, is none.
func readToken(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxToken+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxToken {
		return "", fmt.Errorf("%s has more than %d bytes: is it the right file?", name, maxToken)
	}
	return strings.TrimSpace(string(text)), nil
}
