package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/metrics"
	"github.com/nuzantara/ciclo/internal/service"
	"github.com/nuzantara/ciclo/internal/telemetry"
)

// Command is the service's configuration as flags and environment (kong reads
// it), and how the service is put together from it.
type Command struct {
	service.Database
	Concurrency   map[string]int `env:"CICLO_CONCURRENCY" help:"Executions at once, by agent (agent=n;agent=n). Default: the manifests'."`
	Beat          time.Duration  `env:"CICLO_BEAT" default:"3s" help:"Time between two heartbeats; at most half of the lease."`
	Drain         time.Duration  `env:"CICLO_DRAIN" default:"25s" help:"How long a stopping worker lets attempts finish before it interrupts them."`
	MetricsListen string         `env:"CICLO_METRICS_LISTEN" help:"Address to serve metrics on, such as 10.0.0.5:9464. Keep it private. Default: they aren't served."`
	FetchCooldown time.Duration  `env:"CICLO_FETCH_COOLDOWN" default:"5ms" help:"Shortest time between two fetches of one queue."`
}

// Work runs the service with a catalogue and the agents' code until ctx is done.
// A database that isn't there yet is waited for; one with another schema is an
// error.
func (c *Command) Work(ctx context.Context, log *slog.Logger, catalogue agents.Catalogue, registry map[string]agents.Agent) (err error) {
	pool, err := c.Connect(ctx, "ciclo worker", c.MaxConns)
	if err != nil {
		return err
	}
	defer pool.Close()
	beatPool, err := c.Connect(ctx, "ciclo heartbeat", 2)
	if err != nil {
		return err
	}
	defer beatPool.Close()
	direct, err := c.ConnectDirect(ctx, "ciclo worker", 2)
	if err != nil {
		return err
	}
	if direct != nil {
		defer direct.Close()
	}
	traces := telemetry.Start(ctx, "ciclo-worker", service.Version(), log)
	defer traces.Stop(ctx) // after the last words of the attempts
	log = traces.Logger(log)
	counted := metrics.New("worker", service.Version())
	w, err := New(Config{
		Metrics: counted,
		Pool:    pool, BeatPool: beatPool, Pooled: c.Pooled(), Direct: direct, Catalogue: catalogue, Agents: registry, Concurrency: c.Concurrency,
		Lease: c.Lease, Beat: c.Beat, Drain: c.Drain, FetchCooldown: c.FetchCooldown,
		Traces: traces, Version: service.Version(), Log: log,
	})
	if err != nil {
		return err
	}
	if c.MetricsListen != "" {
		shown, listening := metrics.Listen(ctx, c.MetricsListen, counted, log)
		if listening != nil {
			return listening
		}
		defer func() { err = errors.Join(err, shown.Close()) }()
	}
	if err := c.Await(ctx, pool, direct, log); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before the database was there
		}
		return err
	}
	return w.Run(ctx)
}
