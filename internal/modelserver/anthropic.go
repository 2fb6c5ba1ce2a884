package modelserver

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// anthropicRequest is what of a request to the Messages API is looked at.
type anthropicRequest struct {
	Model     string `json:"model"`
	MaxTokens int64  `json:"max_tokens"`
	System    []struct {
		Text string `json:"text"`
	} `json:"system"`
	Messages []struct {
		Role    string `json:"role"`
		Content []struct {
			Type string `json:"type"`
			Text string `json:"text"`
		} `json:"content"`
	} `json:"messages"`
	Tools []struct {
		Name        string          `json:"name"`
		InputSchema json.RawMessage `json:"input_schema"`
	} `json:"tools"`
	Stream bool `json:"stream"`
}

func (s *Server) anthropic(w http.ResponseWriter, r *http.Request) {
	var q anthropicRequest
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Model == "" || q.MaxTokens <= 0 || len(q.Messages) == 0 || r.Header.Get("anthropic-version") == "" {
		http.Error(w, `{"type":"error","error":{"type":"invalid_request_error","message":"what is that?"}}`, http.StatusBadRequest)
		return
	}
	a := Asked{Format: "anthropic", Model: q.Model, Key: r.Header.Get("Ciclo-Call"), Token: r.Header.Get("X-Api-Key"), MaxTokens: q.MaxTokens, Stream: q.Stream}
	for _, part := range q.System {
		a.System += part.Text
	}
	for _, m := range q.Messages {
		text := ""
		for _, part := range m.Content {
			text += part.Text
		}
		a.Messages = append(a.Messages, Message{m.Role, text})
	}
	if len(q.Tools) > 0 {
		a.Schema = q.Tools[0].InputSchema
	}
	f := s.take(a)
	if s.refuse(w, a, f) {
		return
	}
	if f == Stall || f == Cut { // never whole, so never paid
		s.anthropicStream(w, r, a, f, Call{Asked: a, ID: "answer_0", Text: s.Answer(a)})
		return
	}
	c := s.compose(a, f)
	vanish(f)
	if a.Stream {
		s.anthropicStream(w, r, a, f, c)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	write(w, map[string]any{
		"id": c.ID, "type": "message", "role": "assistant", "model": a.Model, "stop_reason": anthropicStop(a, c.Truncated), "stop_sequence": nil,
		"content": []any{anthropicBlock(a, c.Text)}, "usage": map[string]any{"input_tokens": c.Input, "output_tokens": c.Output},
	})
}

func anthropicStop(a Asked, truncated bool) string {
	switch {
	case truncated:
		return "max_tokens"
	case a.Schema != nil:
		return "tool_use"
	default:
		return "end_turn"
	}
}

func anthropicBlock(a Asked, text string) map[string]any {
	if a.Schema == nil {
		return map[string]any{"type": "text", "text": text}
	}
	var input any = map[string]any{}
	if json.Valid([]byte(text)) {
		input = json.RawMessage(text)
	}
	return map[string]any{"type": "tool_use", "id": "toolu_1", "name": "answer", "input": input}
}

func (s *Server) anthropicStream(w http.ResponseWriter, r *http.Request, a Asked, f Fault, c Call) {
	w.Header().Set("Content-Type", "text/event-stream")
	event := func(kind string, v map[string]any) string {
		v["type"] = kind
		return fmt.Sprintf("event: %s\ndata: %s\n\n", kind, encoded(v))
	}
	fmt.Fprint(w, event("message_start", map[string]any{"message": map[string]any{
		"id": c.ID, "type": "message", "role": "assistant", "model": a.Model, "content": []any{}, "stop_reason": nil, "stop_sequence": nil,
		"usage": map[string]any{"input_tokens": c.Input, "output_tokens": 1},
	}}))
	block := map[string]any{"type": "text", "text": ""}
	if a.Schema != nil {
		block = map[string]any{"type": "tool_use", "id": "toolu_1", "name": "answer", "input": map[string]any{}}
	}
	fmt.Fprint(w, event("content_block_start", map[string]any{"index": 0, "content_block": block}), event("ping", map[string]any{}))
	piece := func(text string) string {
		delta := map[string]any{"type": "text_delta", "text": text}
		if a.Schema != nil {
			delta = map[string]any{"type": "input_json_delta", "partial_json": text}
		}
		return event("content_block_delta", map[string]any{"index": 0, "delta": delta})
	}
	if !stream(w, r, f, c.Text, piece) {
		return
	}
	fmt.Fprint(w, event("content_block_stop", map[string]any{"index": 0}),
		event("message_delta", map[string]any{"delta": map[string]any{"stop_reason": anthropicStop(a, c.Truncated), "stop_sequence": nil}, "usage": map[string]any{"output_tokens": c.Output}}),
		event("message_stop", map[string]any{}))
}
