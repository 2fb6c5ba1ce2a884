package dev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/localpostgres"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// Config is how `ciclo dev` runs.
type Config struct {
	Dir         Dir
	Listen      string
	DatabaseURL string // empty: a Postgres of its own
	Token       string // empty: the folder's, or a new one
	Workers     int
	// Zone is the firm's; empty: what the environment says.
	Zone string
	Log  *slog.Logger
	// Say tells the person at the terminal what happens.
	Say func(format string, args ...any)
}

// Environment is what runs, for those who use it.
type Environment struct {
	Client      *client.Client
	DatabaseURL string
}

// Run starts everything, calls use when the API is ready, and ends everything
// when use returns or ctx is done. Its error is use's, or that of a part that
// couldn't be kept running.
func Run(ctx context.Context, cfg Config, use func(ctx context.Context, env Environment) error) error {
	logs := filepath.Join(string(cfg.Dir), "log")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	address, err := freeAddress(ctx, cfg.Listen)
	if err != nil {
		return err
	}
	token, err := cfg.Dir.token(cfg.Token)
	if err != nil {
		return err
	}
	services, err := services(cfg.Workers, logs)
	if err != nil {
		return err
	}

	group, ctx := errgroup.WithContext(ctx)
	database := cfg.DatabaseURL
	var server *localpostgres.Server
	if database == "" {
		if server, err = startPostgres(ctx, cfg); err != nil {
			return err
		}
		database = server.URL("ciclo")
	}
	err = func() error {
		if server != nil {
			if err := createDatabase(ctx, server); err != nil {
				return err
			}
		}
		if err := postgres.Migrate(ctx, database); err != nil {
			return err
		}
		base := "http://" + address
		if err := errors.Join(cfg.Dir.write(addressFile, base), cfg.Dir.write(databaseFile, database)); err != nil {
			return fmt.Errorf("keep the address: %w", err)
		}
		env := append(cleanEnv(server != nil), "DATABASE_URL="+database, "CICLO_TOKEN="+token, "CICLO_LISTEN="+address)
		used, finish := context.WithCancel(ctx)
		defer finish()
		if cfg.Zone != "" {
			env = append(env, "CICLO_ZONE="+cfg.Zone)
		}
		for _, s := range services {
			s.env = env
			group.Go(func() error { return s.run(used, cfg.Log) })
		}
		if server != nil {
			group.Go(func() error {
				select {
				case <-used.Done():
					return nil
				case <-server.Done():
					return fmt.Errorf("the database ended: %w", server.Err())
				}
			})
		}
		api := &client.Client{URL: base, Token: token}
		group.Go(func() error {
			defer finish()
			if err := awaitReady(used, api); err != nil {
				return err
			}
			return use(used, Environment{Client: api, DatabaseURL: database})
		})
		return group.Wait()
	}()
	if server != nil {
		err = errors.Join(err, server.Stop())
	}
	return err
}

// freeAddress checks that the address can be listened on, and chooses a port
// where it names 0.
func freeAddress(ctx context.Context, address string) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("%w: is `ciclo dev` running already? another address is given with --listen", err)
	}
	address = l.Addr().String()
	return address, l.Close()
}

func services(workers int, logs string) ([]*service, error) {
	orchestrator, err := Find("orchestrator")
	if err != nil {
		return nil, err
	}
	worker, err := Find("worker")
	if err != nil {
		return nil, err
	}
	all := []*service{{name: "orchestrator", path: orchestrator, logs: logs}}
	for i := range workers {
		all = append(all, &service{name: fmt.Sprintf("worker-%d", i+1), path: worker, logs: logs})
	}
	return all, nil
}

func startPostgres(ctx context.Context, cfg Config) (*localpostgres.Server, error) {
	cfg.Say("Starting a database in %s", filepath.Join(string(cfg.Dir), "postgres"))
	server, err := localpostgres.Start(ctx, localpostgres.Config{Dir: filepath.Join(string(cfg.Dir), "postgres")})
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, errors.Join(ctx.Err(), server.Stop())
	}
	return server, nil
}

// createDatabase makes the database ciclo on the server where it isn't there.
func createDatabase(ctx context.Context, server *localpostgres.Server) error {
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: server.URL("postgres"), Name: "ciclo dev", MaxConns: 1})
	if err != nil {
		return err
	}
	defer pool.Close()
	var there bool
	if err := pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'ciclo')`).Scan(&there); err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}
	if there {
		return nil
	}
	if _, err := pool.Exec(ctx, `CREATE DATABASE ciclo`); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}

// cleanEnv is this process's environment without what the children are given, and
// on a database of their own without what speaks of another one.
func cleanEnv(own bool) []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return own && strings.HasPrefix(name, "DATABASE_") || slices.Contains([]string{"DATABASE_URL", "DATABASE_URL_FILE", "CICLO_TOKEN", "CICLO_TOKEN_FILE", "CICLO_LISTEN", "CICLO_METRICS_LISTEN"}, name)
	})
}

// awaitReady polls the orchestrator until it has its database.
func awaitReady(ctx context.Context, api *client.Client) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("the orchestrator was not ready within a minute"))
	defer cancel()
	for {
		err := api.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// RedactURL is a database URL without its password, to be shown.
func RedactURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "the database of DATABASE_URL"
	}
	return u.Redacted()
}
