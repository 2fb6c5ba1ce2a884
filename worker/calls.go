package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// Reserve also looks again where the answer took long, as Intend does.
func (j *journal) Reserve(ctx context.Context, c agents.Call) (agents.CallState, error) {
	limits := make([]postgres.SpendLimit, len(c.Budgets))
	for i, b := range c.Budgets {
		limits[i] = postgres.SpendLimit{Scope: b.Scope, Tokens: b.Tokens, Cost: b.Cost.String()}
	}
	began := time.Now()
	state, err := j.store.ReserveCall(ctx, j.a, postgres.Call{
		Step: c.Step, Hash: c.Hash, Provider: c.Provider, Model: c.Model, Tokens: c.Tokens, Cost: c.Cost.String(), Limits: limits,
		RequestsPerMinute: c.RequestsPerMinute, TokensPerMinute: c.TokensPerMinute, Request: c.Request, ClientIDs: c.About, Keep: c.Keep,
	})
	for err == nil && time.Since(began) > intendWithin {
		began = time.Now()
		err = j.store.StillRuns(ctx, j.a)
	}
	var over *postgres.OverBudgetError
	var later *postgres.CallLaterError
	switch {
	case errors.As(err, &over):
		return agents.CallState{}, fmt.Errorf("%w: %w", agents.ErrOverBudget, err)
	case errors.As(err, &later):
		return agents.CallState{}, &agents.LaterError{In: later.In, Reason: later.Reason}
	}
	j.refusedBy(err, call)
	return agents.CallState{State: state.State, Fresh: state.Fresh, Age: state.Age, ProviderID: state.ProviderID, Answer: state.Answer}, err
}

func (j *journal) Attach(ctx context.Context, step, hash, providerID string) error {
	ctx, cancel := outliving(ctx)
	defer cancel()
	err := j.store.AttachCall(ctx, j.a, step, hash, providerID)
	j.refusedBy(err, call)
	return err
}

// answerKept is for how long an answer that was paid is tried to be written down while
// the database is away.
const answerKept = 30 * time.Second

// Finish outlives the attempt's context, as Settle does, and the database's absence for
// a while: what is lost here was paid for nothing.
func (j *journal) Finish(ctx context.Context, step, hash string, o agents.CallOutcome) error {
	var err error
	for began, again := time.Now(), true; again; {
		err = j.finish(ctx, step, hash, o)
		again = err != nil && !errors.Is(err, execution.ErrStale) && !postgres.Refused(err) && time.Since(began) < answerKept
		if again {
			time.Sleep(finishEvery) //nolint:forbidigo // the attempt's context may be over; the loop is bounded
		}
	}
	j.refusedBy(err, call)
	if err == nil {
		j.meters.calls.WithLabelValues(j.a.Execution.Agent, o.State).Inc()
		j.meters.tokens.WithLabelValues(j.a.Execution.Agent, "input").Add(float64(o.Input))
		j.meters.tokens.WithLabelValues(j.a.Execution.Agent, "output").Add(float64(o.Output))
		j.meters.dollars.WithLabelValues(j.a.Execution.Agent).Add(float64(o.Cost) / 1e9)
	}
	return err
}

// finishEvery is the pause between two tries to write an answer down.
const finishEvery = 300 * time.Millisecond

func (j *journal) finish(ctx context.Context, step, hash string, o agents.CallOutcome) error {
	ctx, cancel := outliving(ctx)
	defer cancel()
	return j.store.SettleCall(ctx, j.a, step, hash, postgres.CallOutcome{
		State: o.State, ProviderID: o.ProviderID, Input: o.Input, Output: o.Output, Cost: o.Cost.String(), Answer: o.Answer, Error: o.Error, Ill: o.Ill,
	})
}

// outliving outlives the attempt's context: what happened is written down even where
// the attempt is being interrupted.
func outliving(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}
