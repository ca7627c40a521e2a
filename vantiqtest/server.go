package vantiqtest

import (
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
)

// A Server is a local Vantiq with one namespace. Make it with [NewServer]. All methods may be called from several
// goroutines.
type Server struct {
	maxMessage int
	frames     []FrameKind
	tls        *tls.Config // nil: plain
	roots      *x509.CertPool
	url        string
	listen     func() (net.Listener, error) // again, on the same address
	observer   *observer                    // nil: nobody watches

	intercepts        hooks[MessageHook]
	upgradeIntercepts hooks[UpgradeHook]

	closing chan struct{}  // closed by Close
	running sync.WaitGroup // the acceptor, and one for each link

	mu        sync.Mutex
	tokens    []protocol.Secret
	listener  net.Listener // nil while stopped
	sources   map[string]*Source
	links     map[*Link]struct{}
	linkCount uint64
	dials     history[time.Time]
}

// NewServer starts a server. It panics if it cannot listen.
func NewServer(opts ...Option) *Server {
	o := newOptions(opts)
	s := &Server{
		maxMessage: o.maxMessage,
		frames:     o.frames,
		closing:    make(chan struct{}),
		tokens:     []protocol.Secret{o.token},
		sources:    map[string]*Source{},
		links:      map[*Link]struct{}{},
	}
	listener := s.firstListener(o)
	s.url = "http://" + reachable(listener.Addr())
	if o.tls {
		s.url = "https://" + reachable(listener.Addr())
		s.tls = o.tlsConfig
	}
	if o.tls && o.tlsConfig == nil {
		certificate, roots, err := newCertificate()
		if err != nil {
			panic(fmt.Sprintf("vantiqtest: make a certificate: %v", err))
		}
		s.tls, s.roots = &tls.Config{Certificates: []tls.Certificate{certificate}}, roots
	}
	if o.observer != nil {
		s.observer = newObserver(o.observer)
	}
	s.accept(listener)
	return s
}

// firstListener returns what to listen on, and prepares listen for the times after that.
func (s *Server) firstListener(o options) net.Listener {
	listener := o.listener
	switch {
	case o.network != nil:
		s.listen = func() (net.Listener, error) { return o.network.Listen(), nil }
		return o.network.Listen()
	case listener == nil:
		var err error
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			panic(fmt.Sprintf("vantiqtest: listen on a free port of 127.0.0.1: %v", err))
		}
	}
	address := listener.Addr()
	s.listen = func() (net.Listener, error) { return net.Listen(address.Network(), address.String()) }
	return listener
}

// reachable returns the address at which a program on this machine reaches a listener.
func reachable(address net.Addr) string {
	if a, ok := address.(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: a.Port}).String()
	}
	return address.String()
}

// URL returns what belongs into targetServer, like http://127.0.0.1:43210.
func (s *Server) URL() string { return s.url }

// Token returns the valid auth token, or the first of several. It is harmless: it is valid here only.
func (s *Server) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.tokens[0])
}

// SetTokens makes these auth tokens valid and no others, for connectors that authenticate from now on: links that have
// done so stay. It panics without a token.
func (s *Server) SetTokens(tokens ...string) {
	if len(tokens) == 0 {
		panic("vantiqtest: SetTokens needs a token")
	}
	secrets := make([]protocol.Secret, len(tokens))
	for i, token := range tokens {
		secrets[i] = protocol.Secret(token)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = secrets
}

// valid reports whether token is one of the valid ones.
func (s *Server) valid(token protocol.Secret) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := 0
	for _, t := range s.tokens {
		found |= subtle.ConstantTimeCompare([]byte(token), []byte(t))
	}
	return found == 1
}

// RootCAs returns what trusts the certificate that the server has made for itself, or nil if it has made none.
func (s *Server) RootCAs() *x509.CertPool { return s.roots }

// Dials returns when the last 4,096 connections were accepted, oldest first, whatever became of them. What is dialled
// while the server is stopped never reaches it.
func (s *Server) Dials() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dials.all()
}

// Close ends every link with the close code 1001 (going away) and returns when all that the server started has ended,
// which takes no longer than a second even if a peer does not answer. Waiting calls return an error. Closing again is
// fine. It must not be called from a hook or an observer: it waits for them.
func (s *Server) Close() {
	s.mu.Lock()
	first := !s.isClosing()
	if first {
		close(s.closing)
	}
	s.mu.Unlock()
	s.Stop(closeGoingAway)
	s.running.Wait()
	if first && s.observer != nil {
		s.observer.close()
	}
}

func (s *Server) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// Stop begins an outage: connections are refused until [Server.Start], and every link ends as how says; with 0 the links
// stay. Sources, and queries that wait for an answer, outlast it. Stopping a stopped server ends the links that are left.
func (s *Server) Stop(how Drop) {
	s.mu.Lock()
	listener := s.listener
	s.listener = nil
	var links []*Link
	for l := range s.links {
		links = append(links, l)
	}
	s.mu.Unlock()
	if listener != nil {
		_ = listener.Close()
	}
	for _, l := range links {
		l.Drop(how)
	}
}

// startPatience is how long Start tries to get its port back: an outgoing connection may have borrowed it.
const startPatience = 5 * time.Second

// Start ends an outage: the server listens again, on the same address. It panics if it cannot within 5 seconds. Starting a
// server that runs, or one that has been closed, does nothing.
func (s *Server) Start() {
	var listener net.Listener
	var err error
	for end := time.Now().Add(startPatience); ; time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		done := s.listener != nil || s.isClosing()
		s.mu.Unlock()
		if done {
			return
		}
		if listener, err = s.listen(); err == nil {
			break
		}
		if time.Now().After(end) {
			panic(fmt.Sprintf("vantiqtest: listen on %s again: %v", s.url, err))
		}
	}
	s.accept(listener)
}

// accept serves listener on a goroutine until it is closed.
func (s *Server) accept(listener net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosing() {
		_ = listener.Close()
		return
	}
	s.listener = listener
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		for {
			conn, err := listener.Accept()
			switch {
			case err == nil:
				s.open(listener, conn)
			case s.serves(listener):
				time.Sleep(10 * time.Millisecond) // out of file descriptors, perhaps
			default:
				return
			}
		}
	}()
}

// serves reports whether listener has not been stopped.
func (s *Server) serves(listener net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listener == listener
}

// open starts a link, unless the outage has begun meanwhile.
func (s *Server) open(listener net.Listener, conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != listener {
		_ = conn.Close()
		return
	}
	s.dials.add(time.Now())
	s.linkCount++
	l := newLink(s, s.linkCount, conn)
	s.links[l] = struct{}{}
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		l.serve()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.links, l)
	}()
}

// Source declares the source of that name and returns it, or returns the one declared before. The configuration is
// anything that marshals to a JSON object, nil means {}; it counts only in the declaring call (afterwards:
// [Source.Reconfigure]). Source panics if config cannot be a document.
func (s *Server) Source(name string, config any) *Source {
	document := mustDocument(name, config)
	s.mu.Lock()
	defer s.mu.Unlock()
	source, ok := s.sources[name]
	if !ok {
		source = newSource(s, name, document)
		s.sources[name] = source
	}
	return source
}

// Sources returns the sources that are declared, by name.
func (s *Server) Sources() []*Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.sources), func(a, b *Source) int { return strings.Compare(a.name, b.name) })
}

// Remove takes a source away, as deleting it in the IDE does: its connector is asked to connect again, and told then that
// there is no such source. Removing a source that is not there does nothing; [Server.Source] declares it anew.
func (s *Server) Remove(name string) {
	s.mu.Lock()
	source := s.sources[name]
	delete(s.sources, name)
	s.mu.Unlock()
	if source != nil {
		source.RequireReconnect()
	}
}

// declared returns the source of that name, or nil.
func (s *Server) declared(name string) *Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sources[name]
}

func mustDocument(source string, config any) protocol.Document {
	if config == nil {
		return protocol.Document{}
	}
	document, err := protocol.NewDocument(config)
	if err != nil {
		panic(fmt.Sprintf("vantiqtest: configuration of source %s: %v", source, err))
	}
	return document
}
