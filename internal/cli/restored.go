package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// restoredCommand works on the database itself: no service may run yet.
type restoredCommand struct {
	NothingLost bool `help:"Nothing was lost: a failover with a synchronous replica, a move. Only note which database this is."`
	DryRun      bool `help:"Count what would be done, and change nothing."`
	Force       bool `help:"Do it on the database that the services knew, too: a dump that was restored in place."`
}

func (c restoredCommand) Run(ctx context.Context, g *Globals) error {
	if c.NothingLost && (c.DryRun || c.Force) {
		return usageError{errors.New("--nothing-lost goes with no other flag")}
	}
	err := g.withStore(ctx, func(store *postgres.Store) error {
		if c.NothingLost {
			if err := store.NothingLost(ctx); err != nil {
				return err
			}
			if g.JSON {
				return g.printJSON(map[string]any{"noted": true})
			}
			g.say("Noted: this is the database, and nothing was lost.")
			return nil
		}
		r, err := store.Restored(ctx, c.DryRun, c.Force)
		if errors.Is(err, postgres.ErrNotRestored) {
			return fmt.Errorf("%w; where a dump was restored in its place, `ciclo restored --force`", err)
		}
		if err != nil {
			return err
		}
		if g.JSON {
			return g.printJSON(r)
		}
		g.printRestored(r)
		return nil
	})
	if postgres.Forbidden(err) {
		return fmt.Errorf("`ciclo restored` is for the role that owns the schema, as `ciclo migrate` is (ciclo_owner in deploy/roles.sql): set DATABASE_URL to its URL: %w", err)
	}
	return err
}

// printRestored says what was done, and what is left to people.
func (g *Globals) printRestored(r postgres.Restoration) {
	if r.DryRun {
		g.say("Nothing was changed. This would be done:")
	} else {
		g.say("The database is taken over. What was done:")
	}
	table(g.out, func(row func(...any)) {
		row(r.Workers, "sessions of workers ended")
		row(r.Running, "executions taken back from workers")
		row(r.Live, "executions go on; whatever of their effects can't be asked for is unknown, and ends them")
		row(r.Effects, "effects are unknown by now")
		row(r.Senders, "executions that were to send a message cancelled")
		row(r.Messages, "messages that were approved are unknown")
		row(r.Drafts, "drafts have a note to look first")
		row(r.Schedules, "schedules skip their slots up to now")
		row(r.Slots, "queued slots skipped")
		row(r.CycleAgents, "agents of open cycles skipped that had not begun")
		row(r.Sessions, "sessions at the dashboard ended")
	})
	if len(r.Channels) > 0 {
		g.say("Channels turned off: %s.", strings.Join(r.Channels, ", "))
	}
	g.say(`What is left to people:
- messages: ciclo messages --status unknown, look at the provider, ciclo messages resolve; then turn channels on again
- opt-outs, erasures, revoked tokens and everything else since the backup: do it again (docs/backup-and-restore.md)
- executions that fail with unknown_effect from now on: ciclo effects ID, look, then ciclo retry ID or nothing
- slots that were skipped and were not lived through: ciclo schedules backfill
Now start the services.`)
}
