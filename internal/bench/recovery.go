package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/process"
)

const (
	// victims is how many workers are killed in one round.
	victims = 10
	// recoveryAim is the longest time, in seconds, from a kill to the execution being
	// run by another worker, at the 99th percentile: lease, reaper and River's fetch.
	recoveryAim = 12
	// defaultLease and defaultBeat are what the services run with when nothing else
	// is set.
	defaultLease = 10 * time.Second
	defaultBeat  = 3 * time.Second
)

// recovery measures, at default settings, the time from kill -9 of a worker to
// its execution being run by another one that was alive all the while. Workers
// of one execution each are killed at instants spread over a beat, so that the
// leases end at any time after the kill that they can.
func (b *bench) recovery(ctx context.Context) (_ []figure, err error) {
	ours, err := b.startOrchestrator(ctx, b.url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ours.Stop()) }()
	// Until then the reaper judges nobody: the time of an orchestrator's start isn't
	// what is measured.
	if err := pause(ctx, defaultLease+2*time.Second); err != nil {
		return nil, err
	}
	var times []time.Duration
	for round := range b.plan.rounds {
		more, err := b.killRound(ctx, ours)
		if err != nil {
			return nil, fmt.Errorf("round %d: %w", round+1, err)
		}
		times = append(times, more...)
	}
	slices.Sort(times)
	name := fmt.Sprintf("kill -9 → running in another worker, of %d kills, ", len(times))
	seconds := func(p int) series { return series{percentile(times, p) / 1000} }
	return []figure{
		{Name: name + "p50", Unit: "s", Ours: seconds(50)},
		atMost(name+"p99", "s", seconds(99), recoveryAim),
		{Name: name + "longest", Unit: "s", Ours: seconds(100)},
	}, nil
}

// killRound has each victim run one execution, starts a worker that takes over,
// kills the victims and returns how long each takeover took.
func (b *bench) killRound(ctx context.Context, ours *api) (_ []time.Duration, err error) {
	if err := b.clear(ctx); err != nil {
		return nil, err
	}
	var alive []*process.Process
	defer func() {
		for _, p := range alive {
			err = errors.Join(err, p.Kill())
		}
	}()
	store, err := postgres.New(b.pool)
	if err != nil {
		return nil, err
	}
	for range victims {
		// They run for longer than a round takes.
		_, err := store.Accept(ctx, postgres.Acceptance{
			Agent: "test-slow", IDPrefix: "slow_", Parameters: []byte(`{"millis": 600000}`), Tries: 3, TimeoutSeconds: 900, Priority: 2, Reason: "bench",
		})
		if err != nil {
			return nil, err
		}
	}
	for range victims {
		// One execution each; few connections, since all of them share a server's limit.
		p, err := b.startWorker(b.url, "CICLO_CONCURRENCY=test-slow=1", "CICLO_MAX_CONNS=4")
		if err != nil {
			return nil, err
		}
		alive = append(alive, p)
	}
	err = await(ctx, b.pool, victims, `SELECT count(DISTINCT worker_id) FROM ciclo.executions WHERE status = 'running'`, alive...)
	if err != nil {
		return nil, err
	}
	survivor, err := b.startWorker(b.url)
	if err != nil {
		return nil, err
	}
	alive = append(alive, survivor)
	if err := b.awaitWorker(ctx, survivor); err != nil {
		return nil, err
	}

	kills := make([]kill, victims)
	failures := make([]error, victims)
	var killers sync.WaitGroup
	for i := range kills {
		after := time.Second + rand.N(defaultBeat)
		killers.Go(func() { kills[i], failures[i] = b.killAfter(ctx, alive[i], after) })
	}
	killers.Wait()
	if err := errors.Join(failures...); err != nil {
		return nil, err
	}
	err = await(ctx, b.pool, victims, `SELECT count(*) FROM ciclo.transitions WHERE to_status = 'running' AND attempt = 2`, survivor, ours.Process)
	if err != nil {
		return nil, err
	}
	times := make([]time.Duration, victims)
	for i, k := range kills {
		err := b.pool.QueryRow(ctx, `
			SELECT at - $2::timestamptz FROM ciclo.transitions
			WHERE execution_id = $1 AND to_status = 'running' AND attempt = 2 AND worker_id <> $3::uuid`,
			k.execution, k.at, k.worker).Scan(&times[i])
		if err != nil {
			return nil, fmt.Errorf("takeover of %s: %w", k.execution, err)
		}
	}
	return times, nil
}

// kill is one kill -9: when, by the database's clock, and of what.
type kill struct {
	at                time.Time
	execution, worker string
}

// killAfter kills a worker that runs one execution. The clock is read right
// before, so that the time includes the kill itself.
func (b *bench) killAfter(ctx context.Context, p *process.Process, after time.Duration) (kill, error) {
	var k kill
	if err := pause(ctx, after); err != nil {
		return k, err
	}
	err := b.pool.QueryRow(ctx, `
		SELECT e.id, w.id::text, clock_timestamp() FROM ciclo.workers w
		JOIN ciclo.executions e ON e.worker_id = w.id AND e.status = 'running' AND e.attempt = 1
		WHERE w.pid = $1 AND w.ended_at IS NULL`, p.PID()).Scan(&k.execution, &k.worker, &k.at)
	if err != nil {
		return k, fmt.Errorf("what %s runs before its kill: %w", p.Name, err)
	}
	return k, p.Kill()
}
