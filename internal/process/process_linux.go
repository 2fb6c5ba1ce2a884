package process

import "syscall"

// childAttributes put a child into a group of its own, so that Ctrl-C reaches it
// through its parent alone, and end it with its parent, even on kill -9.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
