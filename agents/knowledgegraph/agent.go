package knowledgegraph

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
	"github.com/nuzantara/ciclo/agents/llm"
	"github.com/nuzantara/ciclo/internal/graph"
)

// Name is the agent's.
const Name = "knowledge-graph-builder"

// Builder is the agent.
type Builder struct {
	// Model is asked what else messages name and say; nil has the graph built without.
	Model *llm.Model
	// Asking is how long an attempt asks it; 0 is twenty minutes.
	Asking time.Duration
}

type parameters struct {
	DaysBack   int  `json:"days_back"`
	InitSchema bool `json:"init_schema"`
	MaxCalls   int  `json:"max_calls"`
}

// phases are the parts of a run that progress counts; of reading, it counts messages.
const phases = 6

// building is one attempt's work.
type building struct {
	builder  Builder
	task     *agents.Task
	p        parameters
	region   string // of national phone numbers; may be empty
	clients  []client
	exact    *extraction.Exact
	names    *extraction.Gazetteer
	leftOut  []extraction.LeftOut
	pipeline *extraction.Pipeline
	models   []Learned
	// learned says that they were learned in this execution.
	learned bool
	// heard is what language models said of the messages that are being read, if any
	// ever did.
	heard *heard
	// round counts how often who is who was found out.
	round int
}

// Run brings the graph up to date.
func (builder Builder) Run(ctx context.Context, task *agents.Task) (agents.Result, error) {
	b := &building{builder: builder, task: task}
	if err := task.Decode(&b.p); err != nil {
		return nil, err
	}
	if err := b.load(ctx); err != nil {
		return nil, err
	}
	if err := b.learn(ctx); err != nil {
		return nil, err
	}
	if b.p.InitSchema {
		_, err := agents.StepTx(ctx, task, "begin from zero", func(ctx context.Context, tx pgx.Tx) (int64, error) {
			if _, err := graph.Lock(ctx, tx); err != nil {
				return 0, err
			}
			return graph.ReadAnew(ctx, tx)
		})
		if err != nil {
			return nil, err
		}
	}
	var w work
	task.Progress(2, phases, "looking for messages to read")
	err := task.Read(ctx, func(tx pgx.Tx) (err error) {
		w, err = readWork(ctx, tx, b.from(), task.StartedAt, b.pipeline.Versions())
		return err
	})
	if err != nil {
		return nil, err
	}
	// As the first attempt found it: what it has read is due no more.
	plan, err := agents.Step(ctx, task, "look for messages", func(context.Context) (Messages, error) {
		return Messages{Due: len(w.read), Gone: len(w.forget), Omitted: w.omitted, Older: w.older, Until: w.until}, nil
	})
	if err != nil {
		return nil, err
	}
	if err := b.forget(ctx, w); err != nil {
		return nil, err
	}
	if err := b.read(ctx, w); err != nil {
		return nil, err
	}
	resettled, err := b.settle(ctx)
	if err != nil {
		return nil, err
	}
	// What lies before is read once it is in the window alone; a time that is still to
	// come says nothing of what came.
	_, err = agents.StepTx(ctx, task, "note until when", func(ctx context.Context, tx pgx.Tx) (bool, error) {
		return true, graph.ReadUntil(ctx, tx, plan.Until)
	})
	if err != nil {
		return nil, err
	}
	// After all else, so that a budget that is used up leaves a graph that is whole.
	said, err := b.ask(ctx)
	if err != nil {
		return nil, err
	}
	if said != nil {
		more, err := b.settleMore(ctx)
		if err != nil {
			return nil, err
		}
		resettled.add(more)
	}
	return b.result(ctx, plan, resettled, said)
}

// from is when the window begins, at the beginning of a day.
func (b *building) from() time.Time {
	return b.task.StartedAt.UTC().Truncate(24*time.Hour).AddDate(0, 0, -b.p.DaysBack)
}

// load reads what the firm knows: who its clients are, and what things are called.
func (b *building) load(ctx context.Context) error {
	b.task.Progress(0, phases, "reading the firm's names")
	var names []extraction.FirmName
	err := b.task.Read(ctx, func(tx pgx.Tx) (err error) {
		if err := tx.QueryRow(ctx, `SELECT region FROM ciclo.contact_policy`).Scan(&b.region); err != nil {
			return fmt.Errorf("read the firm's region: %w", err)
		}
		if b.clients, err = readClients(ctx, tx); err != nil {
			return err
		}
		names, err = readNames(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range b.clients {
		names = append(names, extraction.FirmName{Type: extraction.Person, ID: c.ID, Name: c.Name, IsClient: true})
	}
	b.names, b.leftOut = extraction.NewGazetteer(names)
	if b.exact, err = extraction.NewExact(b.region); err != nil {
		return fmt.Errorf("the firm's region: %w", err)
	}
	return nil
}

// Result is what a run shows.
type Result struct {
	// From is the day (UTC) since which messages were looked for that weren't read before.
	From     string   `json:"from"`
	Messages Messages `json:"messages"`
	// Mentions are the graph's, by type and by what found them.
	Mentions   map[string]int `json:"mentions"`
	Extractors map[string]int `json:"mentions_by_extractor"`
	Entities   map[string]int `json:"entities"`
	// Edges are those that hold, by relation.
	Edges map[string]int `json:"edges"`
	// Changes is what the run changed.
	Changes    Changes           `json:"changes"`
	Resolution Resettling        `json:"resolution"`
	Top        []Top             `json:"top"`
	Models     []Learned         `json:"models"`
	Versions   map[string]string `json:"versions"`
	// LanguageModel is what one was asked in this run; nil where none is.
	LanguageModel *Said    `json:"language_model,omitempty"`
	Notes         []string `json:"notes"`
}

// Changes counts entities and edges that came and went since the run was accepted.
type Changes struct {
	NewEntities  int `json:"new_entities"`
	GoneEntities int `json:"gone_entities"`
	NewEdges     int `json:"new_edges"`
	EndedEdges   int `json:"ended_edges"`
}

// Messages says what was read.
type Messages struct {
	// Due were to be read, Gone are no more in source.messages.
	Due  int `json:"due"`
	Gone int `json:"gone"`
	// Omitted are rows without id, conversation, time or text.
	Omitted int `json:"omitted"`
	// Older lie before the window and were never read.
	Older int `json:"older"`
	// Until is when the newest of them was sent.
	Until *time.Time `json:"until"`
	// Graph are all that the graph rests on.
	Graph int `json:"in_graph"`
}

// Top is an entity that many conversations mention.
type Top struct {
	ID            string `json:"entity_id"`
	Type          string `json:"type"`
	Name          string `json:"name"`
	Conversations int    `json:"conversations"`
}
