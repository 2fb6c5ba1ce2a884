package testdatabase

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

func TestNewGivesEachTestItsOwn(t *testing.T) {
	t.Parallel()
	first, second := New(t), New(t)
	if first == second {
		t.Fatalf("the same database twice: %s", first)
	}
	useAlone(t, first)
	useAlone(t, second)
}

func TestEmptyIsNotMigrated(t *testing.T) {
	t.Parallel()
	if query[bool](t, Empty(t), `SELECT to_regclass('things') IS NOT NULL`) {
		t.Error("Empty has the table that Migrate makes")
	}
}

func TestDroppedInSpiteOfConnections(t *testing.T) {
	t.Parallel()
	superuser := Superuser(t)
	var name string
	var left *pgx.Conn
	t.Run("test that leaves a connection open", func(t *testing.T) {
		var err error
		if left, err = pgx.Connect(context.WithoutCancel(t.Context()), New(t)); err != nil {
			t.Fatal(err)
		}
		name = left.Config().Database
	})
	defer left.Close(t.Context())
	if query[bool](t, superuser, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name) {
		t.Errorf("%s is still there", name)
	}
	if err := left.Ping(t.Context()); err == nil {
		t.Error("the connection outlived its database")
	}
}

func TestSuperuserMayDoEverything(t *testing.T) {
	t.Parallel()
	address := New(t)
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if !query[bool](t, Superuser(t), `SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1`, conn.Config().Database) {
		t.Error("no connection was cut")
	}
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("the connection still works")
	}
}

func TestProcessesShareATemplate(t *testing.T) {
	t.Parallel()
	address := startServer(t)
	if err := execute(t.Context(), address, `CREATE TABLE migrated ()`); err != nil {
		t.Fatal(err)
	}
	first, firstOut := child(t, "uses databases", address)
	second, secondOut := child(t, "uses databases", address)
	if err := errors.Join(first.Start(), second.Start()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(first.Wait(), second.Wait()); err != nil {
		t.Errorf("%v\n%s\n%s", err, firstOut, secondOut)
	}
	useAlone(t, open(t, address).new(t)) // a third, later
	if times := query[int](t, address, `SELECT count(*) FROM migrated`); times != 1 {
		t.Errorf("migrated %d times, want once", times)
	}
	if !strings.Contains(firstOut.String(), "testdatabase: PostgreSQL") || !strings.Contains(firstOut.String(), "of DATABASE_URL\n") {
		t.Errorf("the process didn't say which server it uses: %s", firstOut)
	}
}

func TestAnotherFingerprintGetsAnotherTemplate(t *testing.T) {
	t.Parallel()
	address := startServer(t)
	h := open(t, address)
	changed := newHarness(Options{
		Fingerprint: "other things",
		Migrate:     func(ctx context.Context, url string) error { return execute(ctx, url, `CREATE TABLE other ()`) },
	}, t.Output(), atURL(address))
	defer changed.close()
	t.Run("both", func(t *testing.T) {
		useAlone(t, h.new(t))
		if query[bool](t, changed.new(t), `SELECT to_regclass('things') IS NOT NULL`) {
			t.Error("the changed migrations got the template of the old ones")
		}
	})
	want := []string{h.opened.template("other things"), h.opened.template("things")}
	if diff := cmp.Diff(sorted(want), sorted(databaseNames(t, address))); diff != "" {
		t.Errorf("databases left (-want +got):\n%s", diff)
	}
}

func TestHalfMadeTemplateIsNotUsed(t *testing.T) {
	t.Parallel()
	address := startServer(t)
	killed, out := child(t, "killed while migrating", address)
	if err := killed.Run(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("%v\n%s", err, out)
	}
	if left := databaseNames(t, address); len(left) != 1 || !strings.HasSuffix(left[0], "_making") {
		t.Fatalf("the killed process left %v, want a half made template", left)
	}
	fresh := open(t, address).new(t)
	useAlone(t, fresh)
	if query[bool](t, fresh, `SELECT to_regclass('half_made') IS NOT NULL`) {
		t.Error("the database is a clone of the half made template")
	}
}

func TestFailedMigrationLeavesNoTemplate(t *testing.T) {
	t.Parallel()
	address := startServer(t)
	broken := errors.New("broken migration")
	h := newHarness(Options{Fingerprint: "things", Migrate: func(context.Context, string) error { return broken }}, t.Output(), atURL(address))
	defer h.close()
	h.databases(t)
	for range 2 { // every test hears of it
		if err := h.template(); !errors.Is(err, broken) {
			t.Errorf("template: %v, want %v", err, broken)
		}
	}
	if left := databaseNames(t, address); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	useAlone(t, open(t, address).new(t))
}

func TestDatabasesOfKilledTestsAreDropped(t *testing.T) {
	t.Parallel()
	address := startServer(t)
	old := fmt.Sprintf("%s%08x_abc", testPrefix, time.Now().Add(-2*abandoned).Unix())
	recent, foreign := freshName(), testPrefix+"of_somebody_else"
	for _, name := range []string{old, recent, foreign} {
		if err := execute(t.Context(), address, `CREATE DATABASE `+quote(name)); err != nil {
			t.Fatal(err)
		}
	}
	open(t, address).databases(t)
	if diff := cmp.Diff(sorted([]string{recent, foreign}), sorted(databaseNames(t, address))); diff != "" {
		t.Errorf("databases left (-want +got):\n%s", diff)
	}
}

func TestSourcesAreTriedInOrder(t *testing.T) {
	t.Parallel()
	address := startServer(t)
	if err := execute(t.Context(), address, `CREATE ROLE weak LOGIN PASSWORD 'weak'`); err != nil {
		t.Fatal(err)
	}
	weak, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	weak.User = url.UserPassword("weak", "weak")
	tests := map[string]struct {
		url  string
		want []string
	}{
		"nothing set":     {url: "", want: []string{"DATABASE_URL: not set"}},
		"not a URL":       {url: "host=secret", want: []string{"DATABASE_URL: not a postgres:// URL"}},
		"nobody answers":  {url: "postgres://127.0.0.1:1/x", want: []string{"DATABASE_URL: ", "connection refused"}},
		"a role too weak": {url: weak.String(), want: []string{"DATABASE_URL: role weak may not create databases"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			// No engine has this image, nor can get it.
			h := newHarness(Options{}, &log, atURL(test.url), inContainer("ciclo.invalid/postgres:none"), fromBinaries)
			h.databases(t)
			dir := dataDir(t, h)
			if err := h.close(); err != nil {
				t.Error(err)
			}
			for _, want := range append(test.want, "testdatabase: PostgreSQL", "docker: ") {
				if !strings.Contains(log.String(), want) {
					t.Errorf("%q doesn't say %q", log.String(), want)
				}
			}
			if strings.Count(log.String(), "\n") != 1 || strings.Contains(log.String(), "secret") {
				t.Errorf("%q is not one line without secrets", log.String())
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s after the end: %v, want it gone", dir, err)
			}
		})
	}
}

func TestEngineThatHangsIsLetBe(t *testing.T) {
	t.Parallel()
	engine, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(t.TempDir(), "docker.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close() // connections wait in its queue for ever
	cmd, out := child(t, "uses databases", "", "DOCKER_HOST=unix://"+engine.Addr().String(), sourceEnv+"=container")
	if err := cmd.Run(); err == nil || !strings.Contains(out.String(), "docker: reach the engine") || strings.Contains(out.String(), "local binaries") {
		t.Errorf("%v: the process said %s", err, out)
	}
}

func TestTheChosenSourceAlone(t *testing.T) {
	t.Parallel()
	for choice, want := range map[string]string{
		"url":   "DATABASE_URL: not set",
		"Local": `CICLO_TEST_POSTGRES is "Local", not url`,
	} {
		cmd, out := child(t, "uses databases", "", sourceEnv+"="+choice)
		if err := cmd.Run(); err == nil || !strings.Contains(out.String(), want) || strings.Contains(out.String(), "docker") {
			t.Errorf("%s: %v: the process said %s", choice, err, out)
		}
	}
	cmd, out := child(t, "uses databases", "postgres://127.0.0.1:1/x", sourceEnv+"=local")
	if err := cmd.Run(); err != nil || !strings.Contains(out.String(), "testdatabase: PostgreSQL") || strings.Contains(out.String(), "DATABASE_URL") {
		t.Errorf("local: %v: the process said %s", err, out)
	}
}

func TestNoSourceIsLoud(t *testing.T) {
	t.Parallel()
	h := newHarness(Options{}, t.Output(), atURL(""), func(context.Context) (*server, error) { return nil, errors.New("local binaries: none") })
	_, err := h.open()
	if err == nil {
		t.Fatal("opened a server out of nothing")
	}
	for _, want := range []string{"DATABASE_URL: not set", "local binaries: none", "install PostgreSQL 14"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q doesn't say %q", err, want)
		}
	}
}

func TestDataOfKilledProcessesAreSwept(t *testing.T) {
	t.Parallel()
	killed, out := child(t, "killed with a server", "", sourceEnv+"=local")
	if err := killed.Run(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("%v\n%s", err, out)
	}
	pattern := filepath.Join(scratch(), fmt.Sprintf("%s%d-*", dirPrefix, killed.Process.Pid))
	if left, err := filepath.Glob(pattern); err != nil || len(left) != 1 {
		t.Fatalf("the killed process left %v, %v", left, err)
	}
	sweep(t.Context())
	if left, err := filepath.Glob(pattern); err != nil || len(left) > 0 {
		t.Errorf("still there: %v, %v", left, err)
	}
}

func TestMainFailsOnLeakedGoroutines(t *testing.T) {
	t.Parallel()
	cmd, out := child(t, "leaks", "", sourceEnv+"=local")
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("exit: %v, want status 1", err)
	}
	if !strings.Contains(out.String(), "goleak: found unexpected goroutines") {
		t.Errorf("the process said %s", out)
	}
	left, err := filepath.Glob(filepath.Join(scratch(), fmt.Sprintf("%s%d-*", dirPrefix, cmd.Process.Pid)))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestContainer(t *testing.T) {
	t.Parallel()
	engine, err := openEngine(t.Context())
	if err != nil {
		t.Skipf("no Docker engine: %v", err)
	}
	defer engine.Close()
	if _, err := engine.ImageInspect(t.Context(), imageName()); err != nil {
		t.Skipf("image %s is not on this machine: %v", imageName(), err)
	}
	h := newHarness(Options{Migrate: migrate, Fingerprint: "things"}, t.Output(), inContainer(imageName()))
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
	useAlone(t, h.new(t))
	useAlone(t, h.new(t))
}

// BenchmarkNew measures a clone and its drop under both strategies.
func BenchmarkNew(b *testing.B) {
	opened := fromShared(b).databases(b)
	New(b)
	template := opened.template("things")
	for _, strategy := range []string{fileCopy, "WAL_LOG"} {
		b.Run(strategy, func(b *testing.B) {
			d := *opened
			d.strategy = " STRATEGY " + strategy
			for b.Loop() {
				name := freshName()
				if err := errors.Join(d.create(b.Context(), name, template), d.drop(b.Context(), name)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func dataDir(t *testing.T, h *harness) string {
	t.Helper()
	return query[string](t, h.databases(t).url, `SELECT current_setting('data_directory')`)
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }
