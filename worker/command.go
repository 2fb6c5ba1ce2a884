package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/metrics"
	"github.com/nuzantara/ciclo/internal/service"
	"github.com/nuzantara/ciclo/internal/telemetry"
)

// Command is the service's configuration as flags and environment (kong reads
// it), and how the service is put together from it.
type Command struct {
	service.Process
	service.Database
	Telemetry telemetry.Settings `kong:"-" config:"environment"`

	Concurrency   map[string]int `env:"CICLO_CONCURRENCY" unit:"agent=executions;…" help:"Executions at once, by agent (agent=n;agent=n). Default: the manifests'."`
	Beat          time.Duration  `env:"CICLO_BEAT" default:"3s" help:"Time between two heartbeats; at most half of the lease."`
	Drain         time.Duration  `env:"CICLO_DRAIN" default:"25s" help:"How long a stopping worker lets attempts finish before it interrupts them."`
	MetricsListen string         `env:"CICLO_METRICS_LISTEN" unit:"host:port" help:"Address to serve metrics on, such as 10.0.0.5:9464. Keep it private. Default: they aren't served."`
	Replay        string         `name:"replay" placeholder:"EXECUTION" help:"Run the agent of an execution that has ended once more, write nothing, print what is other as JSON, and end: ciclo replay."`
	ReplayLive    bool           `name:"replay-live" help:"With --replay: ask models what has no recorded answer."`
	FetchCooldown time.Duration  `env:"CICLO_FETCH_COOLDOWN" default:"5ms" help:"Shortest time between two fetches of one queue."`
}

// Check says all that is wrong, across the fields too.
func (c *Command) Check() error {
	var all []error
	if c.Beat < 10*time.Millisecond || c.Beat > c.Lease/2 {
		all = append(all, fmt.Errorf("CICLO_BEAT is %s: it must be at least 10ms and at most half of CICLO_LEASE, which is %s", c.Beat, c.Lease))
	}
	if c.Drain < 0 {
		all = append(all, fmt.Errorf("CICLO_DRAIN is %s: it must be 0 or more", c.Drain))
	}
	if c.FetchCooldown < time.Millisecond {
		all = append(all, fmt.Errorf("CICLO_FETCH_COOLDOWN is %s: it must be at least 1ms", c.FetchCooldown))
	}
	for _, agent := range slices.Sorted(maps.Keys(c.Concurrency)) {
		if n := c.Concurrency[agent]; n < 1 || n > maxConcurrency {
			all = append(all, fmt.Errorf("CICLO_CONCURRENCY of %s is %d: it must be in 1..%d", agent, n, maxConcurrency))
		}
	}
	all = append(all, service.CheckListen("CICLO_METRICS_LISTEN", c.MetricsListen))
	return errors.Join(all...)
}

// Connections is how many a process takes at most: the main pool, the heartbeat's,
// and one for each dry run, where no pooler is.
func (c *Command) Connections() int {
	n := int(c.MaxConns) + beatConns
	if !c.Pooled() {
		n += maxDryRuns
	}
	return n
}

// DirectConnections is how many a process takes past a pooler at most: to listen, and
// one for each dry run.
func (c *Command) DirectConnections() int {
	if !c.Pooled() || c.DirectURL+c.DirectURLFile == "" {
		return 0
	}
	return directConns + maxDryRuns
}

const (
	beatConns      = 2
	directConns    = 2
	maxConcurrency = 10_000
)

// Work runs the service with a catalogue and the agents' code until ctx is done.
// A database that isn't there yet is waited for; one with another schema is an
// error.
func (c *Command) Work(ctx context.Context, log *slog.Logger, catalogue agents.Catalogue, registry map[string]agents.Agent) (err error) {
	pool, err := c.Connect(ctx, "ciclo worker", c.MaxConns)
	if err != nil {
		return err
	}
	defer pool.Close()
	beatPool, err := c.Connect(ctx, "ciclo heartbeat", beatConns)
	if err != nil {
		return err
	}
	defer beatPool.Close()
	direct, err := c.ConnectDirect(ctx, "ciclo worker", directConns)
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
	if err := c.Await(ctx, "worker", pool, direct, log); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before the database was there
		}
		return err
	}
	if c.Replay != "" {
		replayed, err := Replay(ctx, w.store, registry, c.Replay, c.ReplayLive, log)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(replayed)
	}
	return w.Run(ctx)
}
