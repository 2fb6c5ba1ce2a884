package modelserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// openAIRequest is what of a request to Chat Completions is looked at.
type openAIRequest struct {
	Model               string `json:"model"`
	MaxTokens           int64  `json:"max_tokens"`
	MaxCompletionTokens int64  `json:"max_completion_tokens"`
	Messages            []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"messages"`
	ResponseFormat struct {
		Type       string `json:"type"`
		JSONSchema struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	} `json:"response_format"`
	Stream        bool `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	Store    bool              `json:"store"`
	Metadata map[string]string `json:"metadata"`
}

func (s *Server) openAI(w http.ResponseWriter, r *http.Request) {
	var q openAIRequest
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Model == "" || len(q.Messages) == 0 {
		http.Error(w, `{"error":{"message":"what is that?","type":"invalid_request_error"}}`, http.StatusBadRequest)
		return
	}
	a := Asked{
		Format: "openai", Model: q.Model, Key: r.Header.Get("Ciclo-Call"), Token: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "),
		Schema: q.ResponseFormat.JSONSchema.Schema, MaxTokens: max(q.MaxTokens, q.MaxCompletionTokens), Stream: q.Stream, Store: q.Store, Metadata: q.Metadata,
	}
	for _, m := range q.Messages {
		if m.Role == "system" || m.Role == "developer" {
			a.System += m.Content
			continue
		}
		a.Messages = append(a.Messages, Message{m.Role, m.Content})
	}
	f := s.take(a)
	if s.refuse(w, a, f) {
		return
	}
	if f == Stall || f == Cut {
		s.openAIStream(w, r, a, f, Call{Asked: a, ID: "answer_0", Text: s.Answer(a)}, q.StreamOptions.IncludeUsage)
		return
	}
	c := s.compose(a, f)
	vanish(f)
	if a.Stream {
		s.openAIStream(w, r, a, f, c, q.StreamOptions.IncludeUsage)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	write(w, completion(c))
}

func openAIStop(truncated bool) string {
	if truncated {
		return "length"
	}
	return "stop"
}

func usage(c Call) map[string]any {
	return map[string]any{"prompt_tokens": c.Input, "completion_tokens": c.Output, "total_tokens": c.Input + c.Output}
}

func completion(c Call) map[string]any {
	return map[string]any{
		"id": c.ID, "object": "chat.completion", "created": time.Now().Unix(), "model": c.Model, "metadata": c.Metadata, "usage": usage(c),
		"choices": []any{map[string]any{"index": 0, "finish_reason": openAIStop(c.Truncated), "logprobs": nil, "message": map[string]any{"role": "assistant", "content": c.Text, "refusal": nil}}},
	}
}

func (s *Server) openAIStream(w http.ResponseWriter, r *http.Request, a Asked, f Fault, c Call, withUsage bool) {
	w.Header().Set("Content-Type", "text/event-stream")
	chunk := func(choices []any, usage any) string {
		return "data: " + encoded(map[string]any{"id": c.ID, "object": "chat.completion.chunk", "created": time.Now().Unix(), "model": a.Model, "choices": choices, "usage": usage}) + "\n\n"
	}
	choice := func(delta map[string]any, finish any) []any {
		return []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}}
	}
	fmt.Fprint(w, chunk(choice(map[string]any{"role": "assistant", "content": ""}, nil), nil))
	if !stream(w, r, f, c.Text, func(piece string) string { return chunk(choice(map[string]any{"content": piece}, nil), nil) }) {
		return
	}
	fmt.Fprint(w, chunk(choice(map[string]any{}, openAIStop(c.Truncated)), nil))
	if withUsage && !s.Uncounted {
		fmt.Fprint(w, chunk([]any{}, usage(c)))
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

// list is the list of what was stored, by its metadata.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data := []any{}
	for _, c := range s.stored {
		matches := true
		for name, values := range r.URL.Query() {
			if inner, is := strings.CutPrefix(name, "metadata["); is {
				matches = matches && c.Metadata[strings.TrimSuffix(inner, "]")] == values[0]
			}
		}
		if matches {
			data = append(data, completion(c))
		}
	}
	w.Header().Set("Content-Type", "application/json")
	write(w, map[string]any{"object": "list", "data": data, "has_more": false})
}
