package knowledgegraph

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction/relations"
	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction/tagger"
	"github.com/nuzantara/ciclo/internal/graph"
)

const (
	// sampleMessages and sampleBytes bound what is learned from.
	sampleMessages = 20_000
	sampleBytes    = 32 << 20
	// grown is by how much there must be more messages to learn anew: what is learned
	// anew has all messages be read again.
	grown = 2
)

// Learned is a model that was learned from the firm's messages.
type Learned struct {
	Name string `json:"name"`
	// Version is empty where there was too little to learn from.
	Version string `json:"version"`
	// Messages there were then.
	Messages int64 `json:"messages"`
}

// learn finds or learns the models and makes the pipeline of all extractors.
func (b *building) learn(ctx context.Context) error {
	known, messages, err := b.known(ctx)
	if err != nil {
		return err
	}
	due, err := agents.Step(ctx, b.task, "look for models", func(context.Context) (bool, error) {
		return b.p.InitSchema || len(known) == 0 || messages >= grown*known[0].Messages, nil
	})
	if err != nil {
		return err
	}
	b.models, b.learned = known, due
	if due {
		var fresh []graph.Model
		// An attempt before may have learned them already.
		if len(known) == 0 || known[0].Messages != messages || b.p.InitSchema {
			b.task.Progress(1, phases, "learning from the firm's own messages")
			if fresh, err = b.train(ctx, messages); err != nil {
				return err
			}
		}
		b.models, err = agents.StepTx(ctx, b.task, "learn", func(ctx context.Context, tx pgx.Tx) ([]Learned, error) {
			if fresh == nil {
				return known, nil
			}
			if err := graph.WriteModels(ctx, tx, fresh); err != nil {
				return nil, err
			}
			return learned(fresh), nil
		})
		if err != nil {
			return err
		}
	}
	return b.assemble(ctx)
}

// known are the newest models and the number of messages that there are.
func (b *building) known(ctx context.Context) (known []Learned, messages int64, err error) {
	err = b.task.Read(ctx, func(tx pgx.Tx) error {
		models, err := graph.Models(ctx, tx)
		if err != nil {
			return err
		}
		known = learned(models)
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM source.messages WHERE `+readable).Scan(&messages); err != nil {
			return fmt.Errorf("count messages: %w", err)
		}
		return nil
	})
	return known, messages, err
}

func learned(models []graph.Model) []Learned {
	all := make([]Learned, len(models))
	for i, m := range models {
		all[i] = Learned{m.Name, m.Version, m.Messages}
	}
	return all
}

// train learns from a sample of all messages, the same whatever the order of them.
func (b *building) train(ctx context.Context, messages int64) ([]graph.Model, error) {
	var sample []due
	err := b.task.Read(ctx, func(tx pgx.Tx) (err error) { sample, err = readSample(ctx, tx); return err })
	if err != nil {
		return nil, err
	}
	pipeline, err := extraction.NewPipeline(b.before()...)
	if err != nil {
		return nil, err
	}
	var read []extraction.Message
	var found []extraction.Found
	for _, part := range batches(sample, batchMessages, batchBytes) {
		var some []message
		err := b.task.Read(ctx, func(tx pgx.Tx) (err error) { some, err = readMessages(ctx, tx, part); return err })
		if err != nil {
			return nil, err
		}
		one := make([]extraction.Found, len(some))
		err = each(ctx, len(some), func(i int) (err error) { one[i], err = pipeline.Read(ctx, some[i].Message); return err })
		if err != nil {
			return nil, fmt.Errorf("read a sample of the messages: %w", err)
		}
		for i, m := range some {
			read, found = append(read, m.Message), append(found, one[i])
		}
	}
	model, err := tagger.TrainMatches(read, found)
	var bytes []byte
	switch {
	case errors.Is(err, tagger.ErrTooLittle):
	case err != nil:
		return nil, fmt.Errorf("learn names: %w", err)
	default:
		bytes = model.Encode()
	}
	return []graph.Model{graph.NewModel(tagger.Name, bytes, messages)}, nil
}

// before are the extractors that need nothing learned.
func (b *building) before() []extraction.Extractor {
	return []extraction.Extractor{b.exact, b.names, extraction.Addresses{}, extraction.Introductions{}}
}

// spoken are the extractors of what language models said, of each that ever did.
func (b *building) spoken(ctx context.Context) (all []extraction.Extractor, err error) {
	var engines []string
	if err := b.task.Read(ctx, func(tx pgx.Tx) (err error) { engines, err = graph.SaidBy(ctx, tx); return err }); err != nil {
		return nil, err
	}
	if model := b.builder.Model; model != nil && b.p.MaxCalls > 0 && !slices.Contains(engines, model.Engine()) {
		engines = append(engines, model.Engine())
		slices.Sort(engines)
	}
	if len(engines) > 0 {
		b.heard = &heard{}
	}
	for _, engine := range engines {
		all = append(all, sayings{engine, b.heard})
	}
	return all, nil
}

// assemble makes the pipeline: what is certain first, then what language models named,
// then what was learned, then what is said of it all. Relations are those that patterns say: what a model learned
// from them finds beyond them is too little to be worth it (docs/decisions/0021).
func (b *building) assemble(ctx context.Context) (err error) {
	spoken, err := b.spoken(ctx)
	if err != nil {
		return err
	}
	all := append(b.before(), spoken...)
	for _, l := range b.models {
		if l.Version == "" {
			continue
		}
		var bytes []byte
		if err := b.task.Read(ctx, func(tx pgx.Tx) (err error) { bytes, err = graph.ModelBytes(ctx, tx, l.Name); return err }); err != nil {
			return err
		}
		names, err := tagger.Decode(bytes)
		if err != nil {
			return fmt.Errorf("the model %s: %w", l.Name, err)
		}
		all = append(all, tagger.New(names))
	}
	b.pipeline, err = extraction.NewPipeline(append(all, extraction.Contacts{}, relations.New(nil))...)
	return err
}
