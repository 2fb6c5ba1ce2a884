package orchestrator

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// memoryEvery is the time between two looks whether the database is still the one that
// it was.
const memoryEvery = 30 * time.Second

// rememberer notes which database this is, and notices when it becomes another one or
// forgets: by a restore, or a failover that lost something.
type rememberer struct {
	pool   *pgxpool.Pool
	every  time.Duration
	log    *slog.Logger
	memory postgres.Memory
	said   string
}

func (r *rememberer) run(ctx context.Context) {
	wait, stop := every(ctx, r.every)
	defer stop()
	if err := r.look(ctx); err != nil {
		r.log.Debug("the first look waits for the database", "error", err)
	}
	loop(ctx, r.log, "nobody looks whether the database is the one that was known", "it is looked whether the database is the one that was known", wait, r.look)
}

// look says each change once, and what to do about it.
func (r *rememberer) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	forgotten, changed := r.memory.Remember(ctx, r.pool), postgres.CheckIncarnation(ctx, r.pool, true)
	var lost *postgres.ForgottenError
	if errors.As(forgotten, &lost) {
		r.log.Error(forgotten.Error())
		forgotten = nil
	}
	var timeline *postgres.TimelineError
	var another *postgres.CopyError
	switch {
	case errors.As(changed, &another), errors.As(changed, &timeline):
		if text := changed.Error(); text != r.said {
			r.said = text
			r.log.Error(text)
		}
		changed = nil
	case changed == nil:
		r.said = ""
	}
	return errors.Join(forgotten, changed)
}
