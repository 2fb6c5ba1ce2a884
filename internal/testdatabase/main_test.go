package testdatabase

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// childEnv tells a re-executed test binary what to do in TestChild.
const childEnv = "TESTDATABASE_TEST_CHILD"

func TestMain(m *testing.M) { Main(m, Options{Migrate: migrate, Fingerprint: "things"}) }

// migrate makes the table things, and counts itself in the maintenance database
// where that has a table for it.
func migrate(ctx context.Context, address string) error {
	if os.Getenv(childEnv) == "killed while migrating" {
		return errors.Join(execute(ctx, address, `CREATE TABLE half_made ()`), syscall.Kill(os.Getpid(), syscall.SIGKILL))
	}
	maintenance, err := url.Parse(address)
	if err != nil {
		return err
	}
	maintenance.Path = "/postgres"
	return errors.Join(
		execute(ctx, maintenance.String(), `
			DO $$ BEGIN
				IF to_regclass('migrated') IS NOT NULL THEN INSERT INTO migrated DEFAULT VALUES; END IF;
			END $$`),
		execute(ctx, address, `CREATE TABLE things (name text PRIMARY KEY)`),
	)
}

// TestChild is what re-executed test binaries run.
func TestChild(t *testing.T) {
	what := os.Getenv(childEnv)
	switch what {
	case "":
		t.Skip("only for the processes that other tests start")
	case "uses databases":
		for range 6 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				useAlone(t, New(t))
			})
		}
	case "killed with a server":
		New(t)
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	case "leaks":
		New(t)
		go func() { select {} }()
	default: // migrate knows the rest
		New(t)
	}
}

// child prepares a run of TestChild in another process, on the server at
// databaseURL.
func child(t *testing.T, what, databaseURL string, environment ...string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = slices.Concat(os.Environ(), []string{childEnv + "=" + what, "DATABASE_URL=" + databaseURL, sourceEnv + "="}, environment)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, &out
}

// startServer starts a server for this test alone.
func startServer(t *testing.T) string {
	t.Helper()
	server, err := fromBinaries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.stop(); err != nil {
			t.Error(err)
		}
	})
	return server.url
}

// open returns a harness on the server at the URL.
func open(t *testing.T, address string) *harness {
	t.Helper()
	h := newHarness(Options{Migrate: migrate, Fingerprint: "things"}, t.Output(), atURL(address))
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// useAlone fails where anybody else has used the database.
func useAlone(t *testing.T, address string) {
	t.Helper()
	if err := execute(t.Context(), address, `INSERT INTO things VALUES ('mine')`); err != nil {
		t.Error(err)
	}
}

func execute(ctx context.Context, address, sql string) error {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

func query[T any](t *testing.T, address, sql string, args ...any) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var value T
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// databaseNames lists what is on the server, but for what every server has.
func databaseNames(t *testing.T, address string) []string {
	t.Helper()
	return query[[]string](t, address, `
		SELECT coalesce(array_agg(datname::text ORDER BY datname), '{}') FROM pg_database
		WHERE datname NOT IN ('postgres', 'template0', 'template1')`)
}
