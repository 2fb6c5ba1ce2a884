package orchestrator

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// presence says that this orchestrator runs, for whoever is about to migrate the schema.
type presence struct {
	store *postgres.Store
	me    postgres.Orchestrator
	log   *slog.Logger
}

func newPresence(store *postgres.Store, version string, log *slog.Logger) (*presence, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this machine: %w", err)
	}
	return &presence{store, postgres.Orchestrator{ID: uuid.NewString(), Host: host, Version: version}, log}, nil
}

func (p *presence) run(ctx context.Context) {
	wait, stop := every(ctx, postgres.OrchestratorBeat)
	defer stop()
	first := true
	soon := func() bool { // at the start, then every time
		if first {
			first = false
			return ctx.Err() == nil
		}
		return wait()
	}
	loop(ctx, p.log, "nobody sees that this orchestrator runs", "it is seen that this orchestrator runs", soon, p.say)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := p.store.Stopped(ctx, p.me); err != nil {
		p.log.DebugContext(ctx, "it is seen for a while yet", "error", err)
	}
}

func (p *presence) say(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return p.store.Seen(ctx, p.me)
}
