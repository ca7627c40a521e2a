package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// What a local Vantiq is when nobody says anything.
const (
	defaultAddress = "127.0.0.1:8400"
	defaultToken   = "local-token"
	defaultSource  = "EchoSource"
)

// serveFlags is what the command line of serve says.
type serveFlags struct {
	config  string
	file    string
	listen  string
	console consoleFlag
	tokens  []string
	sources []string // NAME or NAME=JSON
	quiet   bool

	fileGiven  bool   // and not the usual one
	configured bool   // there has been a server.config: should it go, everything stays as it is
	invented   string // an auth token
}

// serveCommand is the subcommand serve.
func serveCommand() *cli.Command {
	var f serveFlags
	return explained(&cli.Command{
		Name:                      "serve",
		DisableSliceFlagSeparator: true,
		Usage:                     "be a local Vantiq for connectors in any language, and show what they say",
		Description: `Serve is a Vantiq with a namespace of its own. In a directory with a server.config it is the Vantiq that this file
names, with its sources and its token; elsewhere it is http://127.0.0.1:8400, and says what to put into a server.config.

docs/protocol.md of the SDK has every message that a connector sends and receives, and a whole connector in Python. What a
connector says otherwise than Vantiq's own SDKs is taken here, but shown with a "!": Vantiq may refuse it.

A vantiqdev.json says more, and what changes there, or in server.config, takes effect at once: a source whose configuration
has changed is told to reconnect, as Vantiq does.

	{"sources": {"EchoSource": {"prefix": "> "}, "OtherSource": {}}, "tokens": ["one", "another"]}`,
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "source", Destination: &f.sources,
				Usage: "have this source, `NAME` or NAME=JSON with its configuration; may be repeated"},
			&cli.StringSliceFlag{Name: "token", Destination: &f.tokens,
				Usage: "accept this auth `TOKEN` and no other; may be repeated"},
			&cli.StringFlag{Name: "file", Value: devFileName, Destination: &f.file,
				Usage: "read this `FILE` with sources and tokens, and again when it changes"},
			&cli.StringFlag{Name: "config", Destination: &f.config,
				Usage: "read this `FILE` instead of serverConfig/server.config or server.config"},
			&cli.StringFlag{Name: "listen", Destination: &f.listen,
				Usage: "listen at this `ADDRESS` instead of the targetServer of server.config, like 127.0.0.1:8400;\n" +
					"one that is not a loopback address, like 0.0.0.0:8400, lets other machines in"},
			f.console.flag(),
			&cli.BoolFlag{Name: "quiet", Destination: &f.quiet, Usage: "do not show the traffic here"},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return misused(c, "serve takes no arguments, but there is %q; a source is named by -source", c.Args().First())
			}
			f.console.given, f.fileGiven = c.IsSet("console"), c.IsSet("file")
			ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			s := newScreen(c.Root().Writer, c.Root().ErrWriter)
			if err := f.serve(ctx, s); err != nil {
				s.complain("vantiqdev serve", err)
				return errSaid
			}
			return nil
		},
	}, `
vantiqdev serve                                       as server.config says, or at http://127.0.0.1:8400
vantiqdev serve -source A -source 'B={"limit":10}'    these sources, one of them with a configuration
vantiqdev serve -listen 0.0.0.0:8400 -token secret    for connectors in containers and on other machines
`)
}

// serve is a local Vantiq until ctx ends.
func (f *serveFlags) serve(ctx context.Context, s *screen) error {
	t, err := f.target()
	if err != nil {
		return err
	}
	n, err := f.namespace(t)
	if err != nil {
		return err
	}
	listener, err := t.listen()
	if err != nil {
		return err
	}
	consoleListener, err := f.console.listen()
	if err != nil {
		_ = listener.Close()
		return err
	}
	tell := narrate(newNarrator(s, n.names(), func(vantiqtest.Event) {}))
	defer tell.finish()
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) }) // a second Ctrl-C ends it at once
	l := startLocal(tell, f.quiet, listener, consoleListener, n)
	defer l.close()
	tell.later(func() { f.introduce(l, t, n) })
	tokenFile := t.tokenFile
	if err := l.follow(func() (n namespace, files []string, err error) {
		changed, err := f.target()
		tokenFile = cmp.Or(changed.tokenFile, tokenFile) // the last that is known, while server.config cannot be read
		if files = append(f.configFiles(), f.file); tokenFile != "" {
			files = append(files, tokenFile)
		}
		if err != nil {
			return n, files, err
		}
		if changed.address != t.address {
			tell.later(func() {
				s.show(problem, red, "targetServer has changed: start vantiqdev anew for that to take effect")
			})
		}
		n, err = f.namespace(changed)
		return n, files, err
	}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// ownToken returns the token that server.config has, or else one that is made up. Where other machines reach the local Vantiq
// it is not the one that everybody knows.
func (f *serveFlags) ownToken(t target) string {
	if host, _, _ := net.SplitHostPort(t.address); isLoopback(host) {
		return cmp.Or(t.token, defaultToken)
	}
	if t.token != "" && t.token != defaultToken {
		return t.token
	}
	if f.invented == "" {
		f.invented = rand.Text()
	}
	return f.invented
}

// configFiles returns where server.config is, or may be one day.
func (f *serveFlags) configFiles() []string {
	if f.config != "" {
		return []string{f.config}
	}
	return []string{"server.config", filepath.Join("serverConfig", "server.config")}
}

// introduce says what there is in the beginning, and what a connector needs to know of it.
func (f *serveFlags) introduce(l *local, t target, n namespace) {
	s := l.screen
	s.say("a local Vantiq is ready at %s", l.server.URL())
	if l.console != nil {
		s.say("its console is at %s", l.console.URL())
	}
	if host, _, err := net.SplitHostPort(t.address); err == nil && !isLoopback(host) {
		s.show(problem, red, "other machines can reach it, by this one's address, unencrypted: whoever knows the auth token may connect")
	}
	if t.file != "" && f.listen == "" && slices.Contains(n.tokens, t.token) {
		s.say("%s names it: a connector that reads this file connects", t.file)
	} else {
		token := n.tokens[0]
		if token == t.token && t.file != "" {
			token = "… (that of " + t.file + ")" // which may be a real one
		}
		s.say("put this into the server.config of a connector:")
		_, _ = fmt.Fprintf(s.out, "\n    targetServer=%s\n    authToken=%s\n    sources=%s\n\n",
			reachable(l.server.URL(), t.address), token, strings.Join(n.names(), ","))
	}
	if t.file == "" && t.address != defaultAddress {
		s.say("publish, query and watch find it by -server %s", l.server.URL())
	}
	s.say("%s to Vantiq, %s from Vantiq; Ctrl-C ends it", toVantiq, fromVantiq)
}

// reachable returns the URL for other machines, if they can reach an address that names none.
func reachable(own, address string) string {
	host, port, _ := net.SplitHostPort(address)
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		return own
	}
	name, err := os.Hostname()
	if err != nil {
		return own
	}
	return "http://" + net.JoinHostPort(name, port)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// target returns where to be Vantiq.
func (f *serveFlags) target() (t target, err error) {
	t, err = readTarget(f.config, "")
	switch {
	case isNoConfig(err) && !f.configured:
		t = target{address: defaultAddress}
	case err != nil:
		return t, err
	case f.listen == "":
		if err := t.atLoopback(); err != nil {
			return t, fmt.Errorf("%w; or be elsewhere, by -listen %s", err, defaultAddress)
		}
	}
	f.configured = f.configured || t.file != ""
	if f.listen != "" {
		if _, _, err := net.SplitHostPort(f.listen); err != nil {
			return t, fmt.Errorf("-listen: %w; it is HOST:PORT, like %s", err, defaultAddress)
		}
		t.address, t.server = f.listen, ""
	}
	return t, nil
}

// namespace returns what flags, the file and server.config say, in this order of precedence.
func (f *serveFlags) namespace(t target) (namespace, error) {
	if _, err := os.Stat(f.file); err != nil && f.fileGiven {
		return namespace{}, fmt.Errorf("-file: %w", err)
	}
	file, err := readDevFile(f.file)
	if err != nil {
		return namespace{}, err
	}
	n := namespace{tokens: slices.Clone(f.tokens), samples: file.samples()}
	if len(n.tokens) == 0 {
		n.tokens = file.Tokens
	}
	if len(n.tokens) == 0 {
		n.tokens = []string{f.ownToken(t)}
	}
	for i, token := range n.tokens {
		if n.tokens[i] = strings.TrimSpace(token); n.tokens[i] == "" { // as a server.config would be read
			return n, errors.New("-token: the token is empty")
		}
	}
	var common documentFlag
	if file.Config != nil {
		_ = common.Set(string(file.Config)) // readDevFile has checked it
	}
	add := func(name string, config documentFlag) {
		if i := slices.IndexFunc(n.sources, func(s configuredSource) bool { return s.name == name }); i >= 0 {
			n.sources[i].config = config.Document
			return
		}
		n.sources = append(n.sources, configuredSource{name, config.Document})
	}
	for _, name := range t.sources {
		add(name, common)
	}
	for _, name := range slices.Sorted(maps.Keys(file.Sources)) {
		var config documentFlag
		_ = config.Set(string(file.Sources[name]))
		add(name, config)
	}
	for _, source := range f.sources {
		name, text, given := strings.Cut(source, "=")
		name = strings.TrimSpace(name)
		config := common
		if given {
			if err := config.Set(text); err != nil {
				return n, fmt.Errorf("-source %s: the configuration is %w", name, err)
			}
		}
		if err := checkName(name); err != nil {
			return n, fmt.Errorf("-source: %w: write NAME or NAME=JSON, and -source again for another one", err)
		}
		add(name, config)
	}
	if len(n.sources) == 0 {
		add(defaultSource, common)
	}
	return n, nil
}
