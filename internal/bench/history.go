package main

import (
	"context"
	"fmt"

	"github.com/nuzantara/ciclo/internal/history"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// historyOf makes a database of its own with n executions that have ended.
func (b *bench) historyOf(ctx context.Context, n int) (url string, err error) {
	if url, err = b.database.create(ctx, fmt.Sprintf("of_%d", n)); err != nil {
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
	if err := history.Fill(ctx, pool, n); err != nil {
		return "", fmt.Errorf("fill with %d executions: %w", n, err)
	}
	return url, analyze(ctx, pool)
}
