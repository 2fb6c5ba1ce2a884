package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	caller "github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/process"
)

// shippedServices are the shipped orchestrator and a worker, which have the real
// agents, on a database of their own.
type shippedServices struct {
	database string
	api      *caller.Client
	worker   *process.Process
}

// shipped builds the shipped services, fills a database and starts them on it for as
// long as use takes.
func (b *bench) shipped(ctx context.Context, name string, fill func(ctx context.Context, database string) error, use func(*shippedServices) error) (err error) {
	built := filepath.Join(b.dir, "shipped")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", built+"/", "github.com/nuzantara/ciclo/cmd/orchestrator", "github.com/nuzantara/ciclo/cmd/worker").CombinedOutput(); err != nil {
		return fmt.Errorf("build the shipped services: %w\n%s", err, out)
	}
	s := &shippedServices{}
	if s.database, err = b.database.create(ctx, name); err != nil {
		return err
	}
	if err := postgres.Migrate(ctx, s.database); err != nil {
		return err
	}
	if err := fill(ctx, s.database); err != nil {
		return err
	}
	tests := b.dir
	b.dir = built
	defer func() { b.dir = tests }()
	ours, err := b.startOrchestrator(ctx, s.database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.Stop()) }()
	worker, err := b.startWorker(s.database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, worker.Stop()) }()
	s.api, s.worker = &caller.Client{URL: ours.url, Token: ours.token}, worker
	return use(s)
}

// run runs an agent to its completion, and says how many seconds that took.
func (s *shippedServices) run(ctx context.Context, b *bench, agent string, parameters map[string]any) (seconds float64, err error) {
	e, err := s.api.Run(ctx, agent, parameters)
	if err != nil {
		return 0, err
	}
	if e, err = s.api.Wait(ctx, e.ID, nil); err != nil {
		return 0, err
	}
	if e.Status != "completed" || e.EndedAt == nil {
		return 0, fmt.Errorf("the run ended as %s: %s", e.Status, e.Raw)
	}
	seconds = e.EndedAt.Sub(e.StartedAt).Seconds()
	b.say("%.1f s: %.600s", seconds, e.Result)
	return seconds, nil
}

// peak is the worker's memory at its peak so far, in MB.
func (s *shippedServices) peak() float64 {
	return procKB(fmt.Sprintf("/proc/%d/status", s.worker.PID()), "VmHWM") / 1024
}
