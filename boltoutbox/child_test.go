package boltoutbox_test

import (
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also the main function of the processes that tests start.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		roles[role]()
		return
	}
	goleak.VerifyTestMain(m)
}

const roleVariable = "BOLTOUTBOX_TEST_ROLE"

var roles map[string]func()

// addRole names what a started process can be. It returns something, so that it can be called in a declaration.
func addRole(name string, play func()) bool {
	if roles == nil {
		roles = map[string]func(){}
	}
	roles[name] = play
	return true
}

// child returns a process that is to play a role, with arguments of its own.
func child(t *testing.T, role string, arguments ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, arguments...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = t.Output()
	return cmd
}
