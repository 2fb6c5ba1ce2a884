package postgres_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/postgres"
)

func TestStepsAfter(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	skip, want := map[string]int{"nobody": 0}, map[string][]string{}
	for i, known := range []int{0, 1, 2, 3, 9} {
		a := b.run(b.accept().ID, w)
		for _, name := range []string{"first", "then", "last"} {
			b.must(b.RecordStep(b.ctx, a, name, time.Now(), false, false, func(pgx.Tx) (json.RawMessage, error) { return json.RawMessage(`1`), nil }))
		}
		skip[a.Execution.ID] = known
		if i < 3 {
			want[a.Execution.ID] = []string{"first", "then", "last"}[known:]
		}
	}
	all, err := b.StepsAfter(b.ctx, skip)
	b.must(err)
	got := map[string][]string{}
	for id, steps := range all {
		for _, s := range steps {
			got[id] = append(got[id], s.Name)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("steps %v, want %v", got, want)
	}
	if none, err := b.Steps(b.ctx, b.accept().ID); err != nil || none == nil || len(none) > 0 {
		t.Errorf("of one without steps: %v, %v", none, err)
	}
}

func TestStepDurations(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	// history inserts executions that ended so long ago, with steps that took 1, 2 …
	// times so many milliseconds.
	history := func(agent, status, from string, ago time.Duration, executions, steps int, millis float64) {
		b.exec(`
			WITH e AS (
				INSERT INTO ciclo.executions (id, agent, status, attempt, tries, timeout_seconds, running_at, ended_at, result, error_class, error_text)
				SELECT $3 || n, $1, $2, 1, 3, 60, now(), now() - $4::interval,
				       CASE $2 WHEN 'completed' THEN '{}'::jsonb END, CASE $2 WHEN 'failed' THEN 'error' END, CASE $2 WHEN 'failed' THEN 'e' END
				FROM generate_series(1, $5::int) n RETURNING id
			)
			INSERT INTO ciclo.steps (execution_id, name, attempt, worker_id, output, started_at, ended_at)
			SELECT id, 'step ' || n, 1, gen_random_uuid(), '1', now() - n * $7::float8 * interval '1 millisecond', now() FROM e, generate_series(1, $6::int) n`,
			agent, status, from, ago, executions, steps, millis)
	}
	want := func(what string, want postgres.StepDurations) {
		t.Helper()
		got, err := b.StepDurations(b.ctx, "test-steps")
		b.must(err)
		got.P99 = got.P99.Round(time.Millisecond)
		if got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	want("no steps", postgres.StepDurations{})
	history("test-noop", "completed", "noop_", time.Minute, 1, 10, 1000)
	history("test-steps", "failed", "steps_failed_", time.Minute, 1, 10, 1000)
	want("another agent's, and a failed execution's", postgres.StepDurations{})
	history("test-steps", "completed", "steps_skewed_", time.Hour, 1, 1, -5000)
	want("a worker whose clock is ahead", postgres.StepDurations{Steps: 1})
	history("test-steps", "completed", "steps_old_", time.Minute, 2, 1000, 60_000)
	history("test-steps", "completed", "steps_new_", time.Second, 10, 101, 10)
	want("the last thousand of more", postgres.StepDurations{Steps: 1000, P99: time.Second})
	history("test-steps", "completed", "steps_none_", 0, 1000, 0, 0)
	want("the last thousand executions had no steps", postgres.StepDurations{})
}
