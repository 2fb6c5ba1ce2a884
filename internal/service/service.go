// Package service is what the mains of the services share: their configuration,
// signals, the log and the first look at the database. Imports: internal/config,
// internal/postgres, pgx.
package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/config"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// ExitConfig is the exit code of a service whose configuration is wrong: EX_CONFIG of
// sysexits.h. It isn't 2, which is how Go ends a program that panics: a supervisor can
// tell what starting again may mend from what it can't.
const ExitConfig = 78

// exitUsage is the exit code where the command line is wrong.
const exitUsage = 2

// Process is the configuration that is of every service, for kong.
type Process struct {
	LogLevel    slog.Level `env:"CICLO_LOG_LEVEL" default:"info" unit:"debug, info, warn, error" help:"The least that is logged; logs are JSON on stderr."`
	PrintConfig bool       `help:"Print the configuration and all that is wrong with it as JSON, and end."`
}

func (p *Process) process() *Process { return p }

// Command is a service's configuration: a struct for kong that embeds Process.
type Command interface{ process() *Process }

// Main reads the configuration and runs a service until SIGINT or SIGTERM. It exits
// with 1 on an error, with ExitConfig and a line in the log for each mistake where the
// configuration is wrong. A second signal ends the process at once.
func Main(name, description string, command Command, run func(ctx context.Context, log *slog.Logger) error) {
	report, err := config.Read(config.Program{Name: name, Description: description, Version: Version(), Command: command, Check: checkDatabases, Out: os.Stdout}, os.Args[1:])
	switch {
	case errors.Is(err, config.ErrHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "%s: %v (%s --help shows the flags)\n", name, err, name)
		os.Exit(exitUsage)
	}
	if command.process().PrintConfig {
		os.Exit(printConfig(os.Stdout, report))
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: command.process().LogLevel})).With("service", name)
	for _, p := range report.Warnings {
		log.Warn("the configuration is odd", "variable", p.Variable, "problem", p.Text)
	}
	if len(report.Errors) > 0 {
		for _, p := range report.Errors {
			log.Error("the configuration is wrong", "variable", p.Variable, "problem", p.Text)
		}
		log.Error("service ended", "error", fmt.Sprintf("%d errors in the configuration: `ciclo config check` shows them all", len(report.Errors)))
		os.Exit(ExitConfig)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if os.Getenv("GOGC") == "" {
		// The live heap is a few MB: collecting it at every doubling is 5 % of the CPU
		// that status reads cost (docs/benchmarks.md), for memory that nobody misses.
		debug.SetGCPercent(400)
	}
	err = run(ctx, log)
	stop()
	if err != nil {
		log.Error("service ended", "error", err)
		os.Exit(1)
	}
}

func printConfig(out io.Writer, report *config.Report) int {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(report); err != nil {
		return 1
	}
	if len(report.Errors) > 0 {
		return ExitConfig
	}
	return 0
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
	said := ""
	for {
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
		}
		if text := explained(err).Error(); text != said {
			said = text
			log.Warn("waiting for the database", "error", text)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// explained says what mends it where the server lets nobody in.
func explained(err error) error {
	var refused *pgconn.PgError
	switch {
	case !errors.As(err, &refused):
		return err
	case refused.Code == "28P01" || refused.Code == "28000":
		return fmt.Errorf("the role or the password in DATABASE_URL is refused (a role that deploy/roles.sql made has no password until it is given one): %w", err)
	case refused.Code == "3D000":
		return fmt.Errorf("the database in DATABASE_URL isn't there (createdb makes it): %w", err)
	default:
		return err
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
