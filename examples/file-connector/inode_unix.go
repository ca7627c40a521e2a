//go:build unix

package main

import (
	"io/fs"
	"syscall"
)

// inodeOf returns what makes out a file while it exists, whatever its name.
func inodeOf(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Ino) //nolint:unconvert // not on every system
	}
	return 0
}
