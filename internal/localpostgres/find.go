package localpostgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// oldest is the first major version of PostgreSQL that Ciclo supports.
const oldest = 14

// ErrNotFound says that this machine has no PostgreSQL server binaries that
// could be used. Its text names what to install.
var ErrNotFound = errors.New("no PostgreSQL 14 or later on this machine: install it" +
	" (Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server;" +
	" macOS: brew install postgresql@17) or set PG_BIN to the directory that holds its initdb and postgres")

// Find returns the directory that holds initdb and postgres of PostgreSQL 14 or
// later. It looks at PG_BIN, at what pg_config says, at the places where Debian
// and Homebrew install (highest version first), then at PATH. A PG_BIN that is
// set and can't be used is an error; where nothing is found the error is
// ErrNotFound.
func Find(ctx context.Context) (string, error) {
	return finder{getenv: os.Getenv}.find(ctx)
}

// finder is Find with its surroundings, which tests replace.
type finder struct {
	getenv func(string) string
	root   string // before the absolute places, "" for the machine's own
}

func (f finder) find(ctx context.Context) (string, error) {
	if dir := f.getenv("PG_BIN"); dir != "" {
		if _, err := majorVersion(ctx, dir, nil); err != nil {
			return "", fmt.Errorf("use PG_BIN: %w", err)
		}
		return dir, nil
	}
	for _, dir := range f.candidates(ctx) {
		if _, err := majorVersion(ctx, dir, nil); err == nil {
			return dir, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("look for PostgreSQL: %w", err)
	}
	return "", ErrNotFound
}

// candidates lists the directories that may hold the binaries, best first.
func (f finder) candidates(ctx context.Context) []string {
	var dirs []string
	path := filepath.SplitList(f.getenv("PATH"))
	for _, dir := range path {
		pgConfig := filepath.Join(dir, "pg_config")
		if !executable(pgConfig) {
			continue
		}
		if out, err := output(ctx, nil, pgConfig, "--bindir"); err == nil {
			dirs = append(dirs, strings.TrimSpace(out))
		}
		break
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
	} {
		// Glob fails on a malformed pattern only; these are constants.
		found, _ := filepath.Glob(f.root + pattern)
		slices.SortStableFunc(found, func(a, b string) int {
			return cmp.Compare(pathVersion(b), pathVersion(a))
		})
		dirs = append(dirs, found...)
	}
	return append(dirs, path...)
}

var digits = regexp.MustCompile(`\d+(\.\d+)?`)

// pathVersion reads the version from …/15/bin or …/postgresql@17/bin; 0 when
// the path names none.
func pathVersion(binDir string) float64 {
	version, _ := strconv.ParseFloat(digits.FindString(filepath.Base(filepath.Dir(binDir))), 64)
	return version
}

var versionLine = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

// majorVersion returns the major version of the server in binDir, and an error
// when it can't be run (by that user) or is too old.
func majorVersion(ctx context.Context, binDir string, as *user) (int, error) {
	if binDir == "" {
		return 0, errors.New("no directory named")
	}
	for _, name := range []string{"initdb", "postgres"} {
		if !executable(filepath.Join(binDir, name)) {
			return 0, fmt.Errorf("no %s in %s", name, binDir)
		}
	}
	out, err := output(ctx, as, filepath.Join(binDir, "postgres"), "--version")
	if err != nil {
		return 0, err
	}
	match := versionLine.FindStringSubmatch(out)
	if match == nil {
		return 0, fmt.Errorf("%s/postgres --version answered %q", binDir, oneLine(out))
	}
	major, err := strconv.Atoi(match[1])
	if err != nil {
		return 0, fmt.Errorf("read the version of %s/postgres: %w", binDir, err)
	}
	if major < oldest {
		return 0, fmt.Errorf("PostgreSQL %d in %s is older than %d", major, binDir, oldest)
	}
	return major, nil
}

// output runs a short command and returns what it printed.
func output(ctx context.Context, as *user, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "/"
	cmd.Env = environment()
	cmd.SysProcAttr = attributes(as)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("run %s: %w", filepath.Base(name), err)
	}
	return string(out), nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// oneLine folds text that a program or a library wrote into one line.
func oneLine(text string) string {
	return strings.Join(strings.Fields(text), " ")
}
