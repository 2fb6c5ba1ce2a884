package llm

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// What the API, and whoever stands before it, may answer to the question how a call
// stands: nothing but a known end is one.
func TestACallInTheBackground(t *testing.T) {
	t.Parallel()
	const whole = `{"id": "r1", "object": "response", "status": %q, "model": "m", "output": [{"type": "message", "id": "x", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "hi", "annotations": []}]}], "usage": {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}}`
	completed := fmt.Sprintf(whole, "completed")
	const missing = `{"error": {"message": "not found", "type": "invalid_request_error"}}`
	first := func(status int, body string) func(n int64) (int, string) {
		return func(n int64) (int, string) {
			if n == 1 {
				return status, body
			}
			return 200, completed
		}
	}
	always := func(status int, body string) func(int64) (int, string) {
		return func(int64) (int, string) { return status, body }
	}
	const open = "can't be asked"
	for name, c := range map[string]struct {
		poll   func(n int64) (int, string)
		cancel string // its answer; empty fails
		kind   Kind   // of the failure; or
		fails  string // an error that is none of the call's
		cut    bool
	}{
		"completed":                         {poll: always(200, completed)},
		"ended at its most tokens":          {poll: always(200, fmt.Sprintf(whole, "incomplete")), cut: true},
		"no status at first":                {poll: first(200, `{}`)},
		"an error that is a 200 at first":   {poll: first(200, `{"error": {"message": "upstream"}}`)},
		"a status that isn't known":         {poll: first(200, `{"id": "r1", "status": "pending"}`)},
		"a page of HTML at first":           {poll: first(200, `<html>`)},
		"not found by a proxy, at first":    {poll: first(404, `<html>`)},
		"not found once":                    {poll: first(404, missing)},
		"away at first":                     {poll: first(503, `{}`)},
		"not found":                         {poll: always(404, missing), kind: Gone},
		"not found by a proxy, always":      {poll: always(404, `<html>`), fails: open},
		"a key that isn't taken any more":   {poll: always(401, `{"error": {"message": "no", "type": "auth"}}`), fails: open},
		"away":                              {poll: always(503, `{}`), fails: open},
		"failed":                            {poll: always(200, `{"id": "r1", "status": "failed", "error": {"code": "server_error", "message": "x"}}`), kind: Ill},
		"failed by its rate":                {poll: always(200, `{"id": "r1", "status": "failed", "error": {"code": "rate_limit_exceeded", "message": "x"}}`), kind: Busy},
		"failed by what was asked":          {poll: always(200, `{"id": "r1", "status": "failed", "error": {"code": "invalid_prompt", "message": "x"}}`), kind: Refused},
		"cancelled by somebody":             {poll: always(200, `{"id": "r1", "status": "cancelled"}`), kind: Gone},
		"too slow":                          {poll: always(200, `{"id": "r1", "status": "in_progress"}`), cancel: `{"id": "r1", "status": "cancelled"}`, kind: Gone},
		"too slow, and done when cancelled": {poll: always(200, `{"id": "r1", "status": "in_progress"}`), cancel: completed},
		"too slow, and not cancelled":       {poll: always(200, `{"id": "r1", "status": "in_progress"}`), fails: open},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var polls, cancels atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				status, body := 200, `{"id": "r1", "status": "queued"}`
				switch {
				case r.Method == http.MethodGet:
					status, body = c.poll(polls.Add(1))
				case r.URL.Path != "/v1/responses":
					cancels.Add(1)
					if body = c.cancel; body == "" {
						status = 500
					}
				}
				w.WriteHeader(status)
				fmt.Fprint(w, body)
			}))
			defer server.Close()
			p := NewOpenAI(Settings{URL: server.URL + "/v1", Background: true, Stall: time.Second, Timeout: time.Second})
			answer, err := p.Ask(t.Context(), "m", "k", Request{Messages: []Message{{User, "q"}}, MaxTokens: 10})
			var failure *Error
			switch {
			case c.fails != "":
				if err == nil || errors.As(err, &failure) || answer.Text != "" {
					t.Errorf("it is %+v: %v", answer, err)
				}
			case c.kind != "":
				if !errors.As(err, &failure) || failure.Kind != c.kind {
					t.Errorf("it is %+v: %v", answer, err)
				}
			case err != nil || answer.Text != "hi" || answer.Truncated != c.cut || answer.Usage != (Usage{3, 1}) || answer.ID != "r1":
				t.Errorf("it is %+v: %v", answer, err)
			}
			if slow := c.cancel != "" || name == "too slow, and not cancelled"; (cancels.Load() > 0) != slow {
				t.Errorf("it was cancelled %d times", cancels.Load())
			}
		})
	}
}
