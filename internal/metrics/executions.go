package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// durations are the buckets of what agents take, in seconds: from a no-op to the
// longest timeout.
var durations = []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400}

// Durations are the buckets of what agents take, in seconds.
func Durations() []float64 { return append([]float64(nil), durations...) }

// Executions counts what a process writes of executions. Each move is written by
// one process, whichever it is: sums over all processes are the system's.
type Executions struct {
	transitions, attempts *prometheus.CounterVec
	durations             *prometheus.HistogramVec
}

// NewExecutions registers the counters. Those of the agents named begin at 0, for
// Prometheus sees no increase in a series whose first value is 1: those of the
// statuses and outcomes that the process writes.
func NewExecutions(registry prometheus.Registerer, agents, statuses, outcomes []string) *Executions {
	with := promauto.With(registry)
	e := &Executions{
		transitions: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_transitions_total", Help: "Transitions that this process wrote, by the status that they led to.",
		}, []string{"agent", "status"}),
		attempts: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_attempts_ended_total", Help: "Attempts whose end this process wrote, by how they ended.",
		}, []string{"agent", "outcome"}),
		durations: with.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ciclo_execution_duration_seconds", Help: "From the acceptance of an execution to its end, of the ends that this process wrote.", Buckets: Durations(),
		}, []string{"agent", "status"}),
	}
	for _, agent := range agents {
		for _, status := range statuses {
			e.transitions.WithLabelValues(agent, status)
		}
		for _, outcome := range outcomes {
			e.attempts.WithLabelValues(agent, outcome)
		}
	}
	return e
}

// Moved counts a transition.
func (e *Executions) Moved(agent, status string) {
	e.transitions.WithLabelValues(agent, status).Inc()
}

// MovedAll counts n transitions of a kind.
func (e *Executions) MovedAll(agent, status string, n int) {
	e.transitions.WithLabelValues(agent, status).Add(float64(n))
}

// Ended notes how long an execution took that has ended; its transition is counted
// by Moved.
func (e *Executions) Ended(agent, status string, took time.Duration) {
	e.durations.WithLabelValues(agent, status).Observe(max(took, 0).Seconds())
}

// Attempt counts the end of an attempt.
func (e *Executions) Attempt(agent, outcome string) {
	e.attempts.WithLabelValues(agent, outcome).Inc()
}
