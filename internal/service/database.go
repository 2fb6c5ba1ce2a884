package service

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// Database is the configuration that both services share, for kong.
type Database struct {
	DatabaseURL     string        `env:"DATABASE_URL" help:"Postgres to use, such as postgres://user:password@host/database."`
	DatabaseURLFile string        `env:"DATABASE_URL_FILE" help:"File that holds the database URL."`
	Pooler          string        `name:"database-pooler" env:"DATABASE_POOLER" enum:"none,transaction" default:"none" help:"What lies before DATABASE_URL: none, or transaction for a pooler that gives each transaction another session, such as PgBouncer."`
	DirectURL       string        `name:"database-direct-url" env:"DATABASE_DIRECT_URL" help:"The same database past the pooler, for what needs a session of its own. Without it, behind a pooler, workers poll, and dry runs are refused."`
	DirectURLFile   string        `name:"database-direct-url-file" env:"DATABASE_DIRECT_URL_FILE" help:"File that holds that URL."`
	MaxConns        int32         `env:"CICLO_MAX_CONNS" default:"16" help:"Most connections of the main pool."`
	Lease           time.Duration `env:"CICLO_LEASE" default:"10s" help:"How long a worker may be silent before its executions go to others. The same in every service."`
}

// Replica is the configuration of reads from a streaming replica, for kong.
type Replica struct {
	ReadURL     string        `name:"database-read-url" env:"DATABASE_READ_URL" help:"One streaming replica of the database, for reads. Nobody is shown less than the primary had when he asked: where the replica is behind or away, the primary answers."`
	ReadURLFile string        `name:"database-read-url-file" env:"DATABASE_READ_URL_FILE" help:"File that holds that URL."`
	ReadWait    time.Duration `name:"database-read-wait" env:"DATABASE_READ_WAIT" default:"100ms" help:"How long a read waits for the replica to have what the primary has."`
}

// Validate is called by kong.
func (r *Replica) Validate() error {
	if r.ReadWait <= 0 || r.ReadWait > time.Second {
		return errors.New("reads may wait more than 0 and at most 1s for the replica")
	}
	return nil
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

// Pooled reports whether a pooler lies before the database.
func (d *Database) Pooled() bool { return d.Pooler == "transaction" }

// stall is for how long a session may hold locks silently.
func (d *Database) stall() time.Duration { return d.Lease / 2 }

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
	return postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: name, MaxConns: maxConns, Stall: d.stall(), Pooled: d.Pooled()})
}

// ConnectReplica makes a pool of the replica; nil where none is configured.
func (d *Database) ConnectReplica(ctx context.Context, r Replica, name string) (*pgxpool.Pool, error) {
	url, err := Secret(r.ReadURL, r.ReadURLFile)
	if err != nil || url == "" {
		return nil, err
	}
	return postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: name, MaxConns: d.MaxConns, Pooled: d.Pooled()})
}

// ConnectDirect makes a pool past the pooler; nil where none is configured, or no
// pooler is there to be passed. It holds nothing while nobody uses it.
func (d *Database) ConnectDirect(ctx context.Context, name string, maxConns int32) (*pgxpool.Pool, error) {
	url, err := Secret(d.DirectURL, d.DirectURLFile)
	if err != nil || url == "" || !d.Pooled() {
		return nil, err
	}
	// What it leads to is looked at by Await: a pooler that keeps sessions will do.
	return postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: name, MaxConns: maxConns, Pooled: true})
}

// Await waits until the database answers and returns nil where its schema serves
// this binary, it is the one that the services knew, and its sessions, with and without a pooler, are what services rely on.
// What waiting can't mend is an error at once, which says what does. Direct may be
// nil.
func (d *Database) Await(ctx context.Context, pool, direct *pgxpool.Pool, log *slog.Logger) error {
	return await(ctx, log, func(ctx context.Context) error {
		if err := known(ctx, pool, log); err != nil {
			return err
		}
		if d.Pooled() {
			if err := postgres.CheckPooled(ctx, pool, d.stall()); err != nil {
				return err
			}
		}
		if direct != nil {
			return postgres.CheckDirect(ctx, direct, pool)
		}
		return nil
	})
}
