package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// Reserve also looks again where the answer took long, as Intend does.
func (j *journal) Reserve(ctx context.Context, c agents.Call) (agents.CallState, error) {
	limits := make([]postgres.SpendLimit, len(c.Budgets))
	for i, b := range c.Budgets {
		limits[i] = postgres.SpendLimit{Scope: b.Scope, Tokens: b.Tokens, Cost: b.Cost.String()}
	}
	asked := postgres.Call{
		Step: c.Step, Hash: c.Hash, Provider: c.Provider, Model: c.Model, Tokens: c.Tokens, Cost: c.Cost.String(), Limits: limits,
		RequestsPerMinute: c.RequestsPerMinute, TokensPerMinute: c.TokensPerMinute, Request: c.Request, ClientIDs: c.About, Keep: c.Keep,
	}
	var state postgres.CallState
	// What this attempt was told of before, it may have sent: only what this very question
	// reserved is fresh when it is asked again.
	known := j.knows(c.Step + " " + c.Hash)
	err := j.intend(ctx, func(again bool) (err error) {
		state, err = j.store.ReserveCall(ctx, j.a, asked, again && !known)
		return err
	})
	if err == nil {
		j.tell(c.Step+" "+c.Hash, true)
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
	err := insist(ctx, keptFor, func(bool) error {
		ctx, cancel := outliving(ctx)
		defer cancel()
		return j.store.AttachCall(ctx, j.a, step, hash, providerID)
	})
	j.refusedBy(err, call)
	return err
}

// Finish outlives the attempt's context, as Settle does, and the database's absence:
// what is lost here was paid for nothing.
func (j *journal) Finish(ctx context.Context, step, hash string, o agents.CallOutcome) error {
	err := insist(ctx, keptFor, func(bool) error { return j.finish(ctx, step, hash, o) })
	j.refusedBy(err, call)
	if err == nil {
		j.tell(step+" "+hash, o.State != agents.CallNotDone)
		j.meters.calls.WithLabelValues(j.a.Execution.Agent, o.State).Inc()
		j.meters.tokens.WithLabelValues(j.a.Execution.Agent, "input").Add(float64(o.Input))
		j.meters.tokens.WithLabelValues(j.a.Execution.Agent, "output").Add(float64(o.Output))
		j.meters.dollars.WithLabelValues(j.a.Execution.Agent).Add(float64(o.Cost) / 1e9)
	}
	return err
}

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
