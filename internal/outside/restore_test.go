package outside

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/localpostgres"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// world is what lies outside of the database and isn't restored with it: it counts
// what it is told by key, and says whether it knows a key.
type world struct {
	*httptest.Server
	mu   sync.Mutex
	told map[string]int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{told: map[string]int{}}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := r.URL.Query().Get("key")
	switch {
	case r.Method == http.MethodPost:
		w.told[key]++
	case w.told[key] == 0:
		http.NotFound(out, r)
	}
}

// effects is how often each effect was told of.
func (w *world) effects() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string]int{}
	for key, n := range w.told {
		if id, found := strings.CutPrefix(key, "effect:"); found {
			all[strings.TrimSuffix(id, "/effect 1")] += n
		}
	}
	return all
}

// statement runs one statement on a database.
func statement(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// lived is a system that was backed up, lived on, and is gone; what it did outside
// remains.
type lived struct {
	world *world
	// server is what is left of it: its files. backup has a base backup, folder a dump
	// of the point, ciclo.dump.
	server         *localpostgres.Server
	backup, folder string
	// before are executions that were alive at the point, by the policy of their
	// effect; each has had it since. after was accepted and had its effect since.
	before map[string]string
	after  string
}

const backupPage = "backup-and-restore.md"

// live runs a system over the point to which others restore it.
func live(t *testing.T) lived {
	t.Helper()
	dir := t.TempDir()
	l := lived{world: newWorld(t), backup: filepath.Join(dir, "restored"), folder: dir, before: map[string]string{}}
	removeDatabase(t, filepath.Join(dir, "lived"))
	removeDatabase(t, l.backup)
	var err error
	l.server, err = localpostgres.Start(t.Context(), localpostgres.Config{Dir: filepath.Join(dir, "lived"), Settings: map[string]string{
		"archive_mode": "on", "archive_command": "mkdir -p archive && test ! -f archive/%f && cp %p archive/%f",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.server.Stop(); err != nil {
			t.Errorf("stop the database: %v", err)
		}
	})
	statement(t, l.server.URL("postgres"), "CREATE DATABASE firm")
	url := l.server.URL("firm")
	if err := postgres.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if err := l.server.Backup(t.Context(), l.backup); err != nil {
		t.Fatal(err)
	}
	env := []string{"DATABASE_URL=" + url}
	typed(t, dir, shBlock(t, backupPage, 2), env, l.server.BinDir)
	if _, err := os.Stat(filepath.Join(dir, "backup", "PG_VERSION")); err != nil {
		t.Error(err)
	}
	s := newSystem(t, url, quick...)
	worker := s.worker()
	run := func(policy string, millis int) string {
		return s.run("test-steps", map[string]any{"steps": 1, "millis": millis, "effects": policy, "ledger": l.world.URL})
	}
	// Their step lasts until they are taken away below: none has come to its effect.
	for _, policy := range []string{"once", "repeat", "reconcile"} {
		l.before[policy] = run(policy, 3000)
	}
	for _, id := range l.before {
		s.await(id, 20*time.Second, "it runs", running)
	}
	eventually(t, 10*time.Second, "the orchestrator has noted which database it is", func() bool {
		return ask(t, url, "SELECT count(noted_at) FROM ciclo.incarnation") == "1"
	})
	statement(t, url, "SELECT pg_create_restore_point('the point')")
	typed(t, dir, shBlock(t, backupPage, 1), env, l.server.BinDir)
	if n := len(l.world.effects()); n != 0 {
		t.Fatalf("%d effects happened before the point", n)
	}
	// What is forgotten.
	l.after = run("once", 1)
	s.await(l.after, 20*time.Second, "what was accepted since is completed", client.Execution.Final)
	for policy, id := range l.before {
		if e := s.await(id, 30*time.Second, "it is completed", client.Execution.Final); e.Status != "completed" {
			t.Fatalf("%s, before the restore: %s", policy, e.Status)
		}
	}
	l.once(t, "before the restore")
	last := ask(t, url, "SELECT pg_walfile_name(pg_current_wal_lsn())")
	statement(t, url, "SELECT pg_switch_wal()")
	eventually(t, 20*time.Second, "its log is archived", func() bool {
		return ask(t, url, "SELECT count(*) FROM pg_stat_archiver WHERE last_archived_wal >= '"+last+"'") == "1"
	})
	worker.signal(syscall.SIGKILL)
	worker.wait(10 * time.Second)
	return l
}

// ask asks a database for one value.
func ask(t *testing.T, url, sql string) (value string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if err := conn.QueryRow(t.Context(), "SELECT ("+sql+")::text").Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

// once says what the outside world was told of more than once, or less.
func (l lived) once(t *testing.T, when string) {
	t.Helper()
	told := l.world.effects()
	for what, id := range map[string]string{"once": l.before["once"], "repeat": l.before["repeat"], "reconcile": l.before["reconcile"], "since": l.after} {
		if told[id] != 1 {
			t.Errorf("%s: the effect of %q was sent %d times", when, what, told[id])
		}
	}
	if len(told) != 4 {
		t.Errorf("%s: %v were sent, want those of four executions", when, told)
	}
}

// takeOver runs `ciclo restored`.
func takeOver(t *testing.T, env []string) {
	t.Helper()
	out, said, code := run(t, t.TempDir(), "ciclo", env, "restored", "--dry-run", "--json")
	var r postgres.Restoration
	if code != 0 || json.Unmarshal([]byte(out), &r) != nil || r.Live != 3 || !r.DryRun {
		t.Fatalf("ciclo restored --dry-run: %d, %s%s", code, out, said)
	}
	out, said, code = run(t, t.TempDir(), "ciclo", env, "restored")
	if code != 0 || !strings.Contains(out, "ciclo retry ID") {
		t.Fatalf("ciclo restored: %d, %s%s", code, out, said)
	}
}

// goesOn starts services on a database that was taken over, and looks how all ends.
func (l lived) goesOn(t *testing.T, env []string) {
	t.Helper()
	if out, said, code := run(t, t.TempDir(), "ciclo", env, "restored"); code != 1 || !strings.Contains(said, "nothing says that it was restored") {
		t.Errorf("ciclo restored once more: %d, %s%s", code, out, said)
	}
	url, _ := strings.CutPrefix(env[0], "DATABASE_URL=")
	s := newSystem(t, url, quick...)
	s.worker()
	for policy, want := range map[string]struct{ status, class, effect string }{
		"once": {"failed", "unknown_effect", "unknown"}, "repeat": {"failed", "unknown_effect", "unknown"}, "reconcile": {"completed", "", "done"},
	} {
		e := s.await(l.before[policy], 30*time.Second, policy+": it is final", client.Execution.Final)
		class := ""
		if e.Error != nil {
			class = e.Error.Class
		}
		if f := s.effect(e.ID); e.Status != want.status || class != want.class || f.State != want.effect {
			t.Errorf("%s: ended as %s (%s), its effect is %s", policy, e.Status, class, f.State)
		}
	}
	if _, err := s.api.Get(t.Context(), l.after); err == nil {
		t.Error("what was accepted since the point is known")
	}
	l.once(t, "after the restore")
	fresh := s.run("test-steps", map[string]any{"steps": 1, "millis": 1, "effects": "once", "ledger": l.world.URL})
	if e := s.await(fresh, 20*time.Second, "a new one is completed", client.Execution.Final); e.Status != "completed" || l.world.effects()[fresh] != 1 {
		t.Errorf("a new one: %s, sent %d times", e.Status, l.world.effects()[fresh])
	}
	l.world.mu.Lock()
	delete(l.world.told, "effect:"+fresh+"/effect 1")
	l.world.mu.Unlock()
	if out, said, code := run(t, t.TempDir(), "ciclo", append(env, "CICLO_URL="+s.api.URL), "audit"); code != 0 {
		t.Errorf("the audit: %s%s", out, said)
	}
}

// A system is restored to an earlier point: from a base backup and the archived log,
// then from a dump. Nothing that it did since is done again without a person's word.
func TestARestoreToAnEarlierPoint(t *testing.T) {
	t.Parallel()
	l := live(t)
	archive := filepath.Join(l.server.DataDir, "archive")
	restored, err := localpostgres.Start(t.Context(), localpostgres.Config{Dir: l.backup, Settings: map[string]string{
		"restore_command": "cp " + archive + "/%f %p", "recovery_target_name": "the point", "recovery_target_action": "promote",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := restored.Stop(); err != nil {
			t.Errorf("stop the database: %v", err)
		}
	})
	eventually(t, 30*time.Second, "the database is recovered", func() bool {
		return ask(t, restored.URL("postgres"), "SELECT pg_is_in_recovery()") == "false"
	})
	env := []string{"DATABASE_URL=" + restored.URL("firm"), "CICLO_TOKEN=" + token, "CICLO_LISTEN=" + freePort(t)}

	// Without the command the services say what to run; a failover would look the same,
	// so they do start.
	orchestrator := start(t, "", "test/orchestrator", env)
	eventually(t, 30*time.Second, "the orchestrator says what to run", func() bool {
		return strings.Contains(orchestrator.err.String(), "went from timeline 1 to 2") && strings.Contains(orchestrator.err.String(), "ciclo restored")
	})
	orchestrator.signal(syscall.SIGTERM)
	orchestrator.wait(20 * time.Second)
	if out, said, code := run(t, t.TempDir(), "ciclo", env, "doctor", "--timeout", "3s"); code != 1 || !strings.Contains(out, "ciclo restored") {
		t.Errorf("ciclo doctor: %d, %s%s", code, out, said)
	}
	takeOver(t, env)
	l.goesOn(t, env)

	// A dump in a database of its own is surely a copy: no service starts on it. The
	// page's commands, with a look between the restore and what comes after it.
	commands := append(slices.Clone(env), "ADMIN_URL="+restored.URL("postgres"), "RESTORED_URL="+restored.URL("restored"))
	restore, after, found := strings.Cut(shBlock(t, backupPage, 3), "\nDATABASE_URL=")
	if !found {
		t.Fatal("the page's commands are not as this test knows them")
	}
	typed(t, l.folder, restore, commands, restored.BinDir)
	env[0] = "DATABASE_URL=" + restored.URL("restored")
	for _, name := range []string{"test/orchestrator", "test/worker"} {
		if _, said, code := run(t, "", name, env); code != 1 || !strings.Contains(said, "ciclo restored") {
			t.Errorf("%s on a copy: %d, %s", name, code, said)
		}
	}
	if said := typed(t, l.folder, "DATABASE_URL="+after, commands); !strings.Contains(said, "Nothing was changed") || !strings.Contains(said, "is taken over") {
		t.Errorf("the page's commands said %s", said)
	}
	l.goesOn(t, env)
}
