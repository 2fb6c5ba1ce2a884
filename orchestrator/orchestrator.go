package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/batch"
	"github.com/nuzantara/ciclo/internal/erasure"
	"github.com/nuzantara/ciclo/internal/graph"
	"github.com/nuzantara/ciclo/internal/metrics"
	"github.com/nuzantara/ciclo/internal/notice"
	"github.com/nuzantara/ciclo/internal/plan"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/retention"
	"github.com/nuzantara/ciclo/internal/telemetry"
	"github.com/nuzantara/ciclo/orchestrator/dashboard"
)

// Config is what an orchestrator needs. Zero durations take the defaults.
type Config struct {
	Pool *pgxpool.Pool
	// ReaperPool is for the reaper alone, so that requests can't starve it.
	ReaperPool *pgxpool.Pool
	// Replica leads to a streaming replica for reads; nil where there is none. A read
	// waits ReplicaWait at most for it to have what the primary has.
	Replica     *pgxpool.Pool
	ReplicaWait time.Duration
	Catalogue   agents.Catalogue
	// Token is a bearer token that may do all; empty where only those that
	// `ciclo token` made open the API.
	Token string
	// RateLimit is how many requests a second each token may make; 0 is no limit.
	RateLimit float64
	// Lease is the workers' lease, which the reaper judges by.
	Lease time.Duration
	// ReapEvery is the time between two sweeps.
	ReapEvery time.Duration
	// Zone is the firm's: of default schedules and business hours. Nil is UTC.
	Zone *time.Location
	// Retention is the age from which history is pruned; 0 keeps everything.
	Retention time.Duration
	// PruneEvery is the time between two looks for it; 0 is an hour.
	PruneEvery time.Duration
	// NoScheduling leaves slots and cycles to other orchestrators.
	NoScheduling bool
	// TwilioToken proves that an inbound message comes from Twilio, at PublicURL,
	// where clients of the outside world reach this service; empty takes none.
	TwilioToken, PublicURL string
	// Notices are the ways to the operator; none is the log.
	Notices []notice.Channel
	// Traces is nil where none are made.
	Traces *telemetry.Traces
	// Metrics is the process's registry; nil makes one for this orchestrator alone.
	Metrics *prometheus.Registry
	Version string
	Log     *slog.Logger
}

// Defaults of the durations.
const (
	DefaultLease     = 10 * time.Second
	DefaultReapEvery = time.Second
)

// Orchestrator is one process of the service.
type Orchestrator struct {
	cfg        Config
	store      *postgres.Store
	graph      *graph.Store
	reaper     *reaper
	notifier   *notifier
	deliverer  *deliverer
	scheduler  *scheduler
	dispatcher *dispatcher
	erasures   *erasure.Erasures
	// reads answers pollers together where they ask together.
	reads *batch.Batch[string, *postgres.Found]
	// replica is nil where there is none, as are its reads and its graph.
	replica      *replica
	replicaReads *batch.Batch[string, *postgres.Found]
	replicaGraph *graph.Store
	versions     *batch.Batch[string, string]
	watch        *watch
	typical      *typical
	// summaries keeps those of the latest runs.
	summaries *summaries
	// graphSummary keeps that of the graph for a moment.
	graphSummary *graphSummary
	// exports holds one for each export of the graph that is being read.
	exports  chan struct{}
	stalls   *stalls
	meters   *meters
	echo     *echo.Echo
	tokens   *tokens
	limits   *limits
	sessions *sessions
	// open are the paths that need no token, paged those of the dashboard.
	open, paged map[string]bool
	pages       *dashboard.Dashboard
	river       *riverUI
	// document is the API's, in OpenAPI, docs the page made of it.
	document, docs []byte
}

// New checks the configuration and prepares an orchestrator.
func New(cfg Config) (*Orchestrator, error) {
	if cfg.Lease <= 0 {
		cfg.Lease = DefaultLease
	}
	if cfg.ReapEvery <= 0 {
		cfg.ReapEvery = DefaultReapEvery
	}
	if cfg.PruneEvery <= 0 {
		cfg.PruneEvery = pruneEvery
	}
	if cfg.ReplicaWait <= 0 {
		cfg.ReplicaWait = DefaultReplicaWait
	}
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	if len(cfg.Notices) == 0 {
		cfg.Notices = []notice.Channel{notice.Log{Logger: cfg.Log}}
	}
	if cfg.Token != "" && len(cfg.Token) < minToken {
		return nil, fmt.Errorf("the API token must have at least %d characters", minToken)
	}
	if cfg.RateLimit < 0 || math.IsNaN(cfg.RateLimit) || math.IsInf(cfg.RateLimit, 0) {
		return nil, fmt.Errorf("the rate limit of %v requests a second must be 0, for none, or more", cfg.RateLimit)
	}
	if cfg.Retention != 0 && cfg.Retention < retention.MinAge {
		return nil, fmt.Errorf("the retention of %s must be 0, for everything, or at least a day", cfg.Retention)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = metrics.New("orchestrator", cfg.Version)
	}
	store, err := postgres.NewTraced(cfg.Pool, cfg.Traces.Provider())
	if err != nil {
		return nil, err
	}
	reaperStore, err := postgres.New(cfg.ReaperPool)
	if err != nil {
		return nil, err
	}
	o := &Orchestrator{cfg: cfg, store: store, graph: &graph.Store{Pool: cfg.Pool}, exports: make(chan struct{}, graphExports), open: map[string]bool{}, paged: map[string]bool{}, tokens: &tokens{list: store.Tokens}, limits: &limits{perSecond: cfg.RateLimit, tokens: map[string]*rate.Limiter{}}}
	if cfg.Token != "" {
		o.tokens.configured = postgres.HashToken(cfg.Token)
	}
	o.sessions = &sessions{store: store, tokens: o.tokens}
	o.reads = batch.New(store.GetAll)
	if cfg.Replica != nil {
		store.Replicated(cfg.Replica)
		o.replica = newReplica(store, cfg.ReplicaWait, cfg.Metrics, cfg.Log.With("component", "replica"))
		o.replicaGraph = &graph.Store{Pool: cfg.Replica}
		o.replicaReads = batch.New(func(ctx context.Context, ids []string) ([]*postgres.Found, error) {
			return store.GetAll(postgres.OnReplica(ctx), ids)
		})
	}
	o.versions = batch.New(func(ctx context.Context, ids []string) ([]string, error) {
		known, err := store.Versions(ctx, ids)
		versions := make([]string, len(ids))
		for i, id := range ids {
			versions[i] = known[id]
		}
		return versions, err
	})
	o.watch = newWatch(store, cfg.Log)
	o.typical = &typical{ask: store.Typical, known: map[string]dated{}}
	o.summaries = newSummaries(o.watch.stopped, store.ValueSummary)
	o.graphSummary = newGraphSummary(o.graph.Summary)
	o.stalls = newStalls(store, cfg.Log)
	names := o.names()
	o.meters = newMeters(cfg.Metrics, names)
	o.scheduler = &scheduler{
		meters: o.meters,
		store:  store, catalogue: cfg.Catalogue, planner: plan.For, zone: cfg.Zone, log: cfg.Log.With("component", "scheduler"),
		accept: o.acceptance, off: cfg.NoScheduling, due: make(chan struct{}, 1),
	}
	o.dispatcher = &dispatcher{
		meters: o.meters,
		store:  store, sender: cfg.Catalogue.Find(postgres.MessageSender), accept: o.acceptance,
		log: cfg.Log.With("component", "dispatcher"), due: make(chan struct{}, 1),
	}
	o.erasures = erasure.New(cfg.Pool)
	o.deliverer = newDeliverer(store, o.meters, cfg.Log.With("component", "deliverer"))
	o.reaper = newReaper(reaperStore, cfg.Lease, cfg.ReapEvery, o.deliverer.wake, o.scheduler.wake, o.meters, cfg.Log.With("component", "reaper"))
	o.reaper.traces = cfg.Traces
	o.notifier = &notifier{store: store, meters: o.meters, channels: cfg.Notices, every: noticeEvery, log: cfg.Log.With("component", "notifier")}
	for _, c := range append(o.reaper.collectors(),
		metrics.Pools(cfg.pools()),
		newStanding(store.Standing, names, cfg.Log.With("component", "metrics"))) {
		if err := cfg.Metrics.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	if _, err := o.scheduler.defaults(time.Now()); err != nil {
		return nil, err
	}
	sections := o.sections()
	o.echo = o.routes(sections)
	if err := o.mountDashboard(); err != nil {
		return nil, err
	}
	if err := o.mountRiver(); err != nil {
		return nil, err
	}
	described, err := o.describe(sections)
	if err != nil {
		return nil, err
	}
	if o.document, err = json.Marshal(described); err != nil {
		return nil, fmt.Errorf("encode the document of the API: %w", err)
	}
	if o.docs, err = renderDocs(described); err != nil {
		return nil, err
	}
	return o, nil
}

// pools are those of the configuration, by what they are for.
func (c *Config) pools() map[string]*pgxpool.Pool {
	all := map[string]*pgxpool.Pool{"main": c.Pool, "reaper": c.ReaperPool}
	if c.Replica != nil {
		all["replica"] = c.Replica
	}
	return all
}

// readStatements is how many statements answer pollers at a time: the fewer, the
// more pollers share each, but a large result shouldn't hold up all the others.
const readStatements = 2

// ServeReads answers the handler's reads until ctx is done. Run does it itself.
func (o *Orchestrator) ServeReads(ctx context.Context) {
	var serving sync.WaitGroup
	serving.Go(func() { o.versions.Serve(ctx, 1) })
	if o.replica != nil {
		serving.Go(func() { o.replica.looks.Serve(ctx, 1) })
		serving.Go(func() { o.replicaReads.Serve(ctx, readStatements) })
	}
	o.reads.Serve(ctx, readStatements)
	serving.Wait()
}

// ServeWaits wakes those who wait for a change until ctx is done, and lets all go
// then. Run does it itself.
func (o *Orchestrator) ServeWaits(ctx context.Context) { o.watch.run(ctx) }

// Handler is the whole HTTP API. Its reads wait for ServeReads, its waits for ServeWaits.
func (o *Orchestrator) Handler() http.Handler { return o.echo }

// Run serves on the listener, reaps and sends notices until ctx is done; then it
// answers what was asked and returns nil.
func (o *Orchestrator) Run(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           o.echo,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      maxWait + 3*requestTimeout, // streams have their own
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(o.cfg.Log.Handler(), slog.LevelDebug),
	}
	here, err := newPresence(o.store, o.cfg.Version, o.cfg.Log.With("component", "presence"))
	if err != nil {
		return err
	}
	loopCtx, stopLoops := context.WithCancel(ctx)
	defer stopLoops()
	o.river.running = loopCtx
	var loops sync.WaitGroup
	loops.Go(func() { o.reaper.run(loopCtx) })
	loops.Go(func() { o.notifier.run(loopCtx) })
	loops.Go(func() { o.deliverer.run(loopCtx) })
	loops.Go(func() { o.scheduler.run(loopCtx) })
	loops.Go(func() { o.dispatcher.run(loopCtx) })
	loops.Go(func() { (&counter{store: o.store, log: o.cfg.Log.With("component", "counter")}).run(loopCtx) })
	loops.Go(func() {
		(&rememberer{pool: o.cfg.Pool, every: memoryEvery, log: o.cfg.Log.With("component", "memory")}).run(loopCtx)
	})
	loops.Go(func() { here.run(loopCtx) })
	loops.Go(func() { (&eraser{o.erasures, o.cfg.Log.With("component", "eraser")}).run(loopCtx) })
	loops.Go(func() {
		(&pruner{o.cfg.Pool, o.cfg.Retention, o.cfg.PruneEvery, o.cfg.Log.With("component", "pruner")}).run(loopCtx)
	})

	readCtx, stopReading := context.WithCancel(context.WithoutCancel(ctx))
	defer stopReading()
	var reading sync.WaitGroup
	reading.Go(func() { o.ServeReads(readCtx) })

	loops.Go(func() { o.ServeWaits(loopCtx) }) // it lets all go before the server waits for them

	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	o.cfg.Log.Info("orchestrator started", "address", listener.Addr().String())

	select {
	case <-ctx.Done():
		shutdownCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
		defer cancel()
		stopLoops()
		if stopErr := server.Shutdown(shutdownCtx); stopErr != nil { // a client that is slow with its request
			o.cfg.Log.Warn("connections were cut at the stop", "error", stopErr)
			err = server.Close()
		}
		if served := <-served; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
	case err = <-served:
		err = fmt.Errorf("serve: %w", err)
	}
	stopLoops()
	loops.Wait()
	stopReading()
	reading.Wait()
	o.cfg.Log.Info("orchestrator stopped")
	return err
}
