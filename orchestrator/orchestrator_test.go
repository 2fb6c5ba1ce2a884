package orchestrator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testagents"
	"github.com/nuzantara/ciclo/internal/testdatabase"
	"github.com/nuzantara/ciclo/orchestrator"
)

func TestMain(m *testing.M) {
	fingerprint, err := postgres.SchemaFingerprint()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testdatabase.Main(m, testdatabase.Options{Migrate: postgres.Migrate, Fingerprint: fingerprint})
}

const (
	token  = "a-token-for-tests"
	prefix = orchestrator.Prefix
)

// api is an orchestrator's API on a database of the test's own.
type api struct {
	t       testing.TB
	handler http.Handler
	pool    *pgxpool.Pool
}

func newAPI(t *testing.T) *api {
	t.Helper()
	return newAPIOn(t, testdatabase.New(t), io.Discard)
}

func newAPIOn(tb testing.TB, url string, log io.Writer, change ...func(*orchestrator.Config)) *api {
	tb.Helper()
	pool, err := postgres.Connect(tb.Context(), postgres.PoolConfig{URL: url, Name: tb.Name(), MaxConns: 4})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	catalogue, err := testagents.Catalogue()
	if err != nil {
		tb.Fatal(err)
	}
	cfg := orchestrator.Config{
		Pool: pool, ReaperPool: pool, Catalogue: catalogue, Token: token, Version: "test", Log: slog.New(slog.NewTextHandler(log, nil)),
	}
	for _, c := range change {
		c(&cfg)
	}
	o, err := orchestrator.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() { o.ServeReads(ctx); close(served) }()
	waited := make(chan struct{})
	go func() { o.ServeWaits(ctx); close(waited) }()
	tb.Cleanup(func() { stop(); <-served; <-waited })
	return &api{t: tb, handler: o.Handler(), pool: pool}
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// send sends a request; the answer is as the API's document says, or the test fails.
func (a *api) send(method, path, body string, headers ...string) answer {
	a.t.Helper()
	r := a.sendPlain(method, path, body, headers...)
	a.conforms(method, path, r)
	return r
}

func (a *api) sendPlain(method, path, body string, headers ...string) answer {
	a.t.Helper()
	req := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	a.handler.ServeHTTP(rec, req)
	return answer{rec.Code, rec.Header(), rec.Body.Bytes()}
}

// field digs a value out of an answer's JSON.
func (r answer) field(tb testing.TB, path ...string) any {
	tb.Helper()
	var v any
	if err := json.Unmarshal(r.body, &v); err != nil {
		tb.Fatalf("%s: %v", r.body, err)
	}
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			tb.Fatalf("%s has no %v", r.body, path)
		}
		v = m[name]
	}
	return v
}

func (a *api) run(agent, body string) string {
	a.t.Helper()
	r := a.send("POST", prefix+"/"+agent+"/run", body)
	if r.status != http.StatusAccepted {
		a.t.Fatalf("run: %d %s", r.status, r.body)
	}
	return r.field(a.t, "execution_id").(string)
}

func TestRunIsAcceptedAndCanBePolled(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	r := a.send("POST", prefix+"/test-slow/run", `{"millis": 5}`)
	id, _ := r.field(t, "execution_id").(string)
	if r.status != http.StatusAccepted || r.header.Get("Location") != prefix+"/executions/"+id {
		t.Errorf("accepted as %d, %v, %s", r.status, r.header, r.body)
	}
	if r.field(t, "status") != "started" || r.field(t, "agent_name") != "test-slow" || r.field(t, "started_at") == nil {
		t.Errorf("the answer is %s", r.body)
	}
	got := a.send("GET", prefix+"/executions/"+id, "")
	if got.status != http.StatusOK || got.field(t, "status") != "started" || got.field(t, "parameters", "millis") != 5. || got.field(t, "parameters", "stubborn") != false {
		t.Errorf("polled as %d %s", got.status, got.body)
	}
	transitions, _ := got.field(t, "transitions").([]any)
	if len(transitions) != 1 {
		t.Errorf("transitions are %v", transitions)
	}
	list := a.send("GET", prefix+"/executions?agent=test-slow&status=started&status=running&limit=1", "")
	if items, _ := list.field(t, "executions").([]any); len(items) != 1 || list.field(t, "next_cursor") != nil {
		t.Errorf("the list is %s", list.body)
	}
	cancelled := a.send("POST", prefix+"/executions/"+id+"/cancel", "")
	if cancelled.status != http.StatusAccepted || cancelled.field(t, "status") != "cancelled" {
		t.Errorf("cancelled as %d %s", cancelled.status, cancelled.body)
	}
}

func TestTheSameKeyIsTheSameExecution(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	keyed := func(path, body, key string) answer {
		t.Helper()
		return a.send("POST", prefix+path, body, "Idempotency-Key", key)
	}
	first := keyed("/test-slow/run", `{"millis": 5, "stubborn": true}`, "k-1")
	id := first.field(t, "execution_id").(string)
	if first.status != http.StatusAccepted || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("accepted as %d %v", first.status, first.header)
	}
	for _, again := range []answer{ // whatever its spacing and order, in the body or in the query
		keyed("/test-slow/run", `{"stubborn":true,"millis":5}`, "k-1"),
		keyed("/test-slow/run?stubborn=true&millis=5", ``, "k-1"),
	} {
		if again.status != http.StatusAccepted || again.field(t, "execution_id") != id || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("again it is %d %v %s", again.status, again.header, again.body)
		}
	}
	for name, other := range map[string]answer{
		"other parameters": keyed("/test-slow/run", `{"millis": 6, "stubborn": true}`, "k-1"),
		"another agent":    keyed("/test-noop/run", ``, "k-1"),
	} {
		if other.status != http.StatusUnprocessableEntity || other.field(t, "type") != "urn:ciclo:idempotency-key-reused" {
			t.Errorf("%s under the same key: %d %s", name, other.status, other.body)
		}
	}
	if another := keyed("/test-slow/run", `{"millis": 5, "stubborn": true}`, "k-2"); another.field(t, "execution_id") == id {
		t.Error("another key gave the same execution")
	}
	for name, key := range map[string]string{"an empty key": "", "a long key": strings.Repeat("k", 256), "a key with a line end": "a\nb", "a key that isn't ASCII": "clé"} {
		if r := keyed("/test-noop/run", ``, key); r.status != http.StatusUnprocessableEntity || !bytes.Contains(r.body, []byte("Idempotency-Key")) {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	// Many at once, as a client that lost patience sends them.
	ids := make(chan any, 16)
	for range cap(ids) {
		go func() { ids <- keyed("/test-noop/run", ``, "k-race").field(t, "execution_id") }()
	}
	one := <-ids
	for range cap(ids) - 1 {
		if id := <-ids; id != one {
			t.Errorf("one key gave %v and %v", one, id)
		}
	}
}

func TestDryRuns(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, c := range []struct{ query, body string }{
		{"", `{"dry_run": true, "millis": 5, "stubborn": true}`},
		{"", `{"millis": 5, "\u0064ry_run": true, "stubborn": true}`},
		{"?dry_run=true&millis=5&stubborn=true", ``},
		{"?dry_run=true", `{"millis": 5, "stubborn": true}`},
	} {
		r := a.send("POST", prefix+"/test-slow/run"+c.query, c.body, "Idempotency-Key", "dry")
		id, _ := r.field(t, "execution_id").(string)
		parameters, _ := r.field(t, "parameters").(map[string]any)
		if r.status != http.StatusAccepted || r.field(t, "dry_run") != true || len(parameters) != 2 || parameters["millis"] != 5. {
			t.Errorf("%v: accepted as %d %s", c, r.status, r.body)
		}
		if e := a.send("GET", prefix+"/executions/"+id, ""); e.field(t, "dry_run") != true {
			t.Errorf("%v: it is %s", c, e.body)
		}
	}
	list := a.send("GET", prefix+"/executions", "").field(t, "executions").([]any)
	if len(list) != 1 || list[0].(map[string]any)["dry_run"] != true { // all four are one request
		t.Errorf("the list is %v", list)
	}
	real := func(path, body string) answer { return a.send("POST", prefix+path, body, "Idempotency-Key", "dry") }
	if r := real("/test-slow/run", `{"millis": 5, "stubborn": true}`); r.field(t, "type") != "urn:ciclo:idempotency-key-reused" {
		t.Errorf("a real run under the key of a dry one: %d %s", r.status, r.body)
	}
	for _, body := range []string{`{"dry_run": false, "millis": 5}`, `{"millis": 5}`} { // the same request
		r := a.send("POST", prefix+"/test-slow/run", body, "Idempotency-Key", "real")
		if r.status != http.StatusAccepted || r.field(t, "dry_run") != false {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
	if r := a.send("POST", prefix+"/test-noop/run", `{"dry_run": true}`); r.status != http.StatusAccepted || r.field(t, "dry_run") != true {
		t.Errorf("of an agent without parameters: %d %s", r.status, r.body)
	}

	// A retry of a dry run is one.
	id := list[0].(map[string]any)["execution_id"].(string)
	a.send("POST", prefix+"/executions/"+id+"/cancel", "")
	retry := a.send("POST", prefix+"/executions/"+id+"/retry", `{"resume": true}`)
	if retry.status != http.StatusAccepted || retry.field(t, "dry_run") != true || retry.field(t, "retry_of") != id {
		t.Errorf("the retry is %d %s", retry.status, retry.body)
	}

	// An agent that runs one at a time takes dry runs at any time.
	for _, body := range []string{`{"dry_run": true}`, `{}`, `{"dry_run": true}`} {
		if r := a.send("POST", prefix+"/test-single/run", body); r.status != http.StatusAccepted {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
	if r := a.send("POST", prefix+"/test-single/run", `{}`); r.status != http.StatusConflict {
		t.Errorf("a second real one: %d %s", r.status, r.body)
	}

	// What the agent last did is what it did in earnest.
	for _, of := range a.send("GET", prefix+"/status", "").field(t, "agents").([]any) {
		if agent := of.(map[string]any); agent["id"] == "test-noop" && (agent["last_execution_id"] != nil || agent["started"] != 1.) {
			t.Errorf("the status shows %v", agent)
		}
	}
	run, _ := a.send("GET", "/openapi.json", "").field(t, "paths", prefix+"/test-slow/run", "post").(map[string]any)
	if text := fmt.Sprint(run["parameters"]); !strings.Contains(text, "name:dry_run") {
		t.Errorf("the query is described as %s", text)
	}
	if text := fmt.Sprint(run["requestBody"]); !strings.Contains(text, "dry_run:map[") || !strings.Contains(text, "millis:map[") {
		t.Errorf("the body is described as %s", text)
	}
}

func TestOneInFlight(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	run := prefix + "/test-single/run"
	first := a.send("POST", run, "", "Idempotency-Key", "first")
	id := first.field(t, "execution_id").(string)
	if r := a.send("POST", run, ""); r.status != http.StatusConflict || r.field(t, "type") != "urn:ciclo:in-flight" || r.field(t, "execution_id") != id {
		t.Errorf("a second one: %d %s", r.status, r.body)
	}
	if r := a.send("POST", run, "", "Idempotency-Key", "first"); r.status != http.StatusAccepted || r.field(t, "execution_id") != id {
		t.Errorf("the same request again: %d %s", r.status, r.body)
	}
	if r := a.send("POST", prefix+"/executions/"+id+"/cancel", ""); r.status != http.StatusAccepted {
		t.Fatalf("cancel: %d %s", r.status, r.body)
	}
	next := a.run("test-single", "") // without a key
	if next == id {
		t.Error("the next one is the first")
	}
	for _, headers := range [][]string{nil, {"Idempotency-Key", "third"}} {
		if r := a.send("POST", run, "", headers...); r.status != http.StatusConflict || r.field(t, "execution_id") != next {
			t.Errorf("beside one without a key: %d %s", r.status, r.body)
		}
	}
}

// Old clients send parameters in the query; a body works as well, both don't.
func TestParametersInTheQuery(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	r := a.send("POST", prefix+"/test-slow/run?millis=7&stubborn=true", "")
	if r.status != http.StatusAccepted || r.field(t, "parameters", "millis") != 7. || r.field(t, "parameters", "stubborn") != true {
		t.Errorf("accepted as %d %s", r.status, r.body)
	}
}

func TestPagesGoThroughTheWholeList(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	want := map[string]bool{}
	for range 5 {
		want[a.run("test-noop", "")] = true
	}
	cursor := ""
	for range 3 {
		r := a.send("GET", prefix+"/executions?limit=2"+cursor, "")
		for _, item := range r.field(t, "executions").([]any) {
			delete(want, item.(map[string]any)["execution_id"].(string))
			if _, has := item.(map[string]any)["result"]; has {
				t.Errorf("a list item carries a result: %v", item)
			}
		}
		if next, more := r.field(t, "next_cursor").(string); more {
			cursor = "&cursor=" + next
		}
	}
	if len(want) != 0 {
		t.Errorf("the pages lack %v", want)
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	id := a.run("test-noop", "")
	run := prefix + "/test-slow/run"
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		kind, field        string
	}{
		"an unknown agent":               {"POST", prefix + "/nobody/run", "{}", 404, "agent-unknown", ""},
		"a noun instead of an agent":     {"POST", prefix + "/executions/run", "{}", 404, "agent-unknown", ""},
		"bad JSON":                       {"POST", run, `{"millis": `, 400, "not-json", ""},
		"two JSON values":                {"POST", run, `{} {}`, 400, "not-json", ""},
		"a JSON array":                   {"POST", run, `[1]`, 422, "invalid", ""},
		"an unknown field":               {"POST", run, `{"hours": 1}`, 422, "invalid", ""},
		"a malformed escape":             {"POST", run + "?millis=%zz", ``, 422, "invalid", ""},
		"a semicolon in the query":       {"POST", run + "?millis=5;stubborn=true", ``, 422, "invalid", ""},
		"a malformed filter":             {"GET", prefix + "/executions?agent=%zz", ``, 422, "invalid", ""},
		"an unknown query parameter":     {"POST", run + "?hours=1", ``, 422, "invalid", ""},
		"out of range":                   {"POST", run, `{"millis": -1}`, 422, "invalid", "millis"},
		"out of range in the query":      {"POST", run + "?millis=-1", ``, 422, "invalid", "millis"},
		"text for a number":              {"POST", run, `{"millis": "x"}`, 422, "invalid", "millis"},
		"text for a number in the query": {"POST", run + "?millis=x", ``, 422, "invalid", "millis"},
		"hexadecimal in the query":       {"POST", run + "?millis=0x10", ``, 422, "invalid", "millis"},
		"a fraction for an integer":      {"POST", run, `{"millis": 1.5}`, 422, "invalid", "millis"},
		"no boolean in the query":        {"POST", run + "?stubborn=1", ``, 422, "invalid", "stubborn"},
		"a parameter twice":              {"POST", run + "?millis=1&millis=2", ``, 422, "invalid", "millis"},
		"body and query":                 {"POST", run + "?millis=1", `{"millis": 1}`, 422, "invalid", ""},
		"NUL in a text":                  {"POST", prefix + "/test-steps/run", `{"ledger": "a\u0000b"}`, 422, "invalid", ""},
		"a value beyond the choices":     {"POST", prefix + "/test-fail/run", `{"how": "x"}`, 422, "invalid", "how"},
		"a body over 1 MiB":              {"POST", run, `{"millis": 1}` + strings.Repeat(" ", 2<<20), 413, "too-large", ""},
		"a dry run as text":              {"POST", run, `{"dry_run": "true"}`, 422, "invalid", "dry_run"},
		"a dry run that is null":         {"POST", run, `{"dry_run": null}`, 422, "invalid", "dry_run"},
		"a dry run as a number":          {"POST", run + "?dry_run=1", ``, 422, "invalid", "dry_run"},
		"a dry run of nothing":           {"POST", run + "?dry_run=", ``, 422, "invalid", "dry_run"},
		"a dry run twice":                {"POST", run + "?dry_run=true&dry_run=true", ``, 422, "invalid", "dry_run"},
		"a dry run twice in the body":    {"POST", run, `{"dry_run": true, "dry_run": false}`, 422, "invalid", "dry_run"},
		"a dry run in body and query":    {"POST", run + "?dry_run=true", `{"dry_run": true}`, 422, "invalid", "dry_run"},
		"a dry run in other letters":     {"POST", run, `{"Dry_Run": true}`, 422, "invalid", ""},
		"a dry run out of range":         {"POST", run, `{"dry_run": true, "millis": -1}`, 422, "invalid", "millis"},
		"an unknown execution":           {"GET", prefix + "/executions/" + id[:len(id)-1] + "x", "", 404, "execution-unknown", ""},
		"a malformed id":                 {"GET", prefix + "/executions/%00%ff'--", "", 404, "execution-unknown", ""},
		"a very long id":                 {"GET", prefix + "/executions/" + strings.Repeat("a", 9000), "", 404, "execution-unknown", ""},
		"cancelling an unknown one":      {"POST", prefix + "/executions/nothing/cancel", "", 404, "execution-unknown", ""},
		"an unknown path":                {"GET", prefix + "/nothing/here/at/all", "", 404, "http-404", ""},
		"an unknown path elsewhere":      {"GET", "/nothing", "", 404, "http-404", ""},
		"another method":                 {"DELETE", prefix + "/executions/" + id, "", 405, "http-405", ""},
		"limit 0":                        {"GET", prefix + "/executions?limit=0", "", 422, "invalid", "limit"},
		"limit -1":                       {"GET", prefix + "/executions?limit=-1", "", 422, "invalid", "limit"},
		"limit 201":                      {"GET", prefix + "/executions?limit=201", "", 422, "invalid", "limit"},
		"limit x":                        {"GET", prefix + "/executions?limit=x", "", 422, "invalid", "limit"},
		"limit twice":                    {"GET", prefix + "/executions?limit=1&limit=2", "", 422, "invalid", "limit"},
		"limit empty":                    {"GET", prefix + "/executions?limit=", "", 422, "invalid", "limit"},
		"a member in other letters":      {"POST", prefix + "/test-noop/pause", `{"REASON": "x"}`, 422, "invalid", "REASON"},
		"a member twice":                 {"POST", prefix + "/test-noop/pause", `{"reason": "x", "reason": "y"}`, 422, "invalid", "reason"},
		"a member that is null":          {"POST", prefix + "/test-noop/pause", `{"reason": null}`, 422, "invalid", "reason"},
		"a body that is null":            {"POST", prefix + "/test-noop/pause", `null`, 422, "invalid", ""},
		"an unknown status":              {"GET", prefix + "/executions?status=done", "", 422, "invalid", "status"},
		"an unknown agent in a filter":   {"GET", prefix + "/executions?agent=nobody", "", 422, "invalid", "agent"},
		"since yesterday":                {"GET", prefix + "/executions?since=yesterday", "", 422, "invalid", "since"},
		"a made-up cursor":               {"GET", prefix + "/executions?cursor=abc", "", 422, "invalid", "cursor"},
		"an unknown filter":              {"GET", prefix + "/executions?color=red", "", 422, "invalid", "color"},
		"a query where none belongs":     {"GET", prefix + "/status?x=1", "", 422, "invalid", "x"},
	} {
		r := a.send(c.method, c.path, c.body)
		if r.status != c.status || r.header.Get("Content-Type") != "application/problem+json" || r.field(t, "type") != "urn:ciclo:"+c.kind {
			t.Errorf("%s: %d %s %s", name, r.status, r.header.Get("Content-Type"), r.body)
			continue
		}
		if c.field != "" {
			fields, _ := r.field(t, "errors").([]any)
			if len(fields) == 0 || fields[0].(map[string]any)["field"] != c.field {
				t.Errorf("%s: the fields are %s", name, r.body)
			}
		}
	}
	if list := a.send("GET", prefix+"/executions", ""); len(list.field(t, "executions").([]any)) != 1 {
		t.Errorf("a refused request left an execution: %s", list.body)
	}
}

func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for name, c := range map[string]struct {
		header, path string
		status       int
	}{
		"no token":              {"", prefix + "/status", 401},
		"no token, run":         {"", prefix + "/test-noop/run", 401},
		"no token, unknown":     {"", prefix + "/nothing", 401},
		"a wrong token":         {"Bearer " + token + "x", prefix + "/status", 401},
		"a part of the token":   {"Bearer " + token[:len(token)-1], prefix + "/status", 401},
		"another scheme":        {"Basic " + token, prefix + "/status", 401},
		"the token":             {"bearer " + token, prefix + "/status", 200},
		"health without token":  {"", "/healthz", 200},
		"ready without a token": {"", "/readyz", 200},
	} {
		r := a.send("GET", c.path, "", "Authorization", c.header)
		if r.status != c.status {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
		if c.status == 401 && !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: no WWW-Authenticate", name)
		}
		if bytes.Contains(r.body, []byte(token)) {
			t.Errorf("%s: the answer has the token", name)
		}
	}
}

func TestADatabaseThatIsDown(t *testing.T) {
	t.Parallel()
	a := newAPIOn(t, "postgres://nobody@127.0.0.1:1/nothing", io.Discard)
	for _, c := range [][2]string{
		{"POST", prefix + "/test-noop/run"}, {"GET", prefix + "/executions"}, {"GET", prefix + "/status"}, {"GET", "/readyz"},
		{"GET", prefix + "/executions/noop_019ac5a8-6f0e-7000-8000-9b1deb4d3b7d"},
	} {
		r := a.send(c[0], c[1], "")
		if r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" || r.field(t, "type") != "urn:ciclo:unavailable" {
			t.Errorf("%v: %d %s", c, r.status, r.body)
		}
	}
	if r := a.send("GET", "/healthz", ""); r.status != http.StatusOK {
		t.Errorf("healthz: %d", r.status)
	}
}

func TestADatabaseOfAnotherSchema(t *testing.T) {
	t.Parallel()
	a := newAPIOn(t, testdatabase.Empty(t), io.Discard)
	if r := a.send("GET", "/readyz", ""); r.status != http.StatusServiceUnavailable || !bytes.Contains(r.body, []byte("ciclo migrate")) {
		t.Errorf("readyz: %d %s", r.status, r.body)
	}
}

// What breaks inside is opaque to the client and said in the log.
func TestWhatBreaksInside(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	a := newAPIOn(t, testdatabase.New(t), &log)
	if _, err := a.pool.Exec(t.Context(), `ALTER TABLE ciclo.executions RENAME COLUMN parameters TO secret_column`); err != nil {
		t.Fatal(err)
	}
	r := a.send("POST", prefix+"/test-noop/run", "")
	if r.status != http.StatusInternalServerError || bytes.Contains(r.body, []byte("column")) {
		t.Errorf("%d %s", r.status, r.body)
	}
	if !strings.Contains(log.String(), "parameters") {
		t.Errorf("the log does not say why: %s", log.String())
	}
}

func TestStatusShowsEveryAgent(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.run("test-noop", "")
	r := a.send("GET", prefix+"/status", "")
	agents, _ := r.field(t, "agents").([]any)
	if len(agents) != 5 {
		t.Fatalf("status: %s", r.body)
	}
	for _, one := range agents {
		agent := one.(map[string]any)
		if agent["id"] == "test-noop" && (agent["started"] != 1. || agent["last_status"] != "started") {
			t.Errorf("test-noop is %v", agent)
		}
	}
}

func TestAShortTokenIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := orchestrator.New(orchestrator.Config{Token: "short", Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "16") {
		t.Errorf("got %v", err)
	}
}

// history inserts completed executions of an agent with so many steps each, of
// so many seconds.
func (a *api) history(agent, from string, executions, steps int, seconds float64) {
	a.t.Helper()
	_, err := a.pool.Exec(a.t.Context(), `
		WITH e AS (
			INSERT INTO ciclo.executions (id, agent, status, attempt, tries, timeout_seconds, running_at, ended_at, result)
			SELECT $2 || n, $1, 'completed', 1, 3, 60, now(), now(), '{}' FROM generate_series(1, $3::int) n RETURNING id
		)
		INSERT INTO ciclo.steps (execution_id, name, attempt, worker_id, output, started_at, ended_at)
		SELECT id, 'step ' || n, 1, gen_random_uuid(), '1', now() - $5::float8 * interval '1 second', now() FROM e, generate_series(1, $4::int) n`,
		agent, from, executions, steps, seconds)
	if err != nil {
		a.t.Fatal(err)
	}
}

// stallSeconds is an execution's own threshold; 0 is never.
func (a *api) stallSeconds(id string) (seconds int) {
	a.t.Helper()
	err := a.pool.QueryRow(a.t.Context(), `SELECT coalesce(stall_seconds, 0) FROM ciclo.executions WHERE id = $1`, id).Scan(&seconds)
	if err != nil {
		a.t.Fatal(err)
	}
	return seconds
}

func TestStalledByWhatTheAgentsStepsTook(t *testing.T) {
	t.Parallel()
	url := testdatabase.New(t)
	a := newAPIOn(t, url, io.Discard)
	a.history("test-steps", "steps_", 2, 10, 15)
	id := a.run("test-steps", "{}")
	if got := a.stallSeconds(id); got != 45 {
		t.Errorf("with steps of 15 s it stalls after %d s, want 45", got)
	}
	if got := a.stallSeconds(a.run("test-noop", "{}")); got != 0 {
		t.Errorf("without steps it stalls after %d s, want never", got)
	}
	for ago, want := range map[string]bool{"46 seconds": true, "40 seconds": false} {
		_, err := a.pool.Exec(t.Context(), `
			UPDATE ciclo.executions SET status = 'running', attempt = 1, worker_id = gen_random_uuid(), running_at = now() - interval '1 hour', progress_at = now() - $2::interval
			WHERE id = $1`, id, ago)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.send(http.MethodGet, prefix+"/executions/"+id, "").field(t, "stalled"); got != want {
			t.Errorf("after %s without progress stalled is %v, want %v", ago, got, want)
		}
	}

	// What was found is used for a minute, by this orchestrator; another looks itself.
	a.history("test-steps", "steps_later_", 2, 10, 120)
	if got := a.stallSeconds(a.run("test-steps", "{}")); got != 45 {
		t.Errorf("within a minute it became %d s, want 45", got)
	}
	other := newAPIOn(t, url, io.Discard)
	if got := other.stallSeconds(other.run("test-steps", "{}")); got != 360 {
		t.Errorf("with steps of 120 s it stalls after %d s, want 360", got)
	}
}

// Nobody is refused because the steps can't be read.
func TestAcceptWithoutStepDurations(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.history("test-steps", "steps_", 2, 10, 15)
	tx, err := a.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), `LOCK TABLE ciclo.steps`); err != nil {
		t.Fatal(err)
	}
	if got := a.stallSeconds(a.run("test-steps", "{}")); got != 0 {
		t.Errorf("unread steps make it stall after %d s, want never", got)
	}
}
