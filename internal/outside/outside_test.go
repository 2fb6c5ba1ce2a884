// Package outside tests the built programs as their users meet them: over HTTP,
// by the command line, killed with -9, with the database gone.
package outside

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/conformance"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

const token = "a-token-for-tests"

func TestMain(m *testing.M) {
	fingerprint, err := postgres.SchemaFingerprint()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	rights, err := rightsFingerprint()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testdatabase.Main(m, testdatabase.Options{Migrate: migrateWithRoles, Fingerprint: fingerprint + rights})
}

// build compiles the shipped programs, and those with the test agents, once.
var build = sync.OnceValues(func() (dir string, err error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	// Another checkout has programs of its own.
	dir = filepath.Join(os.TempDir(), fmt.Sprintf("ciclo-outside-%d-%08x", os.Getuid(), crc32.ChecksumIEEE([]byte(here))))
	for out, packages := range map[string][]string{
		"":     {"cmd/orchestrator", "cmd/worker", "cmd/ciclo"},
		"test": {"internal/testagents/orchestrator", "internal/testagents/worker"},
	} {
		args := []string{"build", "-o", filepath.Join(dir, out) + string(filepath.Separator)}
		for _, p := range packages {
			args = append(args, "github.com/nuzantara/ciclo/"+p)
		}
		if text, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w: %s", err, text)
		}
	}
	return dir, nil
})

// binary is the path of a built program, such as worker or test/worker, or of another
// one by its own path.
func binary(t *testing.T, name string) string {
	t.Helper()
	if filepath.IsAbs(name) {
		return name // it isn't ours
	}
	dir, err := build()
	if err != nil {
		t.Fatalf("build: %v", err)
	}
	return filepath.Join(dir, name)
}

// process is one started program.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *safeBuffer
	err  *safeBuffer
	done chan struct{}
	exit error
}

// safeBuffer may be read while a process writes to it.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// start starts a program that is ended with the test, and with this process.
func start(t *testing.T, dir, name string, env []string, args ...string) *process {
	t.Helper()
	return startWith(t, nil, dir, name, env, args...)
}

// startWith is start with a file for stdin.
func startWith(t *testing.T, stdin *os.File, dir, name string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, out: &safeBuffer{}, err: &safeBuffer{}, done: make(chan struct{})}
	p.cmd = exec.Command(binary(t, name), args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p.out, p.err
	if stdin != nil {
		p.cmd.Stdin = stdin
	}
	p.cmd.Env = append(clean(os.Environ()), byRole(t, name, args, env)...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 10 * time.Second
	endWithUs(p.cmd.SysProcAttr)
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the child's end is bound to this thread
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.exit = p.cmd.Wait()
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.done
		for _, line := range strings.Split(p.err.String(), "\n") {
			if filepath.Base(name) != "ciclo" && (strings.Contains(line, "permission denied for") || strings.Contains(line, "must be owner of")) {
				t.Errorf("%s lacks a right: %s", name, line)
			}
		}
		if t.Failed() {
			t.Logf("%s said:\n%s\n%s", name, p.out, p.err)
		}
	})
	return p
}

// clean is an environment without what would lead a program to another system.
func clean(env []string) []string {
	var out []string
	for _, v := range env {
		if !strings.HasPrefix(v, "CICLO_") && !strings.HasPrefix(v, "OTEL_") && !strings.HasPrefix(v, "DATABASE_") {
			out = append(out, v)
		}
	}
	return out
}

func (p *process) signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("signal %v: %v", s, err)
	}
}

// wait waits for the process's end and returns its exit code.
func (p *process) wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		p.t.Fatalf("%s did not end within %s", p.cmd.Path, limit)
		return -1
	}
}

// run runs a program to its end.
func run(t *testing.T, dir, name string, env []string, args ...string) (out, errOut string, code int) {
	t.Helper()
	p := start(t, dir, name, env, args...)
	code = p.wait(2 * time.Minute)
	return p.out.String(), p.err.String(), code
}

// eventually polls until the condition holds.
func eventually(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("within %s it did not come about that %s", limit, what)
		case <-tick.C:
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// system is an orchestrator and workers.
type system struct {
	t      *testing.T
	folder string // of its programs: test/ has those with the test agents
	env    []string
	api    *client.Client
	served *process
}

// stop ends the orchestrator.
func (s *system) stop(t *testing.T) {
	t.Helper()
	s.served.signal(syscall.SIGTERM)
	if code := s.served.wait(30 * time.Second); code != 0 {
		t.Errorf("a graceful stop ends with %d", code)
	}
}

// newSystem starts an orchestrator with the test agents on a database; extra goes
// to every program.
func newSystem(t *testing.T, url string, extra ...string) *system {
	t.Helper()
	return newSystemOf(t, "test/", url, extra...)
}

// newSystemOf is newSystem with the programs of a folder.
func newSystemOf(t *testing.T, folder, url string, extra ...string) *system {
	t.Helper()
	address := freePort(t)
	s := &system{
		t: t, folder: folder,
		env: append([]string{"DATABASE_URL=" + url, "CICLO_TOKEN=" + token, "CICLO_LISTEN=" + address}, extra...),
		api: &client.Client{URL: "http://" + address, Token: token},
	}
	s.served = start(t, "", folder+"orchestrator", s.env)
	s.ready()
	document, err := conformance.Read(s.get("/openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	transport := conformance.Transport{Document: document, Wrong: func(err error) { t.Errorf("an answer is not as the document says: %v", err) }}
	s.api.HTTP = &http.Client{Transport: transport, Timeout: 30 * time.Second}
	return s
}

func (s *system) ready() {
	s.t.Helper()
	eventually(s.t, 30*time.Second, "the orchestrator is ready", func() bool { return s.api.Ready(s.t.Context()) == nil })
}

func (s *system) worker(extra ...string) *process {
	s.t.Helper()
	return start(s.t, "", s.folder+"worker", append(s.env[:len(s.env):len(s.env)], extra...))
}

func (s *system) run(agent string, parameters any) string {
	s.t.Helper()
	e, err := s.api.Run(s.t.Context(), agent, parameters)
	if err != nil {
		s.t.Fatal(err)
	}
	return e.ID
}

func (s *system) await(id string, limit time.Duration, what string, holds func(client.Execution) bool) client.Execution {
	s.t.Helper()
	var last client.Execution
	eventually(s.t, limit, what, func() bool {
		e, err := s.api.Get(context.Background(), id)
		if err != nil {
			if !client.Temporary(err) {
				s.t.Fatal(err)
			}
			return false
		}
		last = e
		return holds(e)
	})
	return last
}

// path is an execution's statuses in their order.
func path(e client.Execution) string {
	var steps []string
	for _, t := range e.Transitions {
		steps = append(steps, t.To)
	}
	return strings.Join(steps, " ")
}
