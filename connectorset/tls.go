package connectorset

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
)

// tlsConfig returns Options.TLS with what the files and DisableSSLVerification add to it, or nil if there is nothing.
func (c Config) tlsConfig(report reportFunc) *tls.Config {
	if c.TLS == nil && c.TLSCAFile == "" && c.TLSCertFile == "" && c.TLSKeyFile == "" && !c.DisableSSLVerification {
		return nil
	}
	config := c.TLS.Clone()
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if c.DisableSSLVerification {
		config.InsecureSkipVerify = true
	}
	if c.TLSCAFile != "" {
		pem, err := os.ReadFile(c.TLSCAFile)
		config.RootCAs = x509.NewCertPool()
		switch {
		case err != nil:
			report("tlsCaFile", c.TLSCAFile, "cannot be read", causeOf(err))
		case !config.RootCAs.AppendCertsFromPEM(pem):
			report("tlsCaFile", c.TLSCAFile, "holds no certificate: it must be a PEM file", nil)
		}
	}
	switch {
	case c.TLSCertFile == "" && c.TLSKeyFile == "":
	case c.TLSKeyFile == "":
		report("tlsKeyFile", "", "is missing: tlsCertFile needs it", nil)
	case c.TLSCertFile == "":
		report("tlsCertFile", "", "is missing: tlsKeyFile needs it", nil)
	default:
		certificate, err := loadKeyPair(c.TLSCertFile, c.TLSKeyFile, report)
		if err == nil {
			config.Certificates = []tls.Certificate{certificate}
		}
	}
	return config
}

// loadKeyPair reads both files before it judges either, so that both can be reported.
func loadKeyPair(certFile, keyFile string, report reportFunc) (tls.Certificate, error) {
	certPEM, certErr := os.ReadFile(certFile)
	if certErr != nil {
		report("tlsCertFile", certFile, "cannot be read", causeOf(certErr))
	}
	keyPEM, keyErr := os.ReadFile(keyFile)
	if keyErr != nil {
		report("tlsKeyFile", keyFile, "cannot be read", causeOf(keyErr))
	}
	if err := errors.Join(certErr, keyErr); err != nil {
		return tls.Certificate{}, err
	}
	certificate, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		report("tlsCertFile", certFile, "does not go with tlsKeyFile "+keyFile, err)
	}
	return certificate, err
}

// causeOf drops the path from an error of the file system, where it has been named already.
func causeOf(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
