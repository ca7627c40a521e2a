package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
)

// askNameServer lets names be looked up at a name server that gives these answers; nil is none.
func askNameServer(p *patient, answerTo func(query []byte) []byte) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		p.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		query := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(query)
			if err != nil {
				return
			}
			if answer := answerTo(query[:n]); answer != nil {
				_, _ = server.WriteTo(answer, from)
			}
		}
	}()
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
	p.Cleanup(func() {
		net.DefaultResolver = before
		_ = server.Close()
		<-over
	})
}

// noSuchName returns the answer NXDOMAIN to a DNS query.
func noSuchName(query []byte) []byte {
	const header = 12
	end := header
	for end < len(query) && query[end] != 0 { // the labels of the name
		end += int(query[end]) + 1
	}
	end += 1 + 4 // the empty label, type and class
	if end > len(query) {
		return nil
	}
	answer := bytes.Clone(query[:end])
	copy(answer[2:], []byte{0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0}) // a response: no such name; one question, nothing else
	return answer
}

// proxy starts an HTTP proxy that knows a user, and returns its address.
func (p *patient) proxy() string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", r.Header.Get("Proxy-Authorization"))
		if _, given, _ := r.BasicAuth(); given != password {
			http.Error(w, "who are you?", http.StatusProxyAuthRequired)
			return
		}
		forward(w, r.Host)
	}))
	p.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// forward connects the client of an HTTP request to an address.
func forward(w http.ResponseWriter, address string) {
	there, err := net.Dial("tcp", address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	_, _ = fmt.Fprint(here, "HTTP/1.1 200 OK\r\n\r\n")
	join(here, there)
}

// join copies both ways until both connections have ended.
func join(a, b net.Conn) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		pour(a, b)
	}()
	pour(b, a)
	<-over
}

// pour copies from one connection to the other until it ends, and passes that on.
func pour(to, from net.Conn) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			_, _ = to.Write(buffer[:n])
		}
		if err != nil {
			if c, ok := to.(*net.TCPConn); ok && !errors.Is(err, net.ErrClosed) {
				_ = c.CloseWrite()
			}
			return
		}
	}
}

func escaped(text string) string { return strings.ReplaceAll(text, " ", "%20") }
