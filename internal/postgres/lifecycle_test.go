package postgres_test

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

func TestLifeOfAnExecution(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	e := b.accept()
	if e.Status != execution.Started || e.Attempt != 0 || string(e.Parameters) != `{"n": 1}` {
		t.Errorf("accepted as %+v", e)
	}
	a := b.run(e.ID, w)
	if a.Execution.Status != execution.Running || a.Execution.Attempt != 1 || *a.Execution.WorkerID != w || a.Timeout != time.Minute {
		t.Errorf("claimed as %+v", a)
	}
	b.must(b.SaveProgress(b.ctx, a, execution.Progress{Done: 1, Total: 2, Text: "half\x00way"}))
	if p := b.get(e.ID).Progress; p == nil || p.Done != 1 || p.Total != 2 || p.Text != "half�way" {
		t.Errorf("progress is %+v", p)
	}
	b.must(b.complete(a, `{"answer": 42}`))

	got := b.get(e.ID)
	if got.Status != execution.Completed || string(got.Result) != `{"answer": 42}` || got.WorkerID != nil || got.EndedAt == nil || *got.DurationSeconds < 0 {
		t.Errorf("completed as %+v", got)
	}
	if want, path := ">started@0 started>running@1 running>completed@1 ", b.path(e.ID); path != want {
		t.Errorf("path %q, want %q", path, want)
	}
	if n := b.count(`SELECT count(*) FROM ciclo.river_job WHERE state <> 'completed'`); n != 0 {
		t.Errorf("%d River rows are not completed", n)
	}
}

func TestClaimRefusesStaleDeliveries(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	for name, prepare := range map[string]func(id string) (worker string, job int64){
		"a row that the execution does not name": func(id string) (string, int64) { return w, b.fetch(id).JobID + 1000 },
		"an unknown execution": func(id string) (string, int64) {
			j := b.fetch(id).JobID
			b.exec(`ALTER TABLE ciclo.executions DISABLE TRIGGER executions_stay; ALTER TABLE ciclo.transitions DISABLE TRIGGER transitions_stay`)
			b.exec(`DELETE FROM ciclo.executions WHERE id = $1`, id)
			return w, j
		},
		"an unknown worker": func(id string) (string, int64) { return uuid.NewString(), b.fetch(id).JobID },
		"a worker that has left": func(id string) (string, int64) {
			gone := b.worker()
			b.must(b.Deregister(b.ctx, gone))
			return gone, b.fetch(id).JobID
		},
		"a cancelled execution": func(id string) (string, int64) {
			j := b.fetch(id).JobID
			_, err := b.Cancel(b.ctx, id)
			b.must(err)
			return w, j
		},
		"an execution that runs already": func(id string) (string, int64) { return w, b.jobID(b.run(id, w)) },
		"a row from before a retry's due time": func(id string) (string, int64) {
			a := b.run(id, w)
			b.failed(a, postgres.Failure{Class: "error", Text: "no", RetryIn: time.Hour})
			return w, b.lastJob(id)
		},
	} {
		e := b.accept()
		worker, job := prepare(e.ID)
		before := b.count(`SELECT count(*) FROM ciclo.transitions`)
		if _, err := b.claim(postgres.Delivery{ExecutionID: e.ID, JobID: job}, worker); !errors.Is(err, execution.ErrStale) {
			t.Errorf("%s: claim gave %v, want ErrStale", name, err)
		}
		if after := b.count(`SELECT count(*) FROM ciclo.transitions`); after != before {
			t.Errorf("%s: a refused claim wrote %d transitions", name, after-before)
		}
	}
}

// jobID is the River row of an attempt.
func (b *bundle) jobID(a *postgres.Attempt) int64 { return b.lastJob(a.Execution.ID) }

// lastJob is the youngest River row of an execution, whatever its state.
func (b *bundle) lastJob(id string) (job int64) {
	b.t.Helper()
	b.scan([]any{&job}, `SELECT max(id) FROM ciclo.river_job WHERE args->>'execution_id' = $1`, id)
	return job
}

func TestClaimRenewsAnExpiredLease(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	b.expire(w)
	b.run(b.accept().ID, w)
	if n := b.count(`SELECT count(*) FROM ciclo.workers WHERE id = $1 AND lease_until > now() + interval '9 seconds'`, w); n != 1 {
		t.Error("the claim left the lease expired")
	}
	if s := b.sweepAll(); len(s.Lost) != 0 {
		t.Errorf("a fresh attempt is taken for lost: %v", s.Lost)
	}
}

func TestOneOfManyClaimsWins(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	e := b.accept()
	job := b.fetch(e.ID)
	var mu sync.Mutex
	var wg sync.WaitGroup
	won := 0
	for range 8 {
		w := b.worker()
		wg.Go(func() {
			_, err := b.claim(job, w)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, execution.ErrStale) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := b.get(e.ID); won != 1 || got.Attempt != 1 {
		t.Errorf("%d claims won and the attempt is %d, want 1 and 1", won, got.Attempt)
	}
}

func TestFailing(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	for name, c := range map[string]struct {
		failures    int // before
		cancel      bool
		failure     postgres.Failure
		status      execution.Status
		willBeTried bool
	}{
		"the first failure is tried again":          {failure: postgres.Failure{Class: "error", Text: "no", RetryIn: time.Hour}, status: execution.Started, willBeTried: true},
		"the last try fails the execution":          {failures: 1, failure: postgres.Failure{Class: "error", Text: "no"}, status: execution.Failed},
		"a permanent failure fails it at once":      {failure: postgres.Failure{Class: "permanent", Text: "no", Permanent: true}, status: execution.Failed},
		"asked to cancel means cancelled":           {cancel: true, failure: postgres.Failure{Class: "error", Text: "no"}, status: execution.Cancelled},
		"asked to cancel wins over the last try":    {failures: 1, cancel: true, failure: postgres.Failure{Class: "error", Text: "no"}, status: execution.Cancelled},
		"a text that Postgres can't hold is mended": {failures: 1, failure: postgres.Failure{Class: "error", Text: "a\x00b\xff"}, status: execution.Failed},
	} {
		e := b.accept()
		for range c.failures {
			b.failed(b.run(e.ID, w), postgres.Failure{Class: "error", Text: "before"})
			_, err := b.Enqueue(b.ctx)
			b.must(err)
		}
		a := b.run(e.ID, w)
		if c.cancel {
			_, err := b.Cancel(b.ctx, e.ID)
			b.must(err)
		}
		b.failed(a, c.failure)
		got := b.get(e.ID)
		if got.Status != c.status || got.Failures != c.failures+1 || (got.NextAttemptAt != nil) != c.willBeTried || got.WorkerID != nil || got.Error == nil {
			t.Errorf("%s: got %+v, error %+v", name, got, got.Error)
		}
		if n := b.count(`SELECT count(*) FROM ciclo.river_job WHERE args->>'execution_id' = $1 AND state <> 'completed'`, e.ID); n != 0 {
			t.Errorf("%s: %d River rows are not completed", name, n)
		}
		// Written twice, the second is refused: nothing is counted twice.
		if _, err := b.Fail(b.ctx, a, c.failure); !errors.Is(err, execution.ErrStale) {
			t.Errorf("%s: the second write gave %v", name, err)
		}
		if again := b.get(e.ID); again.Failures != got.Failures {
			t.Errorf("%s: one failure was counted %d times", name, again.Failures)
		}
	}
}

func TestARetryStartsNotBeforeItsTime(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	e := b.accept()
	b.failed(b.run(e.ID, w), postgres.Failure{Class: "error", Text: "no", RetryIn: time.Hour})
	b.sweepAll()
	if got := b.get(e.ID); got.NextAttemptAt == nil {
		t.Fatal("an execution was enqueued an hour early")
	}
	b.exec(`UPDATE ciclo.executions SET next_attempt_at = now() WHERE id = $1`, e.ID)
	b.sweepAll()
	b.must(b.complete(b.run(e.ID, w), `{}`))
	if want, path := ">started@0 started>running@1 running>started@1 started>running@2 running>completed@2 ", b.path(e.ID); path != want {
		t.Errorf("path %q, want %q", path, want)
	}
	if got := b.get(e.ID); got.Error != nil {
		t.Errorf("a completed execution shows the error %+v of an earlier attempt", got.Error)
	}
}

func TestInterrupting(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	e := b.accept()
	a := b.run(e.ID, w)
	b.must(b.Interrupt(b.ctx, a))
	got := b.get(e.ID)
	if got.Status != execution.Started || got.Failures != 0 || got.NextAttemptAt != nil {
		t.Errorf("interrupted as %+v", got)
	}
	b.must(b.complete(b.run(e.ID, b.worker()), `{}`))

	e = b.accept()
	a = b.run(e.ID, w)
	_, err := b.Cancel(b.ctx, e.ID)
	b.must(err)
	b.must(b.Interrupt(b.ctx, a))
	if got := b.get(e.ID); got.Status != execution.Cancelled {
		t.Errorf("asked to cancel and interrupted, it is %s", got.Status)
	}
	if n := b.count(`SELECT count(*) FROM ciclo.river_job WHERE state = 'available'`); n != 0 {
		t.Errorf("%d River rows wait for nothing", n)
	}
}

// A superseded attempt changes nothing, whatever it writes.
func TestTheFence(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for name, supersede := range map[string]func(id string, a *postgres.Attempt){
		"reaped": func(string, *postgres.Attempt) { b.sweepAll() },
		"reaped and run by another": func(id string, _ *postgres.Attempt) {
			b.sweepAll()
			b.run(id, b.worker())
		},
		"interrupted": func(_ string, a *postgres.Attempt) { b.must(b.Interrupt(b.ctx, a)) },
		"interrupted and run again by the same worker": func(id string, a *postgres.Attempt) {
			b.must(b.Interrupt(b.ctx, a))
			b.run(id, a.WorkerID)
		},
		"completed": func(_ string, a *postgres.Attempt) { b.must(b.complete(a, `{}`)) },
	} {
		w := b.worker()
		e := b.accept()
		a := b.run(e.ID, w)
		b.expire(w)
		supersede(e.ID, a)
		before, path := b.get(e.ID), b.path(e.ID)
		for what, write := range map[string]func() error{
			"complete": func() error { return b.complete(a, `{"stale": true}`) },
			"fail": func() error {
				_, err := b.Fail(b.ctx, a, postgres.Failure{Class: "error", Text: "stale"})
				return err
			},
			"interrupt": func() error { return b.Interrupt(b.ctx, a) },
			"cancelled": func() error { return b.Cancelled(b.ctx, a) },
			"progress":  func() error { return b.SaveProgress(b.ctx, a, execution.Progress{Text: "stale"}) },
			"step": func() error {
				return b.RecordStep(b.ctx, a, "stale", time.Now(), false, false, func(tx pgx.Tx) (json.RawMessage, error) {
					_, err := tx.Exec(b.ctx, `INSERT INTO crm.practice_types VALUES ('stale', 'stale')`)
					return json.RawMessage(`1`), err
				})
			},
			"give back": func() error {
				_, err := b.GiveBack(b.ctx, w, postgres.Held{ExecutionID: e.ID, Attempt: a.Execution.Attempt})
				return err
			},
		} {
			if err := write(); !errors.Is(err, execution.ErrStale) {
				t.Errorf("%s: %s gave %v, want ErrStale", name, what, err)
			}
		}
		if after := b.get(e.ID); cmp.Diff(before, after) != "" || b.path(e.ID) != path {
			t.Errorf("%s: a superseded attempt changed the execution: %s", name, cmp.Diff(before, after))
		}
		if n := b.count(`SELECT count(*) FROM crm.practice_types`) + b.count(`SELECT count(*) FROM ciclo.steps`); n != 0 {
			t.Errorf("%s: a superseded attempt's step wrote %d rows", name, n)
		}
	}
}

func TestSteps(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	e := b.accept()
	a := b.run(e.ID, w)
	if output, err := b.StepOutput(b.ctx, a, "one"); output != nil || err != nil {
		t.Fatalf("an unfinished step has the output %s, %v", output, err)
	}
	b.must(b.RecordStep(b.ctx, a, "one", time.Now(), false, false, func(pgx.Tx) (json.RawMessage, error) { return json.RawMessage(`{"n": 1}`), nil }))
	failed := errors.New("no")
	err := b.RecordStep(b.ctx, a, "two", time.Now(), false, false, func(tx pgx.Tx) (json.RawMessage, error) {
		if _, err := tx.Exec(b.ctx, `INSERT INTO crm.practice_types VALUES ('x', 'x')`); err != nil {
			return nil, err
		}
		return nil, failed
	})
	if !errors.Is(err, failed) || b.count(`SELECT count(*) FROM crm.practice_types`) != 0 {
		t.Errorf("a failing step gave %v and left rows", err)
	}
	b.must(b.Interrupt(b.ctx, a))
	later := b.run(e.ID, b.worker())
	if output, err := b.StepOutput(b.ctx, later, "one"); string(output) != `{"n": 1}` || err != nil {
		t.Errorf("a later attempt got the output %s, %v", output, err)
	}
	if err := b.RecordStep(b.ctx, later, "one", time.Now(), false, false, func(pgx.Tx) (json.RawMessage, error) { return json.RawMessage(`2`), nil }); !postgres.Refused(err) {
		t.Errorf("a finished step was stored once more: %v", err)
	}
}

func TestCancelling(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()

	waiting := b.accept()
	job := b.lastJob(waiting.ID)
	for range 2 { // asking twice is as asking once
		e, err := b.Cancel(b.ctx, waiting.ID)
		b.must(err)
		if e.Status != execution.Cancelled || e.Attempt != 0 {
			t.Errorf("a waiting execution became %+v", e)
		}
	}
	if want, path := ">started@0 started>cancelled@0 ", b.path(waiting.ID); path != want {
		t.Errorf("path %q, want %q", path, want)
	}
	if s := b.jobState(job); s != "cancelled" {
		t.Errorf("its River row is %s", s)
	}

	running := b.accept()
	a := b.run(running.ID, w)
	e, err := b.Cancel(b.ctx, running.ID)
	b.must(err)
	if e.Status != execution.Running || e.CancelRequestedAt == nil {
		t.Errorf("a running execution became %+v", e)
	}
	held, _, err := b.Beat(b.ctx, w, lease)
	b.must(err)
	if want := []postgres.Held{{ExecutionID: running.ID, Agent: running.Agent, Attempt: 1, CancelRequested: true}}; cmp.Diff(want, held) != "" {
		t.Errorf("the beat says %s", cmp.Diff(want, held))
	}
	b.must(b.Cancelled(b.ctx, a))

	retrying := b.accept()
	b.failed(b.run(retrying.ID, w), postgres.Failure{Class: "error", Text: "no", RetryIn: time.Hour})
	if e, err = b.Cancel(b.ctx, retrying.ID); err != nil || e.Status != execution.Cancelled || e.NextAttemptAt != nil {
		t.Errorf("an execution between attempts became %+v, %v", e, err)
	}

	done := b.accept()
	b.must(b.complete(b.run(done.ID, w), `{}`))
	if _, err := b.Cancel(b.ctx, done.ID); !errors.Is(err, execution.ErrFinal) {
		t.Errorf("cancelling a completed execution gave %v", err)
	}
	for _, id := range []string{"", "noop_", execution.NewID("noop_", time.Now()), "'; DROP TABLE x; --"} {
		if _, err := b.Cancel(b.ctx, id); !errors.Is(err, execution.ErrNotFound) {
			t.Errorf("cancelling %q gave %v", id, err)
		}
	}
	asked := b.accept()
	a = b.run(asked.ID, w)
	if err := b.Cancelled(b.ctx, a); !errors.Is(err, execution.ErrStale) {
		t.Errorf("an attempt could call itself cancelled without having been asked: %v", err)
	}
}

func TestGetAllAnswersInTheOrderAsked(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	ran, waiting := b.accept(), b.accept()
	b.must(b.complete(b.run(ran.ID, w), `{"answer": 42}`))
	asked := []string{waiting.ID, ran.ID, "noop_missing", "not an id; ' \x00", ran.ID}
	found, err := b.GetAll(b.ctx, asked)
	b.must(err)
	if len(found) != len(asked) || found[2] != nil || found[3] != nil {
		t.Fatalf("found %+v", found)
	}
	for i, transitions := range map[int]int{0: 1, 1: 3, 4: 3} { // one that two ask for is told to both, once
		f := found[i]
		if f == nil || f.Execution.ID != asked[i] || len(f.Transitions) != transitions {
			t.Errorf("%s: found %+v", asked[i], f)
			continue
		}
		if last := f.Transitions[transitions-1]; last.To != f.Execution.Status {
			t.Errorf("%s is %s, its last transition to %s", asked[i], f.Execution.Status, last.To)
		}
	}
	if string(found[4].Execution.Result) != `{"answer": 42}` {
		t.Errorf("its result is %s", found[4].Execution.Result)
	}
}
