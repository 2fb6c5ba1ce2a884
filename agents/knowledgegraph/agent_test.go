package knowledgegraph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/demo"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

func TestMain(m *testing.M) {
	fingerprint, err := postgres.SchemaFingerprint()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testdatabase.Main(m, testdatabase.Options{Migrate: postgres.Migrate, Fingerprint: fingerprint})
}

var today = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// firm is a database and the journal of the execution that runs on it, which keeps
// steps in memory over attempts. It dies before it stores the step dies.
type firm struct {
	agents.Journal
	t         *testing.T
	pool      *pgxpool.Pool
	execution string
	steps     map[string]json.RawMessage
	done      []string
	dies      func(step string) bool
}

var errDied = errors.New("the worker died")

func newFirm(t *testing.T) *firm {
	t.Helper()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: testdatabase.New(t), Name: "knowledgegraph", MaxConns: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &firm{t: t, pool: pool}
}

// demoFirm is the demo's.
func demoFirm(t *testing.T) *firm {
	t.Helper()
	f := newFirm(t)
	if err := demo.Seed(t.Context(), f.pool, demo.DefaultTruth, 1, today); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *firm) Read(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, f.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, fn)
}

func (f *firm) Output(_ context.Context, step string) (json.RawMessage, error) {
	return f.steps[step], nil
}

func (f *firm) Record(ctx context.Context, step string, _ time.Time, _ bool, fn func(ctx context.Context, tx pgx.Tx) (json.RawMessage, error)) error {
	return pgx.BeginFunc(ctx, f.pool, func(tx pgx.Tx) error {
		output, err := fn(ctx, tx)
		switch {
		case err != nil:
			return err
		case f.dies != nil && f.dies(step):
			return errDied
		}
		f.steps[step] = output
		f.done = append(f.done, step)
		return nil
	})
}

func (f *firm) Progress(int64, int64, string) {}

func (f *firm) exec(sql string, args ...any) {
	f.t.Helper()
	if _, err := f.pool.Exec(f.t.Context(), sql, args...); err != nil {
		f.t.Fatal(err)
	}
}

// begin accepts another execution.
func (f *firm) begin() {
	f.t.Helper()
	f.execution = fmt.Sprintf("kg_builder_%d", time.Now().UnixNano())
	f.steps, f.done = map[string]json.RawMessage{}, nil
	f.exec(`INSERT INTO ciclo.executions (id, agent, status, tries, timeout_seconds, next_attempt_at) VALUES ($1, 'knowledge-graph-builder', 'started', 1, 60, now())`, f.execution)
}

// attempt is one of the execution that was begun; nil where it died.
func (f *firm) attempt(parameters string, dies func(step string) bool) *Result {
	f.t.Helper()
	f.dies = dies
	task := agents.NewTask(agents.Task{ExecutionID: f.execution, StartedAt: today, Parameters: json.RawMessage(parameters)}, f)
	result, err := Builder{}.Run(f.t.Context(), task)
	if errors.Is(err, errDied) {
		return nil
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return result.(*Result) //nolint:forcetypeassert // it is this package's
}

// run is a whole execution.
func (f *firm) run(parameters string) *Result {
	f.t.Helper()
	f.begin()
	return f.attempt(parameters, nil)
}

const year = `{"days_back": 365, "init_schema": false}`

// lines are the rows of a query as text.
func (f *firm) lines(sql string) []string {
	f.t.Helper()
	rows, err := f.pool.Query(f.t.Context(), sql)
	if err != nil {
		f.t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		values, err := row.Values()
		return strings.TrimSpace(fmt.Sprintln(values...)), err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return lines
}

// graph is all of it as it holds, without when rows were written and by which run.
func (f *firm) graph() []string {
	f.t.Helper()
	return f.lines(`
		SELECT to_jsonb(e) - 'created_at' FROM ciclo.entities e WHERE expired_at IS NULL
		UNION ALL SELECT to_jsonb(a) - 'words' - 'trigrams' FROM ciclo.entity_aliases a
		UNION ALL SELECT to_jsonb(e) - 'created_at' - 'expired_at' FROM ciclo.edges e WHERE expired_at IS NULL OR invalid_at IS NOT NULL
		UNION ALL SELECT to_jsonb(r) FROM ciclo.graph_records r
		UNION ALL SELECT to_jsonb(m) FROM ciclo.mentions m
		UNION ALL SELECT to_jsonb(a) FROM ciclo.record_attributes a
		UNION ALL SELECT to_jsonb(e) FROM ciclo.edge_evidence e
		UNION ALL SELECT to_jsonb(r) - 'created_at' FROM ciclo.entity_reviews r
		UNION ALL SELECT to_jsonb(m) - 'read_at' - 'execution_id' FROM ciclo.graph_messages m
		UNION ALL SELECT to_jsonb(m) - 'model' - 'trained_at' FROM ciclo.graph_models m ORDER BY 1`)
}

// same reports where the graph is another.
func (f *firm) same(want []string, when string) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.graph()); diff != "" {
		f.t.Errorf("%s it is another graph: %.3000s", when, diff)
	}
}

func TestASecondRunChangesNothing(t *testing.T) {
	t.Parallel()
	f := demoFirm(t)
	first := f.run(year)
	if first.Messages.Due == 0 || first.Messages.Graph != first.Messages.Due || first.Edges["works_for"] == 0 {
		t.Fatalf("the first run: %+v", first)
	}
	whole := f.lines(`SELECT to_jsonb(e) FROM ciclo.entities e UNION ALL SELECT to_jsonb(e) FROM ciclo.edges e UNION ALL SELECT to_jsonb(m) FROM ciclo.entity_merges m ORDER BY 1`)
	graph := f.graph()
	second := f.run(year)
	if second.Messages.Due != 0 || second.Resolution.Merges != 0 || second.Resolution.Splits != 0 {
		t.Errorf("the second run: %+v", second)
	}
	f.same(graph, "after a second run")
	if diff := cmp.Diff(whole, f.lines(`SELECT to_jsonb(e) FROM ciclo.entities e UNION ALL SELECT to_jsonb(e) FROM ciclo.edges e UNION ALL SELECT to_jsonb(m) FROM ciclo.entity_merges m ORDER BY 1`)); diff != "" {
		t.Errorf("rows were written again: %.2000s", diff)
	}
	zero := f.run(`{"days_back": 365, "init_schema": true}`)
	if zero.Messages.Due != first.Messages.Due {
		t.Errorf("from zero: %+v", zero)
	}
	f.same(graph, "built from zero")
}
