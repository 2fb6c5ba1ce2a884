package agents

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/execution"
)

// Agent is one autonomous agent. Run is called once for each attempt, possibly
// in another process than the one before it. It returns soon after ctx is done.
// An error means that the attempt failed and may be tried again; Permanent marks
// one that trying again can't mend.
type Agent interface {
	Run(ctx context.Context, task *Task) (Result, error)
}

// Result is what a completed execution shows: any value that encodes as a JSON
// object. Bulk belongs in the agent's own tables, by StepTx.
type Result any

// Task is one attempt of one execution, as its agent sees it.
type Task struct {
	ExecutionID string
	Attempt     int
	// StartedAt is when the execution was accepted: the same in every attempt, so
	// it is what "now" means to an agent.
	StartedAt  time.Time
	Parameters json.RawMessage
	// DryRun says that nothing of what the attempt does is kept or sent. No agent
	// needs to look at it: what it writes is rolled back when it has ended, and Perform
	// calls nobody, but returns an outcome that is its type's zero value.
	DryRun bool
	Log    *slog.Logger

	journal Journal
	steps   *stepNames
}

// Journal is where a task's reads and writes go. The worker has the one on
// Postgres; every write of it is refused with ErrStale once the attempt is no
// longer the execution's present one.
type Journal interface {
	// Read runs fn in a read-only transaction on one snapshot of the database.
	Read(ctx context.Context, fn func(tx pgx.Tx) error) error
	// Output returns the stored output of a step, or nil if it isn't finished.
	Output(ctx context.Context, step string) (json.RawMessage, error)
	// Record runs fn, whose result is the step's output, and stores it, all in
	// one fenced transaction. Writes says that fn writes by the transaction.
	Record(ctx context.Context, step string, startedAt time.Time, writes bool, fn func(ctx context.Context, tx pgx.Tx) (json.RawMessage, error)) error
	// Intend notes that an effect is about to happen and returns where it stands;
	// Skipped where it is not to happen at all.
	Intend(ctx context.Context, name, key string, policy Policy) (EffectState, error)
	// Settle notes how it ended: done with an outcome, not_done or unknown.
	Settle(ctx context.Context, name, state string, outcome json.RawMessage) error
	// Progress keeps the latest figures; it returns at once and never fails the work.
	Progress(done, total int64, text string)
}

// NewTask makes a task over a journal.
func NewTask(task Task, journal Journal) *Task {
	task.journal, task.steps = journal, &stepNames{used: map[string]bool{}}
	return &task
}

// ErrStale says that the attempt was superseded: what it writes is refused.
var ErrStale = execution.ErrStale

// Decode reads the parameters into a struct.
func (t *Task) Decode(into any) error {
	dec := json.NewDecoder(bytes.NewReader(t.Parameters))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return Permanent(fmt.Errorf("read parameters: %w", err))
	}
	return nil
}

// Read runs fn in a read-only transaction that sees one snapshot of the
// database. Agents read the views of schema source and tables of their own.
func (t *Task) Read(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return t.journal.Read(ctx, fn)
}

// Progress tells pollers how far the attempt is: done of total, and what it is at.
func (t *Task) Progress(done, total int64, text string) { t.journal.Progress(done, total, text) }

// permanentError marks an error that trying again can't mend.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// Permanent marks an error that trying again can't mend: the execution fails at
// once, whatever tries are left.
func Permanent(err error) error { return permanentError{err} }

// IsPermanent reports whether the error or one it wraps was marked by Permanent.
func IsPermanent(err error) bool {
	var p permanentError
	return errors.As(err, &p)
}
