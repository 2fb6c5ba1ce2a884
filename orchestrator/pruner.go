package orchestrator

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/retention"
)

const (
	// pruneEvery is the time between two looks for history that has become too old.
	pruneEvery = time.Hour
	// pruneRest has it work a tenth of the time.
	pruneRest = 9
)

// pruner prunes history by the standing policy. Every orchestrator has one; what one
// has locked the others leave to it.
type pruner struct {
	pool  *pgxpool.Pool
	older time.Duration // 0 keeps everything
	every time.Duration
	log   *slog.Logger
}

// run prunes until ctx is done, first after a part of the period: replicas that start
// together come at different times.
func (p *pruner) run(ctx context.Context) {
	if p.older == 0 {
		return
	}
	timer := time.NewTimer(rand.N(p.every))
	defer timer.Stop()
	wait := func() bool {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		}
	}
	loop(ctx, p.log, "history is pruned later", "history is pruned again", wait, func(ctx context.Context) error {
		defer timer.Reset(p.every)
		return p.prune(ctx)
	})
}

func (p *pruner) prune(ctx context.Context) error {
	report, err := retention.Prune(ctx, p.pool, retention.Policy{OlderThan: p.older, Rest: pruneRest})
	if report.Nothing() {
		return err
	}
	said := []any{"before", report.Before, "batches", report.Batches, "seconds", report.Seconds, "longest_seconds", report.LongestSeconds}
	for _, rows := range report.Rows {
		said = append(said, rows.Table, rows.Rows)
	}
	for _, kept := range report.Kept {
		said = append(said, "kept_"+kept.Reason, kept.Count)
	}
	p.log.Info("history was pruned", said...)
	return err
}

// age reads the standing policy: empty keeps everything.
func age(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	older, err := retention.ParseAge(text)
	if err != nil {
		return 0, fmt.Errorf("CICLO_RETENTION: %w", err)
	}
	return older, nil
}
