package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// journal is the agent's way to the store: every write carries the attempt's fence.
type journal struct {
	store  *postgres.Store
	a      *postgres.Attempt
	cancel context.CancelCauseFunc
	meters *meters
	log    *slog.Logger

	mu      sync.Mutex
	latest  *execution.Progress // not yet written
	saving  *sync.WaitGroup
	active  bool // a goroutine is writing progress
	closing chan struct{}
	// told are the calls that the attempt knows to be reserved, by step and hash.
	told map[string]bool
}

func newJournal(store *postgres.Store, a *postgres.Attempt, cancel context.CancelCauseFunc, meters *meters, log *slog.Logger) *journal {
	return &journal{store: store, a: a, cancel: cancel, meters: meters, log: log, saving: new(sync.WaitGroup), closing: make(chan struct{}), told: map[string]bool{}}
}

// refusedBy ends the attempt where the fence refused one of its writes.
func (j *journal) refusedBy(err error, write string) {
	if errors.Is(err, execution.ErrStale) {
		j.meters.refused.WithLabelValues(j.a.Execution.Agent, write).Inc()
		j.cancel(errTaken)
	}
}

// retryEvery is the pause before the database is asked once more.
const retryEvery = 300 * time.Millisecond

// keptFor is how long what happened outside is tried to be written down, whatever the
// error: also where the attempt is being interrupted, or Postgres is short of something.
const keptFor = 30 * time.Second

// insist asks the database until it answers, for as long as the attempt runs: that it is
// away, or hangs, costs nobody a try. Ask is told whether it is called again. An error that
// may pass is tried again for keep, beyond the attempt's end too; whoever asks so bounds
// each time that it asks.
func insist(ctx context.Context, keep time.Duration, ask func(again bool) error) error {
	began := time.Now()
	for again := false; ; again = true {
		err := ask(again)
		late := time.Since(began) >= keep
		away := postgres.Away(err) || keep > 0 && errors.Is(err, context.DeadlineExceeded)
		switch {
		case err == nil, errors.Is(err, execution.ErrStale), postgres.Refused(err), late && ctx.Err() != nil, late && !away:
			return err
		}
		over := ctx.Done()
		if !late {
			over = nil
		}
		select {
		case <-over:
		case <-time.After(retryEvery):
		}
	}
}

// Read begins again where the database is away; what broke in the middle of fn is the
// attempt's to begin again.
func (j *journal) Read(ctx context.Context, fn func(tx pgx.Tx) error) error {
	var broken error
	err := insist(ctx, 0, func(bool) error {
		began := false
		err := j.store.Read(ctx, func(tx pgx.Tx) error {
			began = true
			return fn(tx)
		})
		if began {
			broken = err
			return nil
		}
		return err
	})
	return cmp.Or(err, broken)
}

func (j *journal) Output(ctx context.Context, step string) (output json.RawMessage, err error) {
	err = insist(ctx, 0, func(bool) error {
		output, err = j.store.StepOutput(ctx, j.a, step)
		return err
	})
	return output, err
}

// recordTries is how often fn is called where the connection breaks meanwhile: it may be
// what breaks it.
const recordTries = 3

func (j *journal) Record(ctx context.Context, name string, startedAt time.Time, writes bool, fn func(ctx context.Context, tx pgx.Tx) (json.RawMessage, error)) error {
	var broken error
	tries := 0
	err := insist(ctx, 0, func(again bool) error {
		err := j.store.RecordStep(ctx, j.a, name, startedAt, writes, again, func(tx pgx.Tx) (json.RawMessage, error) {
			if writes { // what a plain step gives breaks nothing
				tries++
			}
			return fn(ctx, tx)
		})
		if tries >= recordTries {
			broken = err
			return nil
		}
		return err
	})
	err = cmp.Or(err, broken)
	j.refusedBy(err, step)
	return err
}

// intendWithin is how old the knowledge may be that the attempt is still its own
// when an effect is about to happen; well below any lease.
const intendWithin = 500 * time.Millisecond

// knows says that the attempt was told that a call is reserved.
func (j *journal) knows(call string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.told[call]
}

// tell notes whether a call is known to be reserved.
func (j *journal) tell(call string, reserved bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.told[call] = reserved
}

// intend asks for leave to do something outside. Where the answer took long it looks again,
// as for a process that was frozen meanwhile: another attempt may have come, asked, and
// done it.
func (j *journal) intend(ctx context.Context, ask func(again bool) error) error {
	var began time.Time
	err := insist(ctx, 0, func(again bool) error {
		began = time.Now()
		return ask(again)
	})
	for err == nil && time.Since(began) > intendWithin {
		err = insist(ctx, 0, func(bool) error {
			began = time.Now()
			return j.store.StillRuns(ctx, j.a)
		})
	}
	return err
}

func (j *journal) Intend(ctx context.Context, name, key string, policy agents.Policy) (agents.EffectState, error) {
	var state agents.EffectState
	err := j.intend(ctx, func(again bool) error {
		e, fresh, err := j.store.IntendEffect(ctx, j.a, name, key, string(policy), again)
		state = agents.EffectState{State: e.State, Fresh: fresh, Outcome: e.Outcome}
		return err
	})
	j.refusedBy(err, effect)
	return state, err
}

func (j *journal) Settle(ctx context.Context, name, state string, outcome json.RawMessage) error {
	err := insist(ctx, keptFor, func(bool) error {
		ctx, cancel := outliving(ctx)
		defer cancel()
		return j.store.SettleEffect(ctx, j.a, name, state, outcome)
	})
	j.refusedBy(err, effect)
	if err == nil {
		j.meters.effects.WithLabelValues(j.a.Execution.Agent, state).Inc()
	}
	return err
}

// progressEvery is the shortest time between two writes of progress.
const progressEvery = 500 * time.Millisecond

func (j *journal) Progress(done, total int64, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.isClosing() {
		return
	}
	j.latest = &execution.Progress{Done: done, Total: total, Text: text}
	if !j.active {
		j.active = true
		j.saving.Go(j.save)
	}
}

func (j *journal) isClosing() bool {
	select {
	case <-j.closing:
		return true
	default:
		return false
	}
}

// save writes the latest progress until there is none that is new.
func (j *journal) save() {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-j.closing:
			return
		}
		j.mu.Lock()
		p := j.latest
		j.latest = nil
		if p == nil {
			j.active = false
			j.mu.Unlock()
			return
		}
		j.mu.Unlock()

		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := j.store.SaveProgress(ctx, j.a, *p)
		cancel()
		j.refusedBy(err, progress)
		if err != nil && !errors.Is(err, execution.ErrStale) {
			j.log.WarnContext(ctx, "progress was not written", "error", err)
		}
		pause.Reset(progressEvery)
	}
}

// close lets no more progress be written and waits for a write under way.
func (j *journal) close() {
	j.mu.Lock()
	close(j.closing)
	j.mu.Unlock()
	j.saving.Wait()
}
