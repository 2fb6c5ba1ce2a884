package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/queue"
)

// Store reads and writes executions, transitions, steps and workers.
type Store struct {
	pool *pgxpool.Pool
	// sessions makes connections that are sessions of their own; nil behind a pooler
	// that nothing leads past.
	sessions *pgxpool.Pool
	// stall is what a session made past the pooler is told, which the pool's know.
	stall time.Duration
	// replica answers reads that may ask it; nil where there is none.
	replica *pgxpool.Pool
	river   *river.Client[pgx.Tx] // inserts and cancels alone; it never works and never leads
	// tracer begins the traces of executions.
	tracer trace.Tracer
}

// New makes a store on a pool.
func New(pool *pgxpool.Pool) (*Store, error) { return NewTraced(pool, nil) }

// NewTraced makes a store that begins a trace for each execution that it accepts,
// or goes on with the one that it is asked in. Without a provider it is New.
func NewTraced(pool *pgxpool.Pool, provider trace.TracerProvider) (*Store, error) {
	config := &river.Config{
		Schema: queue.Schema,
		Logger: slog.New(slog.DiscardHandler),
	}
	if provider == nil {
		provider = noop.NewTracerProvider()
	} else {
		config.Middleware = []rivertype.Middleware{queue.Traced(provider)}
	}
	client, err := river.NewClient(riverpgxv5.New(pool), config)
	if err != nil {
		return nil, fmt.Errorf("make River's inserting client: %w", err)
	}
	return &Store{pool: pool, sessions: pool, river: client, tracer: provider.Tracer("github.com/nuzantara/ciclo/internal/postgres")}, nil
}

// Pooled says that the pool leads to a pooler in transaction mode, and what leads
// past it; nil where nothing does. Sessions past it are told to end when they are
// silent in a transaction for longer than stall. It is called before the store is
// used.
func (s *Store) Pooled(direct *pgxpool.Pool, stall time.Duration) {
	s.sessions, s.stall = direct, stall
}

// Ping asks the database for a sign of life.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// inTx runs fn in a transaction and commits it unless fn returns an error.
func (s *Store) inTx(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.pool, fn)
}

// sources are the statuses from which the move is allowed, for = ANY($n).
func sources(to execution.Status) []string {
	var texts []string
	for _, s := range execution.Sources(to) {
		texts = append(texts, string(s))
	}
	return texts
}

// executionColumns are what scanExecution reads, of executions e.
const executionColumns = `e.id, e.agent, e.status, e.parameters, e.attempt, e.failures, e.tries,
	e.started_at, e.running_at, e.ended_at, e.next_attempt_at, e.cancel_requested_at, e.worker_id::text,
	e.progress_done, e.progress_total, e.progress_text, e.progress_at, e.result, e.error_class, e.error_text, e.deadline_at, e.requested_by, e.retry_of, e.cycle_id, e.dry_run, e.pruned_at, coalesce(e.traceparent, ''), e.llm_tokens, e.llm_cost::float8,
	` + stalled

// stalled says of executions e whether one has not moved for longer than its threshold.
const stalled = `e.status = 'running' AND coalesce(greatest(e.progress_at, e.running_at) < now() - e.stall_seconds * interval '1 second', false)`

// scanExecution reads executionColumns, and what more the query selects after them.
func scanExecution(row pgx.Row, more ...any) (execution.Execution, error) {
	var e execution.Execution
	var done, total *int64
	var text, class, errText *string
	var at *time.Time
	err := row.Scan(append([]any{
		&e.ID, &e.Agent, &e.Status, &e.Parameters, &e.Attempt, &e.Failures, &e.Tries,
		&e.StartedAt, &e.RunningAt, &e.EndedAt, &e.NextAttemptAt, &e.CancelRequestedAt, &e.WorkerID,
		&done, &total, &text, &at, &e.Result, &class, &errText, &e.DeadlineAt, &e.RequestedBy, &e.RetryOf, &e.CycleID, &e.DryRun, &e.PrunedAt, &e.Traceparent, &e.LLMTokens, &e.LLMDollars, &e.Stalled,
	}, more...)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return e, execution.ErrNotFound
	}
	if err != nil {
		return e, err
	}
	e.ProgressAt = at
	if text != nil {
		e.Progress = &execution.Progress{Done: *done, Total: *total, Text: *text, At: *at}
	}
	if class != nil {
		e.Error = &execution.Error{Class: *class, Text: *errText}
	}
	e.TraceID = traceID(e.Traceparent)
	if e.EndedAt != nil {
		seconds := e.EndedAt.Sub(e.StartedAt).Seconds()
		e.DurationSeconds = &seconds
	}
	return e, nil
}
