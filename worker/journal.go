package worker

import (
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
}

func newJournal(store *postgres.Store, a *postgres.Attempt, cancel context.CancelCauseFunc, meters *meters, log *slog.Logger) *journal {
	return &journal{store: store, a: a, cancel: cancel, meters: meters, log: log, saving: new(sync.WaitGroup), closing: make(chan struct{})}
}

// refusedBy ends the attempt where the fence refused one of its writes.
func (j *journal) refusedBy(err error, write string) {
	if errors.Is(err, execution.ErrStale) {
		j.meters.refused.WithLabelValues(j.a.Execution.Agent, write).Inc()
		j.cancel(errTaken)
	}
}

func (j *journal) Read(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return j.store.Read(ctx, fn)
}

func (j *journal) Output(ctx context.Context, step string) (json.RawMessage, error) {
	return j.store.StepOutput(ctx, j.a, step)
}

func (j *journal) Record(ctx context.Context, name string, startedAt time.Time, writes bool, fn func(ctx context.Context, tx pgx.Tx) (json.RawMessage, error)) error {
	err := j.store.RecordStep(ctx, j.a, name, startedAt, writes, func(tx pgx.Tx) (json.RawMessage, error) { return fn(ctx, tx) })
	j.refusedBy(err, step)
	return err
}

// intendWithin is how old the knowledge may be that the attempt is still its own
// when an effect is about to happen; well below any lease.
const intendWithin = 500 * time.Millisecond

// Intend also looks again where the answer took long, as for a process that was
// frozen meanwhile: another attempt may have come, asked, and done it.
func (j *journal) Intend(ctx context.Context, name, key string, policy agents.Policy) (agents.EffectState, error) {
	began := time.Now()
	e, fresh, err := j.store.IntendEffect(ctx, j.a, name, key, string(policy))
	for err == nil && time.Since(began) > intendWithin {
		began = time.Now()
		err = j.store.StillRuns(ctx, j.a)
	}
	j.refusedBy(err, effect)
	return agents.EffectState{State: e.State, Fresh: fresh, Outcome: e.Outcome}, err
}

func (j *journal) Settle(ctx context.Context, name, state string, outcome json.RawMessage) error {
	ctx, cancel := outliving(ctx)
	defer cancel()
	err := j.store.SettleEffect(ctx, j.a, name, state, outcome)
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
