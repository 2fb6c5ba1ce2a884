//go:build unix

package main

import "syscall"

// apart keeps a child from the terminal's Ctrl-C.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
