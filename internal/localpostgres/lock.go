package localpostgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// locks keeps a directory to one server. The kernel drops both with the last
// process that has them open, so that no crash leaves one behind and no reused
// process id is ever mistaken for a server.
type locks struct {
	// owner is this process's alone: it is free as soon as the process is gone.
	owner *os.File
	// server is inherited by everything that touches the data: initdb, the
	// server, its backends. It is free when the last of them is gone.
	server *os.File
}

// errInUse says that another living process, or another Server of this one,
// runs a server on the directory.
var errInUse = errors.New("already running")

// lock takes both locks of the directory. A living owner is refused at once; a
// server that its owner left behind is waited for, until the end of ctx, since
// it is shutting down.
func lock(ctx context.Context, dir, dataDir string) (*locks, error) {
	owner, err := openLock(filepath.Join(dir, "owner.lock"))
	if err != nil {
		return nil, err
	}
	held := &locks{owner: owner}
	err = flock(owner)
	if err == nil && !current(owner) {
		err = errInUse // Remove took the file away between our open and our lock
	}
	if err != nil {
		defer held.release()
		if errors.Is(err, errInUse) {
			return nil, fmt.Errorf("%w in %s (%s)", errInUse, dir, describeOwner(owner, dataDir))
		}
		return nil, err
	}
	if held.server, err = openLock(filepath.Join(dir, "server.lock")); err != nil {
		held.release()
		return nil, err
	}
	if err := waitFor(ctx, held.server, dataDir); err != nil {
		held.release()
		return nil, err
	}
	if err := errors.Join(owner.Truncate(0), writeAt(owner, strconv.Itoa(os.Getpid()))); err != nil {
		held.release()
		return nil, fmt.Errorf("write %s: %w", owner.Name(), err)
	}
	return held, nil
}

func waitFor(ctx context.Context, server *os.File, dataDir string) error {
	err := flock(server)
	if !errors.Is(err, errInUse) {
		return err
	}
	retire(dataDir)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for errors.Is(err, errInUse) {
		select {
		case <-ctx.Done():
			left := "a server"
			if pid, _, ok := postmaster(dataDir); ok {
				left = fmt.Sprintf("the server (pid %d)", pid)
			}
			return fmt.Errorf("wait for %s left behind in %s to end: %w", left, dataDir, ctx.Err())
		case <-poll.C:
			err = flock(server)
		}
	}
	return err
}

// release unlocks the owner's lock rather than leaving that to Close: a child that
// some other goroutine is just starting has the file open too, until its exec.
// The server's lock stays with whatever still touches the data.
func (l *locks) release() {
	_ = syscall.Flock(int(l.owner.Fd()), syscall.LOCK_UN)
	_ = l.owner.Close()
	if l.server != nil {
		_ = l.server.Close()
	}
}

func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
}

// current reports whether the open file is still the one of its name.
func current(file *os.File) bool {
	open, openErr := file.Stat()
	named, namedErr := os.Lstat(file.Name())
	return openErr == nil && namedErr == nil && os.SameFile(open, named)
}

func flock(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errInUse
		case err != nil:
			return fmt.Errorf("lock %s: %w", file.Name(), err)
		}
		return nil
	}
}

func writeAt(file *os.File, text string) error {
	_, err := file.WriteAt([]byte(text), 0)
	return err
}

func describeOwner(owner *os.File, dataDir string) string {
	var parts []string
	if pid, _, ok := postmaster(dataDir); ok {
		parts = append(parts, fmt.Sprintf("server pid %d", pid))
	}
	buffer := make([]byte, 32)
	if n, _ := owner.ReadAt(buffer, 0); n > 0 {
		parts = append(parts, "started by pid "+strings.TrimSpace(string(buffer[:n])))
	}
	if len(parts) == 0 {
		return "starting"
	}
	return strings.Join(parts, ", ")
}

// postmaster reads postmaster.pid: the server's process id and whether it says
// that it takes connections. ok is false where there is no such file.
func postmaster(dataDir string) (pid int, ready, ok bool) {
	file, err := os.Open(filepath.Join(dataDir, "postmaster.pid"))
	if err != nil {
		return 0, false, false
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	// Line 1 is the process id, line 8 the status (since PostgreSQL 10).
	for number := 1; lines.Scan(); number++ {
		switch number {
		case 1:
			if pid, err = strconv.Atoi(strings.TrimSpace(lines.Text())); err != nil {
				return 0, false, false
			}
		case 8:
			ready = strings.TrimSpace(lines.Text()) == "ready"
		}
	}
	return pid, ready, pid > 0
}
