package knowledgegraph

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/graph"
)

// askingTime is how long an attempt asks; the manifest's timeout is an hour.
const askingTime = 20 * time.Minute

// Said is what a language model was asked in a run, and what came of it.
type Said struct {
	// Engine is who was asked, as provider/model: the graph names it with what it found.
	Engine string `json:"engine"`
	// Calls are requests, of which each may have been repeated once.
	Calls int `json:"calls"`
	// Messages are those that it read, Names and Relations what the graph has of them
	// by it.
	Messages  int `json:"messages"`
	Names     int `json:"names"`
	Relations int `json:"relations"`
	// Dropped counts what it said and the messages don't bear out, by why.
	Dropped []Dropped `json:"dropped"`
	// Fallbacks counts messages that are read without it, by why.
	Fallbacks []Fallback `json:"fallbacks"`
	// Waiting are messages of the window that later runs will ask about.
	Waiting int `json:"waiting"`
}

// Dropped counts what a model said for nothing.
type Dropped struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// Fallback counts messages that a model didn't read.
type Fallback struct {
	Reason   string `json:"reason"`
	Messages int    `json:"messages"`
}

// ask asks the model about messages of the window that it hasn't read, and takes in
// what it says, a part at a time: what was paid for stays, however the run ends. nil
// where nobody may be asked.
func (b *building) ask(ctx context.Context) (*Said, error) {
	model := b.builder.Model
	if model == nil || b.p.MaxCalls == 0 {
		return nil, nil //nolint:nilnil // documented: nobody is asked
	}
	if _, err := b.task.Calls(); errors.Is(err, agents.ErrNoLedger) {
		return nil, nil //nolint:nilnil // a dry run
	} else if err != nil {
		return nil, err
	}
	// By StepTx, though it writes nothing: a retry, which is another run, chooses anew.
	p, err := agents.StepTx(ctx, b.task, "choose what to ask", func(ctx context.Context, tx pgx.Tx) (questions, error) { return b.choose(ctx, tx) })
	if err != nil {
		return nil, err
	}
	said := &Said{Engine: model.Engine(), Dropped: []Dropped{}, Fallbacks: []Fallback{}, Waiting: p.Waiting}
	dropped, fallbacks := map[string]int{}, map[string]int{whyLong: p.Long}
	until, down := time.Now().Add(cmp.Or(b.builder.Asking, askingTime)), false
	for i, one := range p.Parts {
		b.task.Progress(int64(i), int64(len(p.Parts)), "asking "+said.Engine+" about messages")
		why := ""
		switch {
		case down:
			why = whyDown
		case said.Calls >= b.p.MaxCalls:
			why = whyLimit
		case !time.Now().Before(until):
			why = whyLate
		}
		var messages []message
		if why == "" {
			if messages, err = b.asPlanned(ctx, one); err != nil {
				return nil, err
			}
			if messages == nil {
				why = whyChanged
			}
		}
		if why != "" {
			fallbacks[why] += len(one.Messages)
			continue
		}
		o, err := agents.Step(ctx, b.task, "hear "+one.name(), func(ctx context.Context) (outcome, error) {
			h := hearing{task: b.task, model: model, left: b.p.MaxCalls - said.Calls, part: one, outcome: outcome{Said: map[string]saying{}, Dropped: map[string]int{}, Fallbacks: map[string]int{}}}
			err := h.about(ctx, "hear "+one.name(), messages)
			return h.outcome, err
		})
		if err != nil {
			return nil, err
		}
		down = o.Fallbacks[whyDown] > 0
		said.Calls += o.Calls
		add(dropped, o.Dropped)
		add(fallbacks, o.Fallbacks)
		if err := b.takeIn(ctx, one, messages, o, said, dropped); err != nil {
			return nil, err
		}
	}
	for _, why := range counted(dropped) {
		said.Dropped = append(said.Dropped, Dropped{why, dropped[why]})
	}
	for _, why := range counted(fallbacks) {
		said.Fallbacks = append(said.Fallbacks, Fallback{why, fallbacks[why]})
	}
	return said, nil
}

func add(to, more map[string]int) {
	for why, n := range more {
		to[why] += n
	}
}

// counted are the reasons that there are some of, in order.
func counted(by map[string]int) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(by)), func(why string) bool { return by[why] == 0 })
}

// takeIn reads messages again with what the model says of them.
func (b *building) takeIn(ctx context.Context, p part, messages []message, o outcome, said *Said, dropped map[string]int) error {
	if len(o.Said) == 0 {
		return nil
	}
	readings, err := b.extract(ctx, messages, o.Said)
	if err != nil {
		return err
	}
	kept := map[string]json.RawMessage{}
	for id, s := range o.Said {
		if kept[id], err = json.Marshal(s); err != nil {
			return agents.Permanent(fmt.Errorf("keep what was said of message %s: %w", id, err))
		}
		if s.Why == "" {
			said.Messages++
		}
		dropped[dropUnfit] += len(s.Relations)
	}
	extractor := extractorOf(said.Engine)
	for _, r := range readings {
		for _, m := range r.Mentions {
			if m.Extractor == extractor {
				said.Names++
			}
		}
		for _, e := range r.Evidence {
			if e.Extractor == extractor {
				said.Relations++
				dropped[dropUnfit]--
			}
		}
	}
	_, err = agents.StepTx(ctx, b.task, "take in "+p.name(), func(ctx context.Context, tx pgx.Tx) (graph.Written, error) {
		if _, err := graph.Lock(ctx, tx); err != nil {
			return graph.Written{}, err
		}
		written, err := graph.Apply(ctx, tx, b.task.ExecutionID, b.pipeline.Versions(), readings)
		if err != nil {
			return written, err
		}
		return written, graph.WriteSaid(ctx, tx, kept)
	})
	return err
}
