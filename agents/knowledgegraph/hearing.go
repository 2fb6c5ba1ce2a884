package knowledgegraph

import (
	"context"
	"errors"
	"maps"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/agents/llm"
)

// Why a model doesn't read messages.
const (
	whyLost    = "the answer was lost"
	whyMisfit  = "not the JSON that was asked for"
	whyContext = "longer than the model's context"
	whyLong    = "longer than what is sent"
	whyDown    = "the model can't be asked now"
	whyChanged = "changed meanwhile"
	whyLimit   = "no call was left"
	whyLate    = "no time was left"
)

// outcome is what came of asking about a part: a step's output.
type outcome struct {
	Calls     int               `json:"calls"`
	Said      map[string]saying `json:"said"` // by message
	Dropped   map[string]int    `json:"dropped"`
	Fallbacks map[string]int    `json:"fallbacks"`
}

// hearing is the asking about one part.
type hearing struct {
	outcome
	task  *agents.Task
	model *llm.Model
	part  part
	left  int // calls
}

// about asks about messages, and where they are more than the model's context about
// each half of them.
func (h *hearing) about(ctx context.Context, step string, messages []message) error {
	if h.left == 0 {
		h.Fallbacks[whyLimit] += len(messages)
		return nil
	}
	if h.Fallbacks[whyDown] > 0 {
		h.Fallbacks[whyDown] += len(messages)
		return nil
	}
	h.left--
	h.Calls++
	request, err := question(messages, h.part.Names, h.part.About)
	if err != nil {
		return err
	}
	a, _, err := llm.AskFor[answer](ctx, h.model, h.task, step, request)
	var failure *llm.Error
	var later *agents.LaterError
	known := errors.As(err, &failure)
	switch {
	case err == nil:
		said, dropped := a.check(h.model.Engine(), messages)
		maps.Copy(h.Said, said)
		add(h.Dropped, dropped)
	case ctx.Err() != nil:
		return err
	case errors.Is(err, llm.ErrLost):
		h.Fallbacks[whyLost] += len(messages)
	case errors.Is(err, llm.ErrMisfit):
		h.without(messages, whyMisfit)
	case known && failure.Kind == llm.TooLong && len(messages) > 1:
		half := (len(messages) + 1) / 2
		if err := h.about(ctx, step+".1", messages[:half]); err != nil {
			return err
		}
		return h.about(ctx, step+".2", messages[half:])
	case known && failure.Kind == llm.TooLong:
		h.without(messages, whyContext)
	case known && (failure.Kind == llm.Busy || failure.Kind == llm.Ill || failure.Kind == llm.Unsent), errors.As(err, &later):
		h.Fallbacks[whyDown] += len(messages)
	default: // a budget, a wrong key, the database
		return err
	}
	return nil
}

// without notes that the engine can't read messages, so that no later run asks it
// again, and pays again.
func (h *hearing) without(messages []message, why string) {
	h.Fallbacks[why] += len(messages)
	said, _ := answer{}.check(h.model.Engine(), messages)
	for id, s := range said {
		s.Why = why
		h.Said[id] = s
	}
}
