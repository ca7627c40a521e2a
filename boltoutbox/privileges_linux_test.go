package boltoutbox_test

import (
	"os"
	"runtime"
	"syscall"
)

// withoutPrivileges calls f so that permissions of files count, also for root.
func withoutPrivileges(f func() error) error {
	if os.Geteuid() != 0 {
		return f()
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
		if err := syscall.Setfsuid(65534); err != nil {
			result <- err
			return
		}
		result <- f()
	}()
	return <-result
}
