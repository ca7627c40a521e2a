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
	watching := *x.dialer
	watching.TLS = x.dialer.TLS.Clone()
	watching.TLS.GetClientCertificate = func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		x.certificateWanted = true
		for i := range x.dialer.TLS.Certificates { // as without this function
			if c := &x.dialer.TLS.Certificates[i]; request.SupportsCertificate(c) == nil {
				x.certificateShown = true
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
		short(time.Since(began)), x.names(leaf), x.issuer(leaf), when(leaf.NotAfter)))
	switch chains := state.VerifiedChains; {
	case len(chains) == 0:
		s.doubt("it is not verified, as disableSslVerification says")
	default:
		root := chains[0][len(chains[0])-1]
		s.Detail += "; trusted through " + x.called(root.Subject.CommonName, root.Subject.String()) + x.authorities()
	}
	switch left := time.Until(leaf.NotAfter); {
	case left < 0: // seen only if nothing is verified
		s.doubt("the certificate has expired: it must be renewed")
	case left < 14*24*time.Hour:
		s.doubt("the certificate must be renewed within " + distance(left))
	}
	switch {
	case x.certificateShown:
		s.Detail += "; the server asked for a client certificate and was shown tlsCertFile"
	case x.certificateWanted && len(x.dialer.TLS.Certificates) > 0:
		s.doubt("the server asks for a client certificate, but not for one of the authority that issued tlsCertFile")
	case x.certificateWanted:
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
	case x.certificateShown:
		advice = certificateRefused
	case timedOut(err):
		advice = "something listens there that does not speak TLS: check the port in targetServer"
	case strings.Contains(err.Error(), "protocol version"):
		advice = "the server speaks an old TLS only: a connector needs TLS 1.2 or newer"
	case hungUp(err):
		advice = "the server does not like how the connection begins: check the host and the port in targetServer"
	}
	s.fail(x.reason(err), advice)
}

const certificateRefused = "does the server accept the client certificate in tlsCertFile? It must be of an authority that the server trusts, and valid still"

// explainCertificate says what is wrong with the certificate of the server: all that can be told, as one problem hides others.
func (x *examination) explainCertificate(s *Step, leaf *x509.Certificate, err error) {
	var wrong, advice []string
	blame := func(what, hint string) { wrong, advice = append(wrong, what), append(advice, hint) }
	now := time.Now()
	switch {
	case now.After(leaf.NotAfter):
		blame("expired "+when(leaf.NotAfter), dial.Hint(x509.CertificateInvalidError{Reason: x509.Expired}))
	case now.Before(leaf.NotBefore):
		blame("is not valid before "+when(leaf.NotBefore), "is this machine's clock right? It says "+now.UTC().Format("2006-01-02 15:04 MST"))
	}
	if wrongHost := leaf.VerifyHostname(x.dialer.TLS.ServerName); wrongHost != nil {
		blame("is not for "+x.dialer.TLS.ServerName, dial.Hint(wrongHost))
	}
	var unknownAuthority x509.UnknownAuthorityError
	if errors.As(err, &unknownAuthority) {
		blame("comes from an authority that is not "+cmp.Or(strings.TrimSpace(x.authorities()), "trusted by this machine"), dial.Hint(err))
	}
	if len(wrong) == 0 {
		blame("is not accepted: "+x.foreign(err.Error()), dial.Hint(err))
	}
	s.fail("the certificate "+strings.Join(wrong, ", and "), advice...)
	s.advise(fmt.Sprintf("it is for %s, issued by %s, valid from %s to %s", x.names(leaf), x.issuer(leaf), day(leaf.NotBefore), day(leaf.NotAfter)))
}

// names lists what a certificate is for, but not hundreds.
func (x *examination) names(c *x509.Certificate) string {
	all := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	const listed = 5
	switch n := len(all); {
	case n == 0:
		return "no host"
	case n > listed:
		return fmt.Sprintf("%s and %d more", x.foreign(strings.Join(all[:listed], ", ")), n-listed)
	}
	return x.foreign(strings.Join(all, ", "))
}

func (x *examination) issuer(c *x509.Certificate) string {
	if c.Issuer.String() == c.Subject.String() {
		return "itself (" + x.called(c.Subject.CommonName, c.Subject.String()) + ")"
	}
	return x.called(c.Issuer.CommonName, c.Issuer.String())
}

func (x *examination) called(common, whole string) string {
	return fmt.Sprintf("%q", x.foreign(cmp.Or(common, whole, "nobody")))
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }

// when returns a day, and how far away it is.
func when(t time.Time) string {
	away := time.Until(t)
	if away < 0 {
		return fmt.Sprintf("%s (%s ago)", day(t), distance(-away))
	}
	return fmt.Sprintf("%s (in %s)", day(t), distance(away))
}

func distance(d time.Duration) string {
	if d < 48*time.Hour {
		return count(int(d.Hours()), "hour", "hours")
	}
	return count(int(d.Hours()/24), "day", "days")
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
