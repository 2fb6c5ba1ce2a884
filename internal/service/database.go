package service

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// Database is the configuration that both services share, for kong.
type Database struct {
	DatabaseURL     string        `env:"DATABASE_URL" help:"Postgres to use, such as postgres://user:password@host/database."`
	DatabaseURLFile string        `env:"DATABASE_URL_FILE" help:"File that holds the database URL."`
	MaxConns        int32         `env:"CICLO_MAX_CONNS" default:"16" help:"Most connections of the main pool."`
	Lease           time.Duration `env:"CICLO_LEASE" default:"10s" help:"How long a worker may be silent before its executions go to others. The same in every service."`
}

// Validate is called by kong.
func (d *Database) Validate() error {
	if d.Lease < time.Second {
		return errors.New("the lease must be at least 1s")
	}
	if d.MaxConns < 2 {
		return errors.New("the main pool needs at least 2 connections")
	}
	return nil
}

// Connect makes a pool whose sessions can't hold locks silently for longer than
// half a lease.
func (d *Database) Connect(ctx context.Context, name string, maxConns int32) (*pgxpool.Pool, error) {
	url, err := Secret(d.DatabaseURL, d.DatabaseURLFile)
	if err != nil {
		return nil, err
	}
	if url == "" {
		return nil, errors.New("set DATABASE_URL, or run `ciclo dev` for a database of its own")
	}
	return postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: name, MaxConns: maxConns, Stall: d.Lease / 2})
}
