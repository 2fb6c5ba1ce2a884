package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// A dry run is an attempt like any other, but for its journal: all that the agent
// reads and writes is in one transaction that is rolled back, and no effect is
// performed. Since nothing of it is kept, it may start over at any time.

// maxDryRuns is how many dry runs of a worker have a connection, which each needs
// of its own while it runs; others wait, and their timeout runs.
const maxDryRuns = 4

// noteMember is the member that the result of a dry run has besides the agent's own.
const noteMember = "dry_run"

// maxNoted bounds the effects that a result names.
const maxNoted = 1000

// errGaveWay says that a dry run was ended so that a real one goes on.
var errGaveWay = errors.New("others wait for what the dry run has locked")

// performDry runs an attempt's agent until it was in nobody's way.
func (w *Worker) performDry(ctx context.Context, a *postgres.Attempt, j *journal) (json.RawMessage, error) {
	select {
	case w.dryRuns <- struct{}{}:
		defer func() { <-w.dryRuns }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for other dry runs to end: %w", context.Cause(ctx))
	}
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		result, again, err := w.performDryOnce(ctx, a, j)
		if !again || ctx.Err() != nil {
			return result, err
		}
		j.log.InfoContext(ctx, "the dry run starts over", "in", pause.String(), "error", err)
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
		}
	}
}

// performDryOnce runs the agent in a transaction. again says that it failed because
// of other transactions.
func (w *Worker) performDryOnce(ctx context.Context, a *postgres.Attempt, j *journal) (result json.RawMessage, again bool, err error) {
	ctx, giveWay := context.WithCancelCause(ctx)
	defer giveWay(nil)
	run, err := w.store.BeginDryRun(ctx, a)
	if errors.Is(err, postgres.ErrNoSessions) {
		return nil, false, agents.Permanent(err)
	}
	if err != nil {
		j.refusedBy(err, step)
		return nil, postgres.Conflict(err), err
	}
	var watching sync.WaitGroup
	over := make(chan struct{})
	watching.Go(func() { w.watchDryRun(ctx, run, over, giveWay, j) })
	dry := &dryJournal{journal: j, run: run}
	result, err = runAgent(ctx, w.cfg.Agents[a.Execution.Agent], newTask(a, dry, j.log))
	close(over)
	watching.Wait()
	run.End()

	switch {
	case run.Ended(): // also where the agent says that all is well
		return nil, false, agents.Permanent(errors.Join(postgres.ErrDryRunEnded, err))
	case err != nil:
		return nil, run.Conflicted() || errors.Is(context.Cause(ctx), errGaveWay), err
	}
	result, err = dry.annotate(result)
	return result, false, err
}

// watchDryRun keeps the transaction while the agent computes, and ends it where it
// is in others' way or the attempt is over: locks are not held for an agent that
// takes its time. A frozen process keeps nothing, so that Postgres ends its
// session as any other, before the lease is over.
func (w *Worker) watchDryRun(ctx context.Context, run *postgres.DryRun, over <-chan struct{}, giveWay context.CancelCauseFunc, j *journal) {
	tick := time.NewTicker(w.cfg.Beat / 2)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-ctx.Done():
			if err := run.Abort(); err != nil {
				j.log.WarnContext(ctx, "the dry run's session goes on until it is idle", "error", err)
			}
			return
		case <-tick.C:
		}
		looking, cancel := context.WithTimeout(ctx, w.cfg.Lease)
		waits, err := run.InTheWay(looking)
		err = errors.Join(err, run.KeepAlive(looking))
		cancel()
		if err != nil && ctx.Err() == nil {
			j.log.WarnContext(ctx, "the dry run may lose its transaction", "error", err)
		}
		if waits {
			giveWay(errGaveWay)
		}
	}
}

// dryJournal is the agent's way to a transaction that is rolled back. Progress goes
// where it always goes.
type dryJournal struct {
	*journal
	run *postgres.DryRun

	mu      sync.Mutex
	skipped []string // effects
}

func (j *dryJournal) Read(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return permanentIfEnded(j.run.Read(ctx, fn))
}

// Output is of no step: what another attempt did was rolled back.
func (j *dryJournal) Output(context.Context, string) (json.RawMessage, error) { return nil, nil }

func (j *dryJournal) Record(ctx context.Context, _ string, _ time.Time, _ bool, fn func(ctx context.Context, tx pgx.Tx) (json.RawMessage, error)) error {
	if err := j.moves(ctx); err != nil {
		return err
	}
	return permanentIfEnded(j.run.Write(ctx, fn))
}

// moves is the fence, for nobody else's sake: a dry run that was taken away stops.
func (j *dryJournal) moves(ctx context.Context) error {
	err := j.store.Move(ctx, j.a)
	j.refusedBy(err, step)
	return err
}

// Intend notes the effect, which is not to happen.
func (j *dryJournal) Intend(ctx context.Context, name, key string, policy agents.Policy) (agents.EffectState, error) {
	if err := j.moves(ctx); err != nil {
		return agents.EffectState{}, err
	}
	j.log.InfoContext(ctx, "dry run: the effect is left out", "effect", name, "key", key, "policy", policy)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.skipped = append(j.skipped, name)
	return agents.EffectState{State: agents.Skipped}, nil
}

// Settle is never right: no effect is under way.
func (*dryJournal) Settle(_ context.Context, name, _ string, _ json.RawMessage) error {
	return agents.Permanent(fmt.Errorf("effect %s was not begun: this is a dry run", name))
}

func permanentIfEnded(err error) error {
	if errors.Is(err, postgres.ErrDryRunEnded) {
		return agents.Permanent(err)
	}
	return err
}

// leftOut is what a dry run would have done besides.
type leftOut struct {
	Effects []string `json:"effects"`
	// More is how many effects are not named.
	More int `json:"more_effects,omitempty"`
}

// annotate adds to the agent's result what was left out.
func (j *dryJournal) annotate(result json.RawMessage) (json.RawMessage, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	named := min(len(j.skipped), maxNoted)
	note, err := json.Marshal(leftOut{Effects: append([]string{}, j.skipped[:named]...), More: len(j.skipped) - named})
	if err != nil {
		return nil, fmt.Errorf("encode what the dry run left out: %w", err)
	}
	separator := ","
	members := bytes.TrimSuffix(result, []byte("}"))
	if bytes.Equal(members, []byte("{")) {
		separator = ""
	}
	return fmt.Appendf(nil, `%s%s%q:%s}`, members, separator, noteMember, note), nil
}
