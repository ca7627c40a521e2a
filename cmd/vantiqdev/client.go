package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/vantiq-go/connectorsdk/cmd/vantiqdev/internal/console"
)

// A client asks the console of a local Vantiq that runs in another process.
type client struct {
	server  string // of the local Vantiq, as a targetServer
	console string
	http    *http.Client
}

// findFlags say which local Vantiq, and which of its sources, a command is about.
type findFlags struct {
	server string
	config string
	source string
}

func (f *findFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "source", Destination: &f.source, Usage: "the `NAME` of the source; not needed if there is only one"},
		&cli.StringFlag{Name: "server", Destination: &f.server,
			Usage: "the local Vantiq at this `URL` (default: the targetServer of server.config, else http://" + defaultAddress + ")"},
		&cli.StringFlag{Name: "config", Destination: &f.config,
			Usage: "read this `FILE` instead of serverConfig/server.config or server.config"},
	}
}

// find finds the local Vantiq, and its console.
func (f *findFlags) find(ctx context.Context) (*client, error) {
	server := f.server
	if server != "" && !strings.Contains(server, "://") {
		server = "http://" + server
	}
	if server == "" {
		server = "http://" + defaultAddress
		t, err := readTarget(f.config, "")
		switch {
		case err == nil:
			server = t.server
		case !isNoConfig(err):
			return nil, err
		}
	}
	address, err := loopbackAddress(server)
	if err != nil && f.server != "" {
		return nil, fmt.Errorf("-server %s is no local Vantiq: it is at a loopback address, like http://%s", f.server, defaultAddress)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; -server names another one for this command", err)
	}
	c := &client{server: "http://" + address, http: &http.Client{
		Transport:     &http.Transport{}, // no proxy: it is this machine
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	asking, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	response, err := c.do(asking, http.MethodGet, c.server+"/", nil)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("no local Vantiq answers at %s: start one by \"vantiqdev serve\" or \"vantiqdev run\", or say by "+
			"-server where it is", c.server)
	case err != nil:
		return nil, fmt.Errorf("no local Vantiq answers at %s: %w", c.server, err)
	}
	_ = response.Body.Close()
	if response.Header.Get("Server") == console.Name { // it was given instead of the local Vantiq's address
		c.console = c.server
		return c, nil
	}
	location, err := url.Parse(response.Header.Get("Location"))
	if response.StatusCode != http.StatusTemporaryRedirect || err != nil || !isLoopback(location.Hostname()) {
		return nil, fmt.Errorf("what answers at %s has no console of vantiqdev (it says %s): was it started with -console off, or is "+
			"it something else?", c.server, response.Status)
	}
	c.console = "http://" + location.Host
	return c, nil
}

// sourceName returns the source that is meant: that of the flag, or the only one.
func (c *client) sourceName(ctx context.Context, name string) (string, error) {
	var state struct {
		Sources []struct{ Name string }
	}
	if err := c.call(ctx, http.MethodGet, "/api/state", nil, &state); err != nil {
		return "", err
	}
	var names []string
	for _, s := range state.Sources {
		names = append(names, s.Name)
	}
	switch {
	case name == "" && len(names) == 1:
		return names[0], nil
	case name == "":
		return "", fmt.Errorf("the local Vantiq has %s: say by -source which one", sourceList(names))
	case !slices.Contains(names, name):
		return "", fmt.Errorf("there is no source %s; the local Vantiq has %s", name, sourceList(names))
	}
	return name, nil
}

// call asks the console, and decodes what it answers into result unless that is nil.
func (c *client) call(ctx context.Context, method, path string, body []byte, result any) error {
	response, err := c.do(ctx, method, c.console+path, body)
	if err != nil {
		return c.lost(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= http.StatusMultipleChoices {
		return refusalOf(response)
	}
	if result == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(result); err != nil {
		return c.lost(ctx, err)
	}
	return nil
}

func (c *client) do(ctx context.Context, method, address string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	return c.http.Do(request)
}

// lost says why the console does not answer.
func (c *client) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return fmt.Errorf("the local Vantiq at %s has gone: %w", c.server, err)
}

// A refusal is an error that the console answers with.
type refusal struct {
	Code    string
	Message string
}

func (e *refusal) Error() string {
	if e.Code == "com.accessg2.ag2rs.streams.source.not_found" {
		return e.Message + ": start a connector for it first"
	}
	if e.Code == "" || strings.Contains(e.Message, e.Code) {
		return e.Message
	}
	return e.Message + " (" + e.Code + ")"
}

func refusalOf(response *http.Response) error {
	var answer struct{ Error refusal }
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	if err == nil && answer.Error.Message == "" && answer.Error.Code != "" {
		answer.Error.Message = "it failed, and the connector did not say why"
	}
	if err != nil || answer.Error.Message == "" {
		return fmt.Errorf("the console answered %s", response.Status)
	}
	return &answer.Error
}

// pathOf returns the path of what can be done with a source.
func pathOf(source, what string) string { return "/api/sources/" + url.PathEscape(source) + "/" + what }
