package console_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

func TestFaults(t *testing.T) {
	d := newDesk(t)
	fault := func(order string) { d.t.Helper(); d.expect("POST", "/api/sources/EchoSource/fault", order, 204, "") }
	faults := func() string { return fmt.Sprint(d.state().Sources[0].Faults) }

	d.expect("POST", "/api/sources/EchoSource/fault", `{"do":"drop","how":"RST"}`, 409, "no connector is connected to the source: start one first")
	d.expect("POST", "/api/sources/EchoSource/fault", `{"do":"stall","on":true}`, 409, "start one first")
	d.connect()
	fault(`{"do":"reconnect"}`)
	d.must(d.source.WaitSession(d.soon(), 2))
	fault(`{"do":"reactivate","times":1}`)
	d.must(d.source.WaitSession(d.soon(), 3))
	connects := d.source.Connects()
	if refused := connects[len(connects)-2].Refused; refused == nil || !strings.Contains(refused.Error(), "does not have an associated stream") {
		t.Errorf("refused with %v", refused)
	}

	fault(`{"do":"refuse","times":-1}`)
	if got := faults(); !strings.Contains(got, "refusing:-1") {
		t.Errorf("shown: %s", got)
	}
	fault(`{"do":"refuse","times":0}`)
	fault(`{"do":"slow","ms":250}`)
	fault(`{"do":"stall","on":true}`)
	if got := faults(); got != "map[reactivating:0 refusing:0 slowMs:250 stalled:true]" {
		t.Errorf("shown: %s", got)
	}
	fault(`{"do":"stall","on":false}`)
	fault(`{"do":"slow","ms":0}`)
	if got := faults(); got != "map[reactivating:0 refusing:0 slowMs:0 stalled:false]" {
		t.Errorf("shown: %s", got)
	}

	for order, want := range map[string]string{
		`{"do":"dance"}`:                    "there are drop, stall, refuse, reactivate, slow and reconnect",
		`{"do":"drop","how":"RSVP"}`:        "there are FIN, RST, vanish, and the codes of close frames",
		`{"do":"drop","how":"7"}`:           "there are FIN, RST, vanish",
		`{"do":"slow","ms":-1}`:             "are not between 0 and 60000",
		`{"do":"slow","ms":60001}`:          "are not between 0 and 60000",
		`{"do":"slow","ms":18446744073710}`: "are not between 0 and 60000",
		`{"do":"refuse","times":-2}`:        "times is -2",
		`{"do":"reactivate","times":-1}`:    "times is -1",
		`{"do":"drop","what":"x"}`:          "unknown field",
		`{`:                                 "unexpected EOF",
	} {
		d.expect("POST", "/api/sources/EchoSource/fault", order, 400, want)
	}
}

func TestDrops(t *testing.T) {
	for _, how := range []string{"1001", "FIN", "RST", "vanish"} {
		t.Run(how, func(t *testing.T) {
			d := newDesk(t)
			d.connect()
			before := d.source.Link()
			d.expect("POST", "/api/sources/EchoSource/fault", `{"do":"drop","how":"`+how+`"}`, 204, "")
			if how == "vanish" { // the connector will notice in half a minute; another drop tells the server
				if !d.source.Connected() {
					t.Error("a link that vanished is noticed")
				}
				before.Drop(vantiqtest.RST)
				return
			}
			d.must(d.source.WaitSession(d.soon(), 2))
			if d.source.Link() == before {
				t.Error("the link is still there")
			}
		})
	}
}

// TestFaultsAreInTheTraffic checks that who reads the traffic learns what was done to a connector, before what came of it.
func TestFaultsAreInTheTraffic(t *testing.T) {
	d := newDesk(t)
	for _, order := range []string{`{"do":"drop","how":"RST"}`, `{"do":"drop","how":"RSVP"}`, `{"do":"stall","on":true}`, `{"do":"reconnect"}`,
		`{"do":"slow","ms":-1}`, `{"do":"refuse","times":-2}`, `{"do":"reactivate","times":-1}`} {
		d.ask("POST", "/api/sources/EchoSource/fault", order) // nothing comes of it
	}
	d.connect()
	stream := d.stream("")
	if data, _ := stream.until("traffic", "connect accepted"); strings.Contains(data, `"fault"`) {
		t.Errorf("what was refused is told: %s", data)
	}
	onLink := fmt.Sprintf(`"source":"EchoSource","link":%d,"kind":"fault","error":`, d.source.Link().ID())
	const onSource = `"source":"EchoSource","kind":"fault","error":`
	for _, c := range []struct{ order, want string }{
		{`{"do":"stall","on":true}`, onLink + `"stall: Vantiq neither reads nor writes, from the console"`},
		{`{"do":"stall","on":false}`, onLink + `"the stall is over, from the console"`},
		{`{"do":"slow","ms":250}`, onSource + `"acknowledgements are 250 ms late, from the console"`},
		{`{"do":"slow","ms":0}`, onSource + `"acknowledgements are no longer late, from the console"`},
		{`{"do":"refuse","times":-1}`, onSource + `"every connect is refused, from the console"`},
		{`{"do":"refuse","times":1}`, onSource + `"the next connect is refused, from the console"`},
		{`{"do":"refuse","times":0}`, onSource + `"connects are no longer refused, from the console"`},
		{`{"do":"reconnect"}`, onLink + `"the connector is asked to reconnect, from the console"`},
		{`{"do":"reactivate","times":2}`, onSource + `"the next 2 connects are refused as while Vantiq redeploys a source, from the console"`},
	} {
		d.expect("POST", "/api/sources/EchoSource/fault", c.order, 204, "")
		stream.until("traffic", c.want)
	}

	for how, want := range map[string]string{"RST": "RST", "1001": "close code 1001"} {
		d.must(d.source.WaitConnected(d.soon()))
		stream := d.stream("")
		link, sessions := d.source.Link().ID(), d.source.Sessions()
		d.expect("POST", "/api/sources/EchoSource/fault", `{"do":"drop","how":"`+how+`"}`, 204, "")
		told := fmt.Sprintf(`"link":%d,"kind":"fault","error":"%s, from the console"`, link, want)
		closed := fmt.Sprintf(`"link":%d,"kind":"link closed"`, link)
		data := ""
		for !strings.Contains(data, closed) {
			more, _ := stream.next("traffic")
			data += more
		}
		if !strings.Contains(data, told) || strings.Index(data, told) > strings.Index(data, closed) {
			t.Errorf("%s: not told before it happened: %s", how, data)
		}
		d.must(d.source.WaitSession(d.soon(), sessions+1))
	}
	d.expect("POST", "/api/server/restart", `{"seconds":0.1}`, 204, "")
	stream.until("traffic", `"kind":"fault","error":"the local Vantiq is away for 100ms, from the console"`)
}

func TestSlowAcknowledgements(t *testing.T) {
	d := newDesk(t)
	d.connect()
	d.expect("POST", "/api/sources/EchoSource/fault", `{"do":"slow","ms":300}`, 204, "")
	began := time.Now()
	stream := d.stream("")
	for n := range 3 {
		d.expect("POST", "/api/sources/EchoSource/publish", fmt.Sprintf(`{"n":%d}`, n), 204, "")
	}
	stream.until("traffic", "status sent")
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("acknowledged after %s", took)
	}
	d.expect("POST", "/api/sources/EchoSource/fault", `{"do":"slow","ms":60000}`, 204, "")
	d.expect("POST", "/api/sources/EchoSource/publish", `{"n":4}`, 204, "")
	d.expect("POST", "/api/sources/EchoSource/query", `{}`, 200, "rows") // nothing else is late
	d.must(d.source.Link().Ping(d.soon()))
	d.expect("POST", "/api/sources/EchoSource/fault", `{"do":"slow","ms":0}`, 204, "") // what was late comes now
}

func TestAStalledLinkNeitherReadsNorWrites(t *testing.T) {
	d := newDesk(t)
	d.connect()
	l := d.source.Link()
	briefly := func() context.Context {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	stall := func(on bool) {
		t.Helper()
		d.expect("POST", "/api/sources/EchoSource/fault", fmt.Sprintf(`{"do":"stall","on":%t}`, on), 204, "")
	}
	stall(true)
	if err := l.Ping(briefly()); err == nil {
		t.Error("a ping is answered")
	}
	l.HoldReads(false) // so that only writing is held
	if err := l.Ping(briefly()); err == nil {
		t.Error("it writes")
	}
	stall(false)
	d.must(l.Ping(d.soon()))
	stall(true)
	l.HoldWrites(false)
	if err := l.Ping(briefly()); err == nil {
		t.Error("it reads")
	}
	stall(false)
	d.must(l.Ping(d.soon()))
}

// What became of a source has nothing to do with another one of its name.
func TestFaultsEndWithTheirSource(t *testing.T) {
	d := newDesk(t)
	d.expect("POST", "/api/sources/EchoSource/fault", `{"do":"slow","ms":60000}`, 204, "")
	d.vantiq.Remove("EchoSource")
	d.vantiq.Source("EchoSource", nil)
	if got := fmt.Sprint(d.state().Sources[0].Faults); !strings.Contains(got, "slowMs:0") {
		t.Errorf("shown: %s", got)
	}
}

func TestRestart(t *testing.T) {
	d := newDesk(t)
	d.connect()
	stream := d.stream("")
	d.expect("POST", "/api/server/restart", `{"seconds":1}`, 204, "")
	stream.until("state", `"stopped":true`)
	stream.until("state", `"stopped":false`)
	d.must(d.source.WaitSession(d.soon(), 2))
	d.expect("POST", "/api/server/restart", `{"seconds":600}`, 204, "")
	d.expect("POST", "/api/server/restart", `{"seconds":0}`, 204, "") // the latest counts
	d.must(d.source.WaitSession(d.soon(), 3))
	d.expect("POST", "/api/server/restart", `{"seconds":-1}`, 400, "not between 0 and 600")
	d.expect("POST", "/api/server/restart", `{"seconds":1e99}`, 400, "not between 0 and 600")
}

func TestAnOutageEndsWhenThePortIsFreeAgain(t *testing.T) {
	d := newDesk(t)
	address := strings.TrimPrefix(d.vantiq.URL(), "http://")
	stream := d.stream("")
	d.expect("POST", "/api/server/restart", `{"seconds":0.5}`, 204, "")
	thief, err := net.Listen("tcp", address)
	d.must(err)
	began := time.Now()
	d.expect("GET", "/api/state", "", 200, `"stopped":true`)
	stream.until("state", "it is tried again every second: end what has taken its port")
	d.expect("GET", "/api/state", "", 200, "address already in use")
	if took := time.Since(began); took > patience/2 {
		t.Errorf("the console did not answer for %s", took)
	}
	d.must(thief.Close())
	stream.until("state", `"stopped":false`)
}

// An outage may take long to end, and the next one may have begun by then.
func TestAnOutageThatEndsLateLeavesTheNextAlone(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	slow := &slowAddress{Addr: listener.Addr(), asked: make(chan struct{}), goOn: make(chan struct{})}
	d := newDesk(t, vantiqtest.WithListener(&listenerAt{listener, slow}))
	slow.armed.Store(true)
	d.expect("POST", "/api/server/restart", `{"seconds":0}`, 204, "")
	select {
	case <-slow.asked: // it is about to listen again
	case <-d.soon().Done():
		t.Fatal("the outage does not end")
	}
	d.expect("POST", "/api/server/restart", `{"seconds":600}`, 204, "")
	close(slow.goOn)
	d.console.Close() // returns when nobody tries to end an outage any more
	if c, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("the local Vantiq is there in an outage")
	}
}

// A listenerAt is a listener that says itself where it is.
type listenerAt struct {
	net.Listener
	address net.Addr
}

func (l *listenerAt) Addr() net.Addr { return l.address }

// A slowAddress is an address that, once armed, cannot be listened on before it is told to go on.
type slowAddress struct {
	net.Addr
	armed       atomic.Bool
	asked, goOn chan struct{}
}

func (a *slowAddress) String() string {
	if a.armed.CompareAndSwap(true, false) {
		close(a.asked)
		<-a.goOn
	}
	return a.Addr.String()
}

func TestTheConsoleLeavesNoLinkStalled(t *testing.T) {
	d := newDesk(t)
	d.connect()
	l := d.source.Link()
	d.expect("POST", "/api/sources/EchoSource/fault", `{"do":"stall","on":true}`, 204, "")
	d.console.Close()
	d.must(l.Ping(d.soon()))
}
