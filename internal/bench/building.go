package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nuzantara/ciclo/internal/demo"
	"github.com/nuzantara/ciclo/internal/postgres"
)

const (
	// buildingAim is how long a run over the demo's messages may take, in seconds, on
	// two cores; buildingCopies of each message come in a second run.
	buildingAim    = 60
	buildingCopies = 9
	// linearAim is how many times as long a message may take among ten times as many.
	linearAim = 1.5
)

// building measures whole runs of the shipped Knowledge Graph Builder: over the demo's
// messages, learning from them first; over nine times as many more; and with nothing
// to read.
func (b *bench) building(ctx context.Context) (figures []figure, err error) {
	today := time.Now().UTC()
	fill := func(ctx context.Context, database string) error {
		pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: database, Name: "ciclo bench building", MaxConns: 1})
		if err != nil {
			return err
		}
		defer pool.Close()
		if err := demo.Seed(ctx, pool, demo.DefaultTruth, 1, today); err != nil {
			return err
		}
		return analyze(ctx, pool)
	}
	err = b.shipped(ctx, "building", fill, func(s *shippedServices) error {
		year := map[string]any{"days_back": 365}
		first, err := s.run(ctx, b, "knowledge-graph-builder", year)
		if err != nil {
			return err
		}
		var messages int
		pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: s.database, Name: "ciclo bench building", MaxConns: 1})
		if err != nil {
			return err
		}
		defer pool.Close()
		if err := pool.QueryRow(ctx, `SELECT count(*) FROM ciclo.graph_messages`).Scan(&messages); err != nil {
			return fmt.Errorf("count what was read: %w", err)
		}
		idle, err := s.run(ctx, b, "knowledge-graph-builder", year)
		if err != nil {
			return err
		}
		for _, sql := range []string{`
			INSERT INTO crm.conversations (id, client_id, agent_version, channel, segment, started_at)
			SELECT c.id || '-' || n, c.client_id, c.agent_version, c.channel, c.segment, c.started_at FROM crm.conversations c, generate_series(1, $1) n`, `
			INSERT INTO crm.messages (id, conversation_id, role, body, sent_at)
			SELECT m.id || '-' || n, m.conversation_id || '-' || n, m.role, m.body, m.sent_at FROM crm.messages m, generate_series(1, $1) n`,
		} {
			if _, err := pool.Exec(ctx, sql, buildingCopies); err != nil {
				return fmt.Errorf("copy the messages: %w", err)
			}
		}
		// It learns anew, and reads all again.
		more, err := s.run(ctx, b, "knowledge-graph-builder", year)
		if err != nil {
			return err
		}
		one, each := 1000*first/float64(messages), 1000*more/float64(messages*(buildingCopies+1))
		figures = []figure{
			atMost(fmt.Sprintf("a first run of the builder over %d messages", messages), "s", series{first}, buildingAim),
			{Name: "a run with nothing to read", Unit: "s", Ours: series{idle}},
			{Name: fmt.Sprintf("a run over %d messages", messages*(buildingCopies+1)), Unit: "s", Ours: series{more}},
			ratioAtMost("a message among ten times as many", "ms", series{one}, series{each}, linearAim),
			{Name: "the worker's memory at its peak", Unit: "MB", Ours: series{s.peak()}},
		}
		return nil
	})
	return figures, err
}
