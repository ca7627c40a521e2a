package connectorset

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
)

func TestValidateReportsEverythingThatIsWrongWithAConfigMadeInGo(t *testing.T) {
	config := Config{
		Options: connector.Options{
			TargetServer: "ftp://h",
			MaxQueries:   -1,
			MaxInbound:   1,
			OutboxFull:   7,
			DrainTime:    -time.Second,
			QueryTimeout: -1, // none
		},
		Sources:      []string{" ", ""},
		TCPProbePort: 70000,
		TLSCertFile:  "cert.pem",
	}
	err := config.Validate()
	for _, want := range []string{
		`targetServer "ftp://h" has the scheme "ftp"`,
		"authToken is missing",
		"sources is missing",
		"maxQueries is not accepted: use a whole number from 1",
		"maxInbound is not accepted: use a number of bytes from 1KiB to 256MiB",
		"outboxFull is not accepted: use block, fail or dropOldest",
		"drainTime is not accepted: use a duration up to 24h",
		"tcpProbePort is not accepted: use a number from 1 to 65535",
		"tlsKeyFile is missing: tlsCertFile needs it",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported", want)
		}
	}
	if got := strings.Count(errorText(err), "\n") + 1; got != 9 {
		t.Errorf("%d problems, want 9:\n%v", got, err)
	}
	var configError *ConfigError
	if !errors.As(err, &configError) || configError.File != "" || configError.Line != 0 {
		t.Errorf("got %+v", configError)
	}
	if _, newErr := New(config); newErr == nil || newErr.Error() != err.Error() {
		t.Errorf("New: %v", newErr)
	}
}

func TestNewTrimsAndDropsDuplicates(t *testing.T) {
	set, err := New(Config{
		Options:      connector.Options{TargetServer: " https://h\n", AuthToken: " t "},
		Sources:      []string{"B", " A", "", "B "},
		TCPProbePort: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(set.Connections()); got != 2 {
		t.Errorf("%d connections, want 2", got)
	}
	if _, ok := set.Connection("B"); !ok {
		t.Error("no connection for B")
	}
	if _, ok := set.Connection("B "); ok {
		t.Error("a connection for a name with a blank")
	}
}
