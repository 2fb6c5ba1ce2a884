// Package process runs built programs as children that end with this process:
// what benches and chaos start, freeze and kill.
package process

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Process is one child, with its output in a file.
type Process struct {
	Name string

	log  string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // written before done is closed
}

// Config says what to start.
type Config struct {
	Name string
	Path string
	Args []string
	// Env is added to this process's own, without what would configure Ciclo's
	// services or their connections.
	Env []string
	// LogDir gets the child's output, appended to Name.log.
	LogDir string
}

// Start starts a child. It is told to end when the thread that started it does,
// so that thread is kept for as long as the child lives.
func Start(c Config) (*Process, error) {
	p := &Process{Name: c.Name, log: filepath.Join(c.LogDir, c.Name+".log"), cmd: exec.Command(c.Path, c.Args...), done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	p.cmd.Env = append(environment(), c.Env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = childAttributes()
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	return p, nil
}

func environment() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "CICLO_") && !strings.HasPrefix(kv, "OTEL_") && !strings.HasPrefix(kv, "DATABASE_URL") && !strings.HasPrefix(kv, "PG") {
			env = append(env, kv)
		}
	}
	return env
}

// PID is the child's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is how the child ended, after Done is closed.
func (p *Process) Err() error { return p.err }

// Ended reports whether the child has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Signal sends a signal; to a child that has ended already too.
func (p *Process) Signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: signal %s: %w", p.Name, s, err)
	}
	return nil
}

// Stop asks the child to end and waits. Ending before it was asked is an error.
func (p *Process) Stop() error {
	if p.Ended() {
		return fmt.Errorf("%s died (%w); its last words:\n%s", p.Name, p.err, p.LastWords())
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-time.After(40 * time.Second): // more than a worker's drain
		return errors.Join(fmt.Errorf("%s did not stop", p.Name), p.Kill())
	}
}

// Kill ends the child as kill -9 does.
func (p *Process) Kill() error {
	err := p.Signal(syscall.SIGKILL)
	<-p.done
	return err
}

// LastWords are the last lines of its output.
func (p *Process) LastWords() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// FreeAddress is an address of 127.0.0.1 that nobody listens on.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
