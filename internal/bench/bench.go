package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/process"
)

// plan is how long and how often.
type plan struct {
	repeats int
	// warm precedes each turn and doesn't count.
	warm, closed, open time.Duration
	// jobs is how many executions, or River jobs, live their lives in one turn.
	jobs int
	// samples is how many executions an idle system gets in one turn.
	samples        int
	settle, window time.Duration
	// rounds is how often the recovery section kills all its victims.
	rounds int
	// pages is how often each kind of page is asked for in one turn.
	pages int
	// listen is how long a turn of listeners to events is.
	listen time.Duration
}

var (
	fullPlan  = plan{repeats: 5, warm: time.Second, closed: 4 * time.Second, open: 4 * time.Second, jobs: 5_000, samples: 50, settle: 12 * time.Second, window: 30 * time.Second, rounds: 5, pages: 1000, listen: 8 * time.Second}
	quickPlan = plan{repeats: 1, warm: 300 * time.Millisecond, closed: time.Second, open: time.Second, jobs: 1_000, samples: 15, settle: 11 * time.Second, window: 8 * time.Second, rounds: 1, pages: 300, listen: 4 * time.Second}
)

const (
	// connections is the closed loop's, and how many goroutines insert.
	connections = 16
	// poolSize is every side's pool: the services' default.
	poolSize = 16
	// openRate is the open loop's, in requests per second.
	openRate = 200
)

// bench is one run: its Postgres, its folder and what all sections share.
type bench struct {
	plan plan
	// many is the size of the larger history of scale, accepts, panels and pages.
	many     int
	dir      string
	database *database
	// url and pool are of the database that both the floor and ours use.
	url  string
	pool *pgxpool.Pool
	// histories are the URLs of what was filled, by name.
	histories map[string]string
	// loaded is the services' resident memory after load, in MB, by their names.
	loaded map[string]series
}

func open(ctx context.Context, o options) (_ *bench, err error) {
	b := &bench{plan: fullPlan, many: o.many, histories: map[string]string{}, loaded: map[string]series{}}
	if o.quick {
		b.plan = quickPlan
	}
	if b.dir, err = os.MkdirTemp(realDisk(), "ciclo-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	b.say("building the services …")
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	server := filepath.Join(b.dir, "postgres")
	if o.keep != "" {
		server = filepath.Join(o.keep, "postgres")
	}
	if b.database, err = openDatabase(ctx, server, o.keep != ""); err != nil {
		return nil, err
	}
	if b.url, err = b.database.create(ctx, "main"); err != nil {
		return nil, err
	}
	if err := postgres.Migrate(ctx, b.url); err != nil {
		return nil, err
	}
	b.pool, err = postgres.Connect(ctx, postgres.PoolConfig{URL: b.url, Name: "ciclo bench", MaxConns: poolSize})
	return b, err
}

// close ends everything that open started.
func (b *bench) close() error {
	if b.pool != nil {
		b.pool.Close()
	}
	var err error
	if b.database != nil {
		err = b.database.close()
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// realDisk is where a durable server's data belong: /tmp may be memory.
func realDisk() string {
	if info, err := os.Stat("/var/tmp"); err == nil && info.IsDir() {
		return "/var/tmp"
	}
	return os.TempDir()
}

// build makes the real services with the test agents.
func (b *bench) build(ctx context.Context) error {
	// The server runs as another user where we are root, and must get through.
	if err := os.Chmod(b.dir, 0o755); err != nil { //nolint:gosec // a folder without secrets; the cluster below it has modes of its own
		return err
	}
	const agents = "github.com/nuzantara/ciclo/internal/testagents/"
	cmd := exec.CommandContext(ctx, "go", "build", "-o", b.dir+"/", agents+"orchestrator", agents+"worker")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the services: %w\n%s", err, out)
	}
	return nil
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05")+"  "+format+"\n", args...)
}

// clear empties the tables, so that each turn finds the same.
func (b *bench) clear(ctx context.Context) error {
	_, err := b.pool.Exec(ctx, `TRUNCATE ciclo.executions, ciclo.transitions, ciclo.steps, ciclo.river_job, ciclo.uncounted_moves, ciclo.activity, ciclo.activity_durations CASCADE`)
	if err != nil {
		return fmt.Errorf("empty the tables: %w", err)
	}
	return nil
}

// analyze does what autovacuum would have done in a system that has been up for
// a while: without it the planner knows nothing of tables that were just filled.
func analyze(ctx context.Context, pool *pgxpool.Pool) error {
	if _, err := pool.Exec(ctx, `VACUUM ANALYZE`); err != nil {
		return fmt.Errorf("analyze the tables: %w", err)
	}
	return nil
}

// await returns when a query that counts says n.
func await(ctx context.Context, pool *pgxpool.Pool, n int, count string, alive ...*process.Process) error {
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(2 * time.Minute)
	for {
		var have int
		if err := pool.QueryRow(ctx, count).Scan(&have); err != nil {
			return fmt.Errorf("count: %w", err)
		}
		if have >= n {
			return nil
		}
		if i := slices.IndexFunc(alive, (*process.Process).Ended); i >= 0 {
			return fmt.Errorf("%s died; its last words:\n%s", alive[i].Name, alive[i].LastWords())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return fmt.Errorf("%d of %d after two minutes", have, n)
		case <-ticker.C:
		}
	}
}
