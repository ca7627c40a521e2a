//go:build !linux

package connector

import (
	"net"
	"time"
)

// setUserTimeout does nothing where the system has no such option: the ping finds out.
func setUserTimeout(*net.TCPConn, time.Duration) {}
