package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/vantiq-go/connectorsdk/internal/dial"
)

// examineTLS speaks TLS as a connector does.
func (x *examination) examineTLS(ctx context.Context, s *Step, plain net.Conn) net.Conn {
	wait, cancel := x.patience(ctx)
	defer cancel()
	var wanted, shown bool
	watching := *x.dialer
	watching.TLS = x.dialer.TLS.Clone()
	watching.TLS.GetClientCertificate = func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		wanted = true
		for i := range x.dialer.TLS.Certificates { // as without this function
			if c := &x.dialer.TLS.Certificates[i]; request.SupportsCertificate(c) == nil {
				shown = true
				return c, nil
			}
		}
		return new(tls.Certificate), nil
	}
	began := time.Now()
	c, err := watching.Secure(wait, plain)
	if err != nil {
		x.explainTLS(ctx, s, err)
		return nil
	}
	state := c.ConnectionState()
	leaf := state.PeerCertificates[0]
	s.ok(fmt.Sprintf("%s in %s; the certificate is for %s, issued by %s, expires %s", tls.VersionName(state.Version),
		short(time.Since(began)), names(leaf), issuer(leaf), when(leaf.NotAfter)))
	switch chains := state.VerifiedChains; {
	case len(chains) == 0:
		s.doubt("it is not verified, as disableSslVerification says")
	default:
		root := chains[0][len(chains[0])-1]
		s.Detail += "; trusted through " + called(root.Subject.CommonName, root.Subject.String()) + x.authorities()
	}
	if left := time.Until(leaf.NotAfter); left < 14*24*time.Hour {
		s.doubt(fmt.Sprintf("the certificate expires %s: it must be renewed until then", when(leaf.NotAfter)))
	}
	switch {
	case wanted && shown:
		s.Detail += "; the server asked for a client certificate and was shown tlsCertFile"
	case wanted && len(x.dialer.TLS.Certificates) > 0:
		s.doubt("the server asks for a client certificate, but not for one of the authority that issued tlsCertFile")
	case wanted:
		s.doubt("the server asks for a client certificate: if it insists on one, set tlsCertFile and tlsKeyFile")
	}
	return c
}

// authorities says which certificate authorities are trusted, if it is not the system's.
func (x *examination) authorities() string {
	if x.config.TLSCAFile == "" {
		return ""
	}
	return " in tlsCaFile " + x.config.TLSCAFile
}

// explainTLS says why a handshake failed.
func (x *examination) explainTLS(ctx context.Context, s *Step, err error) {
	var unverified *tls.CertificateVerificationError
	if errors.As(err, &unverified) && len(unverified.UnverifiedCertificates) > 0 {
		x.explainCertificate(s, unverified.UnverifiedCertificates[0], err)
		return
	}
	var notTLS tls.RecordHeaderError
	plain := errors.As(err, &notTLS) && string(notTLS.RecordHeader[:]) == "HTTP/"
	if plain || (hungUp(err) && x.speaksHTTP(ctx)) {
		s.fail(x.dialer.Address()+" speaks HTTP, not TLS", "targetServer should begin with http:// there, or name the port for TLS")
		return
	}
	advice := dial.Hint(err)
	switch {
	case timedOut(err):
		advice = "something listens there that does not speak TLS: check the port in targetServer"
	case strings.Contains(err.Error(), "protocol version"):
		advice = "the server speaks an old TLS only: a connector needs TLS 1.2 or newer"
	case hungUp(err):
		advice = "the server does not like how the connection begins: check the host and the port in targetServer"
	}
	s.fail(x.reason(err), advice)
}

// explainCertificate says what is wrong with the certificate of the server: all that can be told, as one problem hides others.
func (x *examination) explainCertificate(s *Step, leaf *x509.Certificate, err error) {
	s.fail(fmt.Sprintf("the certificate is for %s, issued by %s, valid from %s to %s", names(leaf), issuer(leaf),
		day(leaf.NotBefore), day(leaf.NotAfter)))
	now := time.Now()
	switch {
	case now.After(leaf.NotAfter):
		s.advise("it expired " + when(leaf.NotAfter) + "; " + expiredHint)
	case now.Before(leaf.NotBefore):
		s.advise("it is not valid yet, only " + when(leaf.NotBefore) + ": is this machine's clock right? It says " +
			now.UTC().Format("2006-01-02 15:04 MST"))
	}
	var wrongHost x509.HostnameError
	if wrong := leaf.VerifyHostname(x.dialer.TLS.ServerName); errors.As(wrong, &wrongHost) {
		s.advise(fmt.Sprintf("it is not for %s; %s", x.dialer.TLS.ServerName, dial.Hint(wrong)))
	}
	var unknownAuthority x509.UnknownAuthorityError
	if errors.As(err, &unknownAuthority) {
		s.advise("who issued it is not trusted" + x.notAmong() + "; " + dial.Hint(err))
	}
	if len(s.Advice) == 0 {
		s.advise(err.Error(), dial.Hint(err))
	}
}

// notAmong says where the authority is missing, if that is not the system.
func (x *examination) notAmong() string {
	if x.config.TLSCAFile == "" {
		return ""
	}
	return ", as it is not" + x.authorities()
}

var expiredHint = dial.Hint(x509.CertificateInvalidError{Reason: x509.Expired})

// names lists what a certificate is for, but not hundreds.
func names(c *x509.Certificate) string {
	all := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	const listed = 5
	switch n := len(all); {
	case n == 0:
		return "no host"
	case n > listed:
		return fmt.Sprintf("%s and %d more", strings.Join(all[:listed], ", "), n-listed)
	}
	return strings.Join(all, ", ")
}

func issuer(c *x509.Certificate) string {
	if c.Issuer.String() == c.Subject.String() {
		return "itself (" + called(c.Subject.CommonName, c.Subject.String()) + ")"
	}
	return called(c.Issuer.CommonName, c.Issuer.String())
}

func called(common, whole string) string { return fmt.Sprintf("%q", cmp.Or(common, whole, "nobody")) }

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }

// when returns a day, and how far away it is.
func when(t time.Time) string {
	away, form := time.Until(t), "in %s"
	if away < 0 {
		away, form = -away, "%s ago"
	}
	distance := count(int(away.Hours()), "hour", "hours")
	if away >= 48*time.Hour {
		distance = count(int(away.Hours()/24), "day", "days")
	}
	return day(t) + " (" + fmt.Sprintf(form, distance) + ")"
}

// hungUp reports whether the peer ended the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// speaksHTTP asks the server's port, on another connection, whether it speaks HTTP without TLS.
func (x *examination) speaksHTTP(ctx context.Context) bool {
	c, done, err := x.another(ctx)
	if err != nil {
		return false
	}
	defer done()
	if _, err := fmt.Fprintf(c, "HEAD / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", x.dialer.Target.Host); err != nil {
		return false
	}
	var start [5]byte
	_, err = io.ReadFull(c, start[:])
	return err == nil && string(start[:]) == "HTTP/"
}

// speaksTLS asks the server's port, on another connection, whether it speaks TLS. Nothing else is sent, so whose
// certificate it has does not matter.
func (x *examination) speaksTLS(ctx context.Context) bool {
	c, done, err := x.another(ctx)
	if err != nil {
		return false
	}
	defer done()
	config := x.dialer.TLS.Clone()
	config.InsecureSkipVerify = true //nolint:gosec // see above
	return tls.Client(c, config).HandshakeContext(ctx) == nil
}

// another opens another connection to the server, to be closed with done. It ends with ctx, and after the usual time.
func (x *examination) another(ctx context.Context) (c net.Conn, done func(), err error) {
	wait, cancel := x.patience(ctx)
	c, err = x.dialer.Connect(wait, x.dialer.Address())
	if err != nil {
		cancel()
		return nil, nil, err
	}
	stop := context.AfterFunc(wait, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	return c, func() {
		stop()
		_ = c.Close()
		cancel()
	}, nil
}
