package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/queue"
)

// riverAlone is River without Ciclo, in a database of its own with a pool like
// the services', and the same jobs.
type riverAlone struct {
	pool   *pgxpool.Pool
	insert *river.Client[pgx.Tx]
}

func (b *bench) openRiver(ctx context.Context) (*riverAlone, error) {
	url, err := b.database.create(ctx, fmt.Sprintf("river_%d", len(b.database.made)))
	if err != nil {
		return nil, err
	}
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: "ciclo bench river", MaxConns: poolSize})
	if err != nil {
		return nil, err
	}
	r := &riverAlone{pool: pool}
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	}
	if err == nil {
		r.insert, err = river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: slog.New(slog.DiscardHandler)})
	}
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("prepare River: %w", err)
	}
	return r, nil
}

func (r *riverAlone) clear(ctx context.Context) error {
	_, err := r.pool.Exec(ctx, `TRUNCATE river_job`)
	return err
}

// job is one like those that Ciclo inserts.
func job(i int) (queue.Args, *river.InsertOpts) {
	return queue.Args{ExecutionID: fmt.Sprintf("noop_019ac5a8-6f0e-7000-8000-%012d", i)}, queue.InsertOpts(river.QueueDefault, 2)
}

// insertOne inserts a job in a transaction of its own.
func (r *riverAlone) insertOne(ctx context.Context, i int) error {
	return pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		args, opts := job(i)
		_, err := r.insert.InsertTx(ctx, tx, args, opts)
		return err
	})
}

// insertAll inserts n jobs in a few statements.
func (r *riverAlone) insertAll(ctx context.Context, n int) error {
	for from := 0; from < n; from += 1000 {
		var batch []river.InsertManyParams
		for i := from; i < min(from+1000, n); i++ {
			args, opts := job(i)
			batch = append(batch, river.InsertManyParams{Args: args, InsertOpts: opts})
		}
		if _, err := r.insert.InsertManyFast(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// work is River's worker, which does nothing, or calls fn.
type work struct {
	river.WorkerDefaults[queue.Args]
	fn func(*river.Job[queue.Args])
}

func (w *work) Work(_ context.Context, job *river.Job[queue.Args]) error {
	if w.fn != nil {
		w.fn(job)
	}
	return nil
}

// working runs fn while a River client works jobs.
func (r *riverAlone) working(ctx context.Context, cooldown time.Duration, fn func(*river.Job[queue.Args]), do func() error) error {
	workers := river.NewWorkers()
	river.AddWorker(workers, &work{fn: fn})
	client, err := river.NewClient(riverpgxv5.New(r.pool), &river.Config{
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}},
		Workers:           workers,
		FetchCooldown:     cooldown,
		FetchPollInterval: time.Second,
		Logger:            slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	return errors.Join(do(), client.Stop(context.WithoutCancel(ctx)))
}

// awaitCompleted returns when n jobs are completed.
func (r *riverAlone) awaitCompleted(ctx context.Context, n int) error {
	return await(ctx, r.pool, n, `SELECT count(*) FROM river_job WHERE state = 'completed'`)
}

// rate is n jobs over the time from the first of one column to the last job's end.
func (r *riverAlone) rate(ctx context.Context, n int, from string) (float64, error) {
	var seconds float64
	err := r.pool.QueryRow(ctx, `SELECT extract(epoch FROM max(finalized_at) - min(`+from+`))::float8 FROM river_job`).Scan(&seconds)
	return float64(n) / seconds, err
}

// riverInserts measures River's InsertTx, from as many goroutines as the closed
// loop has connections.
func (b *bench) riverInserts(ctx context.Context) ([]figure, error) {
	r, err := b.openRiver(ctx)
	if err != nil {
		return nil, err
	}
	defer r.pool.Close()
	var rates series
	for range b.plan.repeats {
		if err := r.clear(ctx); err != nil {
			return nil, err
		}
		rate, err := closedLoop(ctx, connections, b.plan.warm, b.plan.closed, r.insertOne)
		if err != nil {
			return nil, err
		}
		rates = append(rates, rate)
	}
	return []figure{{Name: "River alone: InsertTx, 16 goroutines", Unit: "1/s", Floor: rates}}, nil
}
