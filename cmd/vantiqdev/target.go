package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/protocol"
)

// A target is the Vantiq that a connector's configuration is about, to be played by a local one.
type target struct {
	file    string // of the configuration
	server  string // as the configuration spells it
	address string // host:port to listen on
	token   string
	sources []string
	drain   time.Duration // that a connector may take to end
}

// localExample is a targetServer that vantiqdev can play.
const localExample = "http://127.0.0.1:8400"

// readTarget reads what the connector will read.
func (f *runFlags) readTarget() (target, error) {
	config, err := connectorset.ReadConfig(cmp.Or(f.config, f.ownConfig))
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
	if t.address, err = loopbackAddress(t.server); err != nil {
		return target{}, fmt.Errorf("%s: %w", t.file, err)
	}
	if t.token = strings.TrimSpace(string(config.AuthToken)); t.token == "" {
		file := strings.TrimSpace(config.AuthTokenFile)
		if !filepath.IsAbs(file) {
			file = filepath.Join(f.directory, file) // where the connector looks for it
		}
		t.token, err = readToken(file)
	}
	return t, err
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
	if ip := net.ParseIP(host); !strings.EqualFold(host, "localhost") && (ip == nil || !ip.IsLoopback()) {
		return "", fmt.Errorf("targetServer %s is not this machine: vantiqdev run plays Vantiq itself, at a loopback address "+
			"only. Set targetServer=%s there, or in another file that you name with -config; to connect to that server, start "+
			"the connector without vantiqdev", server, localExample)
	}
	if u.Scheme != "ws" {
		return "", fmt.Errorf("targetServer %s asks for TLS, which the local Vantiq does not speak: on this machine nobody "+
			"listens in. Set targetServer=http://%s", server, u.Host)
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
	_, port, _ := net.SplitHostPort(t.address)
	advice := "choose another port there"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		advice = fmt.Sprintf("something listens there already, another vantiqdev perhaps. End it (\"lsof -i :%s\" names it), or "+
			"choose another port there", port)
	case errors.Is(err, os.ErrPermission):
		advice = "ports below 1024 need special rights: choose a higher one there, like " + localExample
	}
	return nil, fmt.Errorf("the local Vantiq cannot be %s, the targetServer of %s: %w: %s", t.server, t.file, err, advice)
}
