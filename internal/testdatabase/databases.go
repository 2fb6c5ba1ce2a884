package testdatabase

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// testPrefix is followed by the Unix second in hex and random letters.
	testPrefix = "ciclo_test_"
	// templatePrefix is followed by the hash of a fingerprint.
	templatePrefix = "ciclo_template_"
	// abandoned is the age at which a test's database on a lasting server must be
	// one of a killed process.
	abandoned = 24 * time.Hour

	// fileCopy is the strategy of CREATE DATABASE that copies files between two
	// checkpoints. Since PostgreSQL 15 the default is WAL_LOG, which copies pages
	// through the log: a clone of forty tables takes 17 ms by files and 33 ms by
	// log in memory, and 0.2 s either way on a disk (BenchmarkNew).
	fileCopy = "FILE_COPY"
)

// databases makes and drops databases on a server.
type databases struct {
	pool *pgxpool.Pool // to the maintenance database
	url  string        // of it
	base url.URL
	// strategy is what CREATE DATABASE … TEMPLATE takes in addition.
	strategy string
}

func newDatabases(ctx context.Context, server *server) (*databases, error) {
	base, err := url.Parse(server.url)
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(server.url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	d := &databases{pool: pool, url: server.url, base: *base}
	if err := d.prepare(ctx, server); err != nil {
		pool.Close()
		return nil, err
	}
	return d, nil
}

func (d *databases) prepare(ctx context.Context, server *server) error {
	var version int
	if err := d.pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return fmt.Errorf("ask for the server's version: %w", err)
	}
	if version >= 150000 {
		d.strategy = " STRATEGY " + fileCopy
	}
	if server.lasting {
		return d.dropAbandoned(ctx)
	}
	return nil
}

func (d *databases) close() { d.pool.Close() }

func (d *databases) urlOf(name string) string {
	address := d.base
	address.Path = "/" + name
	return address.String()
}

// template names the template of a fingerprint.
func (d *databases) template(fingerprint string) string {
	return fmt.Sprintf("%s%x", templatePrefix, hash(fingerprint))
}

func hash(fingerprint string) []byte {
	sum := sha256.Sum256([]byte(fingerprint))
	return sum[:8]
}

// makeTemplate makes the migrated template unless it exists. Under an advisory
// lock one process makes it, and the others wait and find it. It gets its name
// last: a template that a killed process left half made has another.
func (d *databases) makeTemplate(ctx context.Context, options Options) error {
	// A connection of its own, since closing it is what surely gives the lock
	// back. Advisory locks belong to a database: all processes connect to the
	// same one.
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return fmt.Errorf("make the template: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	key := int64(binary.BigEndian.Uint64(hash(options.Fingerprint)))
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, key); err != nil {
		return fmt.Errorf("wait for the template: %w", err)
	}
	name := d.template(options.Fingerprint)
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&exists); err != nil {
		return fmt.Errorf("look for the template: %w", err)
	}
	if exists {
		return nil
	}
	making := name + "_making"
	if err := d.drop(ctx, making); err != nil {
		return err
	}
	// template0 and not template1, to which somebody may be connected.
	if err := d.create(ctx, making, "template0"); err != nil {
		return err
	}
	if err := options.Migrate(ctx, d.urlOf(making)); err != nil {
		return fmt.Errorf("migrate the template: %w", errors.Join(err, d.drop(context.WithoutCancel(ctx), making)))
	}
	// Nobody may be connected to a template while it is copied.
	for _, sql := range []string{
		`ALTER DATABASE ` + quote(making) + ` ALLOW_CONNECTIONS false`,
		`ALTER DATABASE ` + quote(making) + ` RENAME TO ` + quote(name),
	} {
		if err := d.exec(ctx, sql); err != nil {
			return fmt.Errorf("finish the template: %w", err)
		}
	}
	return nil
}

func (d *databases) create(ctx context.Context, name, template string) error {
	err := d.exec(ctx, `CREATE DATABASE `+quote(name)+` TEMPLATE `+quote(template)+d.strategy)
	if err != nil {
		return fmt.Errorf("create database from %s: %w", template, err)
	}
	return nil
}

func (d *databases) drop(ctx context.Context, name string) error {
	if err := d.exec(ctx, `DROP DATABASE IF EXISTS `+quote(name)+` WITH (FORCE)`); err != nil {
		return fmt.Errorf("drop database %s: %w", name, err)
	}
	return nil
}

// exec runs a statement, again while somebody uses the database that it is
// about: a backend that is still leaving, an autovacuum worker.
func (d *databases) exec(ctx context.Context, sql string) error {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		_, err := d.pool.Exec(ctx, sql)
		var answer *pgconn.PgError
		if !errors.As(err, &answer) || answer.Code != "55006" { // object_in_use
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-again.C:
		}
	}
}

// dropAbandoned drops the databases of tests that were killed long ago. Those in
// use stay: it doesn't force. Another process may be doing the same.
func (d *databases) dropAbandoned(ctx context.Context) error {
	rows, err := d.pool.Query(ctx, `SELECT datname FROM pg_database WHERE starts_with(datname, $1)`, testPrefix)
	if err != nil {
		return fmt.Errorf("list databases of killed tests: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list databases of killed tests: %w", err)
	}
	for _, name := range names {
		if time.Since(madeAt(name)) < abandoned {
			continue
		}
		// What can't be dropped (in use, another role's) is no reason to fail.
		_, _ = d.pool.Exec(ctx, `DROP DATABASE IF EXISTS `+quote(name))
	}
	return nil
}

// freshName names a test's database: no two processes on one server hit on the
// same.
func freshName() string {
	return fmt.Sprintf("%s%08x_%s", testPrefix, time.Now().Unix(), strings.ToLower(rand.Text()[:12]))
}

// madeAt reads the time from a name of freshName; the present from any other.
func madeAt(name string) time.Time {
	second, _, _ := strings.Cut(strings.TrimPrefix(name, testPrefix), "_")
	unix, err := strconv.ParseInt(second, 16, 64)
	if err != nil {
		return time.Now()
	}
	return time.Unix(unix, 0)
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
