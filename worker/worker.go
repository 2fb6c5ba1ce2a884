package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/batch"
	"github.com/nuzantara/ciclo/internal/metrics"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/queue"
	"github.com/nuzantara/ciclo/internal/telemetry"
)

// Config is what a worker needs. Zero durations take the defaults of Defaults.
type Config struct {
	// Pool is for the work; BeatPool for the heartbeats alone, so that work can't
	// starve them.
	Pool     *pgxpool.Pool
	BeatPool *pgxpool.Pool
	// Pooled says that both lead to a pooler in transaction mode. Direct leads past
	// it, for notices and dry runs; where it is nil, the queues are polled and dry
	// runs are refused.
	Pooled bool
	Direct *pgxpool.Pool

	Catalogue agents.Catalogue
	// Agents is the code, by the names in the catalogue. This worker takes work of
	// these alone.
	Agents map[string]agents.Agent
	// Concurrency overrides the manifests', by agent.
	Concurrency map[string]int

	// Lease is how long the worker may be silent before its executions are given
	// to others; Beat is how often it speaks.
	Lease time.Duration
	Beat  time.Duration
	// Drain is how long a stopping worker lets attempts finish before it
	// interrupts them.
	Drain time.Duration
	// ForeignFor is how long after its acceptance an execution whose parameters this
	// version's manifest refuses is left to workers of others; then it fails.
	ForeignFor time.Duration
	// FetchCooldown is River's shortest time between two fetches of one queue.
	FetchCooldown time.Duration

	// Traces is nil where none are made.
	Traces *telemetry.Traces
	// Metrics is the process's registry; nil makes one for this worker alone.
	Metrics *prometheus.Registry
	Version string
	Log     *slog.Logger
}

// Defaults of the durations.
const (
	DefaultLease         = 10 * time.Second
	DefaultBeat          = 3 * time.Second
	DefaultDrain         = 25 * time.Second
	DefaultFetchCooldown = 5 * time.Millisecond
)

// fetchPoll is how often River looks into each queue where no notice came: once a
// second is what an idle agent may cost, with what else there is.
const fetchPoll = 1100 * time.Millisecond

// Worker is one worker process. It is used once.
type Worker struct {
	cfg    Config
	id     string
	store  *postgres.Store
	beats  *postgres.Store
	river  *river.Client[pgx.Tx]
	held   *held
	meters *meters
	// claims and completions are made together where they come together.
	claims      *batch.Batch[postgres.Delivery, *postgres.Attempt]
	completions *batch.Batch[postgres.Completion, error]
	// dryRuns holds one for each dry run that has its connection.
	dryRuns chan struct{}
	// drained is closed when the worker is asked to stop by the database.
	drained chan struct{}
	drain   func() // closes it, once
	// givenUp is closed when the process has no more time for last words.
	givenUp chan struct{}
}

// New checks the configuration and prepares a worker.
func New(cfg Config) (*Worker, error) {
	cfg.Lease = cmpOr(cfg.Lease, DefaultLease)
	cfg.Beat = cmpOr(cfg.Beat, DefaultBeat)
	cfg.Drain = cmpOr(cfg.Drain, DefaultDrain)
	cfg.FetchCooldown = cmpOr(cfg.FetchCooldown, DefaultFetchCooldown)
	cfg.ForeignFor = cmpOr(cfg.ForeignFor, DefaultForeignFor)
	if cfg.Beat > cfg.Lease/2 {
		return nil, fmt.Errorf("the beat of %s must be at most half of the lease of %s", cfg.Beat, cfg.Lease)
	}
	if len(cfg.Agents) == 0 {
		return nil, errors.New("a worker needs at least one agent")
	}
	w := &Worker{cfg: cfg, id: uuid.Must(uuid.NewV7()).String(), held: newHeld(), dryRuns: make(chan struct{}, maxDryRuns), drained: make(chan struct{}), givenUp: make(chan struct{})}
	w.drain = sync.OnceFunc(func() { close(w.drained) })
	w.cfg.Log = cfg.Log.With("worker_id", w.id)

	var err error
	if w.store, err = postgres.NewTraced(cfg.Pool, cfg.Traces.Provider()); err != nil {
		return nil, err
	}
	if cfg.Pooled {
		w.store.Pooled(cfg.Direct, cfg.Lease/2)
	}
	if w.beats, err = postgres.New(cfg.BeatPool); err != nil {
		return nil, err
	}
	w.claims = batch.New(func(ctx context.Context, all []postgres.Delivery) ([]*postgres.Attempt, error) {
		return w.store.Claim(ctx, all, w.id, cfg.Lease)
	})
	w.completions = batch.New(w.store.Complete)
	concurrency, err := w.concurrency()
	if err != nil {
		return nil, err
	}
	if cfg.Metrics == nil {
		cfg.Metrics = metrics.New("worker", cfg.Version)
	}
	w.meters = newMeters(cfg.Metrics, concurrency, cfg.Lease, cfg.Beat)
	if err := cfg.Metrics.Register(metrics.Pools(map[string]*pgxpool.Pool{"main": cfg.Pool, "heartbeat": cfg.BeatPool})); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	queues := map[string]river.QueueConfig{}
	for agent, n := range concurrency {
		queues[agent] = river.QueueConfig{MaxWorkers: n}
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &attempts{w: w})
	w.river, err = river.NewClient(postgres.Driver(cfg.Pool, cfg.Direct), &river.Config{
		PollOnly:             cfg.Pooled && cfg.Direct == nil,
		ID:                   w.id,
		Schema:               queue.Schema,
		Queues:               queues,
		Workers:              workers,
		FetchOnlyKnownKinds:  true,
		MaxAttempts:          1,
		JobTimeout:           queue.JobTimeout,
		RescueStuckJobsAfter: queue.RescueAfter,
		SoftStopTimeout:      cfg.Drain,
		FetchPollInterval:    fetchPoll,
		FetchCooldown:        cfg.FetchCooldown,
		Logger:               slog.New(warnings{w.cfg.Log.With("component", "river").Handler()}),
	})
	if err != nil {
		return nil, fmt.Errorf("make River's client: %w", err)
	}
	return w, nil
}

// warnings passes on what is a warning or worse: River's own notes are not the
// operator's.
type warnings struct{ slog.Handler }

func (h warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

func cmpOr(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// ID is the worker's session, new at each start.
func (w *Worker) ID() string { return w.id }

// concurrency is how many executions of each agent this worker runs at once.
func (w *Worker) concurrency() (map[string]int, error) {
	all := map[string]int{}
	for name := range w.cfg.Agents {
		manifest := w.cfg.Catalogue.Find(name)
		if manifest == nil {
			return nil, fmt.Errorf("agent %s has no manifest in the catalogue", name)
		}
		all[name] = manifest.Concurrency
	}
	for name, n := range w.cfg.Concurrency {
		if _, runs := all[name]; !runs {
			return nil, fmt.Errorf("CICLO_CONCURRENCY of %s: this worker runs %v", name, slices.Sorted(maps.Keys(all)))
		}
		if n < 1 || n > maxConcurrency {
			return nil, fmt.Errorf("CICLO_CONCURRENCY of %s: %d is not in 1..%d", name, n, maxConcurrency)
		}
		all[name] = n
	}
	return all, nil
}

// begin takes a step of the start, again each second while the database is away:
// it may go at any moment between the check of its schema and the first fetch.
func (w *Worker) begin(ctx context.Context, step func() error) error {
	for {
		err := step()
		if err == nil || errors.Is(err, postgres.ErrWorkerKnown) || postgres.Refused(err) {
			return err
		}
		w.cfg.Log.Warn("the start waits for the database", "error", err)
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(time.Second):
		}
	}
}

// lastWords is how long a stopping worker goes on writing the outcomes of
// interrupted attempts when the database is slow or away.
const lastWords = 10 * time.Second

// Run works until ctx is done, then stops gracefully: it fetches no more, gives
// its attempts the drain time, interrupts the rest and returns nil. An error
// means that it could not begin or that its session was ended by others.
func (w *Worker) Run(ctx context.Context) error {
	concurrency, err := w.concurrency()
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("look up the host's name: %w", err)
	}
	session := postgres.Worker{ID: w.id, Host: host, PID: os.Getpid(), Version: w.cfg.Version, Concurrency: concurrency}
	var began time.Time
	err = w.begin(ctx, func() error { began = time.Now(); return w.store.Register(ctx, session, w.cfg.Lease) })
	if err != nil {
		return err
	}

	w.meters.registered(began)

	detached := context.WithoutCancel(ctx)
	var serving sync.WaitGroup
	serveCtx, stopServing := context.WithCancel(detached)
	defer serving.Wait()
	defer stopServing()
	serving.Go(func() { w.claims.Serve(serveCtx, 1) })
	serving.Go(func() { w.completions.Serve(serveCtx, 1) })

	beatCtx, stopBeat := context.WithCancel(detached)
	beatDone := make(chan error, 1)
	go func() { beatDone <- w.beat(beatCtx) }()
	endBeat := func() error { stopBeat(); return <-beatDone }

	if err := w.begin(ctx, func() error { return w.river.Start(detached) }); err != nil {
		return errors.Join(fmt.Errorf("start River's client: %w", err), endBeat())
	}
	w.cfg.Log.Info("worker started", "concurrency", concurrency, "lease", w.cfg.Lease.String(), "beat", w.cfg.Beat.String(), "poll_only", w.cfg.Pooled && w.cfg.Direct == nil)

	var broken error
	select {
	case <-ctx.Done():
	case <-w.drained:
		w.cfg.Log.Info("worker asked to stop")
	case broken = <-beatDone:
		beatDone <- broken
	}

	stopCtx, cancel := context.WithTimeout(detached, w.cfg.Drain+lastWords)
	defer cancel()
	w.cfg.Log.Info("worker stopping", "running", w.held.count(), "drain", w.cfg.Drain.String())
	if err := w.beats.Stopping(stopCtx, w.id); err != nil {
		w.cfg.Log.Warn("stopping is not visible to others", "error", err)
	}
	stopErr := w.river.Stop(stopCtx)
	close(w.givenUp)
	broken = errors.Join(broken, endBeat())
	if stopErr != nil {
		// What is still held is taken over when the lease expires.
		return errors.Join(broken, fmt.Errorf("stop after %s: %w", w.cfg.Drain+lastWords, stopErr))
	}
	byeCtx, cancelBye := context.WithTimeout(detached, 5*time.Second)
	defer cancelBye()
	// A claim whose answer was lost is given back here, before the lease ends and the
	// reaper would count it as lost.
	if err := w.beatOnce(byeCtx); err != nil && broken == nil {
		w.cfg.Log.Warn("no last heartbeat", "error", err)
	}
	if err := w.beats.Deregister(byeCtx, w.id); err != nil {
		w.cfg.Log.Warn("the session was not ended, its lease will expire", "error", err)
	}
	w.cfg.Log.Info("worker stopped")
	return broken
}
