//go:build unix

package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vantiq-go/connectorsdk/connector"
)

// freeze stops the server and its connections to the connector from running, as if the cable were pulled: nothing is closed,
// and nothing answers.
func (s *postgresServer) freeze(t *testing.T) (thaw func()) {
	t.Helper()
	rows, err := s.connect(t).Query(t.Context(), `select pid from pg_stat_activity where application_name = 'vantiq-sql-connector'`)
	if err != nil {
		t.Fatal(err)
	}
	frozen := []int{s.running.Process.Pid}
	for rows.Next() {
		var pid int
		if err := rows.Scan(&pid); err != nil {
			t.Fatal(err)
		}
		frozen = append(frozen, pid)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	signal := func(signal syscall.Signal) {
		for _, pid := range frozen {
			_ = syscall.Kill(pid, signal) // a connection may be gone when the others thaw
		}
	}
	signal(syscall.SIGSTOP)
	t.Cleanup(func() { signal(syscall.SIGCONT) })
	return func() { signal(syscall.SIGCONT) }
}

func TestADatabaseThatDoesNotAnswer(t *testing.T) {
	server := withPostgres(t)
	server.table(t, "frozen", "id bigint primary key")
	_, source := start(t, document{
		"general": document{"url": server.url, "allowSQL": true, "timeout": "300ms", "reportPublishErrors": true},
		"polls": []any{document{"name": "n", "every": "20ms", "key": "id", "start": 0,
			"sql": "select id from frozen where id > $1 order by id"}},
	}, withQueryTimeout(300*time.Millisecond))
	ask(t, source, "insert into frozen values (1)")
	receive(t, source, 1, 1)
	thaw := server.freeze(t)
	fails(t, source, document{"sql": "select 1"}, connector.CodeTimeout)
	send(t, source, document{"sql": "select 2"})
	if event, err := source.Notification(t.Context()); err != nil || !strings.Contains(event.String(), `"code":"sql.timeout"`) {
		t.Errorf("notification %s (%v)", event, err)
	}
	thaw()
	server.run(t, "insert into frozen values (2)")
	receive(t, source, 2, 1)
	if got := ask(t, source, "select max(id) as v from frozen"); got != `{"v":2}` {
		t.Error(got)
	}
}
