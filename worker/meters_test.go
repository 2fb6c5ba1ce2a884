package worker_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/metrics"
	"github.com/nuzantara/ciclo/worker"
)

// counted is what a registry holds under a name, by the values of its labels; of a
// histogram it is the count. What is 0 is left out.
func counted(t *testing.T, registry *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			var labels []string
			for _, label := range m.GetLabel() {
				labels = append(labels, label.GetValue())
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			if value != 0 {
				found[strings.Join(labels, " ")] = value
			}
		}
	}
	return found
}

func holds(t *testing.T, registry *prometheus.Registry, name string, want map[string]float64) {
	t.Helper()
	if got := counted(t, registry, name); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s is %v, want %v", name, got, want)
	}
}

// However an attempt ends, it is counted once, as what the transitions say of it.
func TestWhatAWorkerCounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	registry := metrics.New("worker", "test")
	_, stop := r.start(func(c *worker.Config) { c.Metrics = registry })
	r.await(r.accept("test-noop", ""), final)
	r.await(r.accept("test-fail", `{"how": "permanent"}`), final)
	r.await(r.accept("test-fail", `{"how": "not-json"}`), final)
	cancelled := r.accept("test-slow", `{"millis": 60000}`)
	r.await(cancelled, status(execution.Running))
	if _, err := r.Cancel(context.Background(), cancelled); err != nil {
		t.Fatal(err)
	}
	r.await(cancelled, final)
	interrupted := r.accept("test-steps", `{"steps": 100, "millis": 200}`)
	r.await(interrupted, status(execution.Running))
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	holds(t, registry, "ciclo_attempts_started_total", map[string]float64{"test-noop": 1, "test-fail": 2, "test-slow": 1, "test-steps": 1})
	holds(t, registry, "ciclo_attempts_ended_total", map[string]float64{"test-noop completed": 1, "test-fail failed": 2, "test-slow cancelled": 1, "test-steps interrupted": 1})
	holds(t, registry, "ciclo_attempt_duration_seconds", counted(t, registry, "ciclo_attempts_ended_total"))
	holds(t, registry, "ciclo_attempt_failures_total", map[string]float64{"test-fail permanent": 2})
	holds(t, registry, "ciclo_execution_duration_seconds", map[string]float64{"test-noop completed": 1, "test-fail failed": 2, "test-slow cancelled": 1})
	holds(t, registry, "ciclo_attempts_running", map[string]float64{})
	holds(t, registry, "ciclo_stale_writes_refused_total", map[string]float64{})

	written := map[string]float64{}
	rows, err := r.pool.Query(context.Background(), `
		SELECT e.agent || ' ' || t.to_status, count(*)::float8 FROM ciclo.transitions t JOIN ciclo.executions e ON e.id = t.execution_id
		WHERE t.worker_id IS NOT NULL GROUP BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var what string
		var n float64
		if err := rows.Scan(&what, &n); err != nil {
			t.Fatal(err)
		}
		written[what] = n
	}
	if err := rows.Err(); err != nil || len(written) < 8 {
		t.Fatalf("transitions: %v, %v", written, err)
	}
	holds(t, registry, "ciclo_transitions_total", written)
}

// What the fence refuses is counted, and the attempt isn't taken for one that ended.
func TestARefusedLastWordIsCounted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	registry := metrics.New("worker", "test")
	id, _ := r.start(func(c *worker.Config) { c.Metrics, c.Lease, c.Beat = registry, time.Minute, 30*time.Second })
	execID := r.accept("test-slow", `{"millis": 3000, "stubborn": true}`)
	r.await(execID, status(execution.Running))
	ctx := context.Background()
	if _, err := r.pool.Exec(ctx, `UPDATE ciclo.workers SET lease_until = now() - interval '1 second' WHERE id = $1`, id); err != nil {
		t.Fatal(err)
	}
	sweep, err := r.Sweep(ctx, time.Second, "")
	if err != nil || len(sweep.Lost) != 1 {
		t.Fatalf("the sweep found %+v, %v", sweep, err)
	}
	if to, err := r.Reap(ctx, sweep.Lost[0], func() bool { return true }); to != execution.Started || err != nil {
		t.Fatalf("reaped to %q, %v", to, err)
	}
	for deadline := time.Now().Add(time.Minute); len(counted(t, registry, "ciclo_attempt_duration_seconds")) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the attempt doesn't end")
		}
		time.Sleep(20 * time.Millisecond)
	}
	holds(t, registry, "ciclo_attempts_ended_total", map[string]float64{"test-slow unwritten": 1})
	refused := counted(t, registry, "ciclo_stale_writes_refused_total")
	if refused["test-slow last_word"]+refused["test-slow progress"] < 1 {
		t.Errorf("what was refused is %v", refused)
	}
	holds(t, registry, "ciclo_transitions_total", map[string]float64{"test-slow running": 1})
	holds(t, registry, "ciclo_execution_duration_seconds", map[string]float64{})
}
