package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

func always() bool { return true }

func TestReapingALostWorker(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w, healthy := b.worker(), b.worker()
	e, other := b.accept(), b.accept()
	a := b.run(e.ID, w)
	b.run(other.ID, healthy)
	job := b.lastJob(e.ID)

	if s := b.sweepAll(); len(s.Lost) != 0 {
		t.Fatalf("a healthy worker is taken for lost: %v", s.Lost)
	}
	b.expire(w)
	b.sweepAll()
	got := b.get(e.ID)
	if got.Status != execution.Started || got.Failures != 1 || got.WorkerID != nil || got.NextAttemptAt != nil || got.Error.Class != execution.ClassLost {
		t.Errorf("reaped as %+v, %+v", got, got.Error)
	}
	if s := b.jobState(job); s != "cancelled" {
		t.Errorf("the lost attempt's River row is %s", s)
	}
	if b.get(other.ID).Status != execution.Running {
		t.Error("a healthy worker's execution was taken")
	}
	if err := b.complete(a, `{}`); !errors.Is(err, execution.ErrStale) {
		t.Errorf("the zombie completed: %v", err)
	}
	second := b.run(e.ID, healthy)
	if second.Execution.Attempt != 2 {
		t.Errorf("the next attempt is %d", second.Execution.Attempt)
	}
	// The limit of tries is two: lost twice, it fails.
	b.expire(healthy)
	b.sweepAll()
	if got := b.get(e.ID); got.Status != execution.Failed || got.Failures != 2 || got.Error.Class != execution.ClassLost {
		t.Errorf("lost twice, it is %+v", got)
	}
}

func TestReapingWhatIsToBeCancelled(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	e := b.accept()
	b.run(e.ID, w)
	_, err := b.Cancel(b.ctx, e.ID)
	b.must(err)
	b.expire(w)
	b.sweepAll()
	if got := b.get(e.ID); got.Status != execution.Cancelled {
		t.Errorf("the execution of a dead worker, asked to cancel, is %s", got.Status)
	}
}

func TestReapLooksAgain(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for name, change := range map[string]func(id, w string, a *postgres.Attempt) (mayJudge func() bool){
		"the worker beat": func(_, w string, _ *postgres.Attempt) func() bool {
			_, _, err := b.Beat(b.ctx, w, lease)
			b.must(err)
			return always
		},
		"the attempt completed": func(_, _ string, a *postgres.Attempt) func() bool {
			b.must(b.complete(a, `{}`))
			return always
		},
		"another attempt runs": func(id, w string, a *postgres.Attempt) func() bool {
			b.must(b.Interrupt(b.ctx, a))
			b.run(id, b.worker())
			return always
		},
		"the database was silent meanwhile": func(string, string, *postgres.Attempt) func() bool { return func() bool { return false } },
	} {
		w := b.worker()
		e := b.accept()
		a := b.run(e.ID, w)
		b.expire(w)
		s, err := b.Sweep(b.ctx, lease, "")
		b.must(err)
		mayJudge := change(e.ID, w, a)
		before, path := b.get(e.ID), b.path(e.ID)
		for _, suspect := range s.Lost {
			if suspect.ID != e.ID {
				continue
			}
			if to, err := b.Reap(b.ctx, suspect, mayJudge); to != "" || err != nil {
				t.Errorf("%s: reaped to %q, %v", name, to, err)
			}
		}
		if after := b.get(e.ID); after.Status != before.Status || after.Failures != before.Failures || b.path(e.ID) != path {
			t.Errorf("%s: the execution went from %+v to %+v", name, before, after)
		}
		b.exec(`UPDATE ciclo.workers SET lease_until = now() + interval '1 hour'`)
	}
}

func TestReapWaitsForNobody(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for name, lock := range map[string]string{
		"the execution": `SELECT FROM ciclo.executions WHERE id = $1 FOR UPDATE`,
		"the River row": `SELECT FROM ciclo.river_job WHERE args->>'execution_id' = $1 FOR UPDATE`,
	} {
		w := b.worker()
		e := b.accept()
		b.run(e.ID, w)
		b.expire(w)
		s, err := b.Sweep(b.ctx, lease, "")
		b.must(err)
		holder, err := b.pool.Begin(b.ctx)
		b.must(err)
		if _, err := holder.Exec(b.ctx, lock, e.ID); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		to, err := b.Reap(b.ctx, s.Lost[0], always)
		if to != "" || err != nil || time.Since(began) > 2*time.Second {
			t.Errorf("with %s locked: reaped to %q, %v, after %s", name, to, err, time.Since(began))
		}
		b.must(holder.Rollback(b.ctx))
		b.sweepAll()
		if got := b.get(e.ID); got.Status != execution.Started {
			t.Errorf("with %s free again it is %s", name, got.Status)
		}
		b.exec(`UPDATE ciclo.workers SET lease_until = now() + interval '1 hour'`)
	}
}

func TestAFrozenTransactionIsEnded(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	e := b.accept()
	a := b.run(e.ID, w)
	b.expire(w)
	tx, err := b.pool.Begin(b.ctx) // as a step's transaction in a process that was stopped
	b.must(err)
	defer func() { _ = tx.Rollback(b.ctx) }() // the server has ended it: that is the point
	if _, err := tx.Exec(b.ctx, `SELECT FROM ciclo.executions WHERE id = $1 FOR UPDATE`, a.Execution.ID); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(15 * time.Second)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for b.get(e.ID).Status == execution.Running {
		if time.Now().After(deadline) {
			t.Fatal("a frozen transaction holds the execution")
		}
		<-tick.C
		b.sweepAll()
	}
}

func TestReconciling(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	const old = `now() - interval '1 minute'`
	for name, c := range map[string]struct {
		lose string
		want bool
	}{
		"the row is gone":                  {`DELETE FROM ciclo.river_job WHERE id = $1`, true},
		"the row was discarded":            {`UPDATE ciclo.river_job SET state = 'discarded', finalized_at = now() WHERE id = $1`, true},
		"the row was completed unclaimed":  {`UPDATE ciclo.river_job SET state = 'completed', finalized_at = now() WHERE id = $1`, true},
		"fetched long ago and not claimed": {`UPDATE ciclo.river_job SET state = 'running', attempted_at = ` + old + ` WHERE id = $1`, true},
		"fetched just now":                 {`UPDATE ciclo.river_job SET state = 'running', attempted_at = now() WHERE id = $1`, false},
		"waits in the queue":               {`SELECT $1::bigint`, false},
	} {
		e := b.accept()
		job := b.lastJob(e.ID)
		b.exec(`UPDATE ciclo.executions SET status_at = `+old+` WHERE id = $1`, e.ID)
		b.exec(c.lose, job)
		b.sweepAll()
		got := b.get(e.ID)
		fresh := b.lastJob(e.ID)
		if got.Status != execution.Started || got.Failures != 0 || got.Attempt != 0 || (fresh != job) != c.want {
			t.Errorf("%s: %+v, a new row %v, want %v", name, got, fresh != job, c.want)
		}
		if c.want {
			if live := b.count(`SELECT count(*) FROM ciclo.river_job WHERE args->>'execution_id' = $1 AND state IN ('available', 'running')`, e.ID); live != 1 {
				t.Errorf("%s: %d live rows", name, live)
			}
			b.must(b.complete(b.run(e.ID, b.worker()), `{}`))
		}
	}
}

// A row handed on by a deploy is old in River and fresh in ours.
func TestReconcilingLeavesAFreshHandOver(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	e := b.accept()
	job := b.lastJob(e.ID)
	b.exec(`UPDATE ciclo.river_job SET state = 'running', attempted_at = now() - interval '1 minute' WHERE id = $1`, job)
	if s := b.sweepAll(); len(s.Strays) != 0 || b.lastJob(e.ID) != job {
		t.Errorf("a fresh execution was reconciled: %v", s.Strays)
	}
}

func TestReconcilingSlowsDown(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	e := b.accept()
	var waits []time.Duration
	for range 4 {
		b.exec(`DELETE FROM ciclo.river_job`)
		s, err := b.Sweep(b.ctx, lease, "")
		b.must(err)
		if len(s.Strays) != 1 {
			t.Fatalf("strays %v", s.Strays)
		}
		mended, err := b.Reconcile(b.ctx, s.Strays[0], lease)
		b.must(err)
		if !mended {
			t.Fatal("not mended")
		}
		var wait time.Duration
		b.scan([]any{&wait}, `SELECT next_attempt_at - now() FROM ciclo.executions WHERE id = $1`, e.ID)
		waits = append(waits, wait.Round(time.Second))
		b.exec(`UPDATE ciclo.executions SET next_attempt_at = now() WHERE id = $1`, e.ID)
		_, err = b.Enqueue(b.ctx)
		b.must(err)
	}
	if waits[0] != 0 || waits[1] != 2*time.Second || waits[2] != 4*time.Second || waits[3] != 8*time.Second {
		t.Errorf("the delays are %v", waits)
	}
	b.run(e.ID, b.worker())
	if n := b.count(`SELECT requeued FROM ciclo.executions WHERE id = $1`, e.ID); n != 0 {
		t.Errorf("after a claim requeued is %d", n)
	}
}

func TestSweepGoesThroughALongQueue(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.exec(`
		INSERT INTO ciclo.executions (id, agent, status, tries, timeout_seconds, river_job_id)
		SELECT 'noop_' || lpad(i::text, 36, '0'), 'test-noop', 'started', 1, 1, i FROM generate_series(1, 1200) i`)
	b.exec(`
		INSERT INTO ciclo.river_job (id, args, kind, max_attempts, queue, state)
		SELECT i, '{}', 'execution', 1, 'test-noop', 'available' FROM generate_series(1, 1199) i`)
	cursor, found := "", 0
	for range 3 {
		s, err := b.Sweep(b.ctx, lease, cursor)
		b.must(err)
		cursor, found = s.Cursor, found+len(s.Strays)
	}
	if found != 1 || cursor != "" {
		t.Errorf("three sweeps of 500 found %d strays and ended at %q", found, cursor)
	}
}

func TestGivingBackWhatNobodyHolds(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	e := b.accept()
	b.run(e.ID, w) // and its answer is lost
	job := b.lastJob(e.ID)
	held, _, err := b.Beat(b.ctx, w, lease)
	b.must(err)
	to, err := b.GiveBack(b.ctx, w, held[0])
	if b.must(err); to != execution.Started {
		t.Errorf("given back to %s", to)
	}
	if s := b.jobState(job); s != "cancelled" {
		t.Errorf("the old River row is %s", s)
	}
	b.sweepAll()
	if got := b.get(e.ID); got.Status != execution.Started || got.Failures != 0 {
		t.Errorf("given back as %+v", got)
	}
	a := b.run(e.ID, w)
	b.must(b.complete(a, `{}`))
}

func TestWorkerSessions(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	if err := b.Register(b.ctx, postgres.Worker{ID: w, Concurrency: map[string]int{}}, lease); !errors.Is(err, postgres.ErrWorkerKnown) {
		t.Errorf("two workers could have one id: %v", err)
	}
	if err := b.Register(b.ctx, postgres.Worker{ID: w, Host: "h", PID: 1, Version: "v", Concurrency: map[string]int{}}, lease); err != nil {
		t.Errorf("the process whose answer was lost can't register again: %v", err)
	}
	if held, _, err := b.Beat(b.ctx, w, lease); err != nil || held != nil {
		t.Errorf("an idle worker's beat gave %v, %v", held, err)
	}
	if _, _, err := b.Beat(b.ctx, uuid.NewString(), lease); !errors.Is(err, postgres.ErrWorkerGone) {
		t.Errorf("an unknown worker's beat gave %v", err)
	}
	b.must(b.Stopping(b.ctx, w))
	list, err := b.Workers(b.ctx)
	b.must(err)
	if len(list) != 1 || !list[0].Alive || list[0].StoppingAt == nil || list[0].Concurrency["test-noop"] != 1 {
		t.Errorf("the workers are %+v", list)
	}
	b.must(b.Deregister(b.ctx, w))
	if _, _, err := b.Beat(b.ctx, w, lease); !errors.Is(err, postgres.ErrWorkerGone) {
		t.Errorf("the beat of a worker that has left gave %v", err)
	}
	if list, err = b.Workers(b.ctx); err != nil || len(list) != 0 {
		t.Errorf("the workers are %+v, %v", list, err)
	}
}

// Another orchestrator may have enqueued it between the look and the verdict.
func TestExpireLooksAgain(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	e := b.accept()
	b.exec(`UPDATE ciclo.executions SET river_job_id = NULL, next_attempt_at = now(), deadline_at = now() WHERE id = $1`, e.ID)
	seen, err := b.Sweep(b.ctx, lease, "")
	b.must(err)
	if len(seen.Overdue) != 1 {
		t.Fatalf("overdue: %v", seen.Overdue)
	}
	_, err = b.Enqueue(b.ctx)
	b.must(err)
	if to, err := b.Expire(b.ctx, seen.Overdue[0]); to != "" || err != nil {
		t.Errorf("expired although it has another River row by now: %q, %v", to, err)
	}
	seen, err = b.Sweep(b.ctx, lease, "")
	b.must(err)
	if to, err := b.Expire(b.ctx, seen.Overdue[0]); to != execution.Failed || err != nil {
		t.Errorf("not expired: %q, %v", to, err)
	}
	if got := b.get(e.ID); got.Status != execution.Failed || got.Error.Class != execution.ClassDeadline {
		t.Errorf("ended as %+v", got)
	}
	if s := b.jobState(b.lastJob(e.ID)); s != "cancelled" {
		t.Errorf("its River row is %s", s)
	}
}
