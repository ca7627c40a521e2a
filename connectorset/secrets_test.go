package connectorset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/vantiq-go/connectorsdk/connector"
)

func secretConfig() Config {
	return Config{
		Options: connector.Options{
			TargetServer:    "https://dev.vantiq.com/?token=hush-query",
			AuthToken:       "hush-token",
			ReconnectSecret: "hush-secret",
			Header:          http.Header{"Authorization": {"hush-header"}},
			Proxy:           func(*url.URL) (*url.URL, error) { return url.Parse("http://u:hush-proxy@h") },
		},
		Sources:      []string{"A"},
		TCPProbePort: -1,
	}
}

func TestNoWayOfPrintingShowsASecret(t *testing.T) {
	config := secretConfig()
	set, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		Config  Config
		Pointer *Config
	}
	for _, value := range []any{config, &config, holder{config, &config}, &holder{config, nil}, []Config{config}, map[string]Config{"c": config}, set} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "value", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "value", value)
		text, err := json.Marshal(value)
		if err != nil {
			t.Errorf("%T: %v", value, err)
		}
		out.Write(text)
		if strings.Contains(out.String(), "hush") || strings.Contains(out.String(), "!ERROR") {
			t.Errorf("%T: %s", value, out.String())
		}
	}
}

func TestPrintedConfigNamesWhatIsSet(t *testing.T) {
	const want = "Config{targetServer=https://dev.vantiq.com/?[redacted] authToken=[redacted] sources=A reconnectSecret=[redacted] " +
		"tcpProbePort=0 proxy=set header Authorization=[redacted]}"
	if got := fmt.Sprintf("%+v", secretConfig()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	text, err := json.Marshal(secretConfig())
	if err != nil || !bytes.Contains(text, []byte(`"authToken":"[redacted]"`)) || !bytes.Contains(text, []byte(`"sources":"A"`)) {
		t.Errorf("got %s (%v)", text, err)
	}
}
