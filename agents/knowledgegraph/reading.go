package knowledgegraph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/graph"
)

// A batch is what one step reads and writes: enough for a set statement to pay, little
// enough for others not to wait, and for what a killed worker does again.
const (
	batchMessages = 2000
	batchBytes    = 8 << 20
	forgetAtOnce  = 10_000
	deriveAtOnce  = 500
)

// read reads what is due, a batch a step. What a step has written is due no more, so
// that the next attempt goes on with the rest; steps are named by what they read.
func (b *building) read(ctx context.Context, w work) error {
	parts := batches(w.read, batchMessages, batchBytes)
	for i, part := range parts {
		b.task.Progress(int64(i*batchMessages), int64(len(w.read)), "reading messages")
		var messages []message
		err := b.task.Read(ctx, func(tx pgx.Tx) (err error) { messages, err = readMessages(ctx, tx, part); return err })
		if err != nil {
			return err
		}
		readings, err := b.extract(ctx, messages, nil)
		if err != nil {
			return err
		}
		keys := make([]string, 0, 2*len(messages))
		for _, m := range messages {
			keys = append(keys, m.ID, string(m.hash))
		}
		_, err = agents.StepTx(ctx, b.task, "read "+named(keys), func(ctx context.Context, tx pgx.Tx) (graph.Written, error) {
			if _, err := graph.Lock(ctx, tx); err != nil {
				return graph.Written{}, err
			}
			return graph.Apply(ctx, tx, b.task.ExecutionID, b.pipeline.Versions(), readings)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// extract finds what is in messages, with what a language model said of them, fresh
// before what it did earlier. The order is the messages'.
func (b *building) extract(ctx context.Context, messages []message, fresh map[string]saying) ([]graph.Reading, error) {
	if b.heard != nil {
		if err := b.heard.hear(ctx, b.task.Read, messages, fresh); err != nil {
			return nil, err
		}
	}
	readings := make([]graph.Reading, len(messages))
	writers := make(map[string]graph.Record, len(b.clients))
	for _, c := range b.clients {
		writers[c.ID] = clientRecord(c)
	}
	err := each(ctx, len(messages), func(i int) error {
		found, err := b.pipeline.Read(ctx, messages[i].Message)
		if err == nil {
			readings[i], err = readingOf(messages[i], found, writers)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	return readings, nil
}

// each does something n times, on all processors, until one fails.
func each(ctx context.Context, n int, do func(i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := context.Cause(ctx); err != nil {
					return err
				}
				if err := do(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// forget removes what is there no more.
func (b *building) forget(ctx context.Context, w work) error {
	for from := 0; from < len(w.forget); from += forgetAtOnce {
		part := w.forget[from:min(from+forgetAtOnce, len(w.forget))]
		b.task.Progress(int64(from), int64(len(w.forget)), "forgetting messages that are gone")
		_, err := agents.StepTx(ctx, b.task, "forget "+named(part), func(ctx context.Context, tx pgx.Tx) (int64, error) {
			if _, err := graph.Lock(ctx, tx); err != nil {
				return 0, err
			}
			return graph.Forget(ctx, tx, part)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// settle finds out who is who and derives what changed. Where messages came between
// two attempts, what earlier attempts have settled is not all, and it goes on in
// another round.
func (b *building) settle(ctx context.Context) (Resettling, error) {
	var all Resettling
	for {
		b.round++
		done, err := b.resolve(ctx, b.round)
		if err != nil {
			return all, err
		}
		all.add(done)
		if err := b.derive(ctx, b.round); err != nil {
			return all, err
		}
		if settled, err := b.settled(ctx); err != nil || settled {
			return all, err
		}
	}
}

// settleMore goes on where something came to it since it was settled.
func (b *building) settleMore(ctx context.Context) (none Resettling, err error) {
	if settled, err := b.settled(ctx); err != nil || settled {
		return none, err
	}
	return b.settle(ctx)
}

func (b *building) settled(ctx context.Context) (settled bool, err error) {
	err = b.task.Read(ctx, func(tx pgx.Tx) (err error) { settled, err = graph.Settled(ctx, tx); return err })
	return settled, err
}

// derive brings entities and edges up to date, some a step, until none is left.
func (b *building) derive(ctx context.Context, round int) error {
	for part := 1; ; part++ {
		more, err := agents.StepTx(ctx, b.task, fmt.Sprintf("derive %d.%d", round, part), func(ctx context.Context, tx pgx.Tx) (bool, error) {
			if _, err := graph.Lock(ctx, tx); err != nil {
				return false, err
			}
			_, more, err := graph.DeriveChanged(ctx, tx, deriveAtOnce)
			return more, err
		})
		if err != nil || !more {
			return err
		}
		b.task.Progress(5, phases, fmt.Sprintf("deriving entities and edges: %d", part*deriveAtOnce))
	}
}

// named is a name for a list of ids.
func named(ids []string) string {
	h := sha256.New()
	for _, id := range ids {
		h.Write([]byte(id))
		h.Write([]byte{0}) // in no id
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Unwrite takes away what an execution read: what was read before is not again. Who is who
// stays as it was settled.
func (Builder) Unwrite(ctx context.Context, tx pgx.Tx, executionID string) error {
	rows, err := tx.Query(ctx, `SELECT id FROM ciclo.graph_messages WHERE execution_id = $1`, executionID)
	if err != nil {
		return err
	}
	read, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	_, err = graph.Forget(ctx, tx, read)
	return err
}
