package worker

import (
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/metrics"
)

// meters count what this worker does. No label has a value that an agent chose:
// classes of errors that are an agent's own show as other.
type meters struct {
	executions *metrics.Executions
	started    *prometheus.CounterVec
	took       *prometheus.HistogramVec
	running    *prometheus.GaugeVec
	failures   *prometheus.CounterVec
	opened     *prometheus.CounterVec
	refused    *prometheus.CounterVec
	effects    *prometheus.CounterVec
	calls      *prometheus.CounterVec
	tokens     *prometheus.CounterVec
	dollars    *prometheus.CounterVec
	stray      prometheus.Counter
	beats      *prometheus.CounterVec
	beatsLate  prometheus.Counter

	lease, every time.Duration

	mu       sync.Mutex
	answered time.Time // when the last beat that was answered began
}

// How attempts end, beside the words that transitions have for it.
const (
	completed   = "completed"
	failed      = "failed"
	cancelled   = "cancelled"
	interrupted = "interrupted"
	givenBack   = "given_back"
	// unwritten is of an attempt whose end this worker didn't write: it was taken away,
	// or the process had no more time. Another process writes what becomes of it.
	unwritten = "unwritten"
)

// What a superseded attempt wanted to write.
const (
	lastWord = "last_word"
	step     = "step"
	effect   = "effect"
	call     = "call"
	progress = "progress"
)

const otherClass = "other"

var classes = []string{
	execution.ClassError, execution.ClassPermanent, execution.ClassTimeout, execution.ClassPanic, execution.ClassDeadline, execution.ClassUnknownEffect, otherClass,
}

func newMeters(registry prometheus.Registerer, concurrency map[string]int, lease, every time.Duration) *meters {
	with := promauto.With(registry)
	agents := make([]string, 0, len(concurrency))
	for agent := range concurrency {
		agents = append(agents, agent)
	}
	outcomes := []string{completed, failed, cancelled, interrupted, givenBack, unwritten}
	m := &meters{
		lease: lease, every: every,
		executions: metrics.NewExecutions(registry, agents,
			[]string{string(execution.Running), string(execution.Completed), string(execution.Failed), string(execution.Cancelled), string(execution.Started)}, outcomes),
		started: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_attempts_started_total", Help: "Attempts that this worker began.",
		}, []string{"agent"}),
		took: with.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ciclo_attempt_duration_seconds", Help: "From the claim of an attempt to its last word.", Buckets: metrics.Durations(),
		}, []string{"agent", "outcome"}),
		running: with.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ciclo_attempts_running", Help: "Attempts that this worker runs.",
		}, []string{"agent"}),
		failures: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_attempt_failures_total", Help: "Attempts that failed, by the class of their error.",
		}, []string{"agent", "class"}),
		opened: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_breaker_opened_total", Help: "Failures that paused their agent.",
		}, []string{"agent"}),
		refused: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_stale_writes_refused_total", Help: "Writes that were refused because the attempt is no longer its execution's own, by what it wanted to write.",
		}, []string{"agent", "write"}),
		effects: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_effects_settled_total", Help: "Effects on the outside world, by what came of them: done, not_done or unknown.",
		}, []string{"agent", "state"}),
		calls: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_llm_calls_total", Help: "Calls to language models, by what came of them: answered, not_done or unknown.",
		}, []string{"agent", "state"}),
		tokens: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_llm_tokens_total", Help: "Tokens of answered calls to language models, by direction: input or output.",
		}, []string{"agent", "direction"}),
		dollars: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_llm_cost_dollars_total", Help: "What answered calls to language models cost.",
		}, []string{"agent"}),
		stray: with.NewCounter(prometheus.CounterOpts{
			Name: "ciclo_stale_deliveries_total", Help: "Jobs from the queue whose execution wasn't to be run here: taken by another, cancelled, or paused.",
		}),
		beats: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_heartbeats_total", Help: "Heartbeats, by how they went.",
		}, []string{"outcome"}),
		beatsLate: with.NewCounter(prometheus.CounterOpts{
			Name: "ciclo_heartbeats_late_total", Help: "Heartbeats that were answered more than two beats after the answered one before them began.",
		}),
	}
	with.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ciclo_lease_left_seconds", Help: "How long the lease holds without another heartbeat, by this process's clock; negative once it has run out, NaN before the first.",
	}, m.left)
	limit := with.NewGaugeVec(prometheus.GaugeOpts{
		Name: "ciclo_worker_concurrency", Help: "Attempts that this worker runs at once at most.",
	}, []string{"agent"})
	for agent, n := range concurrency {
		limit.WithLabelValues(agent).Set(float64(n))
		m.started.WithLabelValues(agent)
		m.running.WithLabelValues(agent)
		m.opened.WithLabelValues(agent)
		for _, class := range classes {
			m.failures.WithLabelValues(agent, class)
		}
		for _, write := range []string{lastWord, step, effect, call, progress} {
			m.refused.WithLabelValues(agent, write)
		}
		for _, state := range []string{"done", "not_done", "unknown"} {
			m.effects.WithLabelValues(agent, state)
		}
		for _, state := range []string{"answered", "not_done", "unknown"} {
			m.calls.WithLabelValues(agent, state)
		}
		m.tokens.WithLabelValues(agent, "input")
		m.tokens.WithLabelValues(agent, "output")
		m.dollars.WithLabelValues(agent)
	}
	m.beats.WithLabelValues("answered")
	m.beats.WithLabelValues("failed")
	return m
}

// registered notes that the session began its first lease at an instant.
func (m *meters) registered(began time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answered = began
}

// beat notes how a beat went that began at an instant.
func (m *meters) beat(began time.Time, err error) {
	if err != nil {
		m.beats.WithLabelValues("failed").Inc()
		return
	}
	m.beats.WithLabelValues("answered").Inc()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.answered.IsZero() && time.Since(m.answered) > 2*m.every {
		m.beatsLate.Inc()
	}
	m.answered = began
}

func (m *meters) left() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answered.IsZero() {
		return math.NaN() // it has none yet
	}
	return (m.lease - time.Since(m.answered)).Seconds()
}

// class is a class of errors as a label.
func class(of string) string {
	for _, known := range classes {
		if of == known {
			return of
		}
	}
	return otherClass
}
