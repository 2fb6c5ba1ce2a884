package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/localpostgres"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// database is the server that everything in a run uses: DATABASE_URL's, or one
// of the run's own, durable as in production.
type database struct {
	url   string // of the maintenance database
	admin *pgxpool.Pool
	own   *localpostgres.Server
	dir   string
	made  []string
	// keeps says that the server is of a folder that outlives the run, with the
	// histories that were filled.
	keeps bool
}

// openDatabase starts a server of the run's own in dir, or with DATABASE_URL uses
// that one. In a folder that keeps, histories of earlier runs are found again.
func openDatabase(ctx context.Context, dir string, keeps bool) (_ *database, err error) {
	d := &database{url: os.Getenv("DATABASE_URL"), dir: dir, keeps: keeps}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if d.url == "" {
		if d.own, err = localpostgres.Start(ctx, localpostgres.Config{Dir: dir}); err != nil {
			return nil, err
		}
		d.url = d.own.URL("postgres")
	}
	if d.admin, err = postgres.Connect(ctx, postgres.PoolConfig{URL: d.url, Name: "ciclo bench admin", MaxConns: 2}); err != nil {
		return nil, err
	}
	if err := d.admin.Ping(ctx); err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return d, nil
}

// create makes an empty database and returns its URL.
func (d *database) create(ctx context.Context, name string) (string, error) {
	name = fmt.Sprintf("ciclo_bench_%d_%s", os.Getpid(), name)
	if _, err := d.admin.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", fmt.Errorf("create database: %w", err)
	}
	d.made = append(d.made, name)
	return d.urlOf(name)
}

func (d *database) urlOf(name string) (string, error) {
	address, err := url.Parse(d.url)
	if err != nil {
		return "", errors.New("DATABASE_URL is not a URL") // without its text, which may hold a password
	}
	address.Path = "/" + name
	return address.String(), nil
}

// kept is the URL of a database that an earlier run kept under this name, or "".
func (d *database) kept(ctx context.Context, name string) (string, error) {
	if !d.keeps {
		return "", nil
	}
	var there bool
	if err := d.admin.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, keptPrefix+name).Scan(&there); err != nil || !there {
		return "", err
	}
	return d.urlOf(keptPrefix + name)
}

const keptPrefix = "ciclo_bench_kept_"

// keep keeps the database for later runs, where this run keeps any: only one that is
// filled gets the name by which it is found. It returns the URL from now on.
func (d *database) keep(ctx context.Context, address, name string) (string, error) {
	if !d.keeps {
		return address, nil
	}
	made, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	from := made.Path[1:]
	if _, err := d.admin.Exec(ctx, `ALTER DATABASE `+pgx.Identifier{from}.Sanitize()+` RENAME TO `+pgx.Identifier{keptPrefix + name}.Sanitize()); err != nil {
		return "", fmt.Errorf("keep the database: %w", err)
	}
	d.made = slices.DeleteFunc(d.made, func(made string) bool { return made == from })
	return d.urlOf(keptPrefix + name)
}

// close leaves nothing behind: no database in a server of others, no server of ours.
func (d *database) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	if d.admin != nil {
		for _, name := range d.made {
			_, err := d.admin.Exec(ctx, `DROP DATABASE IF EXISTS `+pgx.Identifier{name}.Sanitize()+` WITH (FORCE)`)
			errs = append(errs, err)
		}
		d.admin.Close()
	}
	if d.own != nil {
		errs = append(errs, d.own.Stop())
		if !d.keeps {
			errs = append(errs, localpostgres.Remove(ctx, d.dir))
		}
	}
	return errors.Join(errs...)
}

// settings are what a durable figure depends on.
func (d *database) settings(ctx context.Context) string {
	var text string
	err := d.admin.QueryRow(ctx, `
		SELECT format('PostgreSQL %s, fsync %s, synchronous_commit %s, shared_buffers %s', current_setting('server_version'),
		              current_setting('fsync'), current_setting('synchronous_commit'), current_setting('shared_buffers'))`).Scan(&text)
	if err != nil {
		return err.Error()
	}
	if d.own != nil {
		return text + ", started for this run, data in " + d.own.DataDir
	}
	return text + ", of DATABASE_URL"
}

// transactions is how many the database has ended, whoever asked.
func (d *database) transactions(ctx context.Context, address string) (float64, error) {
	name, err := url.Parse(address)
	if err != nil {
		return 0, err
	}
	var n float64
	err = d.admin.QueryRow(ctx, `SELECT (xact_commit + xact_rollback)::float8 FROM pg_stat_database WHERE datname = $1`, name.Path[1:]).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count transactions: %w", err)
	}
	return n, nil
}

// written is how many bytes of write-ahead log the server has written, whoever asked.
func (d *database) written(ctx context.Context) (n float64, err error) {
	err = d.admin.QueryRow(ctx, `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8`).Scan(&n)
	return n, err
}

// awaitLeft returns when no client is connected to the database. A session hands
// in its statistics when it ends.
func (d *database) awaitLeft(ctx context.Context, address string) error {
	name, err := url.Parse(address)
	if err != nil {
		return err
	}
	return await(ctx, d.admin, 1, `SELECT (count(*) = 0)::int FROM pg_stat_activity WHERE datname = '`+name.Path[1:]+`' AND backend_type = 'client backend'`)
}
