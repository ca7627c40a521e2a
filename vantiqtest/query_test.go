package vantiqtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

type answer struct {
	rows []protocol.Document
	err  error
}

// ask sends a query in the background.
func ask(ctx context.Context, source *vantiqtest.Source, parameters any) <-chan answer {
	answers := make(chan answer, 1)
	go func() {
		rows, err := source.Query(ctx, parameters)
		answers <- answer{rows, err}
	}()
	return answers
}

func TestQueryCollectsTheRows(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	for name, test := range map[string]struct {
		responses []protocol.Response
		want      string
	}{
		"a row":                     {[]protocol.Response{{Status: 200, Body: []byte(`{"n":1}`)}}, `[{"n":1}]`},
		"rows":                      {[]protocol.Response{{Status: 200, Body: []byte(`[{"n":1},{"n":2}]`)}}, `[{"n":1} {"n":2}]`},
		"partials and rows":         {[]protocol.Response{{Status: 100, Body: []byte(`[{"n":1}]`)}, {Status: 100, Body: []byte(`{"n":2}`)}, {Status: 200, Body: []byte(`[{"n":3}]`)}}, `[{"n":1} {"n":2} {"n":3}]`},
		"a partial and empty":       {[]protocol.Response{{Status: 100, Body: []byte(`[{"n":1}]`)}, {Status: 204}}, `[{"n":1}]`},
		"empty":                     {[]protocol.Response{{Status: 204}}, `[]`},
		"data of empty is ignored":  {[]protocol.Response{{Status: 204, Body: []byte(`[{"n":1}]`)}}, `[]`},
		"no body":                   {[]protocol.Response{{Status: 200}}, `[]`},
		"a row that is not a table": {[]protocol.Response{{Status: 200, Body: []byte(`[9007199254740993]`)}}, `[9007199254740993]`},
	} {
		answers := ask(within(t), source, map[string]int{"limit": 3})
		q := receive[*protocol.Query](c)
		if q.Parameters.String() != `{"limit":3}` || q.Source != "EchoSource" || len(q.ReplyAddress) != 36 {
			t.Errorf("received query %+v", q)
		}
		for _, r := range test.responses {
			c.respond(q, r.Status, string(r.Body))
		}
		if a := <-answers; a.err != nil || fmt.Sprint(a.rows) != test.want {
			t.Errorf("%s: got %v, %v, want %s", name, a.rows, a.err, test.want)
		}
	}
	if stray := source.Stray(); len(stray) != 0 {
		t.Errorf("stray: %+v", stray)
	}
}

func TestQueryFails(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")

	answers := ask(within(t), source, nil)
	q := receive[*protocol.Query](c)
	c.respond(q, protocol.CodePartial, `[{"n":1}]`)
	c.send(protocol.AppendQueryError(nil, q.ReplyAddress, protocol.QueryError{Code: "echo.badLimit", Template: "got {0}", Parameters: []any{-1}}))
	a := <-answers
	var e protocol.QueryError
	if !errors.As(a.err, &e) || e.Code != "echo.badLimit" || a.err.Error() != "echo.badLimit: got -1" || a.rows != nil {
		t.Errorf("got %v, %v", a.rows, a.err)
	}

	answers = ask(within(t), source, nil)
	c.respond(receive[*protocol.Query](c), 500, `"on fire"`)
	a = <-answers
	var status *protocol.StatusError
	if !errors.As(a.err, &status) || status.Error() != "status 500: on fire" {
		t.Errorf("got %v", a.err)
	}
}

func TestStrayResponses(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	answers := ask(within(t), source, nil)
	q := receive[*protocol.Query](c)
	c.respond(q, 204, "")
	<-answers
	c.respond(q, 200, `[{"second":true}]`)
	c.respond(&protocol.Query{ReplyAddress: "nowhere"}, 200, "")
	c.silentAfter(source)
	stray := source.Stray()
	if len(stray) != 2 || stray[0].Response.ReplyAddress != q.ReplyAddress || string(stray[0].Response.Body) != `[{"second":true}]` ||
		stray[1].Response.ReplyAddress != "nowhere" || stray[1].Link != 1 {
		t.Errorf("stray: %+v", stray)
	}
}

// silentAfter is silent, once the server has handled what the client has sent.
func (c *client) silentAfter(source *vantiqtest.Source) {
	c.t.Helper()
	c.notify(source.Name(), `{"flush":true}`)
	c.statuses(1)
	c.silent(source)
}

func TestAnswerOnALaterSession(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	answers := ask(within(t), source, nil)
	q := receive[*protocol.Query](c)
	c.respond(q, 100, `[{"n":1}]`)
	c.silentAfter(source)
	source.Drop(1001)
	if err := c.ended(); err == nil {
		t.Error("the link did not end")
	}
	server.Stop(vantiqtest.RST)
	server.Start()
	c = connected(t, server, nil, "EchoSource", "s")
	c.respond(q, 200, `[{"n":2}]`)
	if a := <-answers; a.err != nil || fmt.Sprint(a.rows) != `[{"n":1} {"n":2}]` {
		t.Errorf("got %v, %v", a.rows, a.err)
	}
}

func TestAnswerBelongsToItsSource(t *testing.T) {
	server := start(t)
	a, b := server.Source("A", nil), server.Source("B", nil)
	ca, cb := connected(t, server, nil, "A", "s"), connected(t, server, nil, "B", "s")
	answers := ask(within(t), a, nil)
	q := receive[*protocol.Query](ca)
	cb.respond(q, 204, "")
	cb.silentAfter(b)
	if len(b.Stray()) != 1 {
		t.Errorf("stray responses of B: %v", b.Stray())
	}
	ca.respond(q, 204, "")
	if got := <-answers; got.err != nil {
		t.Error(got.err)
	}
}

func TestQueryWithoutAnAnswerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := vantiqtest.NewNetwork()
		server := start(t, vantiqtest.WithNetwork(network))
		source := server.Source("EchoSource", nil)
		c := connected(t, server, network, "EchoSource", "s")
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		answers := ask(ctx, source, nil)
		q := receive[*protocol.Query](c)
		c.respond(q, 100, `[{"n":1},{"n":2}]`)
		_ = c.ws.Close() // it vanishes; nobody tells VAIL
		a := <-answers
		if !errors.Is(a.err, context.DeadlineExceeded) || a.rows != nil ||
			!strings.Contains(a.err.Error(), "query of source EchoSource got no final answer within 2m0s (partial responses: 1, rows in them: 2)") {
			t.Errorf("got %v, %v", a.rows, a.err)
		}
		c = connected(t, server, network, "EchoSource", "s")
		c.respond(q, 200, "")
		c.silentAfter(source)
		if len(source.Stray()) != 1 {
			t.Errorf("the late answer is not stray: %v", source.Stray())
		}
	})
}

func TestManyQueriesAtOnce(t *testing.T) {
	server := start(t)
	source := server.Source("EchoSource", nil)
	c := connected(t, server, nil, "EchoSource", "s")
	const count = 500
	var group sync.WaitGroup
	for i := range count {
		group.Go(func() {
			rows, err := source.Query(within(t), map[string]int{"n": i})
			if err != nil || fmt.Sprint(rows) != fmt.Sprintf(`[{"n":%d}]`, i) {
				t.Errorf("query %d: %v, %v", i, rows, err)
			}
		})
	}
	queries := make([]*protocol.Query, count)
	for i := range queries {
		queries[i] = receive[*protocol.Query](c)
	}
	for i := range queries { // the last one first
		q := queries[count-1-i]
		c.respond(q, 200, q.Parameters.String())
	}
	group.Wait()
}
