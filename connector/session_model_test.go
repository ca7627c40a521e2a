package connector_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// successors are the arrows of the diagram at connector.State, and draining from anywhere.
var successors = map[connector.State][]connector.State{
	connector.Idle:           {connector.Dialing},
	connector.Dialing:        {connector.Authenticating, connector.Waiting, connector.Draining},
	connector.Authenticating: {connector.Connecting, connector.Waiting, connector.Draining},
	connector.Connecting:     {connector.Configuring, connector.Waiting, connector.Dialing, connector.Draining},
	connector.Configuring:    {connector.Connected, connector.Connecting, connector.Waiting, connector.Draining},
	connector.Connected:      {connector.Connecting, connector.Waiting, connector.Draining},
	connector.Waiting:        {connector.Dialing, connector.Connecting, connector.Draining},
	connector.Draining:       {connector.Closed},
}

// A sessionModel watches the handlers of a connector, and what it says of its state.
type sessionModel struct {
	mu       sync.Mutex
	problems []string
	state    connector.State
	left     time.Time     // when it was connected last
	away     time.Duration // how long it has not been, before that

	open, connecting, closing bool // a session, its Connect handler, its Close handler
	opened, closed            int
	running                   map[*handling]struct{}
	published                 []int // as they were handled
	stopping                  bool
	nextConnects, nextCloses  []string
}

// A handling is a call of a handler that can be left behind, or work started with Go.
type handling struct {
	name  string
	ctx   context.Context
	ended time.Time // of ctx, if it has
}

func (m *sessionModel) wrong(format string, args ...any) {
	m.problems = append(m.problems, fmt.Sprintf(format, args...))
}

// OnState implements connector.StateHook.
func (m *sessionModel) OnState(_ string, from, to connector.State, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if from != m.state || !slices.Contains(successors[from], to) {
		m.wrong("%v became %v, it was %v", from, to, m.state)
	}
	if m.state = to; to == connector.Connected {
		m.away += time.Since(m.left)
	} else if from == connector.Connected || from == connector.Idle {
		m.left = time.Now()
	}
}

// apart returns how long there has been no session, so far.
func (m *sessionModel) apart() time.Duration {
	if m.state == connector.Connected {
		return m.away
	}
	return m.away + time.Since(m.left)
}

// begin notes that a handler starts.
func (m *sessionModel) begin(ctx context.Context, name string) (end func()) {
	h := &handling{name: name, ctx: ctx}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.open && name != "go" || m.closing { // what a Connect handler has started may begin when it has failed
		m.wrong("%s starts outside of a session", name)
	}
	if name == "publish" {
		for other := range m.running {
			if other.name == name && !m.isAbandoned(other) {
				m.wrong("two Publish handlers run")
			}
		}
	}
	m.running[h] = struct{}{}
	context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		h.ended = time.Now()
	})
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.running, h)
	}
}

// isAbandoned reports whether a handler may be left behind by now.
func (m *sessionModel) isAbandoned(h *handling) bool {
	if h.name == "go" || h.ctx.Err() == nil {
		return false
	}
	return m.stopping || time.Since(h.ended) >= 10*time.Second
}

func (m *sessionModel) handlers() connector.Handlers {
	return connector.Handlers{Connect: m.connect, Publish: m.publish, Query: m.query, Close: m.close}
}

func (m *sessionModel) connect(_ context.Context, c *connector.SourceConnection, _ connector.Document) error {
	m.mu.Lock()
	if m.open || m.connecting || m.closing {
		m.wrong("Connect is called while a session is there")
	}
	m.connecting = true
	plan := "accept"
	if len(m.nextConnects) > 0 {
		plan, m.nextConnects = m.nextConnects[0], m.nextConnects[1:]
	}
	m.mu.Unlock()
	_ = c.Go(func(ctx context.Context) error {
		defer m.begin(ctx, "go")()
		<-ctx.Done()
		return ctx.Err()
	})
	accepted := false
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.connecting = false
		if accepted {
			m.open = true
			m.opened++
		}
	}()
	switch plan {
	case "fail":
		return errors.New("not now")
	case "refuse":
		return connector.Permanent(errors.New("not with this configuration"))
	case "panic":
		panic("oh dear")
	case "goexit":
		runtime.Goexit()
	case "slow":
		pass(4 * time.Second)
	}
	accepted = true
	return nil
}

func (m *sessionModel) close(_ context.Context, _ *connector.SourceConnection, cause error) error {
	m.mu.Lock()
	if !m.open {
		m.wrong("Close is called without a session")
	}
	for h := range m.running {
		if !m.isAbandoned(h) {
			m.wrong("Close is called while the %s handler runs", h.name)
		}
	}
	if cause == nil && !m.stopping {
		m.wrong("Close is called for good")
	}
	m.open, m.closing = false, true
	plan := "return"
	if len(m.nextCloses) > 0 {
		plan, m.nextCloses = m.nextCloses[0], m.nextCloses[1:]
	}
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.closing = false
		m.closed++
	}()
	switch plan {
	case "fail":
		return errors.New("cannot close")
	case "panic":
		panic("oh dear")
	case "slow":
		pass(700 * time.Millisecond) // a drain leaves it a second, whatever the other handlers do
	}
	return nil
}

// What a message or a query asks its handler to do.
type order struct {
	N  int
	Do string
}

func (m *sessionModel) publish(ctx context.Context, _ *connector.SourceConnection, message connector.Document) error {
	defer m.begin(ctx, "publish")()
	var order order
	if err := message.Decode(&order); err != nil {
		return err
	}
	m.mu.Lock()
	m.published = append(m.published, order.N)
	m.mu.Unlock()
	return act(ctx, order.Do)
}

// act does what handlers of both kinds can do wrong.
func act(ctx context.Context, do string) error {
	switch do {
	case "fail":
		return errors.New("it failed")
	case "panic":
		panic("oh dear")
	case "goexit":
		runtime.Goexit()
	case "slow":
		select {
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
		}
	case "hang":
		select {
		case <-time.After(time.Minute):
		case <-ctx.Done():
			return ctx.Err()
		}
	case "ignore":
		pass(20 * time.Second)
	}
	return nil
}

func (m *sessionModel) query(ctx context.Context, _ *connector.SourceConnection, q *connector.Query) error {
	defer m.begin(ctx, "query")()
	var order order
	if err := q.Decode(&order); err != nil {
		return err
	}
	switch order.Do {
	case "rows":
		return q.Complete(ctx, object{"n": order.N})
	case "twice":
		_ = q.Complete(ctx, object{"n": order.N})
		if err := q.Empty(ctx); !errors.Is(err, connector.ErrQueryAnswered) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.wrong("a second final answer returned %v", err)
		}
	case "partials":
		for range 3 {
			if err := q.Partial(ctx, object{"n": order.N}); err != nil {
				return err
			}
			pass(time.Second)
		}
	case "later":
		time.AfterFunc(5*time.Second, func() { _ = q.Empty(context.Background()) })
		return connector.ErrAnswerLater
	case "forget":
		return connector.ErrAnswerLater
	}
	return act(ctx, order.Do)
}

// answers says how a query of each kind may end if nothing else disturbs it: "" is rows, or none.
var answers = map[string]string{
	"rows": "", "twice": "", "partials": "", "later": "", "nothing": "", "slow": "", "ignore": "", "hang": "",
	"fail": connector.CodeHandlerError, "panic": connector.CodePanic, "goexit": connector.CodePanic, "forget": connector.CodeTimeout,
}

// disturbed are the codes with which any query may end while links and configurations come and go.
var disturbed = []string{connector.CodeInterrupted, connector.CodeShutdown, connector.CodeNotConfigured, connector.CodeTimeout}

// A sessionRun is a connector, the model that watches it, and a server that does what servers do.
type sessionRun struct {
	*bench
	*sessionModel
	network *vantiqtest.Network
	ctx     context.Context // of the queries; ends with the program

	risky   bool   // the link may be dead, and the server not know: what is said to it may get lost
	deadOne uint64 // it is this link
	cut     bool   // the network is partitioned
	lossy   bool   // risky, at any time
	removes []func()

	messages int
	queries  []*asked
}

type asked struct {
	order
	calm  bool // nothing has happened since that could touch it
	apart time.Duration
	risky bool
	done  bool // the following are set
	code  string
	err   error
}

var how = rapid.SampledFrom([]vantiqtest.Drop{1000, 1001, 1012, 4000, vantiqtest.FIN, vantiqtest.RST})

func (r *sessionRun) order(t *rapid.T, kinds []string) order {
	r.messages++
	return order{r.messages, rapid.SampledFrom(kinds).Draw(t, "do")}
}

func (r *sessionRun) publishSome(t *rapid.T) {
	for range rapid.IntRange(1, 5).Draw(t, "messages") {
		if err := r.source.Publish(r.soon(), r.order(t, []string{"nothing", "nothing", "fail", "panic", "goexit", "slow", "hang", "ignore"})); err != nil {
			r.messages-- // nobody is connected
		}
	}
}

func (r *sessionRun) ask(t *rapid.T) {
	for range rapid.IntRange(1, 5).Draw(t, "queries") {
		if !r.source.Connected() {
			t.Skip()
		}
		q := &asked{order: order{len(r.queries), rapid.SampledFrom(kindsOfAnswers).Draw(t, "do")}, risky: r.risky}
		r.mu.Lock()
		q.calm, q.apart = !r.risky && r.state == connector.Connected, r.sessionModel.apart()
		r.mu.Unlock()
		r.queries = append(r.queries, q)
		go func() {
			_, err := r.source.Query(r.ctx, q.order)
			r.mu.Lock()
			defer r.mu.Unlock()
			if q.done, q.err = true, err; err != nil {
				q.code = codeOf(err)
			}
			if q.code == connector.CodeTimeout && q.Do != "forget" && r.sessionModel.apart()-q.apart < 50*time.Second {
				r.wrong("query %+v had two minutes, and a session in most of them", q.order)
			}
		}()
	}
}

var kindsOfAnswers = func() (kinds []string) {
	for kind := range answers {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds
}()

// disturbing marks what takes place beside the queries, and may touch them.
func (r *sessionRun) disturbing(action func(*rapid.T)) func(*rapid.T) {
	return func(t *rapid.T) {
		r.mu.Lock()
		for _, q := range r.queries {
			q.calm = q.calm && q.done
		}
		r.mu.Unlock()
		action(t)
	}
}

func (r *sessionRun) drop(t *rapid.T) { r.source.Drop(how.Draw(t, "how")) }

func (r *sessionRun) endanger() {
	r.risky, r.lossy = true, true
	if l := r.source.Link(); l != nil {
		r.deadOne = l.ID()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.queries {
		q.risky = true
	}
}

func (r *sessionRun) vanish(*rapid.T) {
	r.endanger()
	r.source.Drop(vantiqtest.Vanish)
}

func (r *sessionRun) partition(*rapid.T) {
	if r.cut = !r.cut; r.cut {
		r.endanger()
		r.network.Partition()
	} else {
		r.network.Heal()
	}
}

func (r *sessionRun) outage(t *rapid.T) {
	if rapid.Bool().Draw(t, "begins") {
		r.server.Stop(how.Draw(t, "how"))
	} else {
		r.server.Start()
	}
}

func (r *sessionRun) refuse(t *rapid.T) {
	n := rapid.IntRange(1, 4).Draw(t, "times")
	switch status := rapid.SampledFrom([]int{0, 400, 404, 409, 503}).Draw(t, "status"); status {
	case 0:
		r.source.Reactivating(n)
	default:
		r.source.Refuse(n, &protocol.StatusError{Status: status})
	}
}

// stumble makes the server fail in the next handshake.
func (r *sessionRun) stumble(t *rapid.T) {
	fault := rapid.SampledFrom([]vantiqtest.Fault{
		{Op: protocol.OpValidate, Answer: `{"status":503}`},
		{Op: protocol.OpValidate, Ignore: true},
		{Op: protocol.OpConnectExtension, Ignore: true},
		{Op: protocol.OpConnectExtension, Statuses: 3},
		{Op: protocol.OpConnectExtension, Answer: `{"op":"reconnectRequired"}`},
		{Op: protocol.OpConnectExtension, Drop: 1012},
		{Op: protocol.OpConnectExtension, Drop: vantiqtest.RST, Ignore: true},
	}).Draw(t, "fault")
	r.removes = append(r.removes, r.server.Inject(fault))
}

func (r *sessionRun) say(t *rapid.T) {
	_ = r.source.SendRaw(rapid.SampledFrom([]string{
		`{"op":"configureExtension","object":{"config":{}}}`,
		`{"op":"configureExtension","object":{}}`,
		`{"op":"reconnectRequired"}`,
		`{"status":200}`, `{"status":500}`, `{"op":"unheard of"}`, `{`,
	}).Draw(t, "text"))
}

func (r *sessionRun) plan(t *rapid.T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nextConnects = rapid.SliceOfN(rapid.SampledFrom([]string{"accept", "fail", "refuse", "panic", "goexit", "slow"}), 1, 3).Draw(t, "Connect")
	r.nextCloses = rapid.SliceOfN(rapid.SampledFrom([]string{"return", "fail", "panic", "slow"}), 1, 3).Draw(t, "Close")
}

func (r *sessionRun) wait(t *rapid.T) {
	pass(rapid.SampledFrom([]time.Duration{time.Millisecond, 700 * time.Millisecond, 5 * time.Second, 40 * time.Second}).Draw(t, "time"))
}

func (r *sessionRun) check(t *rapid.T) {
	synctest.Wait()
	if l := r.source.Link(); r.risky && !r.cut && l != nil && l.ID() != r.deadOne {
		r.risky = false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if state := r.conn.State(); state != r.state {
		r.wrong("the state is %v, its hook was told %v", state, r.state)
	}
	if (r.state == connector.Connected) && !r.open {
		r.wrong("it is connected without a session")
	}
	for _, q := range r.queries {
		if q.done && q.code != answers[q.Do] && (q.calm || !slices.Contains(disturbed, q.code)) && r.ctx.Err() == nil && !isNotFound(q.err) {
			r.wrong("query %+v was answered %q", q.order, q.code)
		}
	}
	if len(r.problems) > 0 {
		t.Fatal(strings.Join(r.problems, "\n"))
	}
}

// isNotFound reports whether a query was not even sent.
func isNotFound(err error) bool {
	var status *protocol.StatusError
	return errors.As(err, &status) && status.Status == 404
}

// recover ends all faults and waits until everything that was asked of the connector is done.
func (r *sessionRun) recover(t *rapid.T) {
	for _, remove := range r.removes {
		remove()
	}
	if r.cut {
		r.partition(t)
	}
	r.disturbing(func(*rapid.T) { r.server.Start() })(t)
	r.source.Refuse(0, nil)
	r.mu.Lock()
	r.nextConnects, r.nextCloses = nil, nil
	r.mu.Unlock()
	pass(3 * time.Minute)
	r.source.Reconfigure(object{}) // one that the Connect handler accepts
	pass(time.Hour)
	r.check(t)
	r.must(r.conn.WaitConnected(r.soon()))
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.queries {
		if !q.done && !q.risky {
			t.Fatalf("query %+v was not answered", q.order)
		}
	}
	if stray := r.source.Stray(); len(stray) > 0 && !r.lossy {
		t.Fatalf("a query was answered twice: %+v", stray)
	}
	for i, n := range r.published {
		if i > 0 && n <= r.published[i-1] || !r.lossy && n != i+1 {
			t.Fatalf("of %d messages, these were handled: %v", r.messages, r.published)
		}
	}
	if !r.lossy && len(r.published) != r.messages {
		t.Fatalf("of %d messages, %d were handled", r.messages, len(r.published))
	}
}

// leave ends the connection.
func (r *sessionRun) leave(t *rapid.T) {
	r.disturbing(func(*rapid.T) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.stopping = true
	})(t)
	began := time.Now()
	if rapid.Bool().Draw(t, "by Close") {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		r.must(r.conn.Close(ctx))
	} else {
		r.stop()
	}
	if err := <-r.ended; err != nil {
		t.Fatalf("Run returned %v", err)
	}
	if took := time.Since(began); took > 11*time.Second {
		t.Fatalf("Run returned after %v", took)
	}
	r.ended <- nil
	if err := r.conn.Run(context.Background()); !errors.Is(err, connector.ErrClosed) {
		t.Fatalf("a second Run returned %v", err)
	}
	pass(time.Minute) // for handlers that were left behind
	r.check(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.opened != r.closed || r.open || len(r.running) > 0 || r.state != connector.Closed {
		t.Fatalf("%d sessions were opened and %d closed, %d handlers run, the state is %v", r.opened, r.closed, len(r.running), r.state)
	}
}

func TestSessionsFollowTheirModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			t.Cleanup(func() { pass(time.Minute) }) // after all else: for handlers that were left behind
			ctx, cancel := context.WithCancel(context.Background())
			t.Cleanup(cancel)
			r := &sessionRun{
				sessionModel: &sessionModel{running: map[*handling]struct{}{}}, network: vantiqtest.NewNetwork(), ctx: ctx}
			r.bench = setUpIn(t, r.network, object{}, connector.Options{Logger: quiet, Hooks: []connector.Hook{r.sessionModel}})
			r.run(r.handlers())
			actions := map[string]func(*rapid.T){
				"":            r.check,
				"publish":     r.publishSome,
				"query":       r.ask,
				"query again": r.ask,
				"wait":        r.wait,
				"plan":        r.plan,
				"drop":        r.disturbing(r.drop),
				"outage":      r.disturbing(r.outage),
				"refuse":      r.disturbing(r.refuse),
				"stumble":     r.disturbing(r.stumble),
				"reconfigure": r.disturbing(func(*rapid.T) { r.source.Reconfigure(object{"n": 1}) }),
				"say":         r.disturbing(r.say),
			}
			if rapid.Bool().Draw(t, "cables are pulled") { // then less can be promised
				actions["vanish"] = r.disturbing(r.vanish)
				actions["partition"] = r.disturbing(r.partition)
			}
			t.Repeat(actions)
			if rapid.IntRange(0, 3).Draw(t, "recovers") > 0 {
				r.recover(t)
			}
			if r.cut {
				r.partition(t)
			}
			r.leave(t)
		})
	})
}
