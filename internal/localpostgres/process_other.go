//go:build unix && !linux

package localpostgres

import (
	"os"
	"syscall"
)

// dieWithParent does nothing: only Linux can signal a child when its parent
// dies. A server that its parent left behind is retired by the next Start.
func dieWithParent(*syscall.SysProcAttr) {}

// retire tells the server of this data directory, whose parent is gone and
// which still holds its lock, to shut down. What it can't do shows as a lock
// that stays held.
func retire(dataDir string) {
	pid, _, ok := postmaster(dataDir)
	if !ok {
		return
	}
	if process, err := os.FindProcess(pid); err == nil {
		_ = process.Signal(syscall.SIGINT)
	}
}
