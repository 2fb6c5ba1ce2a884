package agents

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// MaxOutput bounds a step's stored output, in bytes of JSON.
const MaxOutput = 1 << 20

// stepNames are the steps that this attempt has named so far.
type stepNames struct {
	mu   sync.Mutex
	used map[string]bool
}

func (s *stepNames) claim(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case name == "" || len(name) > 200:
		return Permanent(fmt.Errorf("step name %q must have 1 to 200 bytes", name))
	case s.used[name]:
		return Permanent(fmt.Errorf("step %q is named twice in one execution", name))
	}
	s.used[name] = true
	return nil
}

// Step runs fn and stores its result under (execution, name). Where an earlier
// attempt has finished the step, the stored result is returned and fn isn't
// called. fn may run again if the attempt dies before its result is stored, so
// effects on the outside world don't belong in it.
func Step[T any](ctx context.Context, t *Task, name string, fn func(ctx context.Context) (T, error)) (result T, err error) {
	ctx, span := beginSpan(ctx, "step", name)
	defer func() { span.end(err) }()
	if done, err := t.stored(ctx, name, &result); done || err != nil {
		return result, span.reused(done, err)
	}
	started := time.Now()
	err = errPanicked // unless fn returns
	result, err = fn(ctx)
	if err != nil {
		return result, fmt.Errorf("step %s: %w", name, err)
	}
	err = t.journal.Record(ctx, name, started, false, func(context.Context, pgx.Tx) (json.RawMessage, error) { return encodeOutput(name, result) })
	if err != nil {
		return result, fmt.Errorf("store step %s: %w", name, err)
	}
	return result, nil
}

// StepTx runs fn in the transaction that stores its result: what fn writes by tx
// happens exactly once, whatever crashes. A retry, being another execution, runs it
// again, since what it wrote belongs to the old one. fn must not wait on anything but the
// database, since the execution's row is locked while it runs. Where the connection breaks
// fn is called again, so it must not change what lies outside it.
func StepTx[T any](ctx context.Context, t *Task, name string, fn func(ctx context.Context, tx pgx.Tx) (T, error)) (result T, err error) {
	ctx, span := beginSpan(ctx, "step", name)
	defer func() { span.end(err) }()
	if done, err := t.stored(ctx, name, &result); done || err != nil {
		return result, span.reused(done, err)
	}
	err = errPanicked // unless fn returns
	err = t.journal.Record(ctx, name, time.Now(), true, func(ctx context.Context, tx pgx.Tx) (json.RawMessage, error) {
		var err error
		if result, err = fn(ctx, tx); err != nil {
			return nil, err
		}
		return encodeOutput(name, result)
	})
	if err != nil {
		return result, fmt.Errorf("step %s: %w", name, err)
	}
	return result, nil
}

// stored fills result from an earlier attempt's output, if there is one.
func (t *Task) stored(ctx context.Context, name string, result any) (bool, error) {
	if err := t.steps.claim(name); err != nil {
		return false, err
	}
	output, err := t.journal.Output(ctx, name)
	if err != nil {
		return false, fmt.Errorf("look up step %s: %w", name, err)
	}
	if output == nil {
		return false, nil
	}
	if err := json.Unmarshal(output, result); err != nil {
		return false, Permanent(fmt.Errorf("step %s: the stored output doesn't fit its type any more: %w", name, err))
	}
	return true, nil
}

func encodeOutput(name string, result any) (json.RawMessage, error) {
	output, err := json.Marshal(result)
	if err != nil {
		return nil, Permanent(fmt.Errorf("step %s: output is not JSON: %w", name, err))
	}
	if len(output) > MaxOutput {
		return nil, Permanent(fmt.Errorf("step %s: output has %d bytes, at most %d are kept: write bulk to a table in StepTx", name, len(output), MaxOutput))
	}
	return output, nil
}
