package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/vantiq-go/connectorsdk/cmd/vantiqdev/internal/console"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A local is a local Vantiq and its console.
type local struct {
	server  *vantiqtest.Server
	console *console.Console // nil: none
	served  chan error       // what the console has ended with
	screen  *screen
	tell    *narration
	now     namespace

	stopFollowing func() // returns when nothing is followed any more
}

// startLocal starts a local Vantiq on a listener, and its console on another, or none if that is nil. Each event is told after
// the console has taken note of it, unless quiet; what the console causes, on other goroutines than what the server sees.
func startLocal(tell *narration, quiet bool, listener, consoleListener net.Listener, n namespace) *local {
	l := &local{screen: tell.narrator.screen, tell: tell, served: make(chan error, 1), stopFollowing: func() {}}
	traffic := console.NewTraffic()
	observe := func(e vantiqtest.Event) {
		if consoleListener != nil {
			traffic.Observe(e)
		}
		if !quiet {
			tell.observe(e)
		}
	}
	l.server = vantiqtest.NewServer(
		vantiqtest.WithListener(listener),
		vantiqtest.WithToken(n.tokens[0]), // from the first link on; the others come with the sources
		vantiqtest.WithObserver(observe))
	l.server.InterceptUpgrade(refusePages)
	if consoleListener != nil {
		l.console = console.New(l.server, traffic, observe, consoleListener)
		l.server.InterceptUpgrade(l.console.Redirect)
		go func() { l.served <- l.console.Serve() }()
	}
	l.apply(n)
	return l
}

// refusePages refuses whoever comes from a page in a browser: a connector does not, and any page that is open on this
// machine could otherwise be one, with a token that is easily guessed.
func refusePages(w http.ResponseWriter, r *http.Request) (handled bool) {
	if r.Header.Get("Origin") == "" {
		return false
	}
	http.Error(w, "pages in a browser are no connectors: this request has an Origin", http.StatusForbidden)
	return true
}

// apply makes the local Vantiq what n says.
func (l *local) apply(n namespace) {
	n.configure(l.server, l.now, func(format string, args ...any) {
		l.tell.later(func() { l.screen.say(format, args...) })
	})
	if l.console != nil {
		l.console.Suggest(n.samples)
	}
	l.now = n
}

// follow applies what read says whenever one of the files changes that it has read, or would have.
func (l *local) follow(read func() (n namespace, files []string, err error)) error {
	_, files, _ := read()
	changes, err := watchFiles(files, nil)
	if err != nil {
		return err
	}
	if n, _, err := read(); err == nil { // it may have changed before it was watched
		l.apply(n)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	l.stopFollowing = func() {
		close(stop)
		<-stopped
	}
	go func() { // ends with stop
		defer close(stopped)
		defer changes.close()
		for {
			select {
			case <-changes.changed:
				n, files, err := read()
				if err := changes.watch(files); err != nil {
					l.tell.later(func() { l.screen.show(problem, red, err.Error()) })
				}
				if err != nil {
					l.tell.later(func() { l.screen.show(problem, red, everythingStays(err)) })
					continue
				}
				l.apply(n)
			case <-stop:
				return
			}
		}
	}()
	return nil
}

// everythingStays says what is wrong with a file that is followed, on one line.
func everythingStays(err error) string {
	return strings.ReplaceAll(err.Error(), "\n", "; ") + "; until that is mended everything stays as it is"
}

// close ends both, and returns when everything has been observed.
func (l *local) close() {
	l.stopFollowing()
	l.server.Close()
	if l.console != nil {
		l.console.Close()
		if err := <-l.served; err != nil {
			l.screen.show(problem, red, fmt.Sprintf("the console had ended: %v", err))
		}
	}
}

// defaultConsole is where the console is unless somebody says otherwise or is there already.
const defaultConsole = "127.0.0.1:8401"

// A consoleFlag says where the console is to be.
type consoleFlag struct {
	address string // "off": nowhere
	given   bool
}

func (f *consoleFlag) flag() cli.Flag {
	return &cli.StringFlag{Name: "console", Value: defaultConsole, Destination: &f.address,
		Usage: "offer the console at this loopback `ADDRESS`; off: nowhere"}
}

// listen takes the port of the console. It returns nil if there is to be none.
func (f consoleFlag) listen() (net.Listener, error) {
	if f.address == "off" {
		return nil, nil //nolint:nilnil // none is what was asked for
	}
	listener, err := console.Listen(f.address)
	for port := 8402; errors.Is(err, syscall.EADDRINUSE) && !f.given && port < 8420; port++ { // other vantiqdevs have those before
		listener, err = console.Listen(fmt.Sprint("127.0.0.1:", port))
	}
	if err != nil {
		return nil, fmt.Errorf("-console: %w%s", err, adviceFor(err, f.address, ""))
	}
	return listener, nil
}

// adviceFor says what to do about an address that cannot be listened on, and where another would have to be written.
func adviceFor(err error, address, where string) string {
	_, port, _ := net.SplitHostPort(address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf(": something listens there already, another vantiqdev perhaps. End it (\"lsof -i :%s\" names it), or "+
			"choose another port%s", port, where)
	case errors.As(err, new(*net.DNSError)), errors.Is(err, syscall.EADDRNOTAVAIL):
		return ": it must be an address of this machine" + where
	case errors.Is(err, os.ErrPermission):
		return ": ports below 1024 need special rights: choose a higher one, like 8400" + where
	}
	return ""
}
