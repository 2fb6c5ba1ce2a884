package dev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// service is one child process, started again when it dies.
type service struct {
	name string
	path string
	env  []string
	logs string // folder

	mu  sync.Mutex
	pid int
}

// Find looks for a binary beside this one, then on PATH.
func Find(name string) (string, error) {
	if self, err := os.Executable(); err == nil {
		if self, err = filepath.EvalSymlinks(self); err == nil {
			beside := filepath.Join(filepath.Dir(self), name)
			if info, err := os.Stat(beside); err == nil && !info.IsDir() {
				return beside, nil
			}
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("the program %s is neither beside ciclo nor on PATH: build it with `make build`", name)
	}
	return filepath.Abs(path)
}

// Starts that end before settled are counted; tooMany in a row end the service.
const (
	settled = 5 * time.Second
	tooMany = 5
)

// run keeps the process running until ctx is done, then asks it to stop and
// waits. An error means that it dies as soon as it is started.
func (s *service) run(ctx context.Context, log *slog.Logger) error {
	for early := 0; ; {
		began := time.Now()
		err := s.once(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was told to stop, so how it ended is no error
		}
		if early++; time.Since(began) > settled {
			early = 0
		}
		if early == tooMany {
			return fmt.Errorf("%s died %d times as soon as it was started (%w); its last words:\n%s", s.name, tooMany, err, s.lastWords())
		}
		log.Warn("a process died and is started again", "process", s.name, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(early) * 200 * time.Millisecond):
		}
	}
}

// once runs the process to its end. The child is told to end when the thread
// that started it does, so that thread is kept for as long as the child lives.
func (s *service) once(ctx context.Context) error {
	done := make(chan error, 1)
	started := make(chan *os.Process, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		done <- s.start(started)
	}()
	process := <-started
	if process == nil {
		return <-done
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	if err := process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-time.After(stopTime):
		return errors.Join(fmt.Errorf("%s did not stop within %s", s.name, stopTime), process.Kill(), <-done)
	}
}

// stopTime is more than a worker's drain.
const stopTime = 40 * time.Second

func (s *service) start(started chan<- *os.Process) error {
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		started <- nil
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.path) //nolint:noctx // it is asked to stop by a signal, not killed with a context
	cmd.Env = s.env
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		started <- nil
		return err
	}
	s.mu.Lock()
	s.pid = cmd.Process.Pid
	s.mu.Unlock()
	started <- cmd.Process
	if err := cmd.Wait(); err != nil {
		return err
	}
	return errors.New("it ended without an error")
}

func (s *service) logPath() string { return filepath.Join(s.logs, s.name+".log") }

// lastWords are the last lines of the process's log.
func (s *service) lastWords() string {
	text, err := os.ReadFile(s.logPath())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}
