package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/worker"
)

// seen tells the parameters that it was given.
type seen chan string

func (s seen) Run(ctx context.Context, task *agents.Task) (agents.Result, error) {
	select {
	case s <- string(task.Parameters):
	case <-ctx.Done():
	}
	return struct{}{}, ctx.Err()
}

// version is the worker of a version whose manifest of agent "changing" has these
// parameters.
func version(t *testing.T, properties string, agent agents.Agent, foreignFor time.Duration) func(*worker.Config) {
	t.Helper()
	m, err := agents.ParseManifest(fmt.Appendf(nil, `{
		"name": "changing", "title": "c", "description": "c", "id_prefix": "c_", "timeout_seconds": 1, "tries": 1, "concurrency": 3, "priority": 2, "effects": "none",
		"parameters": {"type": "object", "additionalProperties": false, "properties": %s}}`, properties))
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := agents.NewCatalogue(m)
	if err != nil {
		t.Fatal(err)
	}
	return func(cfg *worker.Config) {
		cfg.Catalogue, cfg.Agents, cfg.ForeignFor = catalogue, map[string]agents.Agent{"changing": agent}, foreignFor
	}
}

// acceptOld accepts an execution as another version's orchestrator did.
func (r *rig) acceptOld(parameters string) string {
	r.t.Helper()
	e, err := r.Accept(context.Background(), postgres.Acceptance{
		Agent: "changing", IDPrefix: "c_", Parameters: json.RawMessage(parameters), Tries: 3, TimeoutSeconds: 77, Priority: 1, Reason: "test",
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return e.ID
}

// What was queued before a deploy runs with the parameters that it was accepted with,
// what is new has its default, and timeout, tries and priority stay.
func TestWhatWasQueuedBeforeTheManifestChanged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	given := make(seen, 3)
	id := r.acceptOld(`{"days": 7}`)
	r.start(version(t, `{"days": {"type": "integer", "maximum": 10}, "depth": {"type": "integer", "default": 3}}`, given, 0))
	if got := <-given; got != `{"days":7,"depth":3}` {
		t.Errorf("the agent was given %s", got)
	}
	if e := r.await(id, final); e.Status != execution.Completed || e.Tries != 3 || string(e.Parameters) != `{"days": 7}` {
		t.Errorf("ended as %+v with %s", e, e.Parameters)
	}
	var timeout, priority int
	if err := r.pool.QueryRow(t.Context(), `SELECT timeout_seconds, priority FROM ciclo.executions WHERE id = $1`, id).Scan(&timeout, &priority); err != nil || timeout != 77 || priority != 1 {
		t.Errorf("timeout %d, priority %d, %v", timeout, priority, err)
	}
}

// What a stricter version refuses fails for good, with what is wrong, and never comes
// to the agent.
func TestParametersThatAreRefusedByNow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	given := make(seen, 3)
	ids := map[string]string{"days: maximum": r.acceptOld(`{"days": 90}`), "additional properties 'gone' not allowed": r.acceptOld(`{"gone": true}`)}
	r.start(version(t, `{"days": {"type": "integer", "maximum": 10}}`, given, time.Nanosecond))
	for why, id := range ids {
		e := r.await(id, final)
		if e.Status != execution.Failed || e.Attempt != 1 || e.Error == nil || e.Error.Class != execution.ClassPermanent ||
			!strings.Contains(e.Error.Text, why) || !strings.Contains(e.Error.Text, "another version") {
			t.Errorf("%s: %+v, %+v", why, e, e.Error)
		}
	}
	if len(given) != 0 {
		t.Errorf("the agent was given %s", <-given)
	}
}

// While a deploy goes on, what the new version accepted and the old one refuses is
// left to a worker of the new one, at no cost in tries.
func TestParametersOfANewerVersion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	given := make(seen, 3)
	_, stopOld := r.start(version(t, `{}`, given, time.Hour))
	id := r.acceptOld(`{"depth": 3}`)
	e := r.await(id, func(e execution.Execution) bool { return e.Status == execution.Started && e.NextAttemptAt != nil })
	if e.Failures != 0 || e.Attempt != 1 || e.Error == nil || !strings.Contains(e.Error.Text, "depth") {
		t.Errorf("left as %+v, %+v", e, e.Error)
	}
	if err := stopOld(); err != nil {
		t.Fatal(err)
	}
	r.start(version(t, `{"depth": {"type": "integer", "default": 1}}`, given, time.Hour))
	if _, err := r.pool.Exec(t.Context(), `UPDATE ciclo.executions SET next_attempt_at = now() WHERE id = $1`, id); err != nil {
		t.Fatal(err)
	}
	if e := r.await(id, final); e.Status != execution.Completed || e.Failures != 0 || e.Attempt != 2 || <-given != `{"depth":3}` {
		t.Errorf("ended as %+v", e)
	}

	// Asked to be cancelled, it is not left to anybody.
	cancelled := r.acceptOld(`{"gone": 1}`)
	r.await(cancelled, func(e execution.Execution) bool { return e.Status == execution.Started && e.NextAttemptAt != nil })
	if _, err := r.Cancel(t.Context(), cancelled); err != nil {
		t.Fatal(err)
	}
	if e := r.await(cancelled, final); e.Status != execution.Cancelled {
		t.Errorf("ended as %+v", e)
	}
}
