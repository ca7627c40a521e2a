package console

import (
	"errors"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
)

// Name is what a console calls itself in the header Server.
const Name = "vantiqdev-console"

// guard lets only requests through that come from this machine's own page, or from no page at all.
//
// A page of another origin could otherwise act in the name of whoever visits it: by a form (which the check of the origin
// refuses), or with a name of its own that it makes resolve to 127.0.0.1 (which the check of the host refuses).
func (c *Console) guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Server", Name)
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if !slices.Contains(c.hosts, strings.ToLower(r.Host)) {
			fail(w, http.StatusMisdirectedRequest, errors.New("this is vantiqdev's console, which answers to "+c.url+" only"))
			return
		}
		if err := origin.Check(r); err != nil {
			fail(w, http.StatusForbidden, errors.New("the console takes orders from its own page only: "+err.Error()))
			return
		}
		if site := r.Header.Get("Sec-Fetch-Site"); strings.HasPrefix(r.URL.Path, "/api/") && site != "" && site != "same-origin" && site != "none" {
			fail(w, http.StatusForbidden, errors.New("the console tells its own page only")) // others could not read it, but it costs
			return
		}
		changes := r.Method != http.MethodGet && r.Method != http.MethodHead
		if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); changes && kind != "application/json" {
			fail(w, http.StatusUnsupportedMediaType, errors.New("the Content-Type must be application/json"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Redirect is a [vantiqtest.UpgradeHook]: it sends a browser on this machine that opens the local Vantiq's own address,
// and the commands that only know that one, to the console.
func (c *Console) Redirect(w http.ResponseWriter, r *http.Request) (handled bool) {
	if r.Method != http.MethodGet || r.URL.Path != "/" || !isLoopback(r.RemoteAddr) {
		return false
	}
	http.Redirect(w, r, c.url, http.StatusTemporaryRedirect)
	return true
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}
