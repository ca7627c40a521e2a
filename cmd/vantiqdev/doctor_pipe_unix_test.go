//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// pipe makes a named pipe, of which reading does not end until the test does.
func (p *patient) pipe(name string) string {
	p.Helper()
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() {
		if writer, err := os.OpenFile(name, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil { // else nobody reads
			_ = writer.Close()
		}
	})
	return name
}

// Doctor had waited for ever, deaf to -timeout and Ctrl-C.
func TestDoctorWaitsForNoPipe(t *testing.T) {
	golden, err := filepath.Abs(filepath.Join("testdata", "doctor"))
	if err != nil {
		t.Fatal(err)
	}
	for file, call := range map[string]call{
		"configuration-is-a-pipe.txt":      {"", "", 1, func(p *patient) { p.file = ""; p.pipe("server.config") }},
		"configuration-is-a-directory.txt": {"", "-config .", 1, func(*patient) {}},
		"TLS-file-is-a-pipe.txt": {"", "-timeout 1s", 1, func(p *patient) {
			p.target("https://vantiq.invalid")
			p.configure("tlsCaFile=" + p.pipe("ca.pem"))
		}},
	} {
		t.Run(file, func(t *testing.T) { compare(t, filepath.Join(golden, file), call.transcript(t)) })
	}
}

func TestDoctorIsInterruptedWhileItReads(t *testing.T) {
	w := newWorkplace(t)
	p := &patient{T: t}
	p.pipe(filepath.Join(w.directory, "ca.pem"))
	w.configure("https://vantiq.invalid", "tlsCaFile=ca.pem")
	c := w.start("doctor", "-timeout", "5m")
	// It reads as soon as a writer finds a reader.
	writer, err := os.OpenFile(filepath.Join(w.directory, "ca.pem"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = writer.Close() }()
	c.stop(os.Interrupt)
	c.ended(exitFailed, "✗ configuration   interrupted", "– health port     not reached")
}
