// Package modelserver plays a provider of language models on a loopback address: it
// speaks Anthropic's Messages API and OpenAI's Chat Completions, streams, misbehaves on
// command, and counts what it would have charged for. It knows no agent: what it
// answers is its caller's to say. It is in no shipped binary.
package modelserver

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is how the server misbehaves with one request.
type Fault string

// The faults. What is answered before one of them strikes is never whole.
const (
	Busy       Fault = "busy"       // 429 with Retry-After
	Overloaded Fault = "overloaded" // 529
	Broken     Fault = "broken"     // 500
	Unknown    Fault = "unknown"    // 404, of a model that isn't there
	TooLong    Fault = "too_long"   // 400, more than the model's context
	Stall      Fault = "stall"      // the stream begins and falls silent
	Cut        Fault = "cut"        // the connection breaks in the middle
	Malformed  Fault = "malformed"  // a whole answer that isn't JSON
	Misfit     Fault = "misfit"     // JSON, but not what was asked for
	Truncated  Fault = "truncated"  // a whole answer, ended at its most tokens
	Garbage    Fault = "garbage"    // 200 and a page of HTML
	Slow       Fault = "slow"       // a whole answer, after Server.Pause
	Vanish     Fault = "vanish"     // a whole answer, of which nothing arrives: the connection breaks before
	Late       Fault = "late"       // the same after ten pauses, whoever still listens
	Fails      Fault = "fails"      // in the background alone: it was begun, and failed
	Cancelled  Fault = "cancelled"  // in the background alone: it was begun, and cancelled by somebody
	Forgotten  Fault = "forgotten"  // in the background alone: it was begun, and is there no more
)

// Asked is one request.
type Asked struct {
	// Format is anthropic, openai, or responses.
	Format string
	Model  string
	// Key is the header Ciclo-Call, Token what opens the API.
	Key, Token string
	System     string
	Messages   []Message
	Schema     json.RawMessage
	MaxTokens  int64
	Stream     bool
	Store      bool
	Metadata   map[string]string
	// ID is of a call that works in the background; others get one with their answer.
	ID string
}

// Message is one of a request.
type Message struct{ Role, Text string }

// Call is a request that was answered whole, and so is paid.
type Call struct {
	Asked
	ID            string
	Text          string
	Truncated     bool
	Input, Output int64
}

// Server is a provider.
type Server struct {
	*httptest.Server
	// Token is the only key that is taken; empty takes any.
	Token string
	// Answer says what a request is answered with.
	Answer func(Asked) string
	// Fault may misbehave with a request that no queued fault was for.
	Fault func(Asked) Fault
	// Uncounted says that answers don't tell what they took.
	Uncounted bool
	// Pause is before a Slow answer, and RetryAfter what a Busy one says, in seconds.
	Pause      time.Duration
	RetryAfter int

	mu     sync.Mutex
	queued []Fault
	asked  []Asked
	paid   []Call
	stored []Call
	jobs   []*job
}

// Start starts a server that answers with what the function says. Close ends it.
func Start(answer func(Asked) string) *Server {
	s := &Server{Answer: answer, Pause: time.Second}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/messages", s.anthropic)
	mux.HandleFunc("POST /v1/chat/completions", s.openAI)
	mux.HandleFunc("GET /v1/chat/completions", s.list)
	mux.HandleFunc("POST /v1/responses", s.begin)
	mux.HandleFunc("GET /v1/responses/{id}", s.look)
	mux.HandleFunc("POST /v1/responses/{id}/cancel", s.cancel)
	s.Server = httptest.NewServer(mux)
	return s
}

// Misbehave has the next requests meet these faults, in their order; an empty one lets
// a request through.
func (s *Server) Misbehave(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queued = append(s.queued, faults...)
}

// Asked are the requests so far.
func (s *Server) Asked() []Asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Paid are the requests that were answered whole, whoever still listened.
func (s *Server) Paid() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.paid)
}

// Times is how often a call was asked for, by its key.
func (s *Server) Times(key string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.asked {
		if a.Key == key {
			n++
		}
	}
	return n
}

// take notes a request and says how it is to be treated.
func (s *Server) take(a Asked) Fault {
	s.mu.Lock()
	s.asked = append(s.asked, a)
	var f Fault
	queued := len(s.queued) > 0
	if queued {
		f, s.queued = s.queued[0], s.queued[1:]
	}
	s.mu.Unlock()
	if !queued && s.Fault != nil {
		f = s.Fault(a)
	}
	return f
}

// compose makes the answer, which is paid from here on: a provider that has made one
// charges for it, whether anybody still listens or not.
func (s *Server) compose(a Asked, f Fault) Call {
	switch f {
	case Slow:
		<-time.After(s.Pause)
	case Late:
		<-time.After(10 * s.Pause)
	}
	text, truncated := s.Answer(a), false
	switch f {
	case Malformed:
		text = `Of course! Here is what you asked for: {"a": `
	case Misfit:
		text = `{"nothing": "of that"}`
	case Truncated:
		text, truncated = text[:len(text)/2], true
	}
	c := Call{Asked: a, Text: text, Truncated: truncated, Input: tokens(a.System), Output: tokens(text)}
	for _, m := range a.Messages {
		c.Input += tokens(m.Text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.ID = cmp.Or(a.ID, fmt.Sprintf("answer_%d", len(s.paid)+1))
	s.paid = append(s.paid, c)
	if a.Store {
		s.stored = append(s.stored, c)
	}
	return c
}

// tokens are about four bytes each, and at least one.
func tokens(text string) int64 { return int64(len(text)/4 + 1) }

// refuse answers in place of a model, where the fault says so.
func (s *Server) refuse(w http.ResponseWriter, a Asked, f Fault) bool {
	status, kind, text := 0, "", ""
	switch f {
	case Busy:
		status, kind, text = http.StatusTooManyRequests, "rate_limit_error", "too many requests"
		w.Header().Set("Retry-After", fmt.Sprint(s.RetryAfter))
	case Overloaded:
		status, kind, text = 529, "overloaded_error", "overloaded"
	case Broken:
		status, kind, text = http.StatusInternalServerError, "api_error", "something broke"
	case Unknown:
		status, kind, text = http.StatusNotFound, "not_found_error", "no such model"
	case TooLong:
		status, kind, text = http.StatusBadRequest, "invalid_request_error", "prompt is too long: 300000 tokens > 200000 maximum"
	case Garbage:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>A proxy says hello.</html>")
		return true
	}
	if status == 0 && s.Token != "" && a.Token != s.Token {
		status, kind, text = http.StatusUnauthorized, "authentication_error", "invalid key"
	}
	if status == 0 {
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if a.Format != "anthropic" {
		code := kind
		if f == TooLong {
			code = "context_length_exceeded"
		}
		write(w, map[string]any{"error": map[string]any{"message": text, "type": kind, "code": code, "param": nil}})
	} else {
		write(w, map[string]any{"type": "error", "error": map[string]any{"type": kind, "message": text}})
	}
	return true
}

// vanish breaks the connection before anything was said.
func vanish(f Fault) {
	if f == Vanish {
		panic(http.ErrAbortHandler) //nolint:forbidigo // how a handler breaks its connection
	}
}

func write(w http.ResponseWriter, v any) {
	_ = json.NewEncoder(w).Encode(v) // nobody may listen any more
}

// encoded is JSON of our own making.
func encoded(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error() // which no client takes for an answer
	}
	return string(text)
}

// stream writes an answer's text in pieces by the format's own events, and breaks off
// in the middle where the fault says so. Stalled streams end when the client leaves.
func stream(w http.ResponseWriter, r *http.Request, f Fault, text string, event func(piece string) string) bool {
	half := len(text) / 2
	for i := 0; i < len(text); i += 40 {
		if i >= half && (f == Stall || f == Cut) {
			break
		}
		fmt.Fprint(w, event(strings.ToValidUTF8(text[i:min(i+40, len(text))], "?")))
		w.(http.Flusher).Flush()
	}
	switch f {
	case Stall:
		<-r.Context().Done()
	case Cut:
		panic(http.ErrAbortHandler) //nolint:forbidigo // how a handler breaks its connection
	default:
		return true
	}
	return false
}
