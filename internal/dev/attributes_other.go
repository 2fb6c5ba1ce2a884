//go:build !linux

package dev

import "syscall"

// childAttributes put a child into a group of its own, so that Ctrl-C reaches it
// through its parent alone. A parent that is killed with -9 leaves its children
// behind here: only Linux has a signal for that.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
