package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Whatever answers at a loopback address may send a command anywhere: what it is told stays on this machine.
func TestAConsoleElsewhereIsNotBelieved(t *testing.T) {
	console := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("it was asked something")
	}))
	defer console.Close()
	_, port, err := net.SplitHostPort(console.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := "http://0.0.0.0:" + port // no loopback address, and yet one that can be reached here
	server := httptest.NewServer(http.RedirectHandler(elsewhere, http.StatusTemporaryRedirect))
	defer server.Close()
	newWorkplace(t).do("publish", "-server", server.URL, "{}").ended(1, "has no console of vantiqdev (it says 307 Temporary Redirect)")
}
