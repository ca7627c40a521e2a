package main

import "syscall"

// endWithParent makes the kernel kill the child when this process is killed.
func endWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
