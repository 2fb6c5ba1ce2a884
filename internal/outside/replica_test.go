package outside

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/localpostgres"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// withReplica starts a Postgres and a streaming replica of it.
func withReplica(t *testing.T) (primary, replica *localpostgres.Server) {
	t.Helper()
	var servers [2]*localpostgres.Server
	for i := range servers {
		dir, err := os.MkdirTemp("/var/tmp", "ciclo-replica-")
		if err != nil {
			t.Fatal(err)
		}
		removeDatabase(t, dir)
		servers[i], err = localpostgres.Start(t.Context(), localpostgres.Config{
			Dir: dir, ReplicaOf: servers[0], Ephemeral: true,
			Settings: map[string]string{"wal_level": "replica", "max_wal_senders": "4", "synchronous_commit": "on"},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = servers[i].Stop() }) // one was killed
		if i == 0 {
			if err := postgres.Migrate(t.Context(), servers[0].URL("postgres")); err != nil {
				t.Fatal(err)
			}
		}
	}
	return servers[0], servers[1]
}

// answeredBy is how many reads were answered by whom.
func (s *system) answeredBy(who string) int {
	s.t.Helper()
	found := regexp.MustCompile(`(?m)^ciclo_replica_reads_total\{by="` + who + `"\} (\d+)`).FindSubmatch(s.get("/metrics"))
	if found == nil {
		return 0
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// tells lets an agent pause at the one orchestrator and looks at the other whether it
// is there.
func (s *system) tells(other *system, reason string) {
	s.t.Helper()
	if err := s.api.Pause(s.t.Context(), "test-single", reason); err != nil {
		s.t.Fatal(err)
	}
	status, err := other.api.Status(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if len(status.Paused) != 1 || status.Paused[0].Reason != reason {
		s.t.Fatalf("after a pause for %q the status shows %+v", reason, status.Paused)
	}
}

func TestReadsFromAReplica(t *testing.T) {
	t.Parallel()
	primary, replica := withReplica(t)
	env := append([]string{"DATABASE_READ_URL=" + replica.URL("postgres")}, quick...)
	a, b := newSystem(t, primary.URL("postgres"), env...), newSystem(t, primary.URL("postgres"), env...)
	a.worker()
	id := a.run("test-steps", map[string]any{"steps": 3, "millis": 5})
	a.await(id, 30*time.Second, "it is completed", client.Execution.Final)
	eventually(t, 30*time.Second, "the replica answers", func() bool {
		b.get("/api/autonomous-agents/executions/" + id + "/steps")
		return b.answeredBy("replica") > 0
	})
	if n := asked[int](t, replica.URL("postgres"), `SELECT count(*)::int FROM pg_stat_activity WHERE application_name = 'ciclo orchestrator reads' AND query LIKE '%ciclo.%'`); n == 0 {
		t.Error("the replica was asked for nothing")
	}

	// What somebody was told is there, whom he asks next.
	before := b.answeredBy("replica")
	for i := range 100 {
		a.tells(b, fmt.Sprintf("round %d", i))
	}
	if b.answeredBy("replica") == before {
		t.Error("the replica answered none of a hundred reads")
	}

	// A replica that is behind shows nothing old, and lacks no id.
	asked[any](t, replica.URL("postgres"), `SELECT pg_wal_replay_pause()`)
	fresh := a.run("test-noop", nil)
	for _, s := range []*system{b, a} {
		if _, err := s.api.Get(t.Context(), fresh); err != nil {
			t.Errorf("what was just accepted: %v", err)
		}
	}
	a.await(fresh, 30*time.Second, "it is completed", client.Execution.Final)
	for i := range 5 {
		a.tells(b, fmt.Sprintf("paused %d", i))
	}
	page, err := b.api.List(t.Context(), url.Values{"limit": {"1"}})
	if err != nil || len(page.Executions) != 1 || page.Executions[0].ID != fresh || !page.Executions[0].Final() {
		t.Errorf("the list begins with %+v, %v", page.Executions, err)
	}
	asked[any](t, replica.URL("postgres"), `SELECT pg_wal_replay_resume()`)
	before = b.answeredBy("replica")
	eventually(t, 30*time.Second, "the replica answers again", func() bool {
		b.get("/api/autonomous-agents/executions/" + fresh + "/steps")
		return b.answeredBy("replica") > before
	})

	// One that is taken for the primary is called what it is.
	mistaken := []string{"DATABASE_URL=" + replica.URL("postgres"), "CICLO_URL=" + a.api.URL, "CICLO_TOKEN=" + token}
	for _, args := range [][]string{{"doctor"}, {"config", "check", "--of", "orchestrator"}} {
		if out, said, code := run(t, t.TempDir(), "ciclo", mistaken, args...); code != 1 || !strings.Contains(out+said, "it takes no writes") || strings.Contains(out+said, "ciclo restored") {
			t.Errorf("ciclo %s at a replica ends with %d: %s%s", args[0], code, out, said)
		}
	}

	// Without it reads go on.
	if err := syscall.Kill(replica.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-replica.Done()
	for i := range 5 {
		a.tells(b, fmt.Sprintf("alone %d", i))
	}
	eventually(t, 10*time.Second, "the metric says so", func() bool {
		return strings.Contains(string(b.get("/metrics")), "ciclo_replica_usable 0")
	})
}

// A replica that was left running when its primary was restored to an earlier point has
// what is forgotten, and lacks what is new: it is asked for nothing.
func TestAReplicaOfWhatIsForgotten(t *testing.T) {
	t.Parallel()
	primary, replica := withReplica(t)
	dir, err := os.MkdirTemp("/var/tmp", "ciclo-restored-")
	if err != nil {
		t.Fatal(err)
	}
	removeDatabase(t, dir)
	env := append([]string{"DATABASE_READ_URL=" + replica.URL("postgres")}, quick...)
	lived := newSystem(t, primary.URL("postgres"), env...)
	lived.worker()
	known := lived.run("test-noop", nil)
	if err := primary.Backup(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	forgotten := lived.run("test-noop", nil)
	for _, id := range []string{known, forgotten} {
		lived.await(id, 30*time.Second, "it is completed", client.Execution.Final)
	}
	statement(t, primary.URL("postgres"), "SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000))")
	eventually(t, 30*time.Second, "the replica has it", func() bool {
		return ask(t, replica.URL("postgres"), "SELECT pg_last_wal_replay_lsn()") == ask(t, primary.URL("postgres"), "SELECT pg_current_wal_flush_lsn()") &&
			ask(t, replica.URL("postgres"), "SELECT count(*) FROM ciclo.executions WHERE ended_at IS NOT NULL") == "2"
	})
	if err := syscall.Kill(primary.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-primary.Done()
	restored, err := localpostgres.Start(t.Context(), localpostgres.Config{Dir: dir, Settings: map[string]string{
		"restore_command": "false", "recovery_target": "immediate", "recovery_target_action": "promote", "synchronous_commit": "on", "max_connections": "300",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := restored.Stop(); err != nil {
			t.Errorf("stop the restored database: %v", err)
		}
	})
	url := restored.URL("postgres")
	eventually(t, 30*time.Second, "it takes writes", func() bool { return ask(t, url, "SELECT pg_is_in_recovery()") == "false" })
	out, said, code := run(t, t.TempDir(), "ciclo", []string{"DATABASE_URL=" + url, env[0]}, "config", "check", "--of", "orchestrator")
	if code != 1 || !strings.Contains(out+said, "has another history than the primary") {
		t.Errorf("ciclo config check ends with %d: %s%s", code, out, said)
	}
	for _, when := range []string{"behind the replica", "past the replica, taken over"} {
		if when != "behind the replica" {
			statement(t, url, "SELECT pg_logical_emit_message(false, 'test', repeat('x', 10000000))")
			if out, said, code := run(t, t.TempDir(), "ciclo", []string{"DATABASE_URL=" + url}, "restored", "--force"); code != 0 {
				t.Fatalf("ciclo restored: %d, %s%s", code, out, said)
			}
		}
		a, b := newSystem(t, url, env...), newSystem(t, url, env...)
		for range 20 {
			fresh := a.run("test-noop", nil)
			for _, s := range []*system{a, b} {
				if _, err := s.api.Get(t.Context(), fresh); err != nil {
					t.Errorf("%s: what was accepted: %v", when, err)
				}
				if _, err := s.api.Get(t.Context(), forgotten); err == nil {
					t.Errorf("%s: what is forgotten is there", when)
				}
			}
		}
		for _, s := range []*system{a, b} {
			if n := s.answeredBy("replica"); n != 0 || !strings.Contains(string(s.get("/metrics")), "ciclo_replica_usable 0") {
				t.Errorf("%s: the replica answered %d reads", when, n)
			}
		}
	}
}
