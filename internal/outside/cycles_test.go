package outside

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// The orchestrator that fires a slot is killed with -9 in the middle of each
// statement of its transaction, its commit too. Another one goes on: the slot is
// fired once, with one cycle and one execution, which completes.
func TestTheOneThatFiresIsKilled(t *testing.T) {
	t.Parallel()
	url := testdatabase.New(t)
	s := newSystem(t, url, "ENABLE_ORCHESTRATOR=false") // this one answers the API alone
	s.worker()
	if status, err := s.api.Status(t.Context()); err != nil || status.Scheduling {
		t.Fatalf("it says %+v %v", status, err)
	}
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: url, Name: "test", MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	exec := func(sql string) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec(`CREATE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF current_setting('application_name') = 'ciclo orchestrator' THEN PERFORM pg_sleep(1); END IF;
			RETURN NULL;
		END $$`)
	for i, statement := range []string{
		"INSERT ON ciclo.cycles", "INSERT ON ciclo.cycle_agents", "INSERT ON ciclo.river_job", "INSERT ON ciclo.executions", "INSERT ON ciclo.transitions",
		"UPDATE ON ciclo.cycle_agents", "INSERT ON ciclo.slots", "UPDATE ON ciclo.schedules", "commit",
	} {
		name := fmt.Sprintf("round-%d", i)
		trigger := `CREATE TRIGGER hold AFTER ` + statement + ` FOR EACH ROW EXECUTE FUNCTION public.hold()`
		if statement == "commit" {
			trigger = `CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON ciclo.slots DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.hold()`
			statement = "INSERT ON ciclo.slots"
		}
		exec(trigger)
		if _, err := s.api.CreateSchedule(t.Context(), map[string]any{
			"name": name, "interval_seconds": 3600, "anchor_at": time.Now().Add(500 * time.Millisecond), "agents": []string{"test-noop"}, "cooldown_seconds": 0,
		}); err != nil {
			t.Fatal(err)
		}
		firing := start(t, "", "test/orchestrator", append(s.env[:len(s.env):len(s.env)], "CICLO_LISTEN="+freePort(t), "ENABLE_ORCHESTRATOR=true"))
		eventually(t, 30*time.Second, "the transaction is in the middle of "+trigger, func() bool {
			return count(t, pool, `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()`) > 0
		})
		firing.signal(syscall.SIGKILL)
		firing.wait(10 * time.Second)
		_, table, _ := strings.Cut(statement, " ON ")
		exec(`DROP TRIGGER hold ON ` + table) // waits until the killed one's transaction has ended
		next := start(t, "", "test/orchestrator", append(s.env[:len(s.env):len(s.env)], "CICLO_LISTEN="+freePort(t), "ENABLE_ORCHESTRATOR=true"))
		eventually(t, 30*time.Second, "the cycle completes after "+trigger, func() bool {
			page, err := s.api.Cycles(t.Context(), map[string][]string{"schedule": {name}})
			if err != nil {
				t.Fatal(err)
			}
			return len(page.Cycles) == 1 && page.Cycles[0].Status == "completed"
		})
		next.signal(syscall.SIGKILL)
		next.wait(10 * time.Second)
		for what, want := range map[string]int{
			`SELECT count(*) FROM ciclo.slots WHERE schedule = '` + name + `' AND outcome = 'fired'`:                                               1,
			`SELECT count(*) FROM ciclo.cycles WHERE schedule = '` + name + `'`:                                                                    1,
			`SELECT count(*) FROM ciclo.executions e JOIN ciclo.cycles c ON c.id = e.cycle_id WHERE c.schedule = '` + name + `'`:                   1,
			`SELECT count(*) FROM ciclo.executions e JOIN ciclo.cycles c ON c.id = e.cycle_id WHERE c.schedule = '` + name + `' AND e.attempt = 1`: 1,
		} {
			if got := count(t, pool, what); got != want {
				t.Errorf("after %s: %s: %d, want %d", trigger, what, got, want)
			}
		}
	}
	if audit, err := s.api.Audit(t.Context()); err != nil || audit.Violations != 0 {
		t.Errorf("the audit finds %+v %v", audit, err)
	}
}

func count(t *testing.T, pool *pgxpool.Pool, sql string) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// An orchestrator that opens no cycles answers the API; one that does goes on where
// the schedule stands. By the command line: what a person does with schedules.
func TestSchedulesByCommandLine(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testdatabase.New(t))
	s.worker()
	env := append([]string{"CICLO_URL=" + s.api.URL}, s.env...)
	ciclo := func(want int, args ...string) string {
		t.Helper()
		out, said, code := run(t, t.TempDir(), "ciclo", env, args...)
		if code != want {
			t.Fatalf("ciclo %v: exit code %d, want %d: %s%s", args, code, want, out, said)
		}
		return out + said
	}
	ciclo(0, "schedules", "create", "often", "--every", "1s", "--agent", "test-noop", "--cooldown", "0s", "--overlap", "queue")
	var last client.Slot
	eventually(t, 30*time.Second, "three slots are fired", func() bool {
		page, err := s.api.Slots(t.Context(), "often", nil)
		if err != nil {
			t.Fatal(err)
		}
		fired := 0
		for _, slot := range page.Slots {
			if slot.Outcome == "fired" {
				last = slot
				fired++
			}
		}
		return fired >= 3
	})
	if out := ciclo(0, "cycles", "show", *last.CycleID); !strings.Contains(out, "test-noop") || !strings.Contains(out, "its time has come") {
		t.Errorf("a cycle is shown as %s", out)
	}
	for _, args := range [][]string{
		{"schedules"}, {"schedules", "slots", "often"}, {"schedules", "pause", "often", "--reason", "an audit"}, {"schedules", "resume", "often"}, {"schedules", "run", "often"},
		{"schedules", "backfill", "often", "--from", time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)}, {"cycles"}, {"cycles", "open", "test-noop"},
	} {
		ciclo(0, args...)
	}
	if out := ciclo(2, "schedules", "create", "bad", "--cron", "whenever"); !strings.Contains(out, "no cron expression") {
		t.Errorf("a bad expression: %s", out)
	}
	ciclo(2, "schedules", "create", "both", "--cron", "@daily", "--every", "5s")
	ciclo(1, "cycles", "show", "cycle_nobody")
}

// Three orchestrators race over ten thousand slots that are due at the same time,
// and fire each once.
func TestThreeOrchestratorsRace(t *testing.T) {
	t.Parallel()
	const slots = 10_000
	url := testdatabase.New(t)
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: url, Name: "test", MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	s := newSystem(t, url)
	for range 2 {
		start(t, "", "test/orchestrator", append(s.env[:len(s.env):len(s.env)], "CICLO_LISTEN="+freePort(t)))
	}
	if _, err := pool.Exec(t.Context(), `
		INSERT INTO ciclo.schedules (name, agents, interval_seconds, anchor_at, cooldown_seconds, created_by, decided_until, next_due_at, next_fire_at)
		SELECT 'race-' || n, '{test-noop}', 86400, due, 0, 'test', now(), due, due
		FROM generate_series(1, $1) AS n, (SELECT date_trunc('second', now()) + interval '3 s' AS due) soon`, slots); err != nil {
		t.Fatal(err)
	}
	const decided = `SELECT count(*) FROM ciclo.slots WHERE schedule LIKE 'race-%'`
	eventually(t, 5*time.Minute, "every slot is decided", func() bool { return count(t, pool, decided) == slots })
	for what, want := range map[string]int{
		decided + ` AND outcome IN ('fired', 'caught_up')`:                                                                   slots,
		`SELECT count(*) FROM ciclo.cycles WHERE schedule LIKE 'race-%'`:                                                     slots,
		`SELECT count(*) FROM ciclo.executions`:                                                                              slots,
		`SELECT count(DISTINCT cycle_id) FROM ciclo.executions`:                                                              slots,
		`SELECT count(*) FROM ciclo.river_job`:                                                                               slots,
		`SELECT count(DISTINCT schedule) FROM ciclo.slots WHERE schedule LIKE 'race-%'`:                                      slots,
		`SELECT count(*) FROM ciclo.schedules WHERE name LIKE 'race-%' AND next_due_at = decided_until + interval '86400 s'`: slots,
	} {
		if got := count(t, pool, what); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
}
