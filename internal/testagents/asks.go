package testagents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/agents/llm"
)

// AsksName is the agent that asks a language model. It is there where one is configured
// for it alone: every agent of a worker is a queue that it looks into.
const AsksName = "test-asks"

// WithAsks is the catalogue with that agent's manifest.
func WithAsks(all agents.Catalogue) (agents.Catalogue, error) {
	m, err := agents.ParseManifest(fmt.Appendf(nil, manifest, AsksName, "Asks", "asks_", 120, 5, 20, false, `{
		"calls": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1},
		"object": {"type": "boolean", "default": false},
		"text": {"type": "string", "default": "hello"},
		"same": {"type": "boolean", "default": false},
		"millis": {"type": "integer", "minimum": 0, "default": 0}}`))
	if err != nil {
		return nil, fmt.Errorf("manifest of %s: %w", AsksName, err)
	}
	return agents.NewCatalogue(append(all[:len(all):len(all)], m)...)
}

// Asks asks its model.
type Asks struct{ Model *llm.Model }

// Asked is its result.
type Asked struct {
	Answers []string `json:"answers"`
	// Lost are calls that may be paid, and whose answer nobody has.
	Lost   int    `json:"lost"`
	Engine string `json:"engine"`
}

// objectSchema is what it wants to have where that is an object.
const objectSchema = `{"type": "object", "additionalProperties": false, "required": ["said"], "properties": {"said": {"type": "string"}}}`

// Run asks so often, each time something else, and does without an answer that is lost.
func (a Asks) Run(ctx context.Context, task *agents.Task) (agents.Result, error) {
	var p struct {
		Calls  int    `json:"calls"`
		Object bool   `json:"object"`
		Text   string `json:"text"`
		Same   bool   `json:"same"` // what is asked doesn't name the execution
		Millis int    `json:"millis"`
	}
	if err := task.Decode(&p); err != nil {
		return nil, err
	}
	result := Asked{Answers: []string{}, Engine: a.Model.Engine()}
	of := " of " + task.ExecutionID
	if p.Same {
		of = ""
	}
	for i := range p.Calls {
		r := llm.Request{
			System: "You are asked by a test.", MaxTokens: 500, About: []string{"client-7"}, Names: []string{"Wayan Putra"},
			Messages: []llm.Message{{Role: llm.User, Text: fmt.Sprintf("%s: call %d%s", p.Text, i+1, of)}},
		}
		if p.Object {
			r.Schema = json.RawMessage(objectSchema)
		}
		answer, err := a.Model.Ask(ctx, task, fmt.Sprintf("ask %d", i+1), r)
		switch {
		case errors.Is(err, llm.ErrLost) && ctx.Err() == nil:
			result.Lost++
			continue
		case err != nil:
			return nil, err
		}
		result.Answers = append(result.Answers, answer.Text)
		task.Progress(int64(i+1), int64(p.Calls), "asking")
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(p.Millis) * time.Millisecond):
		}
	}
	return result, nil
}
