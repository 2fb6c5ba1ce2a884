package orchestrator

import (
	"context"
	"log/slog"
	"time"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// dispatchEvery is the time between two looks for messages whose time has come;
// what is approved here is looked at at once.
const dispatchEvery = 15 * time.Second

// dispatcher gives approved messages to executions of the agent that sends them.
// Every orchestrator has one; they share the work.
type dispatcher struct {
	store  *postgres.Store
	sender *agents.Manifest // nil where the catalogue has none: then nothing is sent
	accept func(context.Context, *agents.Manifest) postgres.Acceptance
	log    *slog.Logger
	meters *meters
	due    chan struct{}
}

// wake says that there may be something to send.
func (d *dispatcher) wake() {
	select {
	case d.due <- struct{}{}:
	default: // it knows
	}
}

// run dispatches until ctx is done.
func (d *dispatcher) run(ctx context.Context) {
	if d.sender == nil {
		return
	}
	ticker := time.NewTicker(dispatchEvery)
	defer ticker.Stop()
	wait := func() bool {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		case <-d.due:
		}
		return true
	}
	loop(ctx, d.log, "messages wait until the database answers", "messages are dispatched again", wait, d.dispatch)
}

// dispatch dispatches what is due, a batch at a time.
func (d *dispatcher) dispatch(ctx context.Context) error {
	for {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		a := d.accept(ctx, d.sender)
		a.Origin, a.Reason = "schedule", "its message was approved"
		n, err := d.store.DispatchMessages(ctx, a)
		cancel()
		if err != nil || n == 0 {
			return err
		}
		d.meters.executions.MovedAll(d.sender.Name, string(execution.Started), n)
		d.log.Info("messages go to executions", "messages", n)
	}
}
