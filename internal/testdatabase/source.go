package testdatabase

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/localpostgres"
)

// sourceEnv says which source to take and no other.
const sourceEnv = "CICLO_TEST_POSTGRES"

// sourcesOf are the sources that are tried, in their order.
func sourcesOf(choice string) ([]source, error) {
	address := atURL(os.Getenv("DATABASE_URL"))
	switch choice {
	case "":
		return []source{address, installed, inContainer(imageName()), fromBinaries}, nil
	case "url":
		return []source{address}, nil
	case "local":
		return []source{fromBinaries}, nil
	case "container":
		return []source{inContainer(imageName())}, nil
	default:
		return nil, fmt.Errorf("%s is %q, not url, local, container or empty", sourceEnv, choice)
	}
}

// source opens a server, or says why it can't.
type source func(ctx context.Context) (*server, error)

// server is one that tests may use.
type server struct {
	url         string // of the maintenance database
	description string // one line
	// lasting says that the server is there when the process is gone.
	lasting bool
	stop    func() error
}

// atURL opens the server that DATABASE_URL names.
func atURL(address string) source {
	return func(ctx context.Context) (*server, error) {
		server, err := existing(ctx, address)
		if err != nil {
			return nil, fmt.Errorf("DATABASE_URL: %w", err)
		}
		return server, nil
	}
}

func existing(ctx context.Context, address string) (*server, error) {
	if address == "" {
		return nil, errors.New("not set")
	}
	parsed, err := url.Parse(address)
	if err != nil || (parsed.Scheme != "postgres" && parsed.Scheme != "postgresql") {
		return nil, errors.New("not a postgres:// URL") // without its text, which may hold a password
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var role, version string
	var allowed bool
	err = conn.QueryRow(ctx, `
		SELECT rolname, rolcreatedb OR rolsuper, current_setting('server_version')
		FROM pg_roles WHERE rolname = current_user`).Scan(&role, &allowed, &version)
	if err != nil {
		return nil, fmt.Errorf("ask for the role's rights: %w", err)
	}
	if !allowed {
		return nil, fmt.Errorf("role %s may not create databases", role)
	}
	return &server{
		url:         address,
		description: fmt.Sprintf("PostgreSQL %s at %s of DATABASE_URL", version, parsed.Host),
		lasting:     true,
		stop:        func() error { return nil },
	}, nil
}

// installed is fromBinaries where nothing has to be downloaded for it.
func installed(ctx context.Context) (*server, error) {
	if _, err := localpostgres.Find(ctx); err != nil {
		return nil, fmt.Errorf("local binaries: %w", err)
	}
	return fromBinaries(ctx)
}

// fromBinaries starts a server of this machine's binaries, on a RAM disk where
// there is one.
func fromBinaries(ctx context.Context) (*server, error) {
	sweep(ctx)
	dir, err := os.MkdirTemp(scratch(), fmt.Sprintf("%s%d-", dirPrefix, os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("local binaries: %w", err)
	}
	if os.Geteuid() == 0 {
		// The server runs as another user, who has to pass through it.
		if err := os.Chmod(dir, 0o755); err != nil {
			return nil, fmt.Errorf("local binaries: %w", errors.Join(err, os.Remove(dir)))
		}
	}
	remove := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), databaseLimit)
		defer cancel()
		return localpostgres.Remove(ctx, dir)
	}
	postgres, err := localpostgres.Start(ctx, localpostgres.Config{Dir: dir, Ephemeral: true})
	if err != nil {
		return nil, fmt.Errorf("local binaries: %w", errors.Join(err, remove()))
	}
	return &server{
		url:         postgres.URL("postgres"),
		description: fmt.Sprintf("PostgreSQL %d of %s, data in %s", postgres.Version, postgres.BinDir, postgres.DataDir),
		stop:        func() error { return errors.Join(postgres.Stop(), remove()) },
	}, nil
}

const (
	ramDisk = "/dev/shm"
	// dirPrefix is followed by the process id and random digits.
	dirPrefix = "ciclo-test-"
)

// scratch is where a server's data go that nobody needs later: the RAM disk when
// it has more than 1 GB left. In a container it often has 64 MB.
func scratch() string {
	var stat syscall.Statfs_t
	if syscall.Statfs(ramDisk, &stat) == nil && uint64(stat.Bsize)*stat.Bavail > 1<<30 {
		return ramDisk
	}
	return os.TempDir()
}

// sweep removes the data of servers whose process was killed. What can't be
// removed now, because the server is still shutting down, is left for the next.
func sweep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	for _, parent := range []string{ramDisk, os.TempDir()} {
		found, _ := filepath.Glob(filepath.Join(parent, dirPrefix+"*"))
		for _, dir := range found {
			if leftBehind(dir) {
				_ = localpostgres.Remove(ctx, dir)
			}
		}
	}
}

// leftBehind reports whether the directory is this user's own (in /tmp anybody
// can lay out one of that name) and names a process that is gone.
func leftBehind(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != uint32(os.Geteuid()) {
		return false
	}
	digits, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
	pid, err := strconv.Atoi(digits)
	return err == nil && !alive(pid)
}

func alive(pid int) bool {
	return pid > 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
