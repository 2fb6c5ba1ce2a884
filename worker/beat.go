package worker

import (
	"context"
	"errors"
	"time"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// beat renews the lease until ctx is done. A database that doesn't answer stops
// no work: only its answer can take an attempt away. The error is for a session
// that others ended.
func (w *Worker) beat(ctx context.Context) error {
	ticker := time.NewTicker(w.cfg.Beat)
	defer ticker.Stop()
	silent := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := w.beatOnce(ctx)
		switch {
		case errors.Is(err, postgres.ErrWorkerGone):
			return err
		case err != nil && ctx.Err() == nil && !silent:
			silent = true
			w.cfg.Log.Warn("heartbeat failed; work goes on", "error", err)
		case err == nil && silent:
			silent = false
			w.cfg.Log.Info("heartbeat works again")
		}
	}
}

func (w *Worker) beatOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Lease/2)
	defer cancel()
	number := w.held.beatBegins()
	began := time.Now()
	mine, drain, err := w.beats.Beat(ctx, w.id, w.cfg.Lease)
	if err != nil {
		w.meters.beat(began, err)
		return err
	}
	w.meters.beat(began, nil)
	if drain {
		w.drain()
	}
	answer := make(map[string]answered, len(mine))
	agents := make(map[string]string, len(mine))
	for _, m := range mine {
		agents[m.ExecutionID] = m.Agent
		answer[m.ExecutionID] = answered{m.Attempt, m.CancelRequested}
	}
	for _, id := range w.held.compare(number, answer) {
		h := postgres.Held{ExecutionID: id, Attempt: answer[id].attempt}
		switch to, err := w.beats.GiveBack(ctx, w.id, h); {
		case errors.Is(err, execution.ErrStale): // it ended while the answer was on its way
		case err != nil:
			return err
		default:
			w.meters.executions.Attempt(agents[id], givenBack)
			w.meters.executions.Moved(agents[id], string(to))
			w.cfg.Log.Warn("gave back an execution whose claim's answer was lost", "execution_id", id, "attempt", h.Attempt)
		}
	}
	return nil
}
