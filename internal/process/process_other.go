//go:build !linux

package process

import "syscall"

// childAttributes leave a child in its parent's group, so that Ctrl-C reaches
// both: only Linux has a signal for a parent that was killed with -9.
func childAttributes() *syscall.SysProcAttr { return nil }
