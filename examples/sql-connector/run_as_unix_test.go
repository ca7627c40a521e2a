//go:build unix

package main

import "syscall"

func runAs(attributes *syscall.SysProcAttr, uid, gid int) {
	attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
