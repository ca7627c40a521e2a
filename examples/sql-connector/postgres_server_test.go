package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// requirePostgres, set to "required", makes tests fail rather than skip where PostgreSQL is not installed.
const requirePostgres = "SYSTEMS"

const password = "not-to-be-seen"

// A postgresServer is a PostgreSQL on a loopback port, with its data in a directory of its own.
type postgresServer struct {
	url       string
	bin, data string
	port      string
	as        *syscall.SysProcAttr
	running   *exec.Cmd
	drained   chan struct{} // closed when its log has ended
}

var (
	sharedPostgres *postgresServer
	sharedOnce     sync.Once
	errShared      error
)

// withPostgres returns the server that the tests share, which runs.
func withPostgres(t *testing.T) *postgresServer {
	t.Helper()
	binaries, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(binaries) == 0 {
		if os.Getenv(requirePostgres) == "required" {
			t.Fatal("PostgreSQL is not installed in /usr/lib/postgresql: apt-get install postgresql")
		}
		t.Skip("PostgreSQL is not installed in /usr/lib/postgresql; apt-get install postgresql, and " + requirePostgres + "=required makes this a failure")
	}
	sharedOnce.Do(func() { sharedPostgres, errShared = newPostgres(binaries[len(binaries)-1]) })
	if errShared != nil {
		t.Fatal(errShared)
	}
	return sharedPostgres
}

func stopSharedPostgres() {
	if sharedPostgres != nil {
		sharedPostgres.stop()
		_ = os.RemoveAll(sharedPostgres.data)
	}
}

func newPostgres(bin string) (*postgresServer, error) {
	data, err := os.MkdirTemp("", "sql-connector-postgres-")
	if err != nil {
		return nil, err
	}
	s := &postgresServer{bin: bin, data: data, as: &syscall.SysProcAttr{}}
	if os.Geteuid() == 0 { // as which PostgreSQL does not run
		if err := s.leaveRoot(); err != nil {
			return nil, err
		}
	}
	passwordFile := filepath.Join(data, "password")
	if err := os.WriteFile(passwordFile, []byte(password), 0o644); err != nil {
		return nil, err
	}
	create := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(data, "db"), "-U", "tester", "-A", "scram-sha-256",
		"--pwfile", passwordFile, "-E", "UTF8", "--locale=C", "--no-sync")
	create.SysProcAttr, create.Dir = s.as, data
	if out, err := create.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, s.port, _ = net.SplitHostPort(listener.Addr().String())
	listener.Close()
	s.url = "postgres://tester:" + password + "@127.0.0.1:" + s.port + "/postgres?sslmode=disable"
	return s, s.start()
}

func (s *postgresServer) leaveRoot() error {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		runAs(s.as, uid, gid)
		return os.Chown(s.data, uid, gid)
	}
	return errors.New("neither postgres nor nobody is a user: PostgreSQL does not run as root")
}

// start starts the server and returns when it takes connections.
func (s *postgresServer) start() error {
	s.running = exec.Command(filepath.Join(s.bin, "postgres"), "-D", filepath.Join(s.data, "db"), "-p", s.port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "log_line_prefix=")
	s.running.SysProcAttr, s.running.Dir = s.as, s.data
	log, err := s.running.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.running.Start(); err != nil {
		return err
	}
	ready := make(chan bool, 1)
	var lines bytes.Buffer
	s.drained = make(chan struct{})
	go func() {
		defer close(s.drained)
		scanner := bufio.NewScanner(log)
		for scanner.Scan() {
			lines.WriteString(scanner.Text() + "\n")
			if strings.Contains(scanner.Text(), "database system is ready to accept connections") {
				ready <- true
			}
		}
		close(ready)
	}()
	if !<-ready {
		return fmt.Errorf("postgres ended: %w\n%s", s.running.Wait(), lines.String())
	}
	return nil
}

// stop stops the server in the immediate mode, as if it had crashed.
func (s *postgresServer) stop() {
	if s.running == nil {
		return
	}
	_ = s.running.Process.Signal(syscall.SIGQUIT)
	<-s.drained
	_ = s.running.Wait()
	s.running = nil
}

// restart ends an outage, also when the test ends.
func (s *postgresServer) restart(t *testing.T) {
	t.Helper()
	if s.running == nil {
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
	}
}

// crash stops the server until restart, or the end of the test.
func (s *postgresServer) crash(t *testing.T) {
	t.Helper()
	s.stop()
	t.Cleanup(func() { s.restart(t) })
}

// run runs statements beside the connector.
func (s *postgresServer) run(t *testing.T, statements ...string) {
	t.Helper()
	conn := s.connect(t)
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// table makes an empty table that goes with the test.
func (s *postgresServer) table(t *testing.T, name, columns string) {
	t.Helper()
	s.run(t, "drop table if exists "+name, "create table "+name+" ("+columns+")")
}

func (s *postgresServer) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// free is a sqlConfig that allows all SQL.
func (s *postgresServer) free(more document) document {
	config := document{"general": document{"url": s.url, "allowSQL": true}}
	for key, value := range more {
		config[key] = value
	}
	return config
}
