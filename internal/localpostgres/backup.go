package localpostgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Backup takes a base backup of the running server into a directory that has no
// cluster yet. A Start there recovers it, by its settings restore_command,
// recovery_target_… and recovery_target_action=promote, and is another server from
// then on, with the same password.
func (s *Server) Backup(ctx context.Context, dir string) error {
	if err := s.backup(ctx, dir); err != nil {
		return fmt.Errorf("back up postgres: %w", err)
	}
	return nil
}

func (s *Server) backup(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	as, err := serverUser()
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o700)
	if as != nil {
		mode = 0o755 // as in Start
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	place, err := home(ctx, dir, as)
	if err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(place, "init-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	if err := as.own(temporary); err != nil {
		return err
	}
	data := filepath.Join(temporary, "data")
	cmd := exec.CommandContext(ctx, filepath.Join(s.BinDir, "pg_basebackup"),
		"--dbname="+s.URL("postgres"), "--pgdata="+data, "--checkpoint=fast", "--wal-method=stream", "--no-sync")
	cmd.Dir, cmd.Env, cmd.SysProcAttr = temporary, environment(), attributes(as)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run pg_basebackup: %w: %s", err, tail(strings.ReplaceAll(string(text), s.password, "…")))
	}
	signal := filepath.Join(data, "recovery.signal")
	if err := errors.Join(os.WriteFile(signal, nil, 0o600), as.own(signal), os.WriteFile(filepath.Join(dir, "password"), []byte(s.password+"\n"), 0o600)); err != nil {
		return err
	}
	return os.Rename(data, filepath.Join(place, "data"))
}
