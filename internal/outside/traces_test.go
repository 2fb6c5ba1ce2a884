package outside

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// tracing leads the traces of both services to a collector, at once.
func tracing(c *otlp, more ...string) []string {
	return append(append([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.url, "OTEL_BSP_SCHEDULE_DELAY=100", "CICLO_LOG_LEVEL=debug"}, quick...), more...)
}

// traceOf is the trace that an execution says it has.
func traceOf(t *testing.T, e client.Execution) string {
	t.Helper()
	if e.TraceID == nil || len(*e.TraceID) != 32 {
		t.Fatalf("its trace is %v", e.TraceID)
	}
	return *e.TraceID
}

// only is the one span of its name, which the trace must have by the time limit.
func only(t *testing.T, c *otlp, trace, name string) collected {
	t.Helper()
	eventually(t, 20*time.Second, fmt.Sprintf("trace %s has one span %q", trace, name), func() bool { return len(c.of(trace)[name]) == 1 })
	return c.of(trace)[name][0]
}

// post asks for a run as a foreign system does, with headers of its own.
func (s *system) post(path, body string, headers http.Header) (status int, answer map[string]any) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.api.URL+"/api/autonomous-agents"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for name, values := range headers {
		req.Header[name] = values
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// The trace of one execution begins with its caller's, goes through both services
// and holds nothing of what was asked for.
func TestATraceFromTheRequestToTheSteps(t *testing.T) {
	t.Parallel()
	c := newOTLP(t, nil)
	ledger := newOTLP(t, func(http.ResponseWriter, *http.Request) {}) // answers 200 to all
	s := newSystem(t, testdatabase.New(t), tracing(c, "OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test")...)
	worker := s.worker("OTEL_SERVICE_NAME=the-worker")
	const trace, caller = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	status, answer := s.post("/test-steps/run", `{"steps": 2, "millis": 1, "effects": "once", "ledger": "`+ledger.url+`/secret-parameter"}`, http.Header{
		"Traceparent": {"00-" + trace + "-" + caller + "-01"}, "Tracestate": {"vendor=secret-state"}, "Baggage": {"who=secret-baggage"}, "Cookie": {"session=secret-cookie"},
	})
	if status != http.StatusAccepted {
		t.Fatalf("%d %v", status, answer)
	}
	id, _ := answer["execution_id"].(string)
	e := s.await(id, 30*time.Second, "it is completed", client.Execution.Final)
	if e.Status != "completed" || traceOf(t, e) != trace {
		t.Fatalf("ended as %s in trace %s", e.Status, traceOf(t, e))
	}
	eventually(t, 20*time.Second, "all spans have come", func() bool {
		of := c.of(trace)
		return len(of["step step"]) == 2 && len(of["effect effect"]) == 2 && len(of["attempt test-steps"]) == 1 && len(of["finish"]) == 1
	})
	request := only(t, c, trace, "POST /api/autonomous-agents/{agent}/run")
	accept, insert := only(t, c, trace, "accept test-steps"), only(t, c, trace, "river.insert_many")
	attempt, finish := only(t, c, trace, "attempt test-steps"), only(t, c, trace, "finish")
	for _, want := range []struct{ of, is string }{
		{request.parent, caller}, {accept.parent, request.id}, {insert.parent, accept.id}, {attempt.parent, accept.id}, {finish.parent, attempt.id},
		{request.service, "ciclo-orchestrator"}, {attempt.service, "the-worker"},
		{request.attributes["http.route"], "/api/autonomous-agents/{agent}/run"}, {request.attributes["http.response.status_code"], "202"},
		{accept.attributes["ciclo.execution_id"], id}, {attempt.attributes["ciclo.execution_id"], id}, {attempt.attributes["ciclo.agent"], "test-steps"},
		{attempt.attributes["ciclo.attempt"], "1"}, {attempt.attributes["ciclo.outcome"], "completed"}, {attempt.attributes["ciclo.worker_id"], *e.Attempts[0].WorkerID},
	} {
		if want.of != want.is {
			t.Errorf("%q, want %q", want.of, want.is)
		}
	}
	for i, step := range c.of(trace)["step step"] {
		if step.parent != attempt.id || step.attributes["ciclo.step.name"] != fmt.Sprintf("step %d", i+1) || step.attributes["ciclo.step.reused"] != "false" {
			t.Errorf("step %+v", step)
		}
	}
	for _, effect := range c.of(trace)["effect effect"] {
		if effect.parent != attempt.id || effect.attributes["ciclo.effect.state"] != "done" {
			t.Errorf("effect %+v", effect)
		}
	}
	if c.contains("secret") || c.contains(token) || c.contains("127.0.0.1") {
		t.Error("the traces hold what they must not")
	}
	if !c.contains("deployment.environment.name") {
		t.Error("OTEL_RESOURCE_ATTRIBUTES doesn't hold")
	}
	linesOf(t, worker.err.String(), id, trace)
}

// besides are the lines of a worker that are of no execution.
var besides = []string{"worker started", "worker stopping", "worker stopped", "the start waits for the database"}

// linesOf insists that each line of a worker that ran one execution says of which
// execution, attempt, agent and trace it is.
func linesOf(t *testing.T, text, id, trace string) {
	t.Helper()
	n := 0
	for line := range strings.Lines(text) {
		var said map[string]any
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			t.Errorf("%q is not JSON: %v", line, err)
			continue
		}
		if msg, _ := said["msg"].(string); slices.Contains(besides, msg) {
			continue
		}
		n++
		if said["execution_id"] != id || said["attempt"] != 1.0 || said["agent"] != "test-steps" || said["trace_id"] != trace || said["span_id"] == nil {
			t.Errorf("a line of a running attempt is %s", line)
		}
		if strings.Count(line, `"trace_id"`) != 1 {
			t.Errorf("twice in %s", line)
		}
	}
	if n < 4 { // the attempt's begin and end, and the agent's own of two steps
		t.Errorf("%d lines of the attempt in:\n%s", n, text)
	}
}

// A killed worker writes no span; the reaper does, with the id that the next
// attempt links to. A retry's trace links to the first one's.
func TestATraceOutlivesAKilledWorker(t *testing.T) {
	t.Parallel()
	c := newOTLP(t, nil)
	s := newSystem(t, testdatabase.New(t), tracing(c)...)
	first := s.worker()
	id := s.run("test-steps", map[string]any{"steps": 10, "millis": 100})
	trace := traceOf(t, s.await(id, 20*time.Second, "steps are done", func(e client.Execution) bool { return e.Progress != nil && e.Progress.Done >= 3 }))
	eventually(t, 20*time.Second, "a step's span has come", func() bool { return len(c.of(trace)["step step"]) > 0 })
	orphan := c.of(trace)["step step"][0]
	first.signal(syscall.SIGKILL)
	s.worker()
	e := s.await(id, 30*time.Second, "it is completed", client.Execution.Final)
	if e.Status != "completed" || e.Attempt != 2 {
		t.Fatalf("ended as %+v", e)
	}
	eventually(t, 20*time.Second, "both attempts have spans", func() bool { return len(c.of(trace)["attempt test-steps"]) == 2 })
	attempts := c.of(trace)["attempt test-steps"]
	slices.SortFunc(attempts, func(a, b collected) int {
		return strings.Compare(a.attributes["ciclo.attempt"], b.attributes["ciclo.attempt"])
	})
	lost, second := attempts[0], attempts[1]
	if lost.attributes["ciclo.outcome"] != "lost" || !lost.failed || lost.service != "ciclo-orchestrator" || orphan.parent != lost.id {
		t.Errorf("the lost attempt is %+v, its step %+v", lost, orphan)
	}
	accept := only(t, c, trace, "accept test-steps")
	if lost.parent != accept.id || second.parent != accept.id || second.attributes["ciclo.outcome"] != "completed" {
		t.Errorf("the attempts are %+v of %+v", attempts, accept)
	}
	if want := []linked{{trace, lost.id, "attempt_before"}}; !slices.Equal(second.links, want) || len(lost.links) != 0 {
		t.Errorf("links %+v %+v, want %+v", lost.links, second.links, want)
	}
	reused := 0
	for _, step := range c.of(trace)["step step"] {
		if step.parent == second.id && step.attributes["ciclo.step.reused"] == "true" {
			reused++
		}
	}
	if reused < 3 {
		t.Errorf("%d steps are reused", reused)
	}
	again, err := s.api.Retry(t.Context(), id, "", false)
	if err != nil {
		t.Fatal(err)
	}
	retried := s.await(again.ID, 30*time.Second, "the retry is completed", client.Execution.Final)
	if own := traceOf(t, retried); own == trace {
		t.Error("a retry has the trace of what it retries")
	} else if want := []linked{{trace, accept.id, "retry_of"}}; !slices.Equal(only(t, c, own, "accept test-steps").links, want) {
		t.Errorf("the retry links to %+v, want %+v", only(t, c, own, "accept test-steps").links, want)
	}
}

// An attempt that fails says its class and no more; the delayed one after it, which
// the orchestrator enqueues, is in the same trace, and so is one after a deploy.
func TestATraceOfFailuresAndDeploys(t *testing.T) {
	t.Parallel()
	c := newOTLP(t, nil)
	s := newSystem(t, testdatabase.New(t), tracing(c)...)
	old := s.worker("CICLO_DRAIN=200ms")
	id := s.run("test-fail", map[string]any{"how": "recover"})
	e := s.await(id, 30*time.Second, "it is completed", client.Execution.Final)
	trace := traceOf(t, e)
	eventually(t, 20*time.Second, "both attempts have spans", func() bool { return len(c.of(trace)["attempt test-fail"]) == 2 })
	failed, second := c.of(trace)["attempt test-fail"][0], c.of(trace)["attempt test-fail"][1]
	if !failed.failed || failed.attributes["ciclo.outcome"] != "failed" || failed.attributes["error.type"] != "error" || second.failed {
		t.Errorf("the attempts are %+v and %+v", failed, second)
	}
	if want := []linked{{trace, failed.id, "attempt_before"}}; !slices.Equal(second.links, want) {
		t.Errorf("links %+v, want %+v", second.links, want)
	}
	if c.contains("as asked") {
		t.Error("an error's text is in the trace")
	}

	id = s.run("test-slow", map[string]any{"millis": 2000})
	trace = traceOf(t, s.await(id, 20*time.Second, "it runs", running))
	old.signal(syscall.SIGTERM)
	s.worker()
	if code := old.wait(20 * time.Second); code != 0 {
		t.Errorf("the worker ended with %d", code)
	}
	s.await(id, 30*time.Second, "it is completed", client.Execution.Final)
	eventually(t, 20*time.Second, "both attempts have spans", func() bool { return len(c.of(trace)["attempt test-slow"]) == 2 })
	if one := c.of(trace)["attempt test-slow"][0]; one.attributes["ciclo.outcome"] != "interrupted" || one.failed {
		t.Errorf("the interrupted attempt is %+v", one)
	}
}

// What a schedule opens has a trace that begins with its acceptance.
func TestATraceOfACycle(t *testing.T) {
	t.Parallel()
	c := newOTLP(t, nil)
	s := newSystem(t, testdatabase.New(t), tracing(c)...)
	s.worker()
	if _, err := s.api.CreateSchedule(t.Context(), map[string]any{
		"name": "traced", "interval_seconds": 3600, "anchor_at": time.Now().Add(500 * time.Millisecond), "agents": []string{"test-noop", "test-slow"}, "cooldown_seconds": 0,
	}); err != nil {
		t.Fatal(err)
	}
	traces := map[string]string{} // by execution
	eventually(t, 30*time.Second, "both have completed", func() bool {
		page, err := s.api.List(t.Context(), map[string][]string{"status": {"completed"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Executions {
			traces[e.ID] = traceOf(t, e)
		}
		return len(traces) == 2
	})
	seen := map[string]bool{}
	for id, trace := range traces {
		if seen[trace] {
			t.Error("two executions have one trace")
		}
		seen[trace] = true
		agent := "test-noop"
		if strings.HasPrefix(id, "slow_") {
			agent = "test-slow"
		}
		accept, attempt := only(t, c, trace, "accept "+agent), only(t, c, trace, "attempt "+agent)
		if accept.parent != "" || !strings.HasPrefix(accept.attributes["ciclo.cycle_id"], "cycle_") || attempt.parent != accept.id {
			t.Errorf("accept %+v, attempt %+v", accept, attempt)
		}
	}
}

// A collector that hangs, breaks or is away costs traces and nothing else.
func TestACollectorThatIsOfNoUse(t *testing.T) {
	t.Parallel()
	hangs := make(chan struct{})
	away := &otlp{url: "http://" + freePort(t)}
	collectors := map[string]*otlp{
		"hangs": newOTLP(t, func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hangs:
			case <-r.Context().Done():
			}
		}),
		"answers 500":  newOTLP(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }),
		"answers 503":  newOTLP(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }),
		"isn't there":  away,
		"speaks other": newOTLP(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>no</html>") }),
	}
	t.Cleanup(func() { close(hangs) }) // before the servers wait for their answers
	for name, c := range collectors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t, testdatabase.New(t), tracing(c, "CICLO_DRAIN=1s")...)
			worker := s.worker()
			began := time.Now()
			for range 20 {
				s.run("test-steps", map[string]any{"steps": 20, "millis": 0})
			}
			eventually(t, 60*time.Second, "all are completed", func() bool {
				page, err := s.api.List(t.Context(), map[string][]string{"status": {"completed"}})
				return err == nil && len(page.Executions) == 20
			})
			t.Logf("20 executions took %s", time.Since(began).Round(time.Millisecond))
			stopped := time.Now()
			worker.signal(syscall.SIGTERM)
			if code := worker.wait(20 * time.Second); code != 0 {
				t.Errorf("the worker ended with %d", code)
			}
			if took := time.Since(stopped); took > 9*time.Second { // five for the traces; the rest is a busy machine's
				t.Errorf("the stop took %s", took)
			}
			if said := worker.err.String(); strings.Contains(said, "panic") || (name != "speaks other" && !strings.Contains(said, `"component":"telemetry"`)) {
				t.Errorf("no word of it in:\n%s", said)
			}
		})
	}
}

// Without a variable of OpenTelemetry's nothing is exported, and what callers say of
// traces is ignored; so is a setting that can't be followed, with a warning.
func TestTracesAreOffByDefault(t *testing.T) {
	t.Parallel()
	for name, env := range map[string][]string{
		"nothing":  nil,
		"disabled": {"OTEL_SDK_DISABLED=true", "OTEL_EXPORTER_OTLP_ENDPOINT=URL"},
		"none":     {"OTEL_TRACES_EXPORTER=none", "OTEL_EXPORTER_OTLP_ENDPOINT=URL"},
		"grpc":     {"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_ENDPOINT=URL"},
		"unsampled": {
			"OTEL_TRACES_SAMPLER=always_off", "OTEL_EXPORTER_OTLP_ENDPOINT=URL",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newOTLP(t, nil)
			env = slices.Clone(env)
			for i := range env {
				env[i] = strings.Replace(env[i], "URL", c.url, 1)
			}
			s := newSystem(t, testdatabase.New(t), append(env, "OTEL_BSP_SCHEDULE_DELAY=100")...)
			worker := s.worker()
			_, answer := s.post("/test-noop/run", "", http.Header{"Traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}})
			id, _ := answer["execution_id"].(string)
			e := s.await(id, 30*time.Second, "it is completed", client.Execution.Final)
			worker.signal(syscall.SIGTERM)
			if code := worker.wait(30 * time.Second); code != 0 || e.Status != "completed" || e.TraceID != nil || c.requests.Load() != 0 {
				t.Errorf("code %d, %s, trace %v, %d exports", code, e.Status, e.TraceID, c.requests.Load())
			}
			said := worker.err.String()
			if strings.Contains(said, "trace_id") || strings.Contains(said, "no traces are exported") != (name == "grpc") {
				t.Errorf("it says\n%s", said)
			}
		})
	}
}

// Whatever is in the headers of traces, the request is answered as without them.
func TestATraceparentBreaksNoRequest(t *testing.T) {
	t.Parallel()
	c := newOTLP(t, nil)
	s := newSystem(t, testdatabase.New(t), tracing(c)...)
	random := rand.New(rand.NewPCG(1, 2))
	const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	values := []string{"", "00", "-", good + "-x", "ff" + good[2:], "01" + good[2:] + "-more", strings.ToUpper(good), good[:3] + strings.Repeat("0", 32) + good[35:], strings.Repeat("a", 10_000), "\xff\xfe", "00-é"}
	for range 200 {
		value := []byte(good)
		for range 1 + random.IntN(6) {
			value[random.IntN(len(value))] = byte(random.IntN(256))
		}
		values = append(values, string(bytes.Map(func(r rune) rune {
			if r == '\r' || r == '\n' || r == 0 {
				return ' '
			}
			return r
		}, value)))
	}
	address := strings.TrimPrefix(s.api.URL, "http://")
	for i, value := range values {
		// By hand: Go's client refuses to send most of it.
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /api/autonomous-agents/test-noop/run HTTP/1.0\r\nAuthorization: Bearer %s\r\nTraceparent: %s\r\nTracestate: %s\r\nTraceparent: %s\r\n\r\n", token, value, value, value)
		answer := make([]byte, 64)
		n, err := conn.Read(answer)
		if err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		conn.Close()
		// 400 is net/http's own, of bytes that no header may have.
		if got := string(answer[:n]); !strings.HasPrefix(got, "HTTP/1.0 202") && !strings.HasPrefix(got, "HTTP/1.0 400") && !strings.HasPrefix(got, "HTTP/1.1 400") {
			t.Errorf("%d: %q is answered with %q", i, value, got)
		}
	}
	page, err := s.api.List(t.Context(), map[string][]string{"limit": {"200"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Executions {
		traceOf(t, e)
	}
	if len(page.Executions) < 50 {
		t.Errorf("%d were accepted", len(page.Executions))
	}
}
