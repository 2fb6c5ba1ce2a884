package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

const (
	// DefaultForeignFor is longer than a deploy takes.
	DefaultForeignFor = 10 * time.Minute
	// putOffFor is after how long an execution is offered to other workers again.
	putOffFor = 15 * time.Second
)

// foreignError is parameters that were accepted by another version's manifest and
// are none by this one's.
type foreignError struct{ wrong *agents.ParametersError }

func (e *foreignError) Error() string {
	return "it was accepted by another version, and its agent doesn't take its parameters any more: " + e.wrong.Error() + "; run it anew with what this version allows"
}

func foreign(err error) bool {
	var f *foreignError
	return errors.As(err, &f)
}

// adopt checks an execution's parameters by this version's manifest, and gives those
// that are new since its acceptance their defaults.
func (w *Worker) adopt(a *postgres.Attempt) error {
	parameters, err := w.cfg.Catalogue.Find(a.Execution.Agent).CheckParameters(a.Execution.Parameters)
	var wrong *agents.ParametersError
	if errors.As(err, &wrong) {
		return &foreignError{wrong}
	}
	if err != nil {
		return agents.Permanent(fmt.Errorf("read parameters: %w", err))
	}
	a.Execution.Parameters = parameters
	return nil
}

// putOff leaves a young execution with foreign parameters to a worker of the version
// that accepted it: while a deploy goes on there is one, or comes one. False where it
// is too old for that, and fails.
func (w *Worker) putOff(ctx, runCtx context.Context, a *postgres.Attempt, why error, log *slog.Logger) bool {
	left := true
	err := w.lastWord(ctx, runCtx, a, log, func(ctx context.Context) (err error) {
		left, err = w.store.PutOff(ctx, a, why.Error(), putOffFor, w.cfg.ForeignFor)
		return err
	})
	switch {
	case err != nil: // another has the word, or nobody: nothing more is to be said
		return errors.Is(err, execution.ErrStale)
	case left:
		log.WarnContext(ctx, "execution left to workers of another version", "error", why)
	}
	return left
}
