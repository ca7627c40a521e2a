package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/internal/shown"
	"github.com/vantiq-go/connectorsdk/protocol"
)

const tokenVariable = "CONNECTOR_AUTH_TOKEN"

// readConfiguration takes the steps that only look at the configuration. It reports whether there is one.
func (x *examination) readConfiguration(ctx context.Context) bool {
	var problems []*connectorset.ConfigError
	var warnings []connectorset.Warning
	if !x.step(ctx, File, func(ctx context.Context, s *Step) {
		r := x.read(ctx, s)
		if r == nil {
			return
		}
		x.config, problems, warnings = r.config, r.problems, r.warnings
		x.hide(r.config.AuthToken, r.config.ReconnectSecret)
		for _, secret := range shown.Secrets(r.config.TargetServer, r.config.Header, telling) {
			x.hide(protocol.Secret(secret))
		}
		x.examineFile(s, problems)
	}) {
		return false
	}
	x.wrong = make(map[string]bool)
	for _, p := range problems {
		x.wrong[p.Key] = true
	}
	x.step(ctx, Keys, func(_ context.Context, s *Step) {
		s.ok("all are known")
		for _, w := range warnings {
			if unknown(w) {
				s.doubt(w.String())
			}
		}
		if n := len(s.Advice); n > 0 {
			s.Detail = count(n, "unknown property", "unknown properties")
		}
	})
	x.step(ctx, Values, func(_ context.Context, s *Step) { x.examineValues(s, problems, warnings) })
	x.step(ctx, Token, func(_ context.Context, s *Step) { x.examineToken(s, problems, warnings) })
	x.step(ctx, Sources, func(_ context.Context, s *Step) { x.examineSources(s, problems, warnings) })
	return true
}

// problemsIn takes the joined errors of connectorset apart.
func problemsIn(err error) (problems []*connectorset.ConfigError) {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, one := range joined.Unwrap() {
			problems = append(problems, problemsIn(one)...)
		}
		return problems
	}
	var problem *connectorset.ConfigError
	if errors.As(err, &problem) {
		problems = append(problems, problem)
	}
	return problems
}

// unknown reports whether a warning is about a property that there is not.
func unknown(w connectorset.Warning) bool {
	return w.File != "" && (strings.HasPrefix(w.Text, "is not a property") || strings.HasPrefix(w.Text, "is an environment variable"))
}

// Properties that have steps of their own.
var (
	tokenKeys  = []string{"authToken", "authTokenFile", tokenVariable}
	sourceKeys = []string{"sources"}
)

func (x *examination) examineFile(s *Step, problems []*connectorset.ConfigError) {
	for _, p := range problems {
		if p.Key == "" && p.Line == 0 {
			text := strings.TrimSuffix(p.Error(), ": "+fs.ErrNotExist.Error()) // it says so
			s.fail(text, "run doctor where the connector runs, or name the file with -config FILE")
			return
		}
	}
	file := x.config.File()
	s.ok(file)
	if x.File != "" {
		return
	}
	if directory, err := os.Getwd(); err == nil {
		s.Detail += " in " + directory
	}
	switch {
	case file == secondFile:
		s.Detail += " (there is no " + firstFile + ")"
	case exists(secondFile):
		s.doubt("there is a " + secondFile + ", too, which is not read: " + firstFile + " comes first")
	}
}

func (x *examination) examineValues(s *Step, problems []*connectorset.ConfigError, warnings []connectorset.Warning) {
	s.ok("targetServer is " + shown.URL(x.config.TargetServer))
	wrong := 0
	for _, p := range problems {
		if !slices.Contains(tokenKeys, p.Key) && !slices.Contains(sourceKeys, p.Key) {
			wrong++
			s.advise(p.Error())
		}
	}
	if wrong > 0 {
		s.fail(count(wrong, "problem", "problems"))
	}
	for _, w := range warnings {
		if !unknown(w) && !slices.Contains(tokenKeys, w.Key) && !slices.Contains(sourceKeys, w.Key) {
			s.doubt(w.String())
		}
	}
	if strings.Contains(x.config.TargetServer, "?") {
		s.doubt("targetServer has a query, which is not shown: a connector sends it along when it opens the WebSocket, where gateways write it " +
			"into their logs. Vantiq asks for none: a token belongs in authToken")
	}
}

func (x *examination) examineToken(s *Step, problems []*connectorset.ConfigError, warnings []connectorset.Warning) {
	environment := strings.TrimSpace(os.Getenv(tokenVariable))
	file := strings.TrimSpace(x.config.AuthTokenFile)
	x.hide(protocol.Secret(environment))
	for _, p := range problems {
		if slices.Contains(tokenKeys, p.Key) {
			s.fail("there is none that can be used", p.Error())
			return
		}
	}
	x.token = protocol.Secret(strings.TrimSpace(string(x.config.AuthToken)))
	switch {
	case x.token == "":
		text, err := readToken(file)
		if err != nil {
			s.fail("authTokenFile cannot be read: "+err.Error(), "create it with the token in it, where authTokenFile says, "+
				"readable for the user that the connector runs as; a relative name is looked for in the working directory")
			return
		}
		x.token = protocol.Secret(text)
		x.hide(x.token)
		s.ok("from authTokenFile " + file)
	case string(x.token) == environment:
		s.ok("from the environment variable " + tokenVariable)
	default:
		s.ok("from authToken in " + x.config.File())
	}
	for _, w := range warnings {
		if slices.Contains(tokenKeys, w.Key) && !unknown(w) {
			s.doubt(w.String())
		}
	}
	if environment != "" && string(x.token) != environment {
		s.doubt(tokenVariable + " is set as well and holds something else, which is not used: the file comes first")
	}
	s.doubt(oddities(string(x.token), len(s.Advice) > 0)...)
}

// oddities returns what looks wrong with a token. Quotes in a file have been warned about.
func oddities(token string, warned bool) (odd []string) {
	first, last := token[0], token[len(token)-1]
	if !warned && (strings.ContainsRune(`"'`, rune(first)) || strings.ContainsRune(`"'`, rune(last))) {
		odd = append(odd, "it has a quote at its beginning or end, which is sent as a part of it: remove the quotes")
	}
	switch {
	case strings.HasPrefix(strings.ToLower(token), "bearer "):
		odd = append(odd, `it begins with "Bearer": only the token itself belongs there`)
	case strings.ContainsAny(token, " \t\r\n"):
		odd = append(odd, "there is a blank or a line break within it: is it complete, and is nothing else beside it?")
	case strings.HasPrefix(token, "<") || strings.HasPrefix(token, "${") || strings.HasPrefix(token, "$("):
		odd = append(odd, "it looks like a placeholder: nothing is expanded in a server.config")
	}
	return odd
}

func (x *examination) examineSources(s *Step, problems []*connectorset.ConfigError, warnings []connectorset.Warning) {
	for _, p := range problems {
		if slices.Contains(sourceKeys, p.Key) {
			s.fail("none can be used", p.Error())
			return
		}
	}
	for _, name := range x.config.Sources {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(x.sources, name) {
			x.sources = append(x.sources, name)
		}
	}
	s.ok(strings.Join(x.sources, ", "))
	for _, w := range warnings {
		if slices.Contains(sourceKeys, w.Key) {
			s.doubt(w.String())
		}
	}
}

// prepare lets connectorset make of the configuration what a connector would get, and leaves the dialer unset if the
// server cannot be reached with it. What is wrong in other places, and has been said, is replaced by what is accepted,
// so that everything else can be looked at. The set that is returned must be closed.
func (x *examination) prepare() *connectorset.ConnectorSet {
	config := x.config
	reachable := true
	for key, repair := range map[string]func(){
		"targetServer":  func() { config.TargetServer, reachable = "https://vantiq.invalid", false },
		"tlsCaFile":     func() { config.TLSCAFile, reachable = "", false },
		"tlsCertFile":   func() { config.TLSCertFile, config.TLSKeyFile, reachable = "", "", false },
		"tlsKeyFile":    func() { config.TLSCertFile, config.TLSKeyFile, reachable = "", "", false },
		"proxy":         func() { reachable = false },
		"connectKWArgs": func() { reachable = false },
	} {
		if x.wrong[key] {
			repair()
		}
	}
	if x.token == "" {
		config.AuthToken = "none" // it is not sent
	}
	if len(x.sources) == 0 {
		config.Sources = []string{"none"}
	}
	var options []connector.Options
	set, err := connectorset.New(config, connectorset.Each(func(_ string, o *connector.Options) {
		options = append(options, *o)
	}))
	if err != nil {
		return nil // it has been said what is wrong
	}
	x.options = options[0]
	if x.wrong["tcpProbeHost"] || x.wrong["tcpProbePort"] {
		x.options.Probe = nil
	}
	if reachable {
		x.dialer = x.newDialer()
	}
	return set
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
