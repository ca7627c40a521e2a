package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
	"github.com/vantiq-go/connectorsdk/connectorset"
	"github.com/vantiq-go/connectorsdk/connectortest"
	"github.com/vantiq-go/connectorsdk/protocol"
	"github.com/vantiq-go/connectorsdk/vantiqtest"
)

// polled is a SQLite database with a table t, and the sqlConfig of polls of it, which may begin when it is filled.
func polled(t *testing.T, columns string, fill []string, polls ...document) document {
	t.Helper()
	config := document{"general": document{"url": "file:" + t.TempDir() + "/polled.db", "allowSQL": true}}
	running, source := start(t, config)
	ask(t, source, "create table t ("+columns+")")
	for _, sql := range fill {
		ask(t, source, sql)
	}
	if err := running.Stop(); err != nil {
		t.Fatal(err)
	}
	config["polls"] = polls
	return config
}

// numbers fills a table t with the numbers up to n, and with a padding of some bytes.
func numbers(n, padding int) string {
	return fmt.Sprintf(`with recursive n(i) as (select 1 union all select i + 1 from n where i < %d)
		insert into t (id, pad) select i, hex(zeroblob(%d)) from n`, n, padding/2)
}

const newRows = "select id from t where id > $1 order by id"

// receive takes n notifications of single rows, and fails the test unless their ids are those from first on.
func receive(t *testing.T, source *vantiqtest.Source, first, n int) {
	t.Helper()
	for id := first; id < first+n; id++ {
		event, err := source.Notification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var e struct{ Row struct{ ID int } }
		if err := event.Decode(&e); err != nil || e.Row.ID != id {
			t.Fatalf("notification %s (%v), want id %d", event, err, id)
		}
	}
}

func TestAPollGoesOnWhereItWasAfterARestart(t *testing.T) {
	config := polled(t, "id integer primary key, pad text", []string{numbers(3, 0)},
		document{"name": "n", "every": "20ms", "sql": newRows, "key": "id", "start": 1})
	state := t.TempDir()
	running, source := startIn(t, state, config)
	receive(t, source, 2, 2)
	ask(t, source, "insert into t (id) values (10), (11), (12)")
	receive(t, source, 10, 3)
	kept(t, state, `{"after":12}`)
	if err := running.Stop(); err != nil {
		t.Fatal(err)
	}
	_, source = startIn(t, state, config)
	ask(t, source, "insert into t (id) values (13)")
	receive(t, source, 13, 1)
}

// What Vantiq acknowledges while the connector leaves is not sent again by the next process.
func TestNothingIsSentTwiceWhenTheConnectorLeaves(t *testing.T) {
	config := polled(t, "id integer primary key, pad text", []string{numbers(3, 0)},
		document{"name": "n", "every": "20ms", "sql": newRows, "key": "id", "start": 0})
	state := t.TempDir()
	c := testConnector(t, state)
	running, source := startAs(t, c, config, connectortest.WithoutWaiting())
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	receive(t, source, 1, 3)
	stopped := make(chan error)
	go func() { stopped <- running.Stop() }()
	for running.Connection("SqlSource").State() != connector.Draining {
		runtime.Gosched()
	}
	source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	c.leave()
	kept(t, state, `{"after":3}`)
}

// And when Vantiq acknowledges only a part of it, the position is behind that part.
func TestWhatIsAcknowledgedWhenALinkIsLostIsKept(t *testing.T) {
	config := polled(t, "id integer primary key, pad text", []string{numbers(3, 0)},
		document{"name": "n", "every": "20ms", "sql": newRows, "key": "id", "start": 0})
	state := t.TempDir()
	running, source := startIn(t, state, config, connectortest.WithoutWaiting())
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	receive(t, source, 1, 3)
	source.ReleaseAcknowledgements(2)
	for running.Connection("SqlSource").Stats().Acknowledged < 2 {
		runtime.Gosched()
	}
	source.Drop(vantiqtest.FIN)
	kept(t, state, `{"after":2}`)
	source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	flush(t, running)
}

// kept waits until the position of the poll n is kept as text.
func kept(t *testing.T, state, text string) {
	t.Helper()
	for found := ""; found != text+"\n"; {
		file, err := os.ReadFile(filepath.Join(state, "SqlSource%2Fn.json"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) || t.Context().Err() != nil {
			t.Fatalf("the position is %q (%v), want %s", found, err, text)
		}
		found = string(file)
	}
}

func flush(t *testing.T, running *connectortest.Running) {
	t.Helper()
	if err := running.Connection("SqlSource").Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestRowsTravelTogetherIfWanted(t *testing.T) {
	config := polled(t, "id integer primary key, pad text", []string{numbers(5, 0)},
		document{"name": "n", "every": "1h", "sql": newRows, "key": "id", "start": 0, "rowsPerEvent": 2})
	_, source := start(t, config)
	notified(t, source, `{"poll":"n","rows":[{"id":1},{"id":2}]}`)
	notified(t, source, `{"poll":"n","rows":[{"id":3},{"id":4}]}`)
	notified(t, source, `{"poll":"n","rows":[{"id":5}]}`)
}

// Rows that do not fit into a notification together are sent in several.
func TestEventsAreNoLargerThanMessages(t *testing.T) {
	config := polled(t, "id integer primary key, pad text", []string{numbers(7, 100_000)},
		document{"name": "n", "every": "1h", "sql": "select id, pad from t where id > $1 order by id", "key": "id", "start": 0, "rowsPerEvent": 1000})
	_, source := start(t, config)
	for _, want := range []int{1, 2, 2, 2} {
		event, err := source.Notification(t.Context())
		var e struct{ Rows []document }
		if err == nil {
			err = event.Decode(&e)
		}
		if err != nil || len(e.Rows) != want {
			t.Fatalf("%d rows (%v), want %d", len(e.Rows), err, want)
		}
	}
}

func TestARowThatCannotBeSentIsSkipped(t *testing.T) {
	for name, poll := range map[string]document{
		"with a key": {"name": "n", "every": "1h", "sql": "select id, pad from t where id > $1 order by id", "key": "id", "start": 0},
		"without":    {"name": "n", "every": "1h", "sql": "select id, pad from t order by id"},
	} {
		t.Run(name, func(t *testing.T) {
			_, source := start(t, polled(t, "id integer primary key, pad text",
				[]string{"insert into t values (1, 'a'), (2, hex(zeroblob(200000))), (3, 'c')"}, poll))
			notified(t, source, `{"poll":"n","row":{"id":1,"pad":"a"}}`)
			notified(t, source, `{"poll":"n","row":{"id":3,"pad":"c"}}`)
		})
	}
}

func TestARowThatVantiqRefusesIsSkipped(t *testing.T) {
	config := polled(t, "id integer primary key, pad text", []string{numbers(5, 0)},
		document{"name": "n", "every": "20ms", "sql": newRows, "key": "id", "start": 0})
	state := t.TempDir()
	running, _ := startIn(t, state, config, connectortest.WithoutWaiting())
	source := running.Source("SqlSource")
	defer source.Inject(vantiqtest.Fault{Op: protocol.OpNotification, Skip: 2, Answer: `{"status":400}`})()
	receive(t, source, 1, 2)
	receive(t, source, 4, 2)
	ask(t, source, "insert into t (id) values (6)") // which is only sent when the rows before it are done with
	receive(t, source, 6, 1)
}

// Far more rows than are held at a time, by a statement that does not limit them.
func TestABacklogIsSentInPages(t *testing.T) {
	config := polled(t, "id integer primary key, pad text", []string{numbers(3*pageRows+7, 0)},
		document{"name": "n", "every": "1h", "sql": newRows, "key": "id", "start": 0})
	_, source := start(t, config)
	receive(t, source, 1, 3*pageRows+7)
}

func TestAPollWithoutKeySendsAllRowsEachTime(t *testing.T) {
	config := polled(t, "id integer primary key, pad text", []string{numbers(3, 0)},
		document{"name": "all", "every": "20ms", "sql": "select id from t order by id", "rowsPerEvent": 10})
	_, source := start(t, config)
	for range 3 {
		notified(t, source, `{"poll":"all","rows":[{"id":1},{"id":2},{"id":3}]}`)
	}
}

// What was sent in a session that ended is not sent again by the poll of the next one, however many there are.
func TestSessionsThatEndDoNotMultiplyRows(t *testing.T) {
	config := polled(t, "id integer primary key, pad text", []string{numbers(100, 0)},
		document{"name": "n", "every": "20ms", "sql": newRows, "key": "id", "start": 0})
	running, source := start(t, config, connectortest.WithServer())
	c := running.Connection("SqlSource")
	source.SetAcknowledgements(vantiqtest.Acknowledgements{Withheld: true})
	for session := 2; session < 5; session++ {
		source.RequireReconnect()
		if err := source.WaitSession(t.Context(), session); err != nil {
			t.Fatal(err)
		}
	}
	source.SetAcknowledgements(vantiqtest.Acknowledgements{})
	seen := map[string]bool{}
	for len(seen) < 100 {
		event, err := source.Notification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen[event.String()] = true
	}
	flush(t, running)
	ask(t, source, "insert into t (id) values (101)")
	for !seen[`{"poll":"n","row":{"id":101}}`] {
		event, err := source.Notification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen[event.String()] = true
	}
	if accepted := c.Stats().Accepted; accepted != 101 {
		t.Errorf("%d notifications were made of 101 rows", accepted)
	}
}

// Statements that would send the same rows for ever send them once, and say what is wrong.
func TestPollsThatDoNotMove(t *testing.T) {
	for name, poll := range map[string]document{
		"heedless": {"name": "n", "every": "10ms", "sql": "select id from t where $1 >= 0 order by id", "key": "id", "start": 0},
		"at least": {"name": "n", "every": "10ms", "sql": "select id from t where id >= $1 order by id", "key": "id", "start": 0},
		"keyless":  {"name": "n", "every": "10ms", "sql": "select id as other from t where id > $1", "key": "id", "start": 0},
		"null":     {"name": "n", "every": "10ms", "sql": "select null as id from t where id > $1", "key": "id", "start": 0},
	} {
		t.Run(name, func(t *testing.T) {
			failed := make(failedPolls, 1)
			config := polled(t, "id integer primary key, pad text", []string{numbers(3, 0)}, poll)
			running, _ := start(t, config, connectortest.WithConfig(func(c *connectorset.Config) { c.Hooks = append(c.Hooks, failed) }))
			if err := <-failed; !strings.Contains(err.Error(), "poll n: ") {
				t.Error(err)
			}
			if accepted := running.Connection("SqlSource").Stats().Accepted; accepted > 3 {
				t.Errorf("%d notifications were sent", accepted)
			}
		})
	}
}

// failedPolls tells the first error of a poll.
type failedPolls chan error

func (f failedPolls) OnHandled(_, handler string, _ time.Duration, err error) {
	if handler == "poll" && err != nil {
		select {
		case f <- err:
		default:
		}
	}
}

func TestAPositionThatCannotBeKept(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	config := polled(t, "id integer primary key, pad text", nil, document{"name": "n", "every": "1s", "sql": newRows, "key": "id", "start": 0})
	running, _ := startIn(t, file, nil, connectortest.WithoutWaiting(), connectortest.WithSource("Wrong", document{"sqlConfig": config}))
	refusedWith(t, running.Source("Wrong"), "checkpoint: ")
}
