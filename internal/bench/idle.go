package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/process"
	"github.com/nuzantara/ciclo/internal/testagents"
)

// idle measures what each service costs while there is nothing to do, at default
// settings: its transactions per second and its resident memory. Each has a
// database of its own, so that both are measured in the same window.
//
// Postgres counts a session's transactions when the session hands them in: after
// a transaction if the last time was a second ago, after ten seconds of silence,
// and when it ends. So the first look comes after more than ten seconds, and the
// last after the service was killed and its sessions are gone: every transaction
// of the window is counted, and at most about a second's too many.
func (b *bench) idle(ctx context.Context) (figures []figure, err error) {
	catalogue, err := testagents.Catalogue()
	if err != nil {
		return nil, err
	}
	services := []*idleService{
		{name: "orchestrator", aim: 2, start: func(url string) (*process.Process, error) {
			a, err := b.startOrchestrator(ctx, url)
			if err != nil {
				return nil, err
			}
			return a.Process, nil
		}},
		{name: "worker", aim: 1.5 + float64(len(catalogue)), start: func(url string) (*process.Process, error) { return b.startWorker(url) }},
	}
	defer func() {
		for _, s := range services {
			if s.process != nil {
				err = errors.Join(err, s.process.Kill())
			}
		}
	}()
	for _, s := range services {
		if s.url, err = b.database.create(ctx, "idle_"+s.name); err != nil {
			return nil, err
		}
		if err := postgres.Migrate(ctx, s.url); err != nil {
			return nil, err
		}
		if s.process, err = s.start(s.url); err != nil {
			return nil, err
		}
	}
	if err := pause(ctx, b.plan.settle); err != nil {
		return nil, err
	}
	for _, s := range services {
		s.from = time.Now()
		if s.before, err = b.database.transactions(ctx, s.url); err != nil {
			return nil, err
		}
	}
	if err := pause(ctx, b.plan.window); err != nil {
		return nil, err
	}
	var memory []figure
	for _, s := range services {
		if s.process.Ended() {
			return nil, fmt.Errorf("%s died; its last words:\n%s", s.name, s.process.LastWords())
		}
		resident := residentMB(s.process)
		seconds := time.Since(s.from).Seconds()
		err := s.process.Kill()
		s.process = nil
		if err := errors.Join(err, b.database.awaitLeft(ctx, s.url)); err != nil {
			return nil, err
		}
		after, err := b.database.transactions(ctx, s.url)
		if err != nil {
			return nil, err
		}
		figures = append(figures, atMost("idle transactions, "+s.name, "1/s", series{(after - s.before) / seconds}, s.aim))
		memory = append(memory, figure{Name: "resident memory, " + s.name + ", idle", Unit: "MB", Ours: series{resident}})
		if loaded := b.loaded[s.name]; len(loaded) > 0 {
			memory = append(memory, figure{Name: "resident memory, " + s.name + ", after load", Unit: "MB", Ours: loaded})
		}
	}
	return append(figures, memory...), nil
}

// idleService is one service in a database where nothing happens.
type idleService struct {
	name  string
	aim   float64 // transactions per second
	start func(url string) (*process.Process, error)

	url     string
	process *process.Process
	from    time.Time
	before  float64
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
