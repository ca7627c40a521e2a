//go:build !unix

package main

import "syscall"

// runAs is for the one system on which PostgreSQL minds who runs it.
func runAs(*syscall.SysProcAttr, int, int) {}
