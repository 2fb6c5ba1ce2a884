package orchestrator_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// FuzzRequests sends whatever it comes up with to the whole API, on a real
// database: never a 5xx, never a hang, what is refused is a problem document, and
// the audit stays clean.
func FuzzRequests(f *testing.F) {
	a := newAPIOn(f, testdatabase.New(f), io.Discard)
	started := a.run("test-noop", "")
	ended := a.run("test-slow", "")
	a.send("POST", prefix+"/executions/"+ended+"/cancel", "")
	for _, seed := range []struct{ method, path, query, body, header, value string }{
		{"POST", "/test-slow/run", "", `{"millis": 5}`, "Idempotency-Key", "k"},
		{"POST", "/test-slow/run", "millis=5&stubborn=true", "", "", ""},
		{"POST", "/test-steps/run", "", `{"ledger": "\u0000", "steps": 1e999}`, "Content-Type", "text/plain"},
		{"POST", "/test-noop/run", "", `{"a": 1, "a": 2}`, "Content-Encoding", "gzip"},
		{"GET", "/executions", "limit=1&status=started&agent=test-noop&since=2026-01-31T10:00:00Z&cursor=eyJ9", "", "", ""},
		{"GET", "/executions/" + started, "wait=1ms", "", "If-None-Match", `W/"1"`},
		{"GET", "/executions/" + ended + "/events", "", "", "Last-Event-ID", "1.0.0"},
		{"POST", "/executions/" + ended + "/retry", "", `{"from_step": "\ud800", "resume": false}`, "", ""},
		{"POST", "/executions/" + ended + "/cancel", "", "", "", ""},
		{"POST", "/test-fail/pause", "", `{"reason": "\u0000"}`, "", ""},
		{"POST", "/all/resume", "", "", "", ""},
		{"GET", "/workers/00000000-0000-0000-0000-000000000000/drain-plan", "", "", "", ""},
		{"POST", "/workers/%2e%2e/drain", "", "", "", ""},
		{"GET", "/audit", "", "", "", ""}, {"GET", "/status", "", "", "", ""},
		{"PUT", "/executions/%00", "", "", "X-HTTP-Method-Override", "DELETE"},
	} {
		f.Add(seed.method, seed.path, seed.query, seed.body, seed.header, seed.value)
	}
	n := 0
	f.Fuzz(func(t *testing.T, method, path, query, body, header, value string) {
		target, err := url.Parse(prefix + "/" + strings.TrimPrefix(path, "/"))
		if err != nil || strings.Contains(query, "wait=") && len(query) > len("wait=1ms") || strings.HasSuffix(target.Path, started+"/events") {
			t.Skip() // no request, or one that is to last
		}
		target.RawQuery = query
		req, err := http.NewRequestWithContext(context.Background(), method, target.String(), strings.NewReader(body))
		if err != nil {
			t.Skip()
		}
		req.RequestURI = target.RequestURI()
		req.Header = http.Header{"Authorization": {"Bearer " + token}}
		if header != "" && !strings.EqualFold(header, "Authorization") {
			req.Header[http.CanonicalHeaderKey(header)] = []string{value}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		rec := httptest.NewRecorder()
		a.handler.ServeHTTP(rec, req.WithContext(ctx))
		if rec.Code >= http.StatusInternalServerError || ctx.Err() != nil {
			t.Errorf("%s %s %q: %d %s", method, target, body, rec.Code, rec.Body)
		}
		if rec.Code >= http.StatusBadRequest && method != http.MethodHead {
			var p struct{ Type, Title string }
			if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || p.Type == "" || p.Title == "" {
				t.Errorf("%s %s: %d is no problem document: %s", method, target, rec.Code, rec.Body)
			}
		}
		if n++; n%200 == 0 {
			audit := *a
			audit.t = t
			if r := audit.send("GET", prefix+"/audit", ""); r.field(t, "violations") != 0. {
				t.Errorf("after %s %s %q the audit finds %s", method, target, body, r.body)
			}
		}
	})
}
