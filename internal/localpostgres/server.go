package localpostgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// startLimit bounds a Start whose ctx has no deadline. Recovery after a
	// crash is what takes long.
	startLimit = 2 * time.Minute
	// shutdownLimit is how long a fast shutdown may take (its checkpoint) before
	// the server is made to stop without one.
	shutdownLimit = 30 * time.Second
	quitLimit     = 5 * time.Second
)

// Config says which server to start.
type Config struct {
	// Dir keeps the cluster between starts. It is made when missing.
	Dir string
	// BinDir holds initdb and postgres. Empty: what Find finds, else what Fetch
	// fetches.
	BinDir string
	// Port to listen on at 127.0.0.1; 0 for one that is free.
	Port int
	// Settings are added to the server's own, as in postgresql.conf. The address,
	// the port and the absence of a socket can't be changed.
	Settings map[string]string
	// Ephemeral gives up durability for speed: a crash of the machine may ruin
	// the data. It also turns autovacuum off, which would come in between the
	// steps of a test.
	Ephemeral bool
	// ReplicaOf makes the cluster, where there is none in Dir, a streaming replica of
	// another server, whose synchronous_standby_names knows it as replica. It needs
	// pg_basebackup among the binaries. SELECT pg_promote() makes it a primary.
	ReplicaOf *Server
}

// Server is a running PostgreSQL server that belongs to this process.
type Server struct {
	// Port on 127.0.0.1.
	Port int
	// DataDir is the cluster: Dir/data, or a directory below /var/tmp when the
	// process is root and the user that the server runs as can't enter Dir.
	DataDir string
	// LogPath is the file with what the server says.
	LogPath string
	// BinDir and Version (major) are the binaries that run.
	BinDir  string
	Version int

	password string
	process  *os.Process
	locks    *locks

	stopping atomic.Bool
	stop     sync.Once
	stopErr  error
	done     chan struct{}
	err      error // written before done is closed
}

// Start starts a server on the directory and returns when it answers. ctx bounds
// the start (two minutes where it has no deadline), not the life of the server:
// that ends with Stop, or with this process.
//
// Only one server runs on a directory: while another does, Start refuses and
// names it. One that is still shutting down because its process was killed is
// waited for.
func Start(ctx context.Context, config Config) (*Server, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, startLimit)
		defer cancel()
	}
	server, err := launch(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	return server, nil
}

func launch(ctx context.Context, config Config) (*Server, error) {
	if config.Dir == "" {
		return nil, errors.New("no directory given")
	}
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, err
	}
	as, err := serverUser()
	if err != nil {
		return nil, err
	}
	mode := fs.FileMode(0o700)
	if as != nil {
		mode = 0o755 // the other user has to pass through it to its data
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return nil, err
	}
	binDir, major, err := binaries(ctx, config.BinDir, as)
	if err != nil {
		return nil, err
	}
	c := cluster{binDir: binDir, major: major, as: as, ephemeral: config.Ephemeral, of: config.ReplicaOf}
	if c.home, err = home(ctx, dir, as); err != nil {
		return nil, err
	}
	locks, err := lock(ctx, dir, c.dataDir())
	if err != nil {
		return nil, err
	}
	c.lock = locks.server
	server, err := c.serve(ctx, config, dir)
	if err != nil {
		locks.release()
		return nil, err
	}
	server.locks = locks
	return server, nil
}

// binaries returns a directory of binaries that the user can run.
func binaries(ctx context.Context, binDir string, as *user) (string, int, error) {
	if binDir == "" {
		var err error
		binDir, err = Find(ctx)
		if errors.Is(err, ErrNotFound) {
			binDir, err = Fetch(ctx, "")
		}
		if err != nil {
			return "", 0, err
		}
	}
	binDir, err := filepath.Abs(binDir)
	if err != nil {
		return "", 0, err
	}
	major, err := majorVersion(ctx, binDir, as)
	if err != nil {
		return "", 0, fmt.Errorf("use the binaries in %s: %w", binDir, err)
	}
	return binDir, major, nil
}

// serve makes the cluster where there is none and starts the server on it. A
// port that was free a moment ago may be taken when the server comes to it;
// then another is tried.
func (c cluster) serve(ctx context.Context, config Config, dir string) (*Server, error) {
	var err error
	if c.password, err = password(dir, c.dataDir(), c.of); err != nil {
		return nil, err
	}
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	logPath := filepath.Join(dir, "postgres.log")
	if err := os.Rename(logPath, logPath+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		port := config.Port
		if port == 0 {
			var err error
			if port, err = freePort(ctx); err != nil {
				return nil, err
			}
		}
		server := &Server{
			Port: port, DataDir: c.dataDir(), LogPath: logPath, BinDir: c.binDir, Version: c.major,
			password: c.password, done: make(chan struct{}),
		}
		err := server.start(ctx, c, config)
		if err == nil {
			return server, nil
		}
		if config.Port != 0 || attempt == 5 || !strings.Contains(err.Error(), "Address already in use") {
			return nil, err
		}
	}
}

func (s *Server) start(ctx context.Context, c cluster, config Config) error {
	log, err := os.OpenFile(s.LogPath, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the server has its own
	//nolint:noctx // the server outlives the context of its start
	cmd := exec.Command(filepath.Join(c.binDir, "postgres"), arguments(config, s.DataDir, s.Port)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = s.DataDir
	cmd.Env = environment()
	cmd.ExtraFiles = []*os.File{c.lock}
	cmd.SysProcAttr = attributes(c.as)
	dieWithParent(cmd.SysProcAttr)
	ended, err := start(cmd)
	if err != nil {
		return err
	}
	s.process = cmd.Process
	go s.watch(ended)
	if err := s.await(ctx); err != nil {
		err = fmt.Errorf("%w; its log ends with:\n%s", err, s.logTail())
		s.stopping.Store(true)
		return errors.Join(err, s.shutDown())
	}
	return nil
}

// watch waits for the server's end and tells it.
func (s *Server) watch(ended <-chan error) {
	err := <-ended
	if !s.stopping.Load() {
		status := "exit status 0"
		if err != nil {
			status = err.Error()
		}
		s.err = fmt.Errorf("postgres ended by itself: %s; its log ends with:\n%s", status, s.logTail())
	}
	close(s.done)
}

// await returns when the server answers a query of its superuser.
func (s *Server) await(ctx context.Context) error {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	last := errors.New("it isn't ready")
	for {
		// Only ask a server that says it is ready: each refusal would be a line
		// in its log.
		if _, ready, ok := postmaster(s.DataDir); ok && ready {
			if last = ping(ctx, s.URL("postgres")); last == nil {
				return nil
			}
		}
		select {
		case <-s.done:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), last)
		case <-poll.C:
		}
	}
}

func ping(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return errors.Join(conn.Ping(ctx), conn.Close(ctx))
}

// arguments are the server's. Of two settings of one name PostgreSQL takes the
// last: the caller's may replace the defaults, and never what keeps strangers
// out.
func arguments(config Config, dataDir string, port int) []string {
	settings := map[string]string{"timezone": "UTC", "log_timezone": "UTC"}
	if config.Ephemeral {
		maps.Copy(settings, map[string]string{
			"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
			"wal_level": "minimal", "max_wal_senders": "0", "autovacuum": "off",
			"max_connections": "300",
		})
	}
	maps.Copy(settings, config.Settings)
	args := []string{"-D", dataDir}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return append(args,
		"-c", "logging_collector=off",
		"-c", "listen_addresses=127.0.0.1",
		"-c", "port="+strconv.Itoa(port),
		// A socket's path must stay below 107 bytes and would need a directory
		// that both users can reach; nobody needs one.
		"-c", "unix_socket_directories=",
	)
}

func freePort(ctx context.Context) (int, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// URL returns the address of a database of the server, with the superuser's
// name and password in it. A fresh server has the database postgres.
func (s *Server) URL(database string) string {
	address := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, s.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return address.String()
}

// PID is the process id of the server.
func (s *Server) PID() int { return s.process.Pid }

// Done is closed when the server has ended, whoever ended it. The directory is
// free for another Start once Stop has returned.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err says why the server ended; nil while it runs and after Stop.
func (s *Server) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Stop shuts the server down, disconnecting its clients, and returns when it is
// gone. Where that takes more than half a minute it is made to stop, which is
// an error, and the next start recovers. Stop may be called again; of a server
// that had ended by itself it returns Err.
func (s *Server) Stop() error {
	s.stop.Do(func() {
		select {
		case <-s.done:
			s.stopErr = s.err
		default:
			s.stopping.Store(true)
			s.stopErr = s.shutDown()
		}
		s.locks.release()
	})
	return s.stopErr
}

func (s *Server) shutDown() error {
	var forced error
	for _, step := range []struct {
		signal syscall.Signal
		limit  time.Duration
	}{{syscall.SIGINT, shutdownLimit}, {syscall.SIGQUIT, quitLimit}, {syscall.SIGKILL, quitLimit}} {
		if err := s.process.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop postgres (pid %d): %w", s.process.Pid, err)
		}
		limit := time.NewTimer(step.limit)
		select {
		case <-s.done:
			limit.Stop()
			return forced
		case <-limit.C:
			forced = fmt.Errorf("stop postgres (pid %d): not gone %s after %s", s.process.Pid, step.limit, step.signal)
		}
	}
	return forced
}

func (s *Server) logTail() string {
	text, err := os.ReadFile(s.LogPath)
	if err != nil {
		return err.Error()
	}
	return tail(string(text))
}

// Remove deletes what Start keeps of a directory, and the directory itself when
// nothing else is in it. It refuses while a server runs there, and waits until
// the end of ctx for one that is shutting down.
func Remove(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("remove postgres: %w", err)
	}
	if !exists(dir) {
		return nil
	}
	other := fallback(dir)
	dataDir := filepath.Join(dir, "data")
	if exists(other) {
		dataDir = filepath.Join(other, "data")
	}
	locks, err := lock(ctx, dir, dataDir)
	if err != nil {
		return fmt.Errorf("remove postgres: %w", err)
	}
	defer locks.release()
	if exists(other) && trusted(other) == nil {
		err = os.RemoveAll(other)
	}
	kept, globErr := filepath.Glob(filepath.Join(dir, "init-*"))
	for _, name := range []string{"data", "password", "postgres.log", "postgres.log.old", "server.lock", "owner.lock"} {
		kept = append(kept, filepath.Join(dir, name))
	}
	err = errors.Join(err, globErr)
	for _, path := range kept {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		return fmt.Errorf("remove postgres: %w", err)
	}
	// Somebody else's files may be left in it; then it stays.
	_ = os.Remove(dir)
	return nil
}
