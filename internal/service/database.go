package service

import (
	"context"
	"errors"
	"fmt"
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
	MaxConns        int32         `env:"CICLO_MAX_CONNS" default:"16" unit:"connections" help:"Most connections of the main pool."`
	Lease           time.Duration `env:"CICLO_LEASE" default:"10s" help:"How long a worker may be silent before its executions go to others. The same in every service."`
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
	return postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: name, MaxConns: maxConns, Stall: d.Lease / 2})
}
