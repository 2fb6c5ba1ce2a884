package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/history"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// historyOf makes a database of its own with n executions that have ended, which
// the caller may spoil.
func (b *bench) historyOf(ctx context.Context, n int) (url string, err error) {
	return b.make(ctx, fmt.Sprintf("of_%d", n), func(pool *pgxpool.Pool) error { return history.Fill(ctx, pool, n) })
}

// besidesOf makes a database with n executions and all that lies beside them.
func (b *bench) besidesOf(ctx context.Context, n int) (url string, err error) {
	return b.filled(ctx, fmt.Sprintf("besides_of_%d", n), func(pool *pgxpool.Pool) error {
		if err := history.Fill(ctx, pool, n); err != nil {
			return err
		}
		return history.FillBeside(ctx, pool)
	})
}

// filled makes a database of this name with what fill puts into it, or finds the one
// that an earlier section filled, or an earlier run kept, and brings it to this schema.
func (b *bench) filled(ctx context.Context, name string, fill func(*pgxpool.Pool) error) (url string, err error) {
	if url := b.histories[name]; url != "" {
		return url, nil
	}
	defer func() {
		if err == nil {
			b.histories[name] = url
		}
	}()
	if url, err = b.database.kept(ctx, name); err != nil {
		return "", err
	}
	if url != "" {
		b.say("… which was kept")
		return url, postgres.Migrate(ctx, url)
	}
	if url, err = b.make(ctx, name, fill); err != nil {
		return "", err
	}
	return b.database.keep(ctx, url, name)
}

// make makes a database with what fill puts into it.
func (b *bench) make(ctx context.Context, name string, fill func(*pgxpool.Pool) error) (url string, err error) {
	if url, err = b.database.create(ctx, name); err != nil {
		return "", err
	}
	if err := postgres.Migrate(ctx, url); err != nil {
		return "", err
	}
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: "ciclo bench history", MaxConns: 1})
	if err != nil {
		return "", err
	}
	defer pool.Close()
	if err := fill(pool); err != nil {
		return "", fmt.Errorf("fill %s: %w", name, err)
	}
	return url, analyze(ctx, pool)
}
