// Package service is what the mains of the services share: signals, the log and
// the first look at the database. Imports: internal/postgres, pgx.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// Main runs a service until SIGINT or SIGTERM and exits with 1 on an error. A
// second signal ends the process at once.
func Main(name string, run func(ctx context.Context, log *slog.Logger) error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level()})).With("service", name)
	if os.Getenv("GOGC") == "" {
		// The live heap is a few MB: collecting it at every doubling is 5 % of the CPU
		// that status reads cost (docs/benchmarks.md), for memory that nobody misses.
		debug.SetGCPercent(400)
	}
	err := run(ctx, log)
	stop()
	if err != nil {
		log.Error("service ended", "error", err)
		os.Exit(1)
	}
}

// level reads CICLO_LOG_LEVEL: debug, info (the default), warn or error.
func level() slog.Level {
	var l slog.Level
	if l.UnmarshalText([]byte(os.Getenv("CICLO_LOG_LEVEL"))) != nil {
		return slog.LevelInfo
	}
	return l
}

// Version is the module's version or the revision that the binary was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "devel"
}

// Secret is a value that may stand in a file instead, so that it is in no
// process list and no environment.
func Secret(value, file string) (string, error) {
	if file == "" {
		return value, nil
	}
	if value != "" {
		return "", fmt.Errorf("the secret is given both as a value and by the file %s", file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// await tries until check says nil, or what waiting can't mend.
func await(ctx context.Context, log *slog.Logger, check func(ctx context.Context) error) error {
	for waiting := false; ; waiting = true {
		once, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := check(once)
		cancel()
		if postgres.Pooler(err) && !errors.Is(err, postgres.ErrPooler) {
			err = fmt.Errorf("%w: %w", postgres.ErrPooler, err) // what mends it, and what the pooler said
		}
		switch {
		case err == nil || permanent(err):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !waiting:
			log.Warn("waiting for the database", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// known looks at the database's schema, then whether it is the one that was known. A
// timeline that changed is only said: a failover changes it too.
func known(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) error {
	if err := postgres.CheckSchema(ctx, pool); err != nil {
		return err
	}
	err := postgres.CheckIncarnation(ctx, pool, false)
	var timeline *postgres.TimelineError
	if errors.As(err, &timeline) || postgres.Forbidden(err) {
		log.Warn(err.Error())
		return nil
	}
	return err
}

// permanent reports whether an error of the first look at the database stays until
// somebody mends the configuration.
func permanent(err error) bool {
	var schema *postgres.SchemaError
	var another *postgres.CopyError
	var setting *postgres.SettingError
	return errors.As(err, &schema) || errors.As(err, &another) || errors.As(err, &setting) || errors.Is(err, postgres.ErrNoNotices) || postgres.Pooler(err)
}
