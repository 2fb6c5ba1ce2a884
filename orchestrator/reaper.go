package orchestrator

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/telemetry"
)

// reaper returns the executions of lost workers, mends those that the queue
// lost and enqueues those whose time has come. Every orchestrator has one; rows
// that one holds, the others pass over.
type reaper struct {
	store  *postgres.Store
	lease  time.Duration
	every  time.Duration
	log    *slog.Logger
	meters *meters
	guard  guard
	cursor string
	// deliver is told that a webhook's delivery is due, schedule that a slot is, or
	// that a cycle may go on.
	deliver, schedule func()
	// traces get the spans that lost workers can't write any more.
	traces *telemetry.Traces

	mu      sync.Mutex // of what scrapes look at
	began   time.Time
	swept   time.Time
	judging bool
}

func newReaper(store *postgres.Store, lease, every time.Duration, deliver, schedule func(), meters *meters, log *slog.Logger) *reaper {
	return &reaper{meters: meters, began: time.Now(), store: store, lease: lease, deliver: deliver, schedule: schedule, every: every, log: log, guard: guard{lease: lease, maxGap: max(lease/3, 2*every)}}
}

func (r *reaper) run(ctx context.Context) {
	wait, stop := every(ctx, r.every)
	defer stop()
	loop(ctx, r.log, "the reaper can't look; it judges nobody until the database has answered for a whole lease", "the reaper sees the database again", wait, r.sweep)
}

// collectors show whether it looks, and whether it may judge.
func (r *reaper) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ciclo_reaper_sweep_age_seconds", Help: "How long ago the reaper looked and did all that it found to do; before the first time, since the start.",
		}, func() float64 {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.swept.IsZero() {
				return time.Since(r.began).Seconds()
			}
			return time.Since(r.swept).Seconds()
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ciclo_reaper_judging", Help: "Whether the reaper may take executions from workers: it has seen the database for a whole lease without a gap.",
		}, func() float64 {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.judging {
				return 1
			}
			return 0
		}),
	}
}

// sweep is a tick that is counted.
func (r *reaper) sweep(ctx context.Context) error {
	err := r.tick(ctx)
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.judging = r.guard.mayJudge(now)
	if err != nil {
		r.meters.sweeps.WithLabelValues(wentWrong).Inc()
		return err
	}
	r.swept = now
	r.meters.sweeps.WithLabelValues(wentWell).Inc()
	return nil
}

// moved counts what the reaper made of an execution.
func (r *reaper) moved(suspect postgres.Suspect, to execution.Status, now time.Time) {
	r.meters.executions.Moved(suspect.Agent, string(to))
	if to.Final() {
		r.meters.executions.Ended(suspect.Agent, string(to), now.Sub(suspect.StartedAt))
	}
}

// tick looks once and acts on what it sees.
func (r *reaper) tick(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, max(r.lease, 5*time.Second))
	defer cancel()
	sweep, err := r.store.Sweep(ctx, r.lease, r.cursor)
	if err != nil {
		return err
	}
	r.cursor = sweep.Cursor
	r.guard.answered(time.Now(), sweep.Now, sweep.Server)

	if sweep.Delivering {
		r.deliver()
	}
	if sweep.Scheduling {
		r.schedule()
	}
	due := sweep.Due
	if r.guard.mayJudge(time.Now()) {
		for _, suspect := range sweep.Lost {
			to, err := r.store.Reap(ctx, suspect, func() bool { return r.guard.mayJudge(time.Now()) })
			if err != nil {
				return err
			}
			r.guard.heard(time.Now())
			if to != "" {
				due = true
				r.meters.executions.Attempt(suspect.Agent, execution.ClassLost)
				r.moved(suspect, to, sweep.Now)
				r.log.WarnContext(r.traceLost(ctx, suspect), "worker lost: its execution was taken back", "execution_id", suspect.ID, "attempt", suspect.Attempt, "worker_id", *suspect.WorkerID)
			}
		}
	}
	for _, suspect := range sweep.Strays {
		mended, err := r.store.Reconcile(ctx, suspect, r.lease)
		if err != nil {
			return err
		}
		r.guard.heard(time.Now())
		if mended {
			due = true
			r.meters.mended.WithLabelValues(putBack).Inc()
			r.log.Warn("the queue lost an execution: it was put back", "execution_id", suspect.ID, "river_job_id", suspect.JobID)
		}
	}
	for _, suspect := range sweep.Overdue {
		to, err := r.store.Expire(ctx, suspect)
		if err != nil {
			return err
		}
		r.guard.heard(time.Now())
		if to != "" {
			r.moved(suspect, to, sweep.Now)
			r.log.Warn("an execution failed: its deadline passed", "execution_id", suspect.ID)
		}
	}
	if sweep.Probing {
		probes, err := r.store.Probe(ctx)
		if err != nil {
			return err
		}
		for _, id := range probes {
			due = true
			r.meters.mended.WithLabelValues(probed).Inc()
			r.log.Info("a paused agent is probed", "execution_id", id)
		}
	}
	for due {
		n, err := r.store.Enqueue(ctx)
		if err != nil {
			return err
		}
		r.guard.heard(time.Now())
		due = n > 0
	}
	return nil
}

// guard says whether the reaper may judge workers by their leases: only after
// the database has answered it for one whole lease without a gap, so that after
// an outage or a failover every worker has had its chance to beat first.
type guard struct {
	lease, maxGap time.Duration
	since, last   time.Time // of this process's monotonic clock
	lastDatabase  time.Time
	server        time.Time // which one answered
}

// answered notes an answer that carried the database's clock. A gap, or a jump of
// that clock against ours (a restored snapshot, a machine that slept), begins anew, and
// so does another server, however quickly it took over: what it has may be older than
// what the one before it had, the leases too.
func (g *guard) answered(now, database, server time.Time) {
	jump := database.Sub(g.lastDatabase) - now.Sub(g.last)
	if g.last.IsZero() || now.Sub(g.last) > g.maxGap || jump.Abs() > g.maxGap || !server.Equal(g.server) {
		g.since = now
	}
	g.last, g.lastDatabase, g.server = now, database, server
}

// heard notes an answer without the clock.
func (g *guard) heard(now time.Time) {
	elapsed := now.Sub(g.last)
	if elapsed > g.maxGap {
		g.since = now
	}
	g.last, g.lastDatabase = now, g.lastDatabase.Add(elapsed)
}

func (g *guard) mayJudge(now time.Time) bool {
	return !g.last.IsZero() && now.Sub(g.last) <= g.maxGap && now.Sub(g.since) >= g.lease
}
