package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// A mined history: a million messages in a hundred thousand conversations of a year.
const (
	minedConversations = 100_000
	messagesEach       = 10
	// miningAim is the longest time of a whole run, in seconds, on two cores.
	miningAim = 60
)

// mining measures a whole run of the shipped Conversation Trainer, from its
// acceptance to its completion, and the worker's memory at its peak.
func (b *bench) mining(ctx context.Context) (figures []figure, err error) {
	err = b.shipped(ctx, "mining", converse, func(s *shippedServices) error {
		seconds, err := s.run(ctx, b, "conversation-trainer", map[string]any{"as_of": "2025-12-31", "days_back": 365})
		figures = []figure{
			atMost(fmt.Sprintf("a run of the trainer over %d conversations, %d messages", minedConversations, minedConversations*messagesEach), "s", series{seconds}, miningAim),
			{Name: "the worker's memory at its peak", Unit: "MB", Ours: series{s.peak()}},
		}
		return err
	})
	return figures, err
}

// converse fills in the conversations. Words are drawn by Zipf's law from 30,000, 20
// a turn on average, beside ten phrases that go with winning.
func converse(ctx context.Context, database string) error {
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: database, Name: "ciclo bench mining", MaxConns: 1})
	if err != nil {
		return err
	}
	defer pool.Close()
	random := rand.New(rand.NewPCG(1, 2))
	words := rand.NewZipf(random, 1.1, 3, 30_000)
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	begins := func(i int) time.Time { return start.Add(time.Duration(i) * 5 * time.Minute) }
	won := func(i int) bool { return i%3 == 0 }
	err = copyRows(ctx, pool, "conversations", []string{"id", "channel", "segment", "started_at", "outcome", "outcome_at"}, minedConversations, func(i int) []any {
		outcome := "lost"
		if won(i) {
			outcome = "won"
		}
		return []any{fmt.Sprintf("conversation-%06d", i), []string{"chat", "mail", "whatsapp"}[i/7%3], []string{"new", "known"}[i/5%2], begins(i), outcome, begins(i).Add(time.Hour)}
	})
	if err != nil {
		return err
	}
	err = copyRows(ctx, pool, "messages", []string{"id", "conversation_id", "role", "body", "sent_at"}, minedConversations*messagesEach, func(n int) []any {
		i, turn := n/messagesEach, n%messagesEach
		var body strings.Builder
		for range 10 + random.IntN(21) {
			fmt.Fprintf(&body, "%s ", inLetters(words.Uint64()))
		}
		if part := .3; turn == 1 {
			if won(i) {
				part = .35
			}
			for phrase := range 10 {
				if random.Float64() < part {
					fmt.Fprintf(&body, ". planted %s phrase", inLetters(uint64(100_000+phrase)))
				}
			}
		}
		return []any{fmt.Sprintf("message-%07d", n), fmt.Sprintf("conversation-%06d", i), []string{"client", "agent"}[turn%2], body.String(), begins(i).Add(time.Duration(turn) * time.Minute)}
	})
	if err != nil {
		return err
	}
	return analyze(ctx, pool)
}

func copyRows(ctx context.Context, pool *pgxpool.Pool, table string, columns []string, n int, row func(int) []any) error {
	i := -1
	_, err := pool.CopyFrom(ctx, pgx.Identifier{"crm", table}, columns, pgx.CopyFromFunc(func() ([]any, error) {
		if i++; i == n {
			return nil, nil
		}
		return row(i), nil
	}))
	if err != nil {
		return fmt.Errorf("fill in %s: %w", table, err)
	}
	return nil
}

// inLetters writes a number in letters.
func inLetters(n uint64) string {
	text := []byte{byte('a' + n%26)}
	for n /= 26; n > 0; n /= 26 {
		text = append(text, byte('a'+n%26))
	}
	return string(text)
}
