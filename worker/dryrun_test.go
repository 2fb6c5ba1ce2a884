package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/worker"
)

// scripted is an agent whose code is a test's.
type scripted func(ctx context.Context, task *agents.Task) (agents.Result, error)

func (s scripted) Run(ctx context.Context, task *agents.Task) (agents.Result, error) {
	return s(ctx, task)
}

// playing starts a worker on which test-noop is the code given, and a table that it
// may write to.
func (r *rig) playing(code scripted) {
	r.t.Helper()
	r.exec(`CREATE TABLE ciclo.findings (execution_id text REFERENCES ciclo.executions, key text PRIMARY KEY, n int)`)
	r.start(func(c *worker.Config) { c.Agents["test-noop"] = code })
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.pool.Exec(context.Background(), sql, args...); err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
}

// left is how many rows there are of what a dry run leaves none of.
func (r *rig) left() (rows int) {
	r.t.Helper()
	sql := `SELECT (SELECT count(*) FROM ciclo.steps) + (SELECT count(*) FROM ciclo.effects) + (SELECT count(*) FROM ciclo.dry_runs)`
	var findings bool
	err := r.pool.QueryRow(context.Background(), `SELECT to_regclass('ciclo.findings') IS NOT NULL`).Scan(&findings)
	if err == nil {
		if findings {
			sql += ` + (SELECT count(*) FROM ciclo.findings)`
		}
		err = r.pool.QueryRow(context.Background(), sql).Scan(&rows)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return rows
}

// written is an agent's everyday: it reads, computes, writes, reads what it wrote.
func written(ctx context.Context, task *agents.Task) (agents.Result, error) {
	base, err := agents.Step(ctx, task, "compute", func(context.Context) (int, error) { return 20, nil })
	if err != nil {
		return nil, err
	}
	for i := range 3 {
		task.Progress(int64(i), 3, "writing") // as each step, it moves the row that the findings refer to
		_, err := agents.StepTx(ctx, task, fmt.Sprintf("write %d", i), func(ctx context.Context, tx pgx.Tx) (int, error) {
			_, err := tx.Exec(ctx, `INSERT INTO ciclo.findings VALUES ($1, $2, $3)`, task.ExecutionID, fmt.Sprint(i), base+i)
			if err != nil {
				return 0, err
			}
			var seen int // a Read within a step sees only what is committed, or, in a dry run, all
			err = task.Read(ctx, func(tx pgx.Tx) error { return tx.QueryRow(ctx, `SELECT count(*) FROM ciclo.findings`).Scan(&seen) })
			return seen, err
		})
		if err != nil {
			return nil, err
		}
	}
	_, err = agents.StepTx(ctx, task, "fails", func(ctx context.Context, tx pgx.Tx) (int, error) {
		_, err := tx.Exec(ctx, `INSERT INTO ciclo.findings VALUES ($1, 'lost', 1000)`, task.ExecutionID)
		return 0, errors.Join(err, errors.New("as meant"))
	})
	if err == nil || !strings.Contains(err.Error(), "as meant") {
		return nil, fmt.Errorf("a step that fails gave %w", err)
	}
	var sum int
	err = task.Read(ctx, func(tx pgx.Tx) error { return tx.QueryRow(ctx, `SELECT sum(n) FROM ciclo.findings`).Scan(&sum) })
	return map[string]int{"sum": sum}, err
}

func TestADryRunShowsWhatARealOneWould(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.playing(written)
	dry := r.await(r.acceptDry("test-noop", ""), final)
	if dry.Status != execution.Completed || !dry.DryRun || string(dry.Result) != `{"sum": 63, "dry_run": {"effects": []}}` {
		t.Errorf("the dry run ended as %+v: %s", dry, dry.Result)
	}
	if dry.Attempt != 1 {
		t.Errorf("it took %d attempts", dry.Attempt)
	}
	if n := r.left(); n != 0 {
		t.Errorf("the dry run left %d rows", n)
	}
	again := r.await(r.acceptDry("test-noop", ""), final)
	real := r.await(r.accept("test-noop", ""), final)
	if string(again.Result) != string(dry.Result) || string(real.Result) != `{"sum": 63}` || real.DryRun {
		t.Errorf("again %s, in earnest %s", again.Result, real.Result)
	}
	if n := r.left(); n != 7 {
		t.Errorf("the real run left %d rows", n)
	}
}

func TestADryRunSendsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start(nil)
	var mu sync.Mutex
	told := map[string]int{}
	ledger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(req.URL.Query().Get("key"), "effect:") {
			told[req.Method]++
		}
	}))
	t.Cleanup(ledger.Close)
	for _, policy := range []string{"reconcile", "once", "repeat"} {
		parameters := fmt.Sprintf(`{"steps": 2, "millis": 1, "effects": %q, "ledger": %q}`, policy, ledger.URL)
		e := r.await(r.acceptDry("test-steps", parameters), final)
		if want := `{"sum": 3, "dry_run": {"effects": ["effect 1", "effect 2"]}}`; e.Status != execution.Completed || string(e.Result) != want {
			t.Errorf("%s: ended as %+v: %s", policy, e, e.Result)
		}
		if len(told) != 0 || r.left() != 0 {
			t.Errorf("%s: the outside saw %v, %d rows are left", policy, told, r.left())
		}
	}
	r.await(r.accept("test-steps", fmt.Sprintf(`{"steps": 2, "millis": 1, "effects": "once", "ledger": %q}`, ledger.URL)), status(execution.Completed))
	if told["POST"] != 2 {
		t.Errorf("of the real run the outside saw %v", told)
	}
}

// The agent tries to keep what it wrote. Each way ends with an error that says so.
func TestNothingOfADryRunCanBeKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var how atomic.Value
	r.playing(func(ctx context.Context, task *agents.Task) (agents.Result, error) {
		_, err := agents.StepTx(ctx, task, "write", func(ctx context.Context, tx pgx.Tx) (int, error) {
			_, err := tx.Exec(ctx, `INSERT INTO ciclo.findings VALUES ($1, 'before', 1)`, task.ExecutionID)
			if err != nil {
				return 0, err
			}
			_, err = tx.Exec(ctx, how.Load().(string)) //nolint:forcetypeassert // the test's own
			return 1, err
		})
		if err != nil {
			task.Log.Info("refused", "error", err) // and goes on as if nothing were
		}
		return map[string]any{}, nil
	})
	for name, sql := range map[string]string{
		"COMMIT":                      `COMMIT`,
		"COMMIT AND CHAIN":            `COMMIT AND CHAIN`,
		"commit among others":         `SELECT 1; COMMIT; INSERT INTO ciclo.findings VALUES (NULL, 'after', 1)`,
		"END":                         `END`,
		"ROLLBACK":                    `ROLLBACK`,
		"write after a rollback":      `ROLLBACK; INSERT INTO ciclo.findings VALUES (NULL, 'after', 1)`,
		"go on after a rollback":      `ROLLBACK; BEGIN READ WRITE; SAVEPOINT sp_1; INSERT INTO ciclo.findings VALUES (NULL, 'after', 1)`,
		"ROLLBACK AND CHAIN":          `ROLLBACK AND CHAIN`,
		"prepare":                     `PREPARE TRANSACTION 'x'`,
		"constraints now":             `SET CONSTRAINTS ALL IMMEDIATE; COMMIT`,
		"a trigger less":              `ALTER TABLE ciclo.dry_runs DISABLE TRIGGER USER; COMMIT`,
		"a row less, and then commit": `DELETE FROM ciclo.dry_runs; COMMIT`,
	} {
		how.Store(sql)
		e := r.await(r.acceptDry("test-noop", ""), final)
		caught := e.Status == execution.Failed && e.Error.Class == execution.ClassPermanent && strings.Contains(e.Error.Text, postgres.ErrDryRunEnded.Error())
		if name == "constraints now" || name == "a trigger less" || name == "prepare" {
			// The first statement fails, and what fails is rolled back to the step.
			caught = caught || e.Status == execution.Completed
		}
		if !caught || e.Attempt != 1 {
			t.Errorf("%s: ended as %+v: %+v", name, e, e.Error)
		}
		if n := r.left(); n != 0 {
			t.Errorf("%s: left %d rows", name, n)
		}
	}
}

// What a dry run has locked is free as soon as a real one waits for it.
func TestADryRunGivesWay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	wrote, begun := make(chan struct{}, 10), atomic.Int64{}
	r.playing(func(ctx context.Context, task *agents.Task) (agents.Result, error) {
		n := begun.Add(1)
		_, err := agents.StepTx(ctx, task, "write", func(ctx context.Context, tx pgx.Tx) (int, error) {
			_, err := tx.Exec(ctx, `INSERT INTO ciclo.findings VALUES ($1, 'same', 1) ON CONFLICT (key) DO UPDATE SET n = findings.n + 1`, task.ExecutionID)
			return 0, err
		})
		if err != nil {
			return nil, err
		}
		if n == 1 {
			wrote <- struct{}{}
			<-ctx.Done() // it would compute for a long time
			return nil, ctx.Err()
		}
		return struct{}{}, nil
	})
	id := r.acceptDry("test-noop", "")
	<-wrote
	// A real transaction wants the same row.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := r.pool.Exec(ctx, `INSERT INTO ciclo.findings VALUES (NULL, 'same', 7)`); err != nil {
		t.Fatalf("the dry run was in the way: %v", err)
	}
	e := r.await(id, final)
	if e.Status != execution.Completed || e.Attempt != 1 || e.Failures != 0 || begun.Load() != 2 {
		t.Errorf("the dry run ended as %+v, begun %d times", e, begun.Load())
	}
	var n int
	if err := r.pool.QueryRow(t.Context(), `SELECT sum(n) FROM ciclo.findings`).Scan(&n); err != nil || n != 7 {
		t.Errorf("the row says %d, %v", n, err)
	}
}

// The row that a dry run wants was changed since its snapshot: it starts over.
func TestADryRunThatConflictsStartsOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var begun atomic.Int64
	r.playing(func(ctx context.Context, task *agents.Task) (agents.Result, error) {
		if begun.Add(1) == 1 {
			r.exec(`UPDATE ciclo.findings SET n = n + 1`)
		}
		n, err := agents.StepTx(ctx, task, "write", func(ctx context.Context, tx pgx.Tx) (n int, err error) {
			return n, tx.QueryRow(ctx, `UPDATE ciclo.findings SET n = n * 10 RETURNING n`).Scan(&n)
		})
		return map[string]int{"n": n}, err
	})
	r.exec(`INSERT INTO ciclo.findings VALUES (NULL, 'x', 1)`)
	e := r.await(r.acceptDry("test-noop", ""), final)
	if e.Status != execution.Completed || e.Attempt != 1 || begun.Load() != 2 || string(e.Result) != `{"n": 20, "dry_run": {"effects": []}}` {
		t.Errorf("ended as %+v: %s, begun %d times", e, e.Result, begun.Load())
	}
}

// Longer than a session may be idle in a transaction (5 s), and cancelled while it is.
func TestADryRunMayComputeForLong(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pool = r.connectStalling(r.pool.Config().ConnString(), 700*time.Millisecond)
	computed := make(chan struct{})
	r.playing(func(ctx context.Context, task *agents.Task) (agents.Result, error) {
		if task.Attempt > 1 || !task.DryRun {
			return nil, agents.Permanent(errors.New("another attempt"))
		}
		result, err := written(ctx, task)
		if err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(2 * time.Second):
		}
		var n int
		err = task.Read(ctx, func(tx pgx.Tx) error { return tx.QueryRow(ctx, `SELECT count(*) FROM ciclo.findings`).Scan(&n) })
		if err != nil || n != 3 {
			return nil, agents.Permanent(fmt.Errorf("of what it wrote it sees %d: %w", n, err))
		}
		close(computed)
		<-ctx.Done()
		return result, ctx.Err()
	})
	id := r.acceptDry("test-noop", "")
	select {
	case <-computed:
	case <-time.After(20 * time.Second):
		t.Fatal("it did not compute")
	}
	// Its transaction holds a lock of the execution's row, which is in nobody's way.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := r.Cancel(ctx, id); err != nil {
		t.Fatal(err)
	}
	if e := r.await(id, final); e.Status != execution.Cancelled || e.Failures != 0 || e.Progress == nil || r.left() != 0 {
		t.Errorf("ended as %+v, %d rows left", e, r.left())
	}
}

// Failures of dry runs open no breaker, and their success closes none.
func TestDryRunsCountForNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.catalogue.Find("test-fail").Breaker.Failures, r.catalogue.Find("test-fail").Breaker.ProbeSeconds = 3, 60
	r.start(nil)
	for range 2 { // of two attempts each
		if e := r.await(r.acceptDry("test-fail", `{"how": "error"}`), final); e.Status != execution.Failed || e.Failures != 2 {
			t.Errorf("ended as %+v", e)
		}
	}
	r.await(r.accept("test-fail", `{"how": "error"}`), final)
	r.await(r.acceptDry("test-fail", `{"how": "recover"}`), status(execution.Completed))
	streak := func() (failures int) {
		if err := r.pool.QueryRow(t.Context(), `SELECT failures FROM ciclo.streaks WHERE agent = 'test-fail'`).Scan(&failures); err != nil {
			t.Error(err)
		}
		return failures
	}
	if n := streak(); n != 2 {
		t.Errorf("the streak is %d, of the real run 2", n)
	}
	id := r.accept("test-fail", `{"how": "error"}`)
	r.await(id, func(e execution.Execution) bool { return e.Failures == 1 })
	if pauses, err := r.Pauses(t.Context()); err != nil || len(pauses) != 1 {
		t.Errorf("paused are %+v, %v", pauses, err)
	}
	dry := r.acceptDry("test-fail", `{"how": "recover"}`)
	r.await(dry, func(e execution.Execution) bool { return e.NextAttemptAt != nil })
	r.exec(`UPDATE ciclo.pauses SET probe_after = now()`)
	r.exec(`UPDATE ciclo.executions SET next_attempt_at = now() + interval '1 hour' WHERE id = $1`, id) // the dry one is alone
	if probes, err := r.Probe(t.Context()); err != nil || len(probes) != 0 {
		t.Errorf("probes are %v, %v", probes, err)
	}
}

func TestAResultWithCiclosMember(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.playing(func(context.Context, *agents.Task) (agents.Result, error) {
		return json.RawMessage(`{"a": 1, "dry_run": {}}`), nil
	})
	for _, id := range []string{r.accept("test-noop", ""), r.acceptDry("test-noop", "")} {
		if e := r.await(id, final); e.Status != execution.Failed || !strings.Contains(e.Error.Text, "no member dry_run") {
			t.Errorf("ended as %+v: %+v", e, e.Error)
		}
	}
}

// What may have happened, and can't be asked for, is left to a person at once.
func TestOnceIsUnknownAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	broken := errors.New("cut off in the middle")
	var calls atomic.Int64
	r.playing(func(ctx context.Context, task *agents.Task) (agents.Result, error) {
		_, err := agents.Perform(ctx, task, "mail", agents.Effect[int]{Policy: agents.Once, Do: func(context.Context, string) (int, error) {
			calls.Add(1)
			return 0, broken
		}})
		if !errors.Is(err, agents.ErrUnknownEffect) || !errors.Is(err, broken) {
			return nil, agents.Permanent(fmt.Errorf("it says %w", err))
		}
		effects, looked := r.Effects(ctx, task.ExecutionID)
		if looked != nil || len(effects) != 1 || effects[0].State != "unknown" {
			return nil, agents.Permanent(fmt.Errorf("the ledger says %+v, %w", effects, looked))
		}
		return nil, err
	})
	e := r.await(r.accept("test-noop", ""), final)
	if e.Status != execution.Failed || e.Attempt != 1 || e.Error.Class != execution.ClassUnknownEffect || calls.Load() != 1 || !strings.Contains(e.Error.Text, broken.Error()) {
		t.Errorf("ended as %+v: %+v after %d calls", e, e.Error, calls.Load())
	}
}
