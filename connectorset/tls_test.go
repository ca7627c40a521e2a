package connectorset

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
)

// writeKeyPair writes a self-signed certificate and its key as PEM files.
func writeKeyPair(t *testing.T, certFile, keyFile string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: certFile}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func TestTLS(t *testing.T) {
	t.Chdir(t.TempDir())
	ca := writeKeyPair(t, "ca.pem", "ca-key.pem")
	client := writeKeyPair(t, "client.pem", "client-key.pem")
	writeKeyPair(t, "other.pem", "other-key.pem")
	base := Config{Options: connector.Options{TargetServer: "https://h", AuthToken: "t"}, Sources: []string{"A"}}

	if config, problems := base.check(nil); config != nil || problems != nil {
		t.Errorf("without settings: %v, %v", config, problems)
	}

	full := base
	own := &tls.Config{ServerName: "own"}
	full.TLS, full.TLSCAFile, full.TLSCertFile, full.TLSKeyFile, full.DisableSSLVerification = own, "ca.pem", "client.pem", "client-key.pem", true
	config, problems := full.check(nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	switch {
	case config == own || own.InsecureSkipVerify:
		t.Error("the caller's tls.Config was changed")
	case !config.RootCAs.Equal(roots):
		t.Error("the roots are not those of the file and no others")
	case len(config.Certificates) != 1 || !config.Certificates[0].Leaf.Equal(client):
		t.Error("the client certificate is not used")
	case !config.InsecureSkipVerify || config.ServerName != "own":
		t.Error("DisableSSLVerification or Options.TLS is not heeded")
	}

	mixed := base
	mixed.TLSCertFile, mixed.TLSKeyFile = "client.pem", "other-key.pem"
	if err := mixed.Validate(); err == nil {
		t.Error("a key that does not belong to the certificate is accepted")
	}
}
