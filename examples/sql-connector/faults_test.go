package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// busy waits until the server runs something that holds the text, idle until it does not.
func (s *postgresServer) busy(t *testing.T, text string) { s.await(t, text, true) }
func (s *postgresServer) idle(t *testing.T, text string) { s.await(t, text, false) }

func (s *postgresServer) await(t *testing.T, text string, running bool) {
	t.Helper()
	conn := s.connect(t)
	for now := !running; now != running; {
		err := conn.QueryRow(t.Context(), `select count(*) > 0 from pg_stat_activity, pg_sleep(0.01)
			where state <> 'idle' and query like '%' || $1 || '%' and pid <> pg_backend_pid()`, text).Scan(&now)
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestASlowQueryIsCutOnTheServerToo(t *testing.T) {
	server := withPostgres(t)
	_, source := start(t, server.free(nil), withQueryTimeout(300*time.Millisecond))
	for _, sql := range []string{
		`select pg_sleep(3600) as cut`,
		`select i, pg_sleep(0.001) as cut from generate_series(1, 10000000) i`,
		`select count(*) as cut from generate_series(1, 10000000000)`,
	} {
		began := time.Now()
		fails(t, source, document{"sql": sql}, connector.CodeTimeout)
		server.idle(t, "cut")
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: it took %v", sql, took)
		}
	}
	if got := ask(t, source, `select 1 as v`); got != `{"v":1}` {
		t.Error(got)
	}
}

func TestASlowMessageIsCut(t *testing.T) {
	server := withPostgres(t)
	_, source := start(t, document{"general": document{"url": server.url, "allowSQL": true, "timeout": "200ms", "reportPublishErrors": true}})
	send(t, source, raw(`{"sql":"select pg_sleep(3600) as slow_message"}`))
	notified(t, source, `{"publishError":{"code":"sql.timeout","text":"the database took longer than 200ms","message":{"sql":"select pg_sleep(3600) as slow_message"}}}`)
	server.idle(t, "slow_message")
}

func TestAMessageThatTheEndOfTheSessionCutsShort(t *testing.T) {
	server := withPostgres(t)
	_, source := start(t, document{"general": document{"url": server.url, "allowSQL": true, "reportPublishErrors": true}})
	send(t, source, raw(`{"sql":"select pg_sleep(3600) as cut_short"}`))
	server.busy(t, "cut_short")
	source.Drop(vantiqtest.RST)
	event, err := source.Notification(t.Context())
	if err != nil || !strings.Contains(event.String(), `"code":"sql.interrupted","text":"`) {
		t.Errorf("notification %s (%v)", event, err)
	}
	server.idle(t, "cut_short")
}

func TestTheDatabaseGoesAwayInTheMiddleOfAQuery(t *testing.T) {
	server := withPostgres(t)
	partial := make(chan struct{}, 1)
	_, source := start(t, server.free(nil), connectortest.WithServer(vantiqtest.WithObserver(func(e vantiqtest.Event) {
		if e.Kind == vantiqtest.PartialReceived {
			select {
			case partial <- struct{}{}:
			default:
			}
		}
	})))
	failed := make(chan error, 1)
	go func() {
		_, err := source.Query(t.Context(), document{"sql": `select i, repeat('x', 10000) as x, pg_sleep(0.0001) from generate_series(1, 10000000) i`})
		failed <- err
	}()
	<-partial // so many rows have been on their way
	server.crash(t)
	var e protocol.QueryError
	if err := <-failed; !errors.As(err, &e) || e.Code != codeUnavailable {
		t.Errorf("the query: %v", err)
	}
	fails(t, source, document{"sql": `select 1 as v`}, codeUnavailable, "connection refused")
	server.restart(t)
	for range 20 { // at once, and on each connection
		if got := ask(t, source, `select 1 as v`); got != `{"v":1}` {
			t.Error(got)
		}
	}
}

// A connection that the server ended while it was idle fails at most the query that finds out.
func TestConnectionsThatDiedWhileIdle(t *testing.T) {
	server := withPostgres(t)
	_, source := start(t, server.free(nil))
	done := make(chan error)
	for range 4 { // so many connections
		go func() {
			_, err := source.Query(t.Context(), document{"sql": `select pg_sleep(0.2)`})
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	server.crash(t)
	server.restart(t)
	if rows, err := source.Query(t.Context(), document{"sql": `select 1 as v`}); err != nil {
		var e protocol.QueryError
		if !errors.As(err, &e) || e.Code != codeUnavailable {
			t.Errorf("rows %v (%v)", rows, err)
		}
	}
	for range 8 {
		if got := ask(t, source, `select 1 as v`); got != `{"v":1}` {
			t.Error(got)
		}
	}
}

func TestTheDatabaseIsAwayWhenTheSessionBegins(t *testing.T) {
	server := withPostgres(t)
	server.crash(t)
	_, source := start(t, server.free(nil), connectortest.WithoutWaiting())
	told := refusedWith(t, source, "connection refused")
	if strings.Contains(told, password) || strings.Contains(told, "tester") {
		t.Errorf("VAIL is told %q", told)
	}
	var e protocol.QueryError
	if _, err := source.Query(t.Context(), nil); !errors.As(err, &e) || e.Code != codeUnavailable {
		t.Errorf("a query: %v, want %s", err, codeUnavailable)
	}
	server.restart(t)
	for {
		_, err := source.Query(t.Context(), document{"sql": `select 1 as v`})
		if err == nil {
			return
		}
		if !errors.As(err, &e) || e.Code != codeUnavailable {
			t.Fatalf("a query: %v", err)
		}
	}
}

func TestAWrongPasswordIsNotShown(t *testing.T) {
	server := withPostgres(t)
	for _, general := range []document{
		{"url": strings.Replace(server.url, password, "secret-of-mine", 1)},
		{"url": server.url, "password": "secret-of-mine"},
	} {
		running, _ := start(t, nil, connectortest.WithoutWaiting(), connectortest.WithSource("Wrong", document{"sqlConfig": document{"general": general}}))
		told := refusedWith(t, running.Source("Wrong"), "authentication")
		if strings.Contains(told, "secret-of-mine") {
			t.Errorf("VAIL is told %q", told)
		}
	}
}

func TestWhereThePasswordMayStand(t *testing.T) {
	server := withPostgres(t)
	for name, general := range map[string]document{
		"in the url":         {"url": server.url},
		"beside it":          {"url": strings.Replace(server.url, "tester:"+password, "nobody:wrong", 1), "username": "tester", "password": password},
		"in the environment": {"url": strings.Replace(server.url, ":"+password, "", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PGPASSWORD", map[string]string{"in the environment": password}[name])
			general["allowSQL"] = true
			_, source := start(t, document{"general": general})
			if got := ask(t, source, `select current_user as v`); got != `{"v":"tester"}` {
				t.Error(got)
			}
		})
	}
}

// A batch that is cut by a crash is not there at all, and is reported; the next one works.
func TestTheDatabaseGoesAwayInTheMiddleOfABatch(t *testing.T) {
	server := withPostgres(t)
	server.table(t, "crashed", "id bigint")
	_, source := start(t, document{"general": document{"url": server.url, "allowSQL": true, "reportPublishErrors": true}})
	send(t, source, document{"batch": []any{
		document{"sql": "insert into crashed values (1)"}, document{"sql": "select pg_sleep(3600) as crashing"}}})
	server.busy(t, "crashing")
	server.crash(t)
	reported := func() string {
		event, err := source.Notification(t.Context())
		var e publishError
		if err == nil {
			err = json.Unmarshal(event.Raw(), &e)
		}
		if err != nil {
			t.Fatal(err)
		}
		return e.PublishError.Code
	}
	if code := reported(); code != codeUnavailable {
		t.Errorf("the batch that was cut: %s", code)
	}
	send(t, source, document{"sql": "insert into crashed values (2)"})
	if code := reported(); code != codeUnavailable {
		t.Errorf("the message while it is away: %s", code)
	}
	server.restart(t)
	send(t, source, document{"sql": "insert into crashed values (3)"})
	send(t, source, document{"name": "end"}) // is reported
	reported()
	if got := ask(t, source, `select * from crashed`); got != `{"id":3}` {
		t.Error(got)
	}
}
