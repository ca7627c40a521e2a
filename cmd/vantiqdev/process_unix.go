//go:build unix

package main

import (
	"os"
	"os/exec"
	"syscall"
)

func isolate(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endWithParent(c.SysProcAttr)
}

func signalGroup(group int, s os.Signal) {
	if number, ok := s.(syscall.Signal); ok {
		_ = syscall.Kill(-group, number) // an error: all of it has ended
	}
}

func killGroup(group int) { signalGroup(group, syscall.SIGKILL) }
