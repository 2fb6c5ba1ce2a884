package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/config"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// Database is the configuration that both services share, for kong.
type Database struct {
	DatabaseURL     string        `env:"DATABASE_URL" help:"Postgres to use, such as postgres://user:password@host/database."`
	DatabaseURLFile string        `env:"DATABASE_URL_FILE" help:"File that holds the database URL."`
	Pooler          string        `name:"database-pooler" env:"DATABASE_POOLER" enum:"none,transaction" default:"none" help:"What lies before DATABASE_URL: none, or transaction for a pooler that gives each transaction another session, such as PgBouncer."`
	DirectURL       string        `name:"database-direct-url" env:"DATABASE_DIRECT_URL" help:"The same database past the pooler, for what needs a session of its own. Without it, behind a pooler, workers poll, and dry runs are refused."`
	DirectURLFile   string        `name:"database-direct-url-file" env:"DATABASE_DIRECT_URL_FILE" help:"File that holds that URL."`
	MaxConns        int32         `env:"CICLO_MAX_CONNS" default:"16" unit:"connections" help:"Most connections of the main pool."`
	Lease           time.Duration `env:"CICLO_LEASE" default:"10s" help:"How long a worker may be silent before its executions go to others. The same in every service."`
}

// Replica is the configuration of reads from a streaming replica, for kong.
type Replica struct {
	ReadURL     string        `name:"database-read-url" env:"DATABASE_READ_URL" help:"One streaming replica of the database, for reads. Nobody is shown less than the primary had when he asked: where the replica is behind or away, the primary answers."`
	ReadURLFile string        `name:"database-read-url-file" env:"DATABASE_READ_URL_FILE" help:"File that holds that URL."`
	ReadWait    time.Duration `name:"database-read-wait" env:"DATABASE_READ_WAIT" default:"100ms" help:"How long a read waits for the replica to have what the primary has."`
}

// Check says what is wrong.
func (r *Replica) Check() error {
	if r.ReadWait <= 0 || r.ReadWait > time.Second {
		return fmt.Errorf("DATABASE_READ_WAIT is %s: it must be above 0 and at most 1s", r.ReadWait)
	}
	return nil
}

// Check says all that is wrong.
func (d *Database) Check() error {
	var all []error
	if d.Lease < time.Second {
		all = append(all, fmt.Errorf("CICLO_LEASE is %s: it must be at least 1s", d.Lease))
	}
	if d.MaxConns < 2 {
		all = append(all, fmt.Errorf("CICLO_MAX_CONNS is %d: the main pool needs at least 2 connections", d.MaxConns))
	}
	if d.DatabaseURL == "" && d.DatabaseURLFile == "" {
		all = append(all, errNoDatabase)
	}
	return errors.Join(all...)
}

var errNoDatabase = errors.New("DATABASE_URL is not set, and DATABASE_URL_FILE isn't either: set one of them, or run `ciclo dev` for a database of its own")

var databaseVariable = regexp.MustCompile(`^(DATABASE_(?:[A-Z]+_)?URL)(_FILE)?$`)

// DatabaseVariable tells the variables of databases: DATABASE_URL, DATABASE_READ_URL
// and their like, and which name a file that holds one.
func DatabaseVariable(name string) (database string, file, is bool) {
	found := databaseVariable.FindStringSubmatch(name)
	if found == nil {
		return "", false, false
	}
	return found[1], found[2] != "", true
}

// checkDatabases looks at the URLs of all databases that a program reads.
func checkDatabases(variables []config.Variable) error {
	var all []error
	for _, v := range variables {
		if database, file, is := DatabaseVariable(v.Name); is && os.Getenv(v.Name) != "" {
			all = append(all, checkURL(database, file, os.Getenv(v.Name)))
		}
	}
	return errors.Join(all...)
}

// checkURL looks at a database's URL, which may stand in a file. The error shows none
// of it, nor what pgx says of it, which may be a part of the password.
func checkURL(variable string, file bool, value string) error {
	if file {
		text, err := os.ReadFile(value)
		if err != nil {
			return fmt.Errorf("%s_FILE names a file that can't be read: %w", variable, err)
		}
		variable, value = variable+"_FILE", strings.TrimSpace(string(text))
		if value == "" {
			return fmt.Errorf("%s names an empty file", variable)
		}
	}
	if _, err := pgxpool.ParseConfig(value); err != nil {
		return fmt.Errorf("%s is no URL such as postgres://user:password@host/database (in user and password, characters such as / @ : # are written %%2F %%40 %%3A %%23; the files that it names must be there)", variable)
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
		return nil, errNoDatabase
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

// Await waits until the database answers and its role may do what the service, of, needs,
// and returns nil where its schema serves this binary, it is the one that the services knew, and its sessions, with and without a pooler, are what services rely on.
// What waiting can't mend is an error at once, which says what does. Direct may be
// nil.
func (d *Database) Await(ctx context.Context, of string, pool, direct *pgxpool.Pool, log *slog.Logger) error {
	return await(ctx, log, func(ctx context.Context) error {
		if err := known(ctx, pool, log); err != nil {
			return err
		}
		if err := postgres.CheckRights(ctx, pool, of); err != nil {
			return err // a migration under way may be about to grant them
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
