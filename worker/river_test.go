package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"riverqueue.com/riverui"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/queue"
)

// riverAPI is River UI's own API, as it is where nothing stands before it.
func (r *rig) riverAPI() (change func(method, path, body string)) {
	r.t.Helper()
	log := slog.New(slog.DiscardHandler)
	client, err := river.NewClient(riverpgxv5.New(r.pool), &river.Config{Schema: queue.Schema, Logger: log})
	if err != nil {
		r.t.Fatal(err)
	}
	handler, err := riverui.NewHandler(&riverui.HandlerOpts{Endpoints: riverui.NewEndpoints(client, nil), Logger: log, Prefix: "/river"})
	if err != nil {
		r.t.Fatal(err)
	}
	return func(method, path, body string) {
		r.t.Helper()
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequestWithContext(r.t.Context(), method, "/river/api"+path, strings.NewReader(body)))
		if answer.Code != http.StatusOK {
			r.t.Fatalf("%s %s %s: %d %s", method, path, body, answer.Code, answer.Body)
		}
	}
}

// rowOf is the River row that an execution was given last.
func (r *rig) rowOf(id string) (job int64, state string) {
	r.t.Helper()
	if err := r.pool.QueryRow(context.Background(), `SELECT id, state FROM ciclo.river_job WHERE args->>'execution_id' = $1 ORDER BY id DESC LIMIT 1`, id).Scan(&job, &state); err != nil {
		r.t.Fatal(err)
	}
	return job, state
}

// mend lets the reaper's loop look for executions that the queue lost, until one is mended.
func (r *rig) mend(id string) {
	r.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		sweep, err := r.Sweep(context.Background(), time.Millisecond, "")
		if err != nil {
			r.t.Fatal(err)
		}
		for _, stray := range sweep.Strays {
			mended, err := r.Reconcile(context.Background(), stray, time.Millisecond)
			if err != nil {
				r.t.Fatal(err)
			}
			if mended && stray.ID == id {
				return
			}
		}
	}
	r.t.Fatalf("%s is not mended", id)
}

// What River UI can do to rows breaks nothing, but does not do what it seems to do
// either: docs/decisions/0026-river-ui.md rests on it.
func TestWhatRiverUICanDoToRows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	change := r.riverAPI()
	ids := func(job int64) string { return fmt.Sprintf(`{"ids": ["%d"]}`, job) }

	// Rows that wait, deleted or cancelled, are given back by the reconciler.
	deleted, cancelled := r.accept("test-noop", ""), r.accept("test-noop", "")
	job, _ := r.rowOf(deleted)
	change("POST", "/jobs/delete", ids(job))
	r.mend(deleted)
	job, _ = r.rowOf(cancelled)
	change("POST", "/jobs/cancel", ids(job))
	r.mend(cancelled)
	r.start(nil)
	for _, id := range []string{deleted, cancelled} {
		if e := r.await(id, final); e.Status != execution.Completed || e.Failures != 0 {
			t.Errorf("mended it ended as %+v", e)
		}
	}

	// The row of what has ended, run again, is a stale delivery.
	before := r.await(deleted, final)
	job, _ = r.rowOf(deleted)
	change("POST", "/jobs/retry", ids(job))
	for state := ""; state != "completed"; _, state = r.rowOf(deleted) {
		time.Sleep(20 * time.Millisecond)
	}
	if e := r.await(deleted, final); e.Attempt != before.Attempt || !e.EndedAt.Equal(*before.EndedAt) {
		t.Errorf("retried by River it is %+v, before %+v", e, before)
	}

	// The row of what runs, cancelled: the attempt is lost, and the execution goes on.
	slow := r.accept("test-slow", `{"millis": 60000}`)
	r.await(slow, status(execution.Running))
	job, _ = r.rowOf(slow)
	change("POST", "/jobs/cancel", ids(job))
	e := r.await(slow, func(e execution.Execution) bool { return e.Attempt > 1 && e.Status == execution.Running })
	if e.CancelRequestedAt != nil {
		t.Errorf("cancelled by River it is %+v", e)
	}
	if _, err := r.Cancel(t.Context(), slow); err != nil {
		t.Fatal(err)
	}
	r.await(slow, status(execution.Cancelled))

	// A queue that River pauses holds executions back, and Ciclo knows no reason.
	change("PUT", "/queues/test-noop/pause", "")
	time.Sleep(2 * time.Second) // workers hear of it, or look within a second
	held := r.accept("test-noop", "")
	time.Sleep(2 * time.Second)
	if e, _, err := r.Get(t.Context(), held); err != nil || e.Status != execution.Started {
		t.Errorf("in a paused queue it is %+v, %v", e, err)
	}
	change("PUT", "/queues/test-noop/resume", "")
	if e := r.await(held, final); e.Status != execution.Completed {
		t.Errorf("after the pause it ended as %+v", e)
	}
}
