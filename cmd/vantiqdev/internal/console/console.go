// Package console shows a local Vantiq in a browser, and lets commands act on it: a page, and the HTTP interface that the
// page and the commands use. It is for whoever sits at this machine: it listens on loopback addresses only, answers only
// requests that name one of them, and takes no orders from pages of other origins.
package console

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

//go:embed page
var page embed.FS

// A Console is such a server. Make it with [New].
type Console struct {
	vantiq  *vantiqtest.Server
	traffic *Traffic
	faults  *faults
	samples atomic.Pointer[Samples]
	url     string
	started time.Time
	hosts   []string // by which a request may name it

	listener net.Listener
	server   *http.Server
	ctx      context.Context // ends with the console
	end      context.CancelFunc
}

// Listen listens on a loopback address like 127.0.0.1:8401. It refuses any other.
func Listen(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%w; it is HOST:PORT, like 127.0.0.1:8401", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%s is not a loopback address: the console is for this machine only, as whoever reaches it may "+
			"do everything; use 127.0.0.1 and, from elsewhere, an SSH tunnel", address)
	}
	return net.Listen("tcp", address)
}

// New returns a console of a local Vantiq, whose observer the traffic is, on a listener from [Listen]. What the console does
// to connectors it tells observe, as an event of the kind [Fault], from goroutines of its own, before it does it; after Close
// it tells nothing more.
func New(vantiq *vantiqtest.Server, traffic *Traffic, observe func(vantiqtest.Event), listener net.Listener) *Console {
	c := &Console{
		vantiq:   vantiq,
		traffic:  traffic,
		faults:   newFaults(vantiq, observe),
		url:      "http://" + listener.Addr().String(),
		started:  time.Now(),
		listener: listener,
	}
	traffic.know(func(source string) bool {
		return slices.ContainsFunc(vantiq.Sources(), func(s *vantiqtest.Source) bool { return s.Name() == source })
	})
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	host := strings.TrimSuffix(listener.Addr().String(), ":"+port)
	for _, name := range []string{host, "127.0.0.1", "localhost", "[::1]"} {
		c.hosts = append(c.hosts, name+":"+port)
		if port == "80" { // which clients leave out
			c.hosts = append(c.hosts, name)
		}
	}
	c.ctx, c.end = context.WithCancel(context.Background())
	c.server = &http.Server{
		Handler:           c.guard(c.routes()),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return c.ctx },
	}
	return c
}

// URL returns the address of the page.
func (c *Console) URL() string { return c.url }

// Serve serves until Close.
func (c *Console) Serve() error {
	if err := c.server.Serve(c.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close ends everything that the console does, and the faults that it plays.
func (c *Console) Close() {
	c.end()
	_ = c.server.Close()
	c.faults.close()
}

func (c *Console) routes() http.Handler {
	assets, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // it is embedded
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, assets, "index.html") })
	files := http.StripPrefix("/page/", http.FileServerFS(assets))
	mux.HandleFunc("GET /page/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r) // no list of a directory
			return
		}
		files.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /api/state", c.getState)
	mux.HandleFunc("GET /api/stream", c.getStream)
	mux.HandleFunc("GET /api/events/{number}", c.getEvent)
	mux.HandleFunc("GET /api/notifications", c.getNotifications)
	mux.HandleFunc("POST /api/sources/{source}/publish", c.postPublish)
	mux.HandleFunc("POST /api/sources/{source}/query", c.postQuery)
	mux.HandleFunc("PUT /api/sources/{source}/config", c.putConfig)
	mux.HandleFunc("POST /api/sources/{source}/fault", c.postFault)
	mux.HandleFunc("POST /api/server/restart", c.postRestart)
	return mux
}
