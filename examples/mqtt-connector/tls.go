package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// tlsConfig returns how an encrypted connection is made, or nil if it is not to be one.
func (b brokerSettings) tlsConfig() (*tls.Config, error) {
	if !b.encrypted() {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if b.CAFile != "" {
		text, err := os.ReadFile(b.CAFile)
		if err != nil {
			return nil, fmt.Errorf("mqttConfig.general.caFile: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("mqttConfig.general.caFile: %s holds no certificate in PEM form", b.CAFile)
		}
	}
	if b.CertFile != "" {
		if _, err := b.certificate(nil); err != nil {
			return nil, err
		}
		t.GetClientCertificate = b.certificate // read for each connection, as it is renewed from time to time
	}
	return t, nil
}

func (b brokerSettings) certificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(b.CertFile, b.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("mqttConfig.general.certFile and keyFile: %w", err)
	}
	return &pair, nil
}
