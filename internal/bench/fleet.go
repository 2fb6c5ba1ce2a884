package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	gops "github.com/shirou/gopsutil/v4/process"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/process"
)

// The fleet that docker-compose.yml starts.
const (
	fleetOrchestrators = 2
	fleetWorkers       = 3
)

// fleet measures what a whole idle fleet costs on one database: transactions and
// connections of Postgres, and the processor time that the services and the server
// take, in milliseconds a second.
func (b *bench) fleet(ctx context.Context) (_ []figure, err error) {
	url, err := b.database.create(ctx, "fleet")
	if err != nil {
		return nil, err
	}
	if err := postgres.Migrate(ctx, url); err != nil {
		return nil, err
	}
	kinds := map[string][]*process.Process{}
	defer func() {
		for _, processes := range kinds {
			for _, p := range processes {
				err = errors.Join(err, p.Kill())
			}
		}
	}()
	for range fleetOrchestrators {
		a, err := b.startOrchestrator(ctx, url)
		if err != nil {
			return nil, err
		}
		kinds["orchestrators"] = append(kinds["orchestrators"], a.Process)
	}
	for range fleetWorkers {
		w, err := b.startWorker(url)
		if err != nil {
			return nil, err
		}
		kinds["workers"] = append(kinds["workers"], w)
	}
	if err := pause(ctx, b.plan.settle); err != nil {
		return nil, err
	}
	began := time.Now()
	transactions, err := b.database.transactions(ctx, url)
	if err != nil {
		return nil, err
	}
	before, err := b.processorTimes(kinds)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, 2*b.plan.window); err != nil {
		return nil, err
	}
	after, err := b.processorTimes(kinds)
	if err != nil {
		return nil, err
	}
	seconds := time.Since(began).Seconds()
	var connections float64
	if err := b.database.admin.QueryRow(ctx, `SELECT count(*)::float8 FROM pg_stat_activity WHERE application_name LIKE 'ciclo %' AND datname LIKE '%fleet'`).Scan(&connections); err != nil {
		return nil, fmt.Errorf("count connections: %w", err)
	}
	for _, processes := range kinds {
		for _, p := range processes {
			if p.Ended() {
				return nil, fmt.Errorf("%s died; its last words:\n%s", p.Name, p.LastWords())
			}
			if err := p.Kill(); err != nil {
				return nil, err
			}
		}
	}
	if err := b.database.awaitLeft(ctx, url); err != nil {
		return nil, err
	}
	total, err := b.database.transactions(ctx, url)
	if err != nil {
		return nil, err
	}
	figures := []figure{
		{Name: fmt.Sprintf("idle fleet of %d orchestrators and %d workers: transactions", fleetOrchestrators, fleetWorkers), Unit: "1/s", Ours: series{(total - transactions) / seconds}},
		{Name: "idle fleet: connections", Ours: series{connections}},
	}
	for _, kind := range []string{"orchestrators", "workers", "Postgres"} {
		if _, measured := after[kind]; measured {
			figures = append(figures, figure{Name: "idle fleet: processor time, " + kind, Unit: "ms/s", Ours: series{1000 * (after[kind] - before[kind]) / seconds}})
		}
	}
	return figures, nil
}

// processorTimes are the seconds of processor time that each kind of process has
// taken so far; Postgres' own where the server is this run's.
func (b *bench) processorTimes(kinds map[string][]*process.Process) (map[string]float64, error) {
	seconds := map[string]float64{}
	for kind, processes := range kinds {
		for _, p := range processes {
			taken, err := processorTime(p.PID(), false)
			if err != nil {
				return nil, err
			}
			seconds[kind] += taken
		}
	}
	if b.database.own == nil {
		return seconds, nil
	}
	taken, err := processorTime(b.database.own.PID(), true)
	seconds["Postgres"] = taken
	return seconds, err
}

// processorTime is what a process, and where asked those that it started, have taken,
// in seconds.
func processorTime(pid int, children bool) (float64, error) {
	p, err := gops.NewProcess(int32(pid)) //nolint:gosec // the kernel's own ids
	if err != nil {
		return 0, fmt.Errorf("look at process %d: %w", pid, err)
	}
	times, err := p.Times()
	if err != nil {
		return 0, fmt.Errorf("processor time of %d: %w", pid, err)
	}
	total := times.User + times.System
	if !children {
		return total, nil
	}
	started, err := p.Children()
	if err != nil {
		return 0, fmt.Errorf("children of %d: %w", pid, err)
	}
	for _, c := range started {
		if times, err := c.Times(); err == nil { // it may have ended
			total += times.User + times.System
		}
	}
	return total, nil
}
