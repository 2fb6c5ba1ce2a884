package localpostgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// superuser is the only role of a fresh cluster.
const superuser = "ciclo"

// replicaName is what a replica calls itself at its primary.
const replicaName = "replica"

// fallbackRoot is where the data go when the user that the server runs as can't
// reach the directory. It survives a reboot, and everybody can get into it.
const fallbackRoot = "/var/tmp"

// home returns the directory that holds, or will hold, the cluster of dir: dir
// itself, unless the server runs as another user and that one can't get there
// (a clone in root's own 0700 home). A cluster that exists keeps its place.
func home(ctx context.Context, dir string, as *user) (string, error) {
	if as == nil {
		return dir, nil
	}
	other := fallback(dir)
	reachable := as.canEnter(ctx, dir)
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if exists(filepath.Join(dir, "data")) {
		if !reachable {
			return "", fmt.Errorf("user %s, whom the server runs as, can't enter %s, which holds its data", as.name, dir)
		}
		return dir, nil
	}
	if reachable && !exists(filepath.Join(other, "data")) {
		return dir, nil
	}
	if err := os.Mkdir(other, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	if err := trusted(other); err != nil {
		return "", err
	}
	// The umask may have taken from 0755 what the user needs to get in.
	if err := os.Chmod(other, 0o755); err != nil {
		return "", err
	}
	if !as.canEnter(ctx, other) {
		return "", fmt.Errorf("user %s, whom the server runs as, can enter neither %s nor %s", as.name, dir, other)
	}
	return other, nil
}

// fallback names the directory that stands in for dir.
func fallback(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(fallbackRoot, fmt.Sprintf("ciclo-%x-postgres", sum[:8]))
}

// trusted refuses a directory that somebody else could have laid out for us,
// as anyone can in /var/tmp.
func trusted(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner, err := ownerOf(info)
	if err != nil {
		return err
	}
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory: remove it", dir)
	case owner != uint32(os.Geteuid()):
		return fmt.Errorf("%s belongs to user id %d, not to this process's: remove it", dir, owner)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s can be written by others: remove it", dir)
	}
	return nil
}

// cluster is one data directory and what is needed to make it.
type cluster struct {
	binDir    string
	major     int
	home      string
	as        *user
	password  string
	ephemeral bool
	of        *Server  // to be a streaming replica of; nil makes a cluster of its own
	lock      *os.File // server.lock, for initdb to inherit
}

func (c cluster) dataDir() string { return filepath.Join(c.home, "data") }

// prepare makes the cluster unless there is a whole one, and checks what it
// finds.
func (c cluster) prepare(ctx context.Context) error {
	// What an initdb left that was killed half way. The locks say that no other
	// is at work.
	leftovers, _ := filepath.Glob(filepath.Join(c.home, "init-*"))
	for _, dir := range leftovers {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	version, err := os.ReadFile(filepath.Join(c.dataDir(), "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return c.create(ctx)
	}
	if err != nil {
		return err
	}
	return c.check(strings.TrimSpace(string(version)))
}

func (c cluster) check(version string) error {
	info, err := os.Lstat(c.dataDir())
	if err != nil {
		return err
	}
	owner, err := ownerOf(info)
	if err != nil {
		return err
	}
	if owner != c.as.id() {
		return fmt.Errorf("%s belongs to user id %d, but the server runs as %d: run as its owner or remove it",
			c.dataDir(), owner, c.as.id())
	}
	if version != strconv.Itoa(c.major) {
		return fmt.Errorf("%s was made by PostgreSQL %s and %s holds %d: set PG_BIN to the binaries of %s or remove the data",
			c.dataDir(), version, c.binDir, c.major, version)
	}
	return nil
}

// create runs initdb beside the place of the cluster and renames the whole
// result into it: a data directory with the right name is never half made.
func (c cluster) create(ctx context.Context) error {
	temporary, err := os.MkdirTemp(c.home, "init-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	passwordFile := filepath.Join(temporary, "password")
	if err := os.WriteFile(passwordFile, []byte(c.password+"\n"), 0o600); err != nil {
		return err
	}
	// The directory changes hands last: until then nobody else reaches into it.
	if err := errors.Join(c.as.own(passwordFile), c.as.own(temporary)); err != nil {
		return err
	}
	data := filepath.Join(temporary, "data")
	fill := c.initdb
	if c.of != nil {
		fill = c.basebackup
	}
	if err := fill(ctx, data, passwordFile); err != nil {
		return err
	}
	// Rename also takes the place of an empty directory, but of no other.
	return os.Rename(data, c.dataDir())
}

// initdb makes a cluster that sorts by code point and knows the letters of
// every language, under whichever name the machine has for that; plain C where
// it has none.
func (c cluster) initdb(ctx context.Context, data, passwordFile string) error {
	for _, ctype := range []string{"C.UTF-8", "en_US.UTF-8", "C"} {
		args := []string{
			"--pgdata=" + data, "--username=" + superuser, "--pwfile=" + passwordFile,
			"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--lc-ctype=" + ctype,
			"--no-instructions",
		}
		if c.ephemeral {
			args = append(args, "--no-sync")
		}
		out, err := c.run(ctx, filepath.Dir(data), nil, "initdb", args...)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil && strings.Contains(out, "invalid locale") {
			continue
		}
		return err
	}
	return errors.New("run initdb: the machine knows no locale that it takes, not even C")
}

// basebackup makes a streaming replica, which shows to its primary as replicaName.
func (c cluster) basebackup(ctx context.Context, data, _ string) error {
	primary := fmt.Sprintf("host=127.0.0.1 port=%d user=%s application_name=%s sslmode=disable", c.of.Port, superuser, replicaName)
	args := []string{"--pgdata=" + data, "--dbname=" + primary, "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast"}
	if c.ephemeral {
		args = append(args, "--no-sync")
	}
	_, err := c.run(ctx, filepath.Dir(data), []string{"PGPASSWORD=" + c.of.password}, "pg_basebackup", args...)
	return err
}

// run runs one of the binaries to its end.
func (c cluster) run(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(c.binDir, name), args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Dir = dir
	cmd.Env = append(environment(), env...)
	cmd.ExtraFiles = []*os.File{c.lock}
	cmd.SysProcAttr = attributes(c.as)
	dieWithParent(cmd.SysProcAttr)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 5 * time.Second
	ended, err := start(cmd)
	if err != nil {
		return "", fmt.Errorf("run %s: %w", name, err)
	}
	err = <-ended
	if ctx.Err() != nil {
		return out.String(), fmt.Errorf("run %s: %w", name, ctx.Err())
	}
	if err != nil {
		return out.String(), fmt.Errorf("run %s: %w: %s", name, err, tail(out.String()))
	}
	return out.String(), nil
}

// password reads the superuser's password from its file, or makes both. A
// cluster that exists without its password is of no use to anyone.
func password(dir, dataDir string, of *Server) (string, error) {
	path := filepath.Join(dir, "password")
	text, err := os.ReadFile(path)
	if err == nil {
		secret := strings.TrimSpace(string(text))
		if secret == "" {
			return "", fmt.Errorf("%s is empty: remove it together with %s", path, dataDir)
		}
		return secret, os.Chmod(path, 0o600)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if home := filepath.Dir(dataDir); home != dir && exists(filepath.Join(dataDir, "PG_VERSION")) {
		// The directory that it stood in for was removed, and is a new one now. What
		// was in it is laid aside, not lost.
		if err := os.Rename(dataDir, filepath.Join(home, fmt.Sprintf("data-left-%d", time.Now().Unix()))); err != nil {
			return "", fmt.Errorf("lay the database of a directory that was removed aside: %w", err)
		}
	}
	if exists(filepath.Join(dataDir, "PG_VERSION")) {
		return "", fmt.Errorf("%s is gone, and %s can't be entered without it: restore the one or remove the other", path, dataDir)
	}
	secret := rand.Text()
	if of != nil {
		secret = of.password
	}
	file, err := os.CreateTemp(dir, "password-") // 0600
	if err != nil {
		return "", err
	}
	_, err = file.WriteString(secret + "\n")
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return secret, os.Rename(file.Name(), path)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// tail returns the last lines of a log, where a program says why it gave up.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > 12 {
		lines = lines[len(lines)-12:]
	}
	return strings.Join(lines, "\n")
}
