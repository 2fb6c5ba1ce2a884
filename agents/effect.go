package agents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Policy is what a later attempt does about an effect that may or may not have
// happened: the attempt before it ended between the intent and the outcome.
type Policy string

const (
	// Reconcile asks the provider by the effect's key.
	Reconcile Policy = "reconcile"
	// Once never tries again: the effect is marked unknown, for a person.
	Once Policy = "once"
	// Repeat does it again with the same key: the provider tells repetitions.
	Repeat Policy = "repeat"
)

// ErrUnknownEffect says that an effect may have happened and nobody can be asked:
// it is not done again, the execution fails and a person looks.
var ErrUnknownEffect = errors.New("the effect may have happened: a person must look before it is done again")

// Skipped is the state of an effect in a dry run: it is not done, and nobody is asked.
const Skipped = "skipped"

// EffectState is where an effect stands in the ledger.
type EffectState struct {
	State   string // intended, done, not_done, unknown or Skipped
	Fresh   bool   // this attempt has just intended it: it surely did not happen yet
	Outcome json.RawMessage
}

// Effect is something that happens outside the database, once: a message, a pull
// request, a paid call.
type Effect[T any] struct {
	Policy Policy
	// Do makes it happen. The key is the same in every attempt, for the provider's
	// idempotency. An error marked by NotDone says that it surely did not happen;
	// any other leaves that open, and under Once the effect is unknown from then on.
	Do func(ctx context.Context, key string) (T, error)
	// Ask says whether the effect of that key happened, and its outcome; needed by
	// Reconcile alone.
	Ask func(ctx context.Context, key string) (outcome T, happened bool, err error)
}

// notDone marks an error after which the effect surely did not happen.
type notDone struct{ error }

func (e notDone) Unwrap() error { return e.error }

// NotDone marks an error of Do after which the effect surely did not happen, such
// as a refused connection: a later attempt may do it again, whatever the policy.
func NotDone(err error) error { return notDone{err} }

// Perform makes an effect happen at most once under (execution, name), and
// returns its outcome: the stored one where it has happened before. The intent is
// committed before Do is called and the outcome after, both fenced. In a dry run it
// calls neither Do nor Ask and returns the zero outcome.
func Perform[T any](ctx context.Context, t *Task, name string, e Effect[T]) (outcome T, err error) {
	ctx, span := beginSpan(ctx, "effect", name)
	defer func() { span.end(err) }()
	if err := t.steps.claim("effect " + name); err != nil {
		return outcome, err
	}
	if e.Do == nil || (e.Policy == Reconcile) != (e.Ask != nil) {
		return outcome, Permanent(fmt.Errorf("effect %s: needs Do, and Ask for reconcile alone", name))
	}
	key := t.ExecutionID + "/" + name
	state, err := t.journal.Intend(ctx, name, key, e.Policy)
	if err != nil {
		return outcome, fmt.Errorf("intend effect %s: %w", name, err)
	}
	span.state(state.State)
	err = errPanicked // unless Ask and Do return
	switch {
	case state.State == "done":
		if err := json.Unmarshal(state.Outcome, &outcome); err != nil {
			return outcome, Permanent(fmt.Errorf("effect %s: the stored outcome doesn't fit its type any more: %w", name, err))
		}
		return outcome, span.reused(true, nil)
	case state.State == Skipped:
		return outcome, nil
	case state.State == "unknown":
		return outcome, fmt.Errorf("effect %s: %w", name, ErrUnknownEffect)
	case !state.Fresh && e.Policy == Once:
		if err := t.settleAs(ctx, span, name, "unknown", nil); err != nil {
			return outcome, fmt.Errorf("mark effect %s as unknown: %w", name, err)
		}
		return outcome, fmt.Errorf("effect %s: %w", name, ErrUnknownEffect)
	case !state.Fresh && e.Policy == Reconcile:
		known, happened, err := e.Ask(ctx, key)
		if err != nil {
			return outcome, fmt.Errorf("ask whether effect %s happened: %w", name, err)
		}
		if happened {
			return known, t.settle(ctx, span, name, known)
		}
		// The answer may have taken long: is it still ours to do?
		if _, err := t.journal.Intend(ctx, name, key, e.Policy); err != nil {
			return outcome, fmt.Errorf("intend effect %s: %w", name, err)
		}
	}
	outcome, err = e.Do(ctx, key)
	var surelyNot notDone
	switch {
	case errors.As(err, &surelyNot):
		return outcome, errors.Join(fmt.Errorf("effect %s: %w", name, err), t.settleAs(ctx, span, name, "not_done", nil))
	case err != nil && e.Policy == Once:
		// No later attempt could know better.
		err = fmt.Errorf("effect %s: %w: %w", name, ErrUnknownEffect, err)
		if settled := t.settleAs(ctx, span, name, "unknown", nil); settled != nil {
			err = errors.Join(err, fmt.Errorf("mark effect %s as unknown: %w", name, settled))
		}
		return outcome, err
	case err != nil:
		return outcome, fmt.Errorf("effect %s: %w", name, err)
	}
	return outcome, t.settle(ctx, span, name, outcome)
}

// settleAs notes how the effect ended, in its span too.
func (t *Task) settleAs(ctx context.Context, s span, name, state string, outcome json.RawMessage) error {
	err := t.journal.Settle(ctx, name, state, outcome)
	if err == nil {
		s.state(state)
	}
	return err
}

func (t *Task) settle(ctx context.Context, s span, name string, outcome any) error {
	text, err := encodeOutput(name, outcome)
	if err != nil {
		return err
	}
	if err := t.settleAs(ctx, s, name, "done", text); err != nil {
		return fmt.Errorf("settle effect %s: %w", name, err)
	}
	return nil
}
