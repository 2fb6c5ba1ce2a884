package outside

import (
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/localpostgres"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// quick makes leases short, so that tests need not wait for long.
var quick = []string{"CICLO_LEASE=2s", "CICLO_BEAT=500ms", "CICLO_REAP_EVERY=200ms"}

func running(e client.Execution) bool { return e.Status == "running" }

func TestAKilledWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testdatabase.New(t), quick...)
	first := s.worker()
	id := s.run("test-steps", map[string]any{"steps": 20, "millis": 100})
	s.await(id, 20*time.Second, "some steps are done", func(e client.Execution) bool { return e.Progress != nil && e.Progress.Done >= 3 })
	first.signal(syscall.SIGKILL)
	s.worker()
	e := s.await(id, 30*time.Second, "it is completed", client.Execution.Final)
	if e.Status != "completed" || e.Attempt != 2 || e.Failures != 1 || string(e.Result) != `{"sum":210}` {
		t.Errorf("ended as %+v, result %s", e, e.Result)
	}
	if want := "started running started running completed"; path(e) != want {
		t.Errorf("path %q, want %q", path(e), want)
	}
}

func TestAFrozenWorkerWritesNothingWhenItWakes(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testdatabase.New(t), quick...)
	frozen := s.worker()
	id := s.run("test-steps", map[string]any{"steps": 10, "millis": 200})
	s.await(id, 20*time.Second, "it runs", func(e client.Execution) bool { return e.Progress != nil && e.Progress.Done >= 2 })
	frozen.signal(syscall.SIGSTOP)
	s.worker()
	s.await(id, 20*time.Second, "another worker runs it", func(e client.Execution) bool { return e.Attempt == 2 && running(e) })
	frozen.signal(syscall.SIGCONT)
	e := s.await(id, 30*time.Second, "it is completed", client.Execution.Final)
	if e.Status != "completed" || e.Attempt != 2 || path(e) != "started running started running completed" {
		t.Errorf("ended as %+v", e)
	}
	// By River's notice or by its beat, whichever comes first.
	eventually(t, 10*time.Second, "the woken worker says that it lost its attempt", func() bool {
		return strings.Contains(frozen.err.String(), "taken away") || strings.Contains(frozen.err.String(), "moved on")
	})
}

func TestADeployInterruptsAtNoCost(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testdatabase.New(t), quick...)
	old := s.worker("CICLO_DRAIN=500ms")
	id := s.run("test-steps", map[string]any{"steps": 20, "millis": 150})
	s.await(id, 20*time.Second, "it runs", func(e client.Execution) bool { return e.Progress != nil && e.Progress.Done >= 2 })
	s.worker()
	old.signal(syscall.SIGTERM)
	if code := old.wait(20 * time.Second); code != 0 {
		t.Errorf("a graceful stop ends with %d", code)
	}
	e := s.await(id, 30*time.Second, "it is completed", client.Execution.Final)
	if e.Status != "completed" || e.Attempt != 2 || e.Failures != 0 {
		t.Errorf("ended as %+v", e)
	}
	var handOver time.Duration
	for i, tr := range e.Transitions {
		if tr.To == "running" && tr.Attempt == 2 {
			handOver = tr.At.Sub(e.Transitions[i-1].At)
		}
	}
	if handOver > 3*time.Second { // aim: one second; three allow for a busy machine
		t.Errorf("the hand-over took %s", handOver)
	}
}

func TestADatabaseThatComesAndGoes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	removeDatabase(t, dir)
	server, err := localpostgres.Start(t.Context(), localpostgres.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("stop the database: %v", err)
		}
	})
	url := server.URL("postgres")
	if err := postgres.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	s := newSystem(t, url, quick...)
	s.worker()
	id := s.run("test-slow", map[string]any{"millis": 4000})
	s.await(id, 20*time.Second, "it runs", running)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the API answers 503", func() bool {
		_, err := s.api.Get(t.Context(), id)
		p, ok := err.(*client.Problem) //nolint:errorlint // it is the client's own
		return ok && p.Status == http.StatusServiceUnavailable
	})
	server, err = localpostgres.Start(t.Context(), localpostgres.Config{Dir: dir, Port: server.Port})
	if err != nil {
		t.Fatal(err)
	}
	s.ready()
	e := s.await(id, 60*time.Second, "it is completed", client.Execution.Final)
	if e.Status != "completed" || e.Attempt != 1 || e.Failures != 0 {
		t.Errorf("through an outage it ended as %+v", e)
	}
	again := s.run("test-noop", nil)
	s.await(again, 30*time.Second, "a new one is completed", client.Execution.Final)
}

func TestServicesStartBeforeTheirDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	removeDatabase(t, dir)
	server, err := localpostgres.Start(t.Context(), localpostgres.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	url := server.URL("postgres")
	if err := postgres.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	address := freePort(t)
	env := append([]string{"DATABASE_URL=" + url, "CICLO_TOKEN=" + token, "CICLO_LISTEN=" + address}, quick...)
	start(t, "", "test/orchestrator", env)
	start(t, "", "test/worker", env)
	s := &system{t: t, env: env, api: &client.Client{URL: "http://" + address, Token: token}}
	eventually(t, 20*time.Second, "readyz answers 503", func() bool {
		p, ok := s.api.Ready(t.Context()).(*client.Problem) //nolint:errorlint // it is the client's own
		return ok && p.Status == http.StatusServiceUnavailable
	})
	server, err = localpostgres.Start(t.Context(), localpostgres.Config{Dir: dir, Port: server.Port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("stop the database: %v", err)
		}
	})
	s.ready()
	s.await(s.run("test-noop", nil), 30*time.Second, "it is completed", client.Execution.Final)
}

func TestServicesRefuseASchemaTheyDoNotKnow(t *testing.T) {
	t.Parallel()
	env := []string{"DATABASE_URL=" + testdatabase.Empty(t), "CICLO_TOKEN=" + token, "CICLO_LISTEN=" + freePort(t)}
	for _, name := range []string{"orchestrator", "worker"} {
		_, said, code := run(t, "", name, env)
		if code != 1 || !strings.Contains(said, "ciclo migrate") {
			t.Errorf("%s on an empty database: exit code %d, %s", name, code, said)
		}
	}
	out, said, code := run(t, t.TempDir(), "ciclo", env, "migrate")
	if code != 0 || !strings.Contains(out, "up to date") {
		t.Errorf("ciclo migrate: exit code %d, %s%s", code, out, said)
	}
	o := start(t, "", "orchestrator", env)
	api := &client.Client{URL: "http://" + strings.TrimPrefix(env[2], "CICLO_LISTEN="), Token: token}
	eventually(t, 20*time.Second, "the orchestrator is ready after the migration", func() bool { return api.Ready(t.Context()) == nil })
	o.signal(syscall.SIGTERM)
	if code := o.wait(20 * time.Second); code != 0 {
		t.Errorf("a graceful stop ends with %d", code)
	}
}

func TestOperatorsCommands(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testdatabase.New(t), quick...)
	s.worker()
	env := append([]string{"CICLO_URL=" + s.api.URL}, s.env...)
	ciclo := func(want int, says string, args ...string) {
		t.Helper()
		out, said, code := run(t, t.TempDir(), "ciclo", env, args...)
		if code != want || !strings.Contains(out+said, says) {
			t.Errorf("ciclo %v: %d, want %d and %q in:\n%s%s", args, code, want, says, out, said)
		}
	}
	ciclo(1, "No such agent", "pause", "nobody")
	ciclo(1, "not paused", "resume", "test-noop")
	ciclo(0, "is paused", "pause", "test-noop", "--reason", "an audit")
	waiting := s.run("test-noop", nil)
	ciclo(0, "an audit", "status")
	s.await(waiting, 20*time.Second, "it waits outside the queue", func(e client.Execution) bool { return e.NextAttemptAt != nil })
	ciclo(0, "is resumed", "resume", "test-noop")
	s.await(waiting, 20*time.Second, "it is completed", client.Execution.Final)

	slow := s.run("test-steps", map[string]any{"steps": 100, "millis": 100})
	e := s.await(slow, 20*time.Second, "a step is done", func(e client.Execution) bool { return e.Progress != nil && e.Progress.Done > 0 })
	ciclo(0, slow, "drain", *e.WorkerID, "--plan")
	ciclo(1, "No such worker", "drain", "nobody")
	s.worker()
	ciclo(0, "asked to stop", "drain", *e.WorkerID)
	ciclo(0, "cancel", "cancel", slow)
	if e = s.await(slow, 20*time.Second, "it is cancelled", client.Execution.Final); e.Status != "cancelled" {
		t.Errorf("ended as %+v", e)
	}
	ciclo(2, "--scope", "token", "create", "crm")
	ciclo(2, "no name for a token", "token", "create", "c r m", "--scope", "run")
	made, said, code := run(t, t.TempDir(), "ciclo", env, "token", "create", "crm", "--scope", "read")
	if code != 0 || !strings.HasPrefix(made, "ciclo_") {
		t.Fatalf("ciclo token create: %d, %s", code, said)
	}
	ciclo(1, "exists", "token", "create", "crm", "--scope", "run")
	env = append(env, "CICLO_TOKEN="+strings.TrimSpace(made))
	ciclo(0, "test-noop", "status")
	ciclo(1, "needs the scope run", "run", "test-noop")
	ciclo(0, "revoked", "token", "revoke", "crm")
	env = env[:len(env)-1]
	ciclo(0, "crm", "token", "list")
	ciclo(0, "a final execution has no worker", "audit")
	ciclo(0, "EFFECT", "effects", slow)
	ciclo(0, "step 1", "steps", slow)
	for _, part := range []string{"attempts", "transitions", "steps", "effects"} {
		if got := getJSON(t, s, "/executions/"+slow+"/"+part); len(got[part]) == 0 && part != "effects" {
			t.Errorf("%s: %v", part, got)
		}
	}
	ciclo(1, "No such execution", "steps", "nobody")
	ciclo(0, "cancelled  attempt 1", "events", slow)
	ciclo(3, "cancelled", "watch", slow)
	ciclo(0, "(2 of 3)", "run", "test-steps", "--steps", "3", "--millis", "700", "--follow")
}

// getJSON reads a list of the API as anybody's program would.
func getJSON(t *testing.T, s *system, path string) map[string][]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.api.URL+"/api/autonomous-agents"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer := map[string][]any{}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", path, resp.Status, err)
	}
	return answer
}
