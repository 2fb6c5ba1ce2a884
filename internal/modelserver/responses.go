package modelserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// job is a call that works in the background.
type job struct {
	id, model string
	// status is in_progress, completed, incomplete, failed, cancelled, or forgotten.
	status string
	call   Call
}

// begin takes a call to the Responses API and answers with its id at once.
func (s *Server) begin(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Model        string `json:"model"`
		Instructions string `json:"instructions"`
		Input        []struct {
			Role    string `json:"role"`
			Content string `json:"content"`
		} `json:"input"`
		MaxOutputTokens int64             `json:"max_output_tokens"`
		Background      bool              `json:"background"`
		Store           bool              `json:"store"`
		Metadata        map[string]string `json:"metadata"`
		Text            struct {
			Format struct {
				Schema json.RawMessage `json:"schema"`
			} `json:"format"`
		} `json:"text"`
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Model == "" || len(q.Input) == 0 || !q.Background || !q.Store {
		http.Error(w, `{"error":{"message":"what is that?","type":"invalid_request_error"}}`, http.StatusBadRequest)
		return
	}
	a := Asked{
		Format: "responses", Model: q.Model, Key: r.Header.Get("Ciclo-Call"), Token: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "),
		System: q.Instructions, Schema: q.Text.Format.Schema, MaxTokens: q.MaxOutputTokens, Metadata: q.Metadata,
	}
	for _, m := range q.Input {
		a.Messages = append(a.Messages, Message{m.Role, m.Content})
	}
	f := s.take(a)
	if s.refuse(w, a, f) {
		return
	}
	if f == Cut { // before anybody knows its id
		panic(http.ErrAbortHandler) //nolint:forbidigo // how a handler breaks its connection
	}
	j := s.newJob(a, f)
	switch f {
	case Stall, Fails, Cancelled, Forgotten: // there is nothing to do
	case Slow, Late:
		go s.work(j, a, f)
	default:
		s.work(j, a, f)
	}
	vanish(f)
	s.show(w, j)
}

// newJob notes a call that was begun. One that stalls never ends by itself.
func (s *Server) newJob(a Asked, f Fault) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := &job{id: fmt.Sprintf("resp_%d", len(s.jobs)+1), model: a.Model, status: "in_progress"}
	switch f {
	case Fails:
		j.status = "failed"
	case Cancelled:
		j.status = "cancelled"
	case Forgotten:
		j.status = "forgotten"
	}
	s.jobs = append(s.jobs, j)
	return j
}

func (s *Server) work(j *job, a Asked, f Fault) {
	a.ID = j.id
	c := s.compose(a, f)
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.status != "in_progress" {
		return // cancelled
	}
	j.call, j.status = c, "completed"
	if c.Truncated {
		j.status = "incomplete"
	}
}

// look answers how a call stands.
func (s *Server) look(w http.ResponseWriter, r *http.Request) {
	if j := s.job(r.PathValue("id")); j != nil {
		s.show(w, j)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotFound)
	write(w, map[string]any{"error": map[string]any{"message": "no such response", "type": "invalid_request_error"}})
}

func (s *Server) cancel(w http.ResponseWriter, r *http.Request) {
	j := s.job(r.PathValue("id"))
	if j == nil {
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	if j.status == "in_progress" {
		j.status = "cancelled"
	}
	s.mu.Unlock()
	s.show(w, j)
}

// job is a call that isn't forgotten.
func (s *Server) job(id string) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if j.id == id && j.status != "forgotten" {
			return j
		}
	}
	return nil
}

func (s *Server) show(w http.ResponseWriter, j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := map[string]any{
		"id": j.id, "object": "response", "created_at": time.Now().Unix(), "model": j.model, "status": j.status, "background": true,
		"output": []any{}, "error": nil, "incomplete_details": nil, "usage": nil, "metadata": j.call.Metadata,
	}
	switch j.status {
	case "failed":
		shown["error"] = map[string]any{"code": "server_error", "message": "something broke"}
	case "incomplete":
		shown["incomplete_details"] = map[string]any{"reason": "max_output_tokens"}
	case "forgotten":
		shown["status"] = "in_progress"
	}
	if j.call.ID != "" && !s.Uncounted {
		shown["usage"] = map[string]any{
			"input_tokens": j.call.Input, "output_tokens": j.call.Output, "total_tokens": j.call.Input + j.call.Output,
			"input_tokens_details": map[string]any{"cached_tokens": 0}, "output_tokens_details": map[string]any{"reasoning_tokens": 0},
		}
	}
	if j.call.ID != "" {
		shown["output"] = []any{map[string]any{"type": "message", "id": "msg_" + j.id, "role": "assistant", "status": "completed", "content": []any{
			map[string]any{"type": "output_text", "text": j.call.Text, "annotations": []any{}},
		}}}
	}
	w.Header().Set("Content-Type", "application/json")
	write(w, shown)
}
