package localpostgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		installed map[string]int // directory to major version
		pgConfig  string         // what pg_config in /bin answers
		pgBin     string
		want      string
		wantError string
	}{
		"PG_BIN before all else": {
			installed: map[string]int{"/mine": 14, "/usr/lib/postgresql/17/bin": 17},
			pgBin:     "/mine", want: "/mine",
		},
		"a wrong PG_BIN is not passed over": {
			installed: map[string]int{"/usr/lib/postgresql/17/bin": 17},
			pgBin:     "/mine", wantError: "use PG_BIN: no initdb in",
		},
		"a PG_BIN that is too old is not passed over": {
			installed: map[string]int{"/mine": 13},
			pgBin:     "/mine", wantError: "PostgreSQL 13",
		},
		"pg_config before Debian": {
			installed: map[string]int{"/opt/pg/bin": 15, "/usr/lib/postgresql/17/bin": 17},
			pgConfig:  "/opt/pg/bin", want: "/opt/pg/bin",
		},
		"pg_config of a client without a server": {
			installed: map[string]int{"/usr/lib/postgresql/15/bin": 15},
			pgConfig:  "/opt/pg/bin", want: "/usr/lib/postgresql/15/bin",
		},
		"highest version by number, not by letter": {
			installed: map[string]int{"/usr/lib/postgresql/9.6/bin": 9, "/usr/lib/postgresql/15/bin": 15, "/usr/lib/postgresql/17/bin": 17},
			want:      "/usr/lib/postgresql/17/bin",
		},
		"Debian before Homebrew": {
			installed: map[string]int{"/opt/homebrew/opt/postgresql@18/bin": 18, "/usr/lib/postgresql/15/bin": 15},
			want:      "/usr/lib/postgresql/15/bin",
		},
		"Homebrew on Apple silicon before Intel": {
			installed: map[string]int{"/opt/homebrew/opt/postgresql@16/bin": 16, "/opt/homebrew/opt/postgresql@17/bin": 17, "/usr/local/opt/postgresql@18/bin": 18},
			want:      "/opt/homebrew/opt/postgresql@17/bin",
		},
		"PATH last": {
			installed: map[string]int{"/bin": 16, "/usr/local/opt/postgresql@15/bin": 15},
			want:      "/usr/local/opt/postgresql@15/bin",
		},
		"PATH alone": {installed: map[string]int{"/bin": 16}, want: "/bin"},
		"too old":    {installed: map[string]int{"/usr/lib/postgresql/13/bin": 13, "/bin": 12}, wantError: ErrNotFound.Error()},
		"none":       {wantError: ErrNotFound.Error()},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for dir, major := range test.installed {
				script(t, filepath.Join(root, dir, "initdb"), "exit 0")
				script(t, filepath.Join(root, dir, "postgres"), fmt.Sprintf("echo 'postgres (PostgreSQL) %d.4'", major))
			}
			if test.pgConfig != "" {
				script(t, filepath.Join(root, "/bin/pg_config"), "echo "+filepath.Join(root, test.pgConfig))
			}
			environment := map[string]string{"PATH": filepath.Join(root, "/bin")}
			if test.pgBin != "" {
				environment["PG_BIN"] = filepath.Join(root, test.pgBin)
			}
			got, err := finder{getenv: func(name string) string { return environment[name] }, root: root}.find(t.Context())
			if test.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantError) {
					t.Fatalf("find = %q, %v; want an error with %q", got, err, test.wantError)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := filepath.Join(root, test.want); got != want {
				t.Errorf("find = %s, want %s", got, want)
			}
		})
	}
}

func TestNotFoundIsOneLineThatSaysWhatToInstall(t *testing.T) {
	t.Parallel()
	_, err := finder{getenv: func(string) string { return "" }, root: t.TempDir()}.find(t.Context())
	if !errors.Is(err, ErrNotFound) {
		t.Fatalf("find: %v, want ErrNotFound", err)
	}
	wantInstallLine(t, err)
}

func wantInstallLine(t *testing.T, err error) {
	t.Helper()
	for _, part := range []string{"apt-get install postgresql", "brew install postgresql@17", "dnf install", "PG_BIN"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q doesn't name %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q is more than one line", err)
	}
}

func script(t *testing.T, path, body string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}
