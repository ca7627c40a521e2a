package dial

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gorilla/websocket"
)

// explain adds to an error of Dial what a person can do about it.
func explain(err error, response *http.Response) error {
	if errors.Is(err, websocket.ErrBadHandshake) && response != nil {
		return errors.New(DescribeResponse(response) + ": " + NotVantiq)
	}
	if hint := Hint(err); hint != "" {
		return fmt.Errorf("%w; %s", err, hint)
	}
	return err
}

// Hint returns what a person can do about an error of the network, or an empty string.
func Hint(err error) string {
	var unknownAuthority x509.UnknownAuthorityError
	var wrongHost x509.HostnameError
	var invalid x509.CertificateInvalidError
	var notTLS tls.RecordHeaderError
	switch {
	case errors.As(err, &unknownAuthority):
		return "if the server uses a private authority, name its certificate in tlsCaFile"
	case errors.As(err, &wrongHost):
		return "targetServer must use a host name that is in the server's certificate"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server's certificate must be renewed, or this machine's clock is wrong"
	case errors.As(err, &notTLS):
		return "the server does not speak TLS at this port: does targetServer want http, or another port?"
	case strings.Contains(err.Error(), "tls: certificate required"), strings.Contains(err.Error(), "tls: bad certificate"):
		return ClientCertificateWanted
	}
	return ""
}

// ClientCertificateWanted is what to do about a server that ends the connection for want of a certificate.
const ClientCertificateWanted = "the server wants a client certificate: set tlsCertFile and tlsKeyFile"

// NotVantiq is what to ask when somebody else seems to listen at an address.
const NotVantiq = "is targetServer the address of a Vantiq server?"

// DescribeResponse describes an upgrade that was not answered with the 101 of a WebSocket: usually somebody else listens
// at that address.
func DescribeResponse(response *http.Response) string {
	if response.StatusCode == http.StatusSwitchingProtocols {
		return "the server answered the WebSocket upgrade with 101 but without the headers of a WebSocket"
	}
	text := fmt.Sprintf("the WebSocket upgrade was answered with %s instead of 101", response.Status)
	if location, err := response.Location(); err == nil {
		text += fmt.Sprintf(" and points to %s://%s, which is not followed because the auth token must not travel on", location.Scheme, location.Host)
	}
	return text
}
