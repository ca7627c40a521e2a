package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/internal/shown"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// A target is the Vantiq that a connector's configuration is about, to be played by a local one.
type target struct {
	file      string // of the configuration
	server    string // as the configuration spells it
	address   string // host:port to listen on
	token     string
	tokenFile string // from which the token is, if it is from another file
	sources   []string
	drain     time.Duration // that a connector may take to end
}

// A noConfig means that there is no configuration file, and none was named.
type noConfig struct{ error }

func isNoConfig(err error) bool { return errors.As(err, new(noConfig)) }

// readTarget reads what a connector will read that runs in a directory. File is its configuration, or empty for the usual
// one.
func readTarget(file, directory string) (target, error) {
	config, err := connectorset.ReadConfig(file)
	var wrong *connectorset.ConfigError
	if file == "" && errors.Is(err, fs.ErrNotExist) && errors.As(err, &wrong) && wrong.Key == "" {
		return target{}, noConfig{err}
	}
	if err != nil {
		return target{}, err
	}
	t := target{file: config.File(), server: strings.TrimSpace(config.TargetServer), drain: config.DrainTime}
	if t.drain <= 0 {
		t.drain = 10 * time.Second // the SDK's default
	}
	for _, name := range config.Sources {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(t.sources, name) {
			t.sources = append(t.sources, name)
		}
	}
	if t.token = strings.TrimSpace(string(config.AuthToken)); t.token == "" {
		file := strings.TrimSpace(config.AuthTokenFile)
		if !filepath.IsAbs(file) {
			file = filepath.Join(directory, file) // where the connector looks for it
		}
		t.tokenFile = file
		t.token, err = readToken(file)
	}
	return t, err
}

// atLoopback finds out where to listen to be the target server.
func (t *target) atLoopback() (err error) {
	if t.address, err = loopbackAddress(t.server); err != nil {
		return fmt.Errorf("%s: %w", t.file, err)
	}
	return nil
}

func readToken(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("authTokenFile: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fmt.Errorf("authTokenFile %s is empty: put any text into it, the local Vantiq takes the same", file)
	}
	return token, nil
}

// loopbackAddress returns where a local Vantiq has to listen to be the target server, or why it cannot be.
func loopbackAddress(server string) (string, error) {
	text, err := protocol.TargetURL(server)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", err
	}
	host, port := u.Hostname(), u.Port()
	if !isLoopback(host) {
		return "", fmt.Errorf("targetServer %s is not this machine: vantiqdev plays Vantiq itself, at a loopback address. "+
			"Set targetServer=%s there, or in another file that you name with -config; to connect to that server, start "+
			"the connector without vantiqdev", shown.URL(server), "http://"+defaultAddress)
	}
	if u.Scheme != "ws" {
		return "", fmt.Errorf("targetServer %s asks for TLS, which the local Vantiq does not speak: on this machine nobody "+
			"listens in. Set targetServer=http://%s", shown.URL(server), u.Host)
	}
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(host, port), nil
}

// listen takes the port of the target server.
func (t target) listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", t.address)
	if err == nil {
		return listener, nil
	}
	what, where := "at "+t.address, ", by -listen"
	if t.server != "" {
		what, where = shown.URL(t.server)+", the targetServer of "+t.file, ", in targetServer there"
	}
	return nil, fmt.Errorf("the local Vantiq cannot be %s: %w%s", what, err, adviceFor(err, t.address, where))
}
