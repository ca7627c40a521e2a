package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// A mosquitto is a broker as people run it: a process that keeps its state in a directory.
type mosquitto struct {
	t         *testing.T
	directory string
	address   string
	process   *os.Process
	exited    chan struct{} // closed when it has
}

// newMosquitto starts a broker on a free port of the loopback, with more lines for its configuration. %s in them stands for
// its directory.
func newMosquitto(t *testing.T, lines ...string) *mosquitto {
	t.Helper()
	if _, err := exec.LookPath("mosquitto"); err != nil {
		if os.Getenv("SYSTEMS") == "required" {
			t.Fatalf("%v; install Debian's package of that name", err)
		}
		t.Skipf("%v; install Debian's package of that name. SYSTEMS=required makes this a failure", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	_ = listener.Close()
	m := &mosquitto{t: t, directory: t.TempDir(), address: address.String()}
	lines = append([]string{
		fmt.Sprintf("listener %d 127.0.0.1", address.Port),
		"user " + os.Getenv("USER"),
		"persistence true",
		"persistence_location %s/",
		"max_queued_messages 0",
		"log_dest stderr",
		"log_type all",
	}, lines...)
	if os.Getuid() == 0 {
		lines[1] = "user root"
	}
	config := strings.ReplaceAll(strings.Join(lines, "\n")+"\n", "%s", m.directory)
	m.write("mosquitto.conf", config)
	m.start()
	t.Cleanup(m.stop)
	return m
}

func (m *mosquitto) write(name, content string) string {
	m.t.Helper()
	file := filepath.Join(m.directory, name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		m.t.Fatal(err)
	}
	return file
}

// start starts the process, and returns when it listens.
func (m *mosquitto) start() {
	m.t.Helper()
	command := exec.Command("mosquitto", "-c", filepath.Join(m.directory, "mosquitto.conf"))
	stderr, err := command.StderrPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		m.t.Fatal(err)
	}
	running, exited := make(chan struct{}, 1), make(chan struct{})
	var said []string
	go func() {
		defer close(exited)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			said = append(said, lines.Text())
			if strings.HasSuffix(lines.Text(), " running") {
				running <- struct{}{}
			}
		}
		_ = command.Wait() // what it said is all that there is to know
	}()
	select {
	case <-running:
		m.process, m.exited = command.Process, exited
	case <-exited:
		m.t.Fatalf("mosquitto ended: %q", said)
	case <-time.After(20 * time.Second):
		m.t.Fatal("mosquitto does not say that it runs")
	}
}

// stop ends the process in good order, in which it writes its state to disk. A signal that comes when it has only just
// begun to run goes unnoticed.
func (m *mosquitto) stop() {
	for m.process.Signal(syscall.SIGTERM) == nil {
		select {
		case <-m.exited:
		case <-time.After(time.Second):
		}
	}
}

// The broker sends no more at first than the receive maximum. For each acknowledgement it sends, in the version of Debian 12,
// two more: the source keeps them in order, and TCP holds the broker back.
func TestMosquittoHoldsBackWhatIsMoreThanTheReceiveMaximum(t *testing.T) {
	broker := newMosquitto(t, "allow_anonymous true")
	_, source := start(t, mqttSource("mqtt://"+broker.address, document{"receiveMaximum": 2}, subscriptionsTo("in")))
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	newPeer(t, broker.address).count(1, 1, 100)
	say(t, numbers(t, source, 2), []int{1, 2})
	if more := source.Notifications(); len(more) > 0 {
		t.Errorf("%v came too early", more)
	}
	source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	for n, got := range numbers(t, source, 98) {
		if got != n+3 {
			t.Fatalf("%d came in place of %d", got, n+3)
		}
	}
}

func TestMosquittoSaysThatNobodyListens(t *testing.T) {
	broker := newMosquitto(t, "allow_anonymous true")
	_, source := start(t, mqttSource("mqtt://"+broker.address, nil, document{"responseTopic": "r"}))
	failed := queryError(t, source, document{"topic": "alone", "payload": 1})
	if want := (protocol.QueryError{Code: "mqtt.nobodyListens", Template: "nobody has subscribed to alone"}); failed.Error() != want.Error() {
		t.Errorf("%v", failed)
	}
}

// A broker that is restarted while Vantiq has not acknowledged: what was under way comes again, in order, and nothing gets
// lost.
func TestMosquittoIsRestarted(t *testing.T) {
	broker := newMosquitto(t, "allow_anonymous true")
	_, source := start(t, mqttSource("mqtt://"+broker.address, document{"receiveMaximum": 2}, subscriptionsTo("in")))
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	newPeer(t, broker.address).count(1, 1, 4)
	say(t, numbers(t, source, 2), []int{1, 2})
	broker.stop()
	broker.start()
	say(t, numbers(t, source, 2), []int{1, 2})
	source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	say(t, numbers(t, source, 2), []int{3, 4})
}

// Stored messages come at a subscription, and not at each connection again.
func TestMosquittoSendsStoredMessagesOnce(t *testing.T) {
	broker := newMosquitto(t, "allow_anonymous true")
	newPeer(t, broker.address).publish(&paho.Publish{Topic: "in", QoS: 1, Retain: true, Payload: []byte("1")})
	running, source := start(t, mqttSource("mqtt://"+broker.address, nil, subscriptionsTo("in")))
	say(t, numbers(t, source, 1), []int{1})
	if err := running.Connection("TestSource").Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	broker.stop()
	broker.start()
	source.Reconfigure(mqttSource("mqtt://"+broker.address, nil, subscriptionsTo("in", "other"))) // accepted on the new connection
	if err := source.WaitSession(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if err := source.Publish(t.Context(), document{"topic": "other", "payload": 2}); err != nil {
		t.Fatal(err)
	}
	say(t, numbers(t, source, 1), []int{2})
}

// A broker that has forgotten the source is told the subscriptions again. What it had sent is still here.
func TestMosquittoComesBackWithoutItsMemory(t *testing.T) {
	broker := newMosquitto(t, "allow_anonymous true")
	small := connectortest.WithConfig(func(c *connectorset.Config) { c.OutboxMessages = 2 })
	_, source := start(t, mqttSource("mqtt://"+broker.address, nil, subscriptionsTo("in")), small)
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	newPeer(t, broker.address).count(1, 1, 5)
	say(t, numbers(t, source, 2), []int{1, 2})
	broker.stop()
	if err := os.Remove(filepath.Join(broker.directory, "mosquitto.db")); err != nil {
		t.Fatal(err)
	}
	broker.start()
	source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	say(t, numbers(t, source, 3), []int{3, 4, 5})
	newPeer(t, broker.address).publish(&paho.Publish{Topic: "in", QoS: 1, Retain: true, Payload: []byte("6")})
	say(t, numbers(t, source, 1), []int{6})
}

// A publish waits for a broker that is away.
func TestMosquittoIsAwayForAPublish(t *testing.T) {
	broker := newMosquitto(t, "allow_anonymous true")
	handled := make(handlerHook, 1)
	_, source := start(t, mqttSource("mqtt://"+broker.address, nil), withHook(handled))
	broker.stop()
	if err := source.Publish(t.Context(), document{"topic": "out", "payload": "kept", "retain": true}); err != nil {
		t.Fatal(err)
	}
	broker.start()
	if err := <-handled; err != nil {
		t.Fatal(err)
	}
	if m := newPeer(t, broker.address, "out").next(); string(m.Payload) != "kept" {
		t.Errorf("published %q", m.Payload)
	}
}

// A source whose broker is away says so, and works when it has come.
func TestMosquittoIsAwayAtTheBeginning(t *testing.T) {
	broker := newMosquitto(t, "allow_anonymous true")
	broker.stop()
	_, source := start(t, mqttSource("mqtt://"+broker.address, nil, subscriptionsTo("in")), connectortest.WithoutWaiting())
	if err := source.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	if failed := notConfigured(t, source); !strings.Contains(failed, "connection refused") {
		t.Errorf("VAIL is told %s", failed)
	}
	broker.start()
	device := newPeer(t, broker.address)
	device.publish(&paho.Publish{Topic: "in", QoS: 1, Retain: true, Payload: []byte("1")})
	say(t, numbers(t, source, 1), []int{1})
}

// An authority signs certificates for tests.
type authority struct {
	t           *testing.T
	directory   string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, directory: t.TempDir()}
	a.certificate, a.key = a.sign("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign writes name.pem and name-key.pem, signed by the authority, or by itself if it is not one yet.
func (a *authority) sign(name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = template, key
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for suffix, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: certificate}, "-key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(a.file(name+suffix), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(certificate)
	if err != nil {
		a.t.Fatal(err)
	}
	return parsed, key
}

func (a *authority) file(name string) string { return filepath.Join(a.directory, name) }

func TestMosquittoWithTLS(t *testing.T) {
	ca := newAuthority(t)
	ca.sign("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	ca.sign("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	passwords := ca.file("passwords")
	if out, err := exec.Command("mosquitto_passwd", "-c", "-b", passwords, "u", "p").CombinedOutput(); err != nil {
		t.Logf("mosquitto_passwd: %v: %s", err, out) // newMosquitto skips if it is not there
	}
	broker := newMosquitto(t, "cafile "+ca.file("ca.pem"), "certfile "+ca.file("server.pem"), "keyfile "+ca.file("server-key.pem"),
		"require_certificate true", "password_file "+passwords)
	url := "mqtts://" + broker.address
	all := document{"caFile": ca.file("ca.pem"), "certFile": ca.file("client.pem"), "keyFile": ca.file("client-key.pem"), "username": "u", "password": "p"}
	without := func(changed document, removed ...string) document {
		general := document{}
		for key, value := range all {
			general[key] = value
		}
		for key, value := range changed {
			general[key] = value
		}
		for _, key := range removed {
			delete(general, key)
		}
		return general
	}
	t.Run("all is well", func(t *testing.T) {
		_, source := start(t, mqttSource(url, all, subscriptionsTo("x")))
		if err := source.Publish(t.Context(), document{"topic": "x", "payload": 1}); err != nil {
			t.Fatal(err)
		}
		say(t, numbers(t, source, 1), []int{1})
	})
	for name, test := range map[string]struct {
		general document
		want    string
	}{
		"no authority":         {without(nil, "caFile"), "certificate signed by unknown authority"},
		"no certificate":       {without(nil, "certFile", "keyFile"), "required"}, // the broker's own words, if they arrive before the end of the connection
		"a wrong password":     {without(document{"password": "hidden"}), "refuses the connection: Not authorized"},
		"not an authority":     {without(document{"caFile": ca.file("client-key.pem")}), "holds no certificate in PEM form"},
		"the key of another":   {without(document{"keyFile": ca.file("ca-key.pem")}), "mqttConfig.general.certFile and keyFile: tls: private key does not match public key"},
		"a key that is no key": {without(document{"keyFile": ca.file("client.pem")}), "mqttConfig.general.certFile and keyFile: tls: found a certificate rather than a key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, source := start(t, mqttSource(url, test.general), connectortest.WithoutWaiting())
			if err := source.WaitConnected(t.Context()); err != nil {
				t.Fatal(err)
			}
			if failed := notConfigured(t, source); !strings.Contains(failed, test.want) || strings.Contains(failed, "hidden") {
				t.Errorf("VAIL is told %s", failed)
			}
		})
	}
}
