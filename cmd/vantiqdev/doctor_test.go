package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/health"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A call is a command line in a situation.
type call struct {
	name  string
	args  string
	code  int
	setUp func(*patient)
}

var calls = []call{
	{"right", "-connect", 0, func(p *patient) {
		server, source := p.vantiq()
		server.Source("Second", nil)
		p.configure("sources=EchoSource, Second", "tcpProbeHost=127.0.0.1", "tcpProbePort="+freePort(p.T))
		p.Cleanup(func() {
			if n := source.Sessions(); n != 1 {
				p.Errorf("the source had %d sessions", n)
			}
		})
	}},
	{"right with TLS", "", 0, func(p *patient) {
		ca := newAuthority(p.T)
		_, source := p.vantiq(vantiqtest.WithTLS(ca.serverConfig(time.Hour*-1, time.Hour*24*100+time.Hour, "127.0.0.1", "vantiq.example.com")))
		p.configure("tlsCaFile=" + p.write("ca.pem", ca.pem))
		p.Cleanup(func() {
			if connects := source.Connects(); len(connects) > 0 {
				p.Error("it has tried to connect the source without -connect")
			}
		})
	}},
	{"right in serverConfig", "", 0, func(p *patient) {
		p.vantiq()
		if err := os.Mkdir("serverConfig", 0o700); err != nil {
			p.Fatal(err)
		}
		p.file = filepath.Join("serverConfig", "server.config")
		p.write("server.config", "")
	}},
	{"right with -config", "-config my.config", 0, func(p *patient) {
		p.vantiq()
		p.file = "my.config"
	}},

	// The configuration.
	{"no file", "", 1, func(p *patient) { p.file = "" }},
	{"no such file", "-config other.config", 1, func(*patient) {}},
	{"unknown key", "", 0, func(p *patient) {
		p.vantiq()
		p.configure("tcpPropePort=8001", "authtoken2=x", "CONNECTOR_AUTH_TOKEN="+wrongToken)
	}},
	{"several bad values", "", 1, func(p *patient) {
		p.vantiq()
		p.configure("tcpProbePort=http", "pingInterval=soon", "maxQueries=-1", "outboxFull=wait", "reconnectSecret="+fixedSecret)
	}},
	{"bad target", "", 1, func(p *patient) { p.target("ftp://user:" + hush + "@vantiq.example.com") }},
	{"target with a query", "", 1, func(p *patient) {
		p.web(func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "nothing at "+r.RequestURI+", "+r.FormValue("key"), http.StatusNotFound)
		})
		p.target(p.value("targetServer") + "/?token=" + hush + "&key=my%20" + hush)
	}},
	{"bad target with a query", "", 1, func(p *patient) { p.target("ftp://vantiq.example.com/?token=" + hush) }},
	{"bad TLS file", "", 1, func(p *patient) {
		p.target("https://vantiq.invalid")
		p.configure("tlsCaFile=" + p.write("ca.pem", "nothing"))
	}},
	{"no token", "", 1, func(p *patient) {
		p.vantiq()
		p.without("authToken")
	}},
	{"no sources", "", 1, func(p *patient) {
		p.vantiq()
		p.without("sources")
	}},
	{"sources in brackets", "", 0, func(p *patient) {
		p.vantiq()
		p.without("sources")
		p.configure("sources: [EchoSource, Second]")
	}},
	{"authTokenFile missing", "", 1, func(p *patient) {
		p.vantiq()
		p.without("authToken")
		p.configure("authTokenFile=run/token")
	}},
	{"authTokenFile", "", 0, func(p *patient) {
		p.vantiq()
		p.without("authToken")
		p.configure("authTokenFile=" + p.write("token", goodToken+"\n"))
	}},
	{"token of the environment", "", 0, func(p *patient) {
		p.vantiq()
		p.without("authToken")
		p.Setenv("CONNECTOR_AUTH_TOKEN", goodToken)
	}},
	{"another token in the environment", "", 0, func(p *patient) {
		p.vantiq()
		p.Setenv("CONNECTOR_AUTH_TOKEN", wrongToken)
	}},
	{"odd token", "", 1, func(p *patient) {
		p.vantiq()
		p.without("authToken")
		p.Setenv("CONNECTOR_AUTH_TOKEN", `"`+goodToken+` and more"`)
	}},

	// The way to the server.
	{"wrong host", "", 1, func(p *patient) {
		askNameServer(p, noSuchName)
		p.target("https://vantiq.invalid")
	}},
	{"colon missing", "", 1, func(p *patient) {
		askNameServer(p, noSuchName)
		p.target("https//someone:" + hush + "@dev.vantiq.com/" + hush + "@/x")
	}},
	{"slash missing", "", 1, func(p *patient) { p.target("https:/dev.vantiq.com") }},
	{"silent name server", "-timeout 1s", 1, func(p *patient) {
		askNameServer(p, func([]byte) []byte { return nil })
		p.target("https://vantiq.invalid")
	}},
	{"wrong port", "", 1, func(p *patient) { p.target("http://127.0.0.1:" + freePort(p.T)) }},
	{"silence after TCP", "-timeout 1s", 1, func(p *patient) { p.target("https://" + p.listen(func(net.Conn) {})) }},
	{"proxy", "-connect", 0, func(p *patient) {
		p.vantiq()
		p.configure("proxy=http://someone:" + escaped(password) + "@" + p.proxy())
	}},
	{"proxy refuses", "", 1, func(p *patient) {
		p.target("https://vantiq.example.com")
		p.configure("proxy=http://someone:" + escaped("other "+password) + "@" + p.proxy())
	}},
	{"proxy repeats the password", "", 1, func(p *patient) {
		p.target("https://vantiq.example.com")
		p.configure("proxy=http://someone:" + escaped(password) + "@" + p.listen(func(c net.Conn) {
			request, err := http.ReadRequest(bufio.NewReader(c))
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(c, "HTTP/1.1 407 %s is not %s\r\n\r\n", request.Header.Get("Proxy-Authorization"), password)
		}))
	}},
	{"proxy talks before it is asked", "", 1, func(p *patient) {
		p.target("http://vantiq.example.com")
		p.configure("proxy=http://" + p.listen(func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1000))
			_, _ = fmt.Fprint(c, "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n")
		}))
	}},
	{"proxy unreachable", "", 1, func(p *patient) {
		p.target("https://vantiq.example.com")
		p.configure("proxy=127.0.0.1:" + freePort(p.T))
	}},
	{"proxy of another kind", "", 1, func(p *patient) {
		p.target("https://vantiq.example.com")
		p.configure("proxy=socks5://" + p.listen(func(c net.Conn) {
			_, _ = c.Read(make([]byte, 100)) // else the end is a reset, at times
			_ = c.Close()
		}))
	}},

	// TLS.
	{"HTTP instead of HTTPS", "", 1, func(p *patient) {
		server, _ := p.vantiq()
		p.target(strings.Replace(server.URL(), "http://", "https://", 1))
	}},
	{"HTTPS instead of HTTP", "", 1, func(p *patient) {
		server, _ := p.vantiq(vantiqtest.WithTLS(nil))
		p.target(strings.Replace(server.URL(), "https://", "http://", 1))
	}},
	{"expired certificate", "", 1, func(p *patient) {
		ca := newAuthority(p.T)
		p.vantiq(vantiqtest.WithTLS(ca.serverConfig(-time.Hour*24*10, -time.Hour*24*3-time.Hour, "127.0.0.1")))
		p.configure("tlsCaFile=" + p.write("ca.pem", ca.pem))
	}},
	{"certificate not yet valid", "", 1, func(p *patient) {
		ca := newAuthority(p.T)
		p.vantiq(vantiqtest.WithTLS(ca.serverConfig(time.Hour*25+time.Minute, time.Hour*24*10, "127.0.0.1")))
		p.configure("tlsCaFile=" + p.write("ca.pem", ca.pem))
	}},
	{"certificate expires soon", "", 0, func(p *patient) {
		ca := newAuthority(p.T)
		p.vantiq(vantiqtest.WithTLS(ca.serverConfig(-time.Hour, time.Hour*24*5+time.Hour, "127.0.0.1")))
		p.configure("tlsCaFile=" + p.write("ca.pem", ca.pem))
	}},
	{"old TLS", "", 1, func(p *patient) {
		ca := newAuthority(p.T)
		config := ca.serverConfig(-time.Hour, time.Hour*24*100+time.Hour, "127.0.0.1")
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		p.vantiq(vantiqtest.WithTLS(config))
		p.configure("tlsCaFile=" + p.write("ca.pem", ca.pem))
	}},
	{"unknown CA", "", 1, func(p *patient) {
		p.vantiq(vantiqtest.WithTLS(newAuthority(p.T).serverConfig(-time.Hour, time.Hour*24*100+time.Hour, "127.0.0.1")))
	}},
	{"another CA", "", 1, func(p *patient) {
		p.vantiq(vantiqtest.WithTLS(newAuthority(p.T).serverConfig(-time.Hour, time.Hour*24*100+time.Hour, "127.0.0.1")))
		p.configure("tlsCaFile=" + p.write("ca.pem", newAuthority(p.T).pem))
	}},
	{"wrong name in the certificate", "", 1, func(p *patient) {
		ca := newAuthority(p.T)
		p.vantiq(vantiqtest.WithTLS(ca.serverConfig(-time.Hour, time.Hour*24*100+time.Hour, "vantiq.example.com", "*.example.com")))
		p.configure("tlsCaFile=" + p.write("ca.pem", ca.pem))
	}},
	{"secrets in a certificate", "", 1, func(p *patient) {
		ca := newAuthority(p.T)
		p.vantiq(vantiqtest.WithTLS(ca.serverConfig(-time.Hour, time.Hour*24*100+time.Hour, goodToken+".example.com", "two.example.com")))
		p.configure("tlsCaFile=" + p.write("ca.pem", ca.pem))
	}},
	{"secrets in a long certificate", "", 0, func(p *patient) {
		ca := newAuthority(p.T)
		hosts := []string{goodToken, "two.example.com", "three.example.com", "four.example.com", "five.example.com", "127.0.0.1"}
		p.vantiq(vantiqtest.WithTLS(ca.serverConfig(-time.Hour, time.Hour*24*100+time.Hour, hosts...)))
		p.configure("tlsCaFile=" + p.write("ca.pem", ca.pem))
	}},
	{"client certificate wanted", "", 1, func(p *patient) {
		ca := newAuthority(p.T)
		p.vantiq(vantiqtest.WithTLS(ca.wantingClients(ca.serverConfig(-time.Hour, time.Hour*24*100+time.Hour, "127.0.0.1"))))
		p.configure("tlsCaFile=" + p.write("ca.pem", ca.pem))
	}},
	{"client certificate shown", "", 0, func(p *patient) {
		ca := newAuthority(p.T)
		p.vantiq(vantiqtest.WithTLS(ca.wantingClients(ca.serverConfig(-time.Hour, time.Hour*24*100+time.Hour, "127.0.0.1"))))
		certificate, key := ca.client()
		p.configure("tlsCaFile="+p.write("ca.pem", ca.pem), "tlsCertFile="+p.write("client.pem", certificate), "tlsKeyFile="+p.write("client.key", key))
	}},
	{"client certificate refused", "", 1, func(p *patient) {
		ca := newAuthority(p.T)
		// TLS 1.2 does not name the authorities that it wants, so that one of another authority is shown.
		config := ca.wantingClients(ca.serverConfig(-time.Hour, time.Hour*24*100+time.Hour, "127.0.0.1"))
		config.ClientAuth = tls.RequireAnyClientCert
		config.ClientCAs = nil
		config.VerifyPeerCertificate = func([][]byte, [][]*x509.Certificate) error { return errors.New("not you") }
		config.MaxVersion = tls.VersionTLS12
		p.vantiq(vantiqtest.WithTLS(config))
		certificate, key := ca.client()
		p.configure("tlsCaFile="+p.write("ca.pem", ca.pem), "tlsCertFile="+p.write("client.pem", certificate), "tlsKeyFile="+p.write("client.key", key))
	}},
	{"TLS not verified", "", 0, func(p *patient) {
		p.vantiq(vantiqtest.WithTLS(newAuthority(p.T).serverConfig(-time.Hour, time.Hour*24*100+time.Hour, "127.0.0.1")))
		p.configure(`connectKWArgs={"disableSslVerification": true}`)
	}},

	// The WebSocket.
	{"redirect", "", 1, func(p *patient) {
		p.web(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://www.example.com/vantiq", http.StatusMovedPermanently)
		})
	}},
	{"not found", "", 1, func(p *patient) { p.web(http.NotFound) }},
	{"bad gateway", "", 1, func(p *patient) {
		p.web(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Server", "gate/1.0")
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = fmt.Fprint(w, "<html><head><title>502</title></head><body><h1>502 Bad Gateway</h1>\n<p>no upstream for \x1b[31m"+goodToken+"</p></body></html>")
		})
	}},
	{"forbidden for a header", "", 1, func(p *patient) {
		p.web(func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.Header.Get("X-Key")+" may not pass", http.StatusForbidden)
		})
		p.configure(`connectKWArgs={"additional_headers": {"X-Key": "key-` + hush + `"}}`)
	}},
	{"secrets that are words", "", 1, func(p *patient) {
		p.web(func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "no Vantiq, no "+r.Header.Get("X-Key"), http.StatusNotFound)
		})
		p.without("authToken")
		p.configure("authToken=Vantiq", `connectKWArgs={"additional_headers": {"X-Key": "the"}}`)
	}},
	{"a secret where the answer is cut", "", 1, func(p *patient) {
		p.web(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusNotFound)
			style := "<style>" + strings.Repeat("x", 1024-len("<style></style>")-len(goodToken)+1) + "</style>"
			_, _ = fmt.Fprint(w, style+goodToken)
		})
	}},
	{"endless headers", "-timeout 10s", 1, func(p *patient) {
		p.target("http://" + p.listen(func(c net.Conn) {
			_, _ = fmt.Fprint(c, "HTTP/1.1 200 OK\r\n")
			for n := 0; ; n++ {
				if _, err := fmt.Fprintf(c, "X-%d: x\r\n", n); err != nil {
					return
				}
			}
		}))
	}},
	{"an answer without an end", "-timeout 1s", 1, func(p *patient) {
		p.target("http://" + p.listen(func(c net.Conn) { _, _ = fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\n") }))
	}},
	{"silence instead of an upgrade", "-timeout 1s", 1, func(p *patient) { p.target("http://" + p.listen(func(net.Conn) {})) }},

	// The token.
	{"wrong token", "", 1, func(p *patient) {
		p.vantiq()
		p.without("authToken")
		p.configure("authToken=" + wrongToken)
	}},
	{"wrong token after a partial answer", "", 1, func(p *patient) {
		server, _ := p.vantiq()
		server.Intercept(func(l *vantiqtest.Link, m protocol.Message) bool {
			if _, ok := m.(*protocol.Validate); ok {
				l.Send(`{"status":100}`)
			}
			return false
		})
		p.without("authToken")
		p.configure("authToken=" + wrongToken)
	}},
	{"token repeated by the server", "", 1, func(p *patient) {
		server, _ := p.vantiq()
		server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Answer: `{"status":400,"body":[{"code":"bad","message":"what is ` + goodToken + `?"}]}`})
	}},
	{"Vantiq is busy", "", 1, func(p *patient) {
		server, _ := p.vantiq()
		server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Answer: `{"status":503,"body":"starting"}`})
	}},
	{"link closed by the server", "", 1, func(p *patient) {
		server, _ := p.vantiq()
		server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Ignore: true, Drop: 1012})
	}},
	{"silence after the upgrade", "-timeout 1s", 1, func(p *patient) {
		server, _ := p.vantiq()
		server.Inject(vantiqtest.Fault{Op: protocol.OpValidate, Ignore: true})
	}},

	// The sources.
	{"missing source", "-connect", 1, func(p *patient) {
		server, _ := p.vantiq()
		server.Source("Third", nil)
		p.configure("sources=echoSource,Third")
	}},
	{"source taken", "-connect", 1, func(p *patient) {
		server, source := p.vantiq()
		p.configure("reconnectSecret=" + fixedSecret)
		runConnector(p, server, source)
		p.Cleanup(func() {
			if connects := source.Connects(); len(connects) != 2 || connects[1].Refused == nil || connects[1].Secret == connects[0].Secret || source.Sessions() != 1 {
				p.Errorf("the connector that runs was not left in peace: %+v", connects)
			}
		})
	}},
	{"source taken for good", "-connect", 1, func(p *patient) {
		server, source := p.vantiq()
		runConnector(p, server, source)
	}},
	{"reactivation window", "-connect -timeout 1s", 1, func(p *patient) {
		_, source := p.vantiq()
		source.Reactivating(1000)
	}},
	{"end of the reactivation window", "-connect", 0, func(p *patient) {
		_, source := p.vantiq()
		source.Reactivating(2)
	}},
	{"another refusal", "-connect", 1, func(p *patient) {
		_, source := p.vantiq()
		source.Refuse(1, &protocol.StatusError{Status: 500, Details: []protocol.Detail{{Message: "the node is overloaded"}}})
	}},
	{"silence after connectExtension", "-connect -timeout 1s", 1, func(p *patient) {
		server, _ := p.vantiq()
		server.Inject(vantiqtest.Fault{Op: protocol.OpConnectExtension, Ignore: true, Times: -1})
	}},

	// The health port.
	{"blocked probe port", "", 1, func(p *patient) {
		p.vantiq()
		_, port, _ := net.SplitHostPort(p.listen(func(net.Conn) {}))
		p.configure("tcpProbeHost=127.0.0.1", "tcpProbePort="+port)
	}},
	{"probe port of a connector", "", 0, func(p *patient) {
		p.vantiq()
		probe := health.NewProbe("127.0.0.1:0")
		if err := probe.DeclareHealthy(); err != nil {
			p.Fatal(err)
		}
		p.Cleanup(probe.Close)
		p.configure("tcpProbeHost=127.0.0.1", fmt.Sprintf("tcpProbePort=%d", probe.Addr().(*net.TCPAddr).Port))
	}},

	{"JSON", "-json -connect", 1, func(p *patient) {
		server, _ := p.vantiq()
		server.Source("Second", nil)
		p.configure("sources=EchoSource,Missing", "colour=red", "reconnectSecret="+fixedSecret)
	}},
}

func TestDoctor(t *testing.T) {
	golden, err := filepath.Abs(filepath.Join("testdata", "doctor"))
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range calls {
		t.Run(call.name, func(t *testing.T) {
			transcript := call.transcript(t)
			if basic := base64.StdEncoding.EncodeToString([]byte("someone:" + password)); strings.Contains(transcript, basic) ||
				strings.Contains(transcript, hush) || strings.Contains(transcript, "PRIVATE") {
				t.Errorf("it shows a secret:\n%s", transcript)
			}
			compare(t, filepath.Join(golden, strings.ReplaceAll(call.name, " ", "-")+".txt"), transcript)
		})
	}
}

// compare fails the test unless a file holds text, or writes it.
func compare(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("it says:\n%s\nwant:\n%s", text, want)
	}
}

// transcript runs doctor, and returns what it says with what differs from run to run replaced.
func (c call) transcript(t *testing.T) string {
	t.Chdir(t.TempDir())
	t.Setenv("CONNECTOR_AUTH_TOKEN", "")
	p := &patient{T: t, file: "server.config",
		lines: []string{"authToken=" + goodToken, "sources=EchoSource", "tcpProbePort=0"}}
	c.setUp(p)
	if p.file != "" {
		p.write(p.file, lastOfEach(p.lines))
	}
	var stdout, stderr bytes.Buffer
	code := vantiqdev(append([]string{"doctor"}, strings.Fields(c.args)...), &stdout, &stderr)
	if code != c.code || stderr.Len() > 0 {
		t.Errorf("exit code %d, stderr %q", code, &stderr)
	}
	if strings.Contains(c.args, "-json") && !json.Valid(stdout.Bytes()) {
		t.Error("it is not JSON")
	}
	directory, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	command := strings.TrimSpace("$ vantiqdev doctor " + c.args)
	return fmt.Sprintf("%s\n%s(exit code %d)\n", command, normalize(stdout.String(), directory), code)
}

// lastOfEach returns the lines of a file without those that a later one with the same name replaces.
func lastOfEach(lines []string) string {
	var text strings.Builder
	for i, line := range lines {
		name, _, _ := strings.Cut(line, "=")
		again := false
		for _, later := range lines[i+1:] {
			again = again || strings.HasPrefix(later, name+"=")
		}
		if !again {
			text.WriteString(line + "\n")
		}
	}
	return text.String()
}

var volatile = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(127\.0\.0\.1|\[::\]):\d+`), "$1:PORT"},
	{regexp.MustCompile(`\bin [\d.]+(µs|ms|s)\b`), "in TIME"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d( \d\d:\d\d UTC)?`), "DATE$1"},
	{regexp.MustCompile(`DATE \d\d:\d\d UTC`), "DATE TIME"},
	{regexp.MustCompile(`"ms": [\d.]+`), `"ms": 0`},
}

func normalize(text, directory string) string {
	text = strings.ReplaceAll(text, directory, "DIRECTORY")
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.instead)
	}
	return text
}

// A connector has the source, and its configured reconnect secret.
func runConnector(p *patient, server *vantiqtest.Server, source *vantiqtest.Source) {
	c, err := connector.New("EchoSource", connector.Options{
		TargetServer: server.URL(), AuthToken: goodToken, ReconnectSecret: "EchoSource_" + fixedSecret,
	})
	if err != nil {
		p.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- c.Run(ctx) }()
	p.Cleanup(func() {
		stop()
		if err := <-over; err != nil {
			p.Error(err)
		}
	})
	if err := source.WaitConnected(p.Context()); err != nil {
		p.Fatal(err)
	}
}

// Doctor says goodbye, so that Vantiq knows at once that the source is free.
func TestDoctorLeavesWithANormalClosure(t *testing.T) {
	t.Chdir(t.TempDir())
	closed := make(chan error, 10)
	p := &patient{T: t, lines: []string{"authToken=" + goodToken, "sources=EchoSource", "tcpProbePort=0"}}
	p.vantiq(vantiqtest.WithObserver(func(e vantiqtest.Event) {
		if e.Kind == vantiqtest.LinkClosed {
			closed <- e.Err
		}
	}))
	p.write("server.config", strings.Join(p.lines, "\n"))
	for _, args := range [][]string{{"doctor"}, {"doctor", "-connect"}} {
		var out bytes.Buffer
		if code := vantiqdev(args, &out, &out); code != 0 {
			t.Errorf("exit code %d: %s", code, &out)
		}
		if err := <-closed; err == nil || !strings.Contains(err.Error(), "1000") {
			t.Errorf("%q: the link was closed with %v", args, err)
		}
	}
}

func TestDoctorIsInterrupted(t *testing.T) {
	golden, err := filepath.Abs(filepath.Join("testdata", "doctor", "interrupted.txt"))
	if err != nil {
		t.Fatal(err)
	}
	p := &patient{T: t}
	w := newWorkplace(t)
	w.configure("https://" + p.listen(func(net.Conn) {}))
	c := w.start("doctor", "-timeout", "5m")
	c.stdout.await(t, "✓ TCP")
	c.stop(os.Interrupt)
	c.ended(exitFailed)
	directory, err := filepath.EvalSymlinks(w.directory)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, golden, "$ vantiqdev doctor -timeout 5m\n"+normalize(c.stdout.String(), directory)+"(exit code 1)\n")
}

// The environment's proxy is read once per process, so each of these is one.
func TestDoctorNamesTheProxyOfTheEnvironment(t *testing.T) {
	proxy := "http://someone:" + escaped(password) + "@127.0.0.1:" + freePort(t)
	for _, c := range []struct{ variable, value, not, says string }{
		{"HTTPS_PROXY", proxy, "", "from HTTPS_PROXY cannot be reached: connection refused"},
		{"https_proxy", proxy, "", "from https_proxy cannot be reached: connection refused"},
		{"HTTPS_PROXY", "ftp://someone:" + escaped(password) + "@127.0.0.1:21", "",
			`✗ proxy           ftp://127.0.0.1:21 from HTTPS_PROXY cannot be used: scheme "ftp" is not supported: use http, https or socks5`},
		{"HTTPS_PROXY", "http://someone:%zz" + password + "@x", "", "HTTPS_PROXY is set, but is not the URL of a proxy"},
		{"HTTPS_PROXY", proxy, "vantiq.invalid", "✓ proxy           none: HTTPS_PROXY is set, but not for this server"},
	} {
		t.Run(c.says, func(t *testing.T) {
			for _, name := range []string{"HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"} {
				t.Setenv(name, "")
			}
			t.Setenv(c.variable, c.value)
			t.Setenv("NO_PROXY", c.not)
			w := newWorkplace(t)
			w.configure("https://vantiq.invalid")
			d := w.start("doctor", "-timeout", "1s")
			_ = d.Wait()
			d.ended(exitFailed, c.says)
			if strings.Contains(d.stdout.String()+d.stderr.String(), hush) {
				t.Error("it shows the password")
			}
		})
	}
}
