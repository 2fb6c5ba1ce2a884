package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// process is one child, with its output in a file.
type process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // written before done is closed
}

// start starts a child. It is told to end when the thread that started it does,
// so that thread is kept for as long as the child lives.
func (b *bench) start(name, path string, args []string, env ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(b.dir, name+".log"), cmd: exec.Command(path, args...), done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	p.cmd.Env = append(environment(), env...)
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
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// environment is ours without what would configure the services or their
// connections: those run with defaults, and with what a section gives them.
func environment() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "CICLO_") && !strings.HasPrefix(kv, "DATABASE_URL") && !strings.HasPrefix(kv, "PG") {
			env = append(env, kv)
		}
	}
	return env
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop asks the child to end and waits. Ending before it was asked is an error.
func (p *process) stop() error {
	if p.ended() {
		return fmt.Errorf("%s died (%w); its last words:\n%s", p.name, p.err, p.lastWords())
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.done:
		return p.err
	case <-time.After(40 * time.Second): // more than a worker's drain
		return errors.Join(fmt.Errorf("%s did not stop", p.name), p.kill())
	}
}

// kill ends the child as kill -9 does.
func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	<-p.done
	return err
}

func (p *process) lastWords() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// api is a child that serves HTTP.
type api struct {
	*process
	url   string
	token string
}

// startOrchestrator starts the real service on the database.
func (b *bench) startOrchestrator(ctx context.Context, database string) (*api, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	a := &api{url: "http://" + address, token: rand.Text()}
	a.process, err = b.start("orchestrator", filepath.Join(b.dir, "orchestrator"), nil,
		"DATABASE_URL="+database, "CICLO_LISTEN="+address, "CICLO_TOKEN="+a.token)
	if err != nil {
		return nil, err
	}
	return a, a.await(ctx, "/readyz")
}

// startFloor starts this program again, as the bare handlers.
func (b *bench) startFloor(ctx context.Context) (*api, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	a := &api{url: "http://" + address, token: rand.Text()} // the token is sent, and not looked at
	if a.process, err = b.start("floor", self, []string{"-floor", address}, "DATABASE_URL="+b.url); err != nil {
		return nil, err
	}
	return a, a.await(ctx, "/readyz")
}

// startWorker starts the real service. Extra environment overrides its defaults.
func (b *bench) startWorker(database string, env ...string) (*process, error) {
	return b.start("worker", filepath.Join(b.dir, "worker"), nil, append(env, "DATABASE_URL="+database)...)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// await returns when the path answers 200.
func (a *api) await(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client := newClient()
	for {
		err := client.do(ctx, request{http.MethodGet, a.url + path, "", http.StatusOK}, nil)
		if err == nil {
			return nil
		}
		select {
		case <-a.done:
			return fmt.Errorf("%s died; its last words:\n%s", a.name, a.lastWords())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s does not answer: %w; its last words:\n%s", a.name, err, a.lastWords()), a.kill())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
