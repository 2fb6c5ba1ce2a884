package localpostgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// soon is how long a test waits for what should happen at once.
const soon = 15 * time.Second

func TestStartQueryStop(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	server := mustStart(t, Config{Dir: dir, Ephemeral: true, Settings: map[string]string{"work_mem": "5MB", "listen_addresses": "*"}})

	var got struct{ user, encoding, collate, upper, workMem, addresses, sockets, fsync string }
	queryRow(t, server.URL("postgres"), `
		SELECT current_user, pg_encoding_to_char(encoding), datcollate, upper('è'), current_setting('work_mem'),
			current_setting('listen_addresses'), current_setting('unix_socket_directories'), current_setting('fsync')
		FROM pg_database WHERE datname = current_database()`,
		&got.user, &got.encoding, &got.collate, &got.upper, &got.workMem, &got.addresses, &got.sockets, &got.fsync)
	want := got
	want.user, want.encoding, want.collate, want.upper, want.workMem = "ciclo", "UTF8", "C", "È", "5MB"
	want.addresses, want.sockets, want.fsync = "127.0.0.1", "", "off"
	if got != want {
		t.Errorf("the server says %+v, want %+v", got, want)
	}
	if err := server.Err(); err != nil {
		t.Errorf("Err of a running server: %v", err)
	}

	info, err := os.Stat(filepath.Join(dir, "password"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("password file: %v, %v; want mode 0600", info, err)
	}
	stranger, err := url.Parse(server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	stranger.User = url.UserPassword("ciclo", "guess")
	if err := ping(t.Context(), stranger.String()); err == nil || !strings.Contains(err.Error(), "password authentication failed") {
		t.Errorf("connect with a wrong password: %v, want it refused", err)
	}

	for range 2 {
		if err := server.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	select {
	case <-server.Done():
	default:
		t.Error("Done is open after Stop")
	}
	if err := server.Err(); err != nil {
		t.Errorf("Err after Stop: %v", err)
	}
	if err := ping(t.Context(), server.URL("postgres")); err == nil {
		t.Error("the server answers after Stop")
	}
}

func TestRestartKeepsData(t *testing.T) {
	t.Parallel()
	config := Config{Dir: reachableDir(t)}
	first := mustStart(t, config)
	execute(t, first.URL("postgres"), `CREATE TABLE kept AS SELECT 42 AS answer`)
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	second := mustStart(t, config)
	var answer int
	queryRow(t, second.URL("postgres"), `SELECT answer FROM kept`, &answer)
	if answer != 42 {
		t.Errorf("answer = %d after a restart, want 42", answer)
	}
}

func TestSecondStartIsRefused(t *testing.T) {
	t.Parallel()
	config := Config{Dir: reachableDir(t), Ephemeral: true}
	first := mustStart(t, config)
	_, err := Start(t.Context(), config)
	if !errors.Is(err, errInUse) {
		t.Fatalf("second start: %v, want it refused", err)
	}
	for _, part := range []string{fmt.Sprintf("server pid %d", first.PID()), fmt.Sprintf("started by pid %d", os.Getpid())} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q doesn't name %q", err, part)
		}
	}
	if err := Remove(t.Context(), config.Dir); !errors.Is(err, errInUse) {
		t.Errorf("remove under a running server: %v, want it refused", err)
	}
	var one int
	queryRow(t, first.URL("postgres"), `SELECT 1`, &one)
}

func TestServerDiesWithItsKilledParent(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	parent, address := startParent(t, dir)
	execute(t, address, `CREATE TABLE kept AS SELECT 42 AS answer`)
	_, err := Start(t.Context(), Config{Dir: dir})
	if !errors.Is(err, errInUse) || !strings.Contains(err.Error(), fmt.Sprintf("started by pid %d", parent.Process.Pid)) {
		t.Errorf("start beside another process: %v, want it refused and pid %d named", err, parent.Process.Pid)
	}
	// A client that stays would hold up a shutdown that waits for it.
	client, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close(context.WithoutCancel(t.Context()))

	kill(t, parent)
	eventually(t, "the server to end", func() bool { return ping(t.Context(), address) != nil })
	server := mustStart(t, Config{Dir: dir})
	var answer int
	queryRow(t, server.URL("postgres"), `SELECT answer FROM kept`, &answer)
	if answer != 42 {
		t.Errorf("answer = %d, want 42", answer)
	}
}

func TestStartWaitsForAServerThatIsShuttingDown(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	parent, _ := startParent(t, dir)
	kill(t, parent)
	mustStart(t, Config{Dir: dir}) // at once, the old one can hardly be gone
}

func TestKilledInitdbIsStartedAfresh(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	parent := parentCommand(t, dir)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "initdb to be at work", func() bool {
		found, _ := filepath.Glob(filepath.Join(dir, "init-*", "data", "base"))
		return len(found) > 0
	})
	kill(t, parent)
	if exists(filepath.Join(dir, "data")) {
		t.Fatal("initdb was over before it could be killed")
	}
	// What a machine that lost its power leaves.
	if err := os.MkdirAll(filepath.Join(dir, "init-1", "data", "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	mustStart(t, Config{Dir: dir})
	left, err := filepath.Glob(filepath.Join(dir, "init-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestUnreachableDirFallsBack(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root runs the server as another user")
	}
	dir := filepath.Join(t.TempDir(), "clone", ".ciclo") // t.TempDir has a parent of mode 0700
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	config := Config{Dir: dir, Ephemeral: true}
	first := mustStart(t, config)
	if want := filepath.Join(fallback(dir), "data"); first.DataDir != want {
		t.Errorf("data in %s, want %s", first.DataDir, want)
	}
	execute(t, first.URL("postgres"), `CREATE TABLE kept ()`)
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	// The data keep their place when the way to Dir opens.
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	second := mustStart(t, config)
	execute(t, second.URL("postgres"), `DROP TABLE kept`)
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	// A directory that was removed and made anew begins anew; what was is laid aside.
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	third := mustStart(t, config)
	execute(t, third.URL("postgres"), `CREATE TABLE kept ()`)
	if err := third.Stop(); err != nil {
		t.Fatal(err)
	}
	if aside, err := filepath.Glob(filepath.Join(fallback(dir), "data-left-*")); err != nil || len(aside) != 1 {
		t.Errorf("laid aside: %v, %v", aside, err)
	}
	if err := Remove(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if exists(fallback(dir)) || exists(dir) {
		t.Error("Remove left the data behind")
	}
}

func TestFallbackOfAnotherUserIsNotTrusted(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root falls back")
	}
	for name, lay := range map[string]func(path string) error{
		"owned by another": func(path string) error {
			return errors.Join(os.Mkdir(path, 0o755), os.Chown(path, 12345, 12345))
		},
		"writable by all": func(path string) error { return errors.Join(os.Mkdir(path, 0o755), os.Chmod(path, 0o777)) },
		"a link":          func(path string) error { return os.Symlink("/etc", path) },
	} {
		dir := filepath.Join(t.TempDir(), "closed", "dir")
		if err := errors.Join(os.Mkdir(filepath.Dir(dir), 0o700), lay(fallback(dir))); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(fallback(dir))
		_, err := Start(t.Context(), Config{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), fallback(dir)) {
			t.Errorf("%s: start: %v, want %s refused", name, err, fallback(dir))
		}
	}
}

func TestServerThatEndsByItselfIsToldOf(t *testing.T) {
	t.Parallel()
	config := Config{Dir: reachableDir(t), Ephemeral: true}
	server := mustStart(t, config)
	if err := syscall.Kill(server.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-server.Done():
	case <-time.After(soon):
		t.Fatal("Done stays open")
	}
	if err := server.Err(); err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("Err = %v, want the signal named", err)
	}
	if err := server.Stop(); err == nil {
		t.Error("Stop of a server that was killed: nil")
	}
	mustStart(t, config) // its stale postmaster.pid is in nobody's way
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := reachableDir(t)
	if err := mustStart(t, Config{Dir: dir, Ephemeral: true}).Stop(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		config Config
		lay    func(t *testing.T)
		want   string
	}{
		{name: "no directory", config: Config{}, want: "no directory given"},
		{name: "no binaries", config: Config{Dir: dir, BinDir: "/nowhere"}, want: "no initdb in /nowhere"},
		{name: "the log's last lines", config: Config{Dir: dir, Settings: map[string]string{"no_such": "1"}}, want: `unrecognized configuration parameter "no_such"`},
		{name: "port taken", config: Config{Dir: dir, Port: taken.Addr().(*net.TCPAddr).Port}, want: "Address already in use"},
		{name: "another version", config: Config{Dir: dir}, want: "was made by PostgreSQL 13", lay: func(t *testing.T) {
			t.Helper()
			replace(t, filepath.Join(dir, "data", "PG_VERSION"), "13\n")
		}},
		{name: "no password", config: Config{Dir: dir}, want: "can't be entered without it", lay: func(t *testing.T) {
			t.Helper()
			if err := os.Remove(filepath.Join(dir, "password")); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, test := range tests {
		if test.lay != nil {
			test.lay(t)
		}
		_, err := Start(t.Context(), test.config)
		if err == nil || !strings.HasPrefix(err.Error(), "start postgres: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want it to say %q", test.name, err, test.want)
		}
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer cancel()
		for range time.Tick(time.Millisecond) {
			if exists(filepath.Join(dir, "password")) || ctx.Err() != nil {
				return
			}
		}
	}()
	if _, err := Start(ctx, Config{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("start: %v, want %v", err, context.Canceled)
	}
	mustStart(t, Config{Dir: dir, Ephemeral: true}) // nothing is in the way
}

// reachableDir returns a directory that the server's user can enter, unlike
// that of t.TempDir, whose parent is 0700.
func reachableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "localpostgres-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func mustStart(t *testing.T, config Config) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server, err := Start(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	return server
}

func parentCommand(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), parentEnv+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// startParent starts another process that starts a server on dir, and returns
// it with the server's URL.
func startParent(t *testing.T, dir string) (parent *exec.Cmd, address string) {
	t.Helper()
	parent = parentCommand(t, dir)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line := bufio.NewScanner(out)
	if !line.Scan() {
		t.Fatalf("the parent said nothing: %v", parent.Wait())
	}
	return parent, line.Text()
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // says that it was killed
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(soon)
	defer deadline.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("waited %s for %s", soon, what)
		case <-poll.C:
		}
	}
}

func execute(t *testing.T, address, sql string) {
	t.Helper()
	conn := connect(t, address)
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func queryRow(t *testing.T, address, sql string, into ...any) {
	t.Helper()
	if err := connect(t, address).QueryRow(t.Context(), sql).Scan(into...); err != nil {
		t.Fatal(err)
	}
}

func connect(t *testing.T, address string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// replace writes a file anew without changing whose it is.
func replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
