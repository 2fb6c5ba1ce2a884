package outside

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/modelserver"
	"github.com/nuzantara/ciclo/internal/testagents"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

const modelKey = "sk-secret-of-the-firm"

// models is the variable that names a file with one model of the agent that asks.
func models(t *testing.T, server *modelserver.Server, format string, stored bool, more string) string {
	t.Helper()
	return modelsOf(t, testagents.AsksName, server, format, stored, more)
}

func modelsOf(t *testing.T, agent string, server *modelserver.Server, format string, stored bool, more string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte(modelKey), 0o600); err != nil {
		t.Fatal(err)
	}
	address := server.URL
	if format == "openai" {
		address += "/v1"
	}
	text := fmt.Sprintf(`{"providers": {"played": {"format": %q, "url": %q, "key_file": %q, "stored": %t, "timeout_seconds": 2, "stall_seconds": 1}},
		"agents": {%q: {"provider": "played", "model": "small-1"}}, "prices": [{"model": "small-1", "from": "2026-01-01", "input": 3, "output": 15}]%s}`,
		format, address, filepath.Join(dir, "key"), stored, agent, more)
	file := filepath.Join(dir, "models.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return "CICLO_MODELS=" + file
}

// row is what the ledger has of a call.
type row struct {
	State, Status, ProviderID string
}

// ledger is all calls by their keys, as providers are given them.
func ledger(t *testing.T, url string) map[string]row {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), `
		SELECT execution_id || '/' || step || '/' || left(hash, 16), l.state, e.status, coalesce(l.provider_id, '')
		FROM ciclo.llm_calls l JOIN ciclo.executions e ON e.id = l.execution_id`)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]row{}
	var key string
	var r row
	if _, err := pgx.ForEachRow(rows, []any{&key, &r.State, &r.Status, &r.ProviderID}, func() error { all[key] = r; return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// Workers are killed in the middle of calls, while the provider is slow, busy and
// breaks: nothing is paid twice, and what the provider counts is what the ledger has.
func TestKilledInTheMiddleOfCalls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		format string
		stored bool
	}{{"openai", true}, {"openai", false}, {"anthropic", false}} {
		t.Run(fmt.Sprintf("%s, stored %t", c.format, c.stored), func(t *testing.T) {
			t.Parallel()
			server := modelserver.Start(func(modelserver.Asked) string {
				return "an answer that is sent in more than one piece, since it is that long"
			})
			t.Cleanup(server.Close)
			server.Token, server.Pause = modelKey, 300*time.Millisecond
			server.Fault = func(a modelserver.Asked) modelserver.Fault { // by what is asked, and in the end it answers
				switch n := len(a.Key) + int(a.Key[len(a.Key)-1]); {
				case server.Times(a.Key) > 1:
					return modelserver.Slow
				case n%7 == 0:
					return modelserver.Busy
				case n%7 == 1:
					return modelserver.Broken
				case n%7 == 2:
					return modelserver.Cut
				case n%7 == 3: // it answers when nobody waits for it any more
					return modelserver.Late
				default:
					return modelserver.Slow
				}
			}
			url := testdatabase.New(t)
			s := newSystem(t, url, append([]string{models(t, server, c.format, c.stored, "")}, quick...)...)
			var ids []string
			for range 12 {
				ids = append(ids, s.run(testagents.AsksName, map[string]any{"calls": 8}))
			}
			workers := []*process{s.worker(), s.worker()}
			for kill := range 6 {
				paid := len(server.Paid())
				eventually(t, 2*time.Minute, "calls are made", func() bool { return len(server.Paid()) > paid+2 || finished(s, ids) })
				workers[kill%2].signal(syscall.SIGKILL)
				workers[kill%2] = s.worker()
			}
			eventually(t, 3*time.Minute, "all are over", func() bool { return finished(s, ids) })
			all, seen := ledger(t, url), map[string]bool{}
			for _, call := range server.Paid() {
				r, has := all[call.Key]
				switch {
				case seen[call.Key]:
					t.Errorf("%s was paid twice", call.Key)
				case !has || r.State == "not_done":
					t.Errorf("%s was paid, and the ledger has %+v", call.Key, r)
				case r.State == "answered" && r.ProviderID != call.ID:
					t.Errorf("%s was answered by %s, and the ledger says %s", call.Key, call.ID, r.ProviderID)
				case c.stored && r.State != "answered" && r.Status == "completed":
					t.Errorf("%s was paid, could be found, and the ledger has %+v", call.Key, r)
				}
				seen[call.Key] = true
			}
			answered, unknown := 0, 0
			for key, r := range all {
				switch r.State {
				case "answered":
					answered++
					if !seen[key] {
						t.Errorf("the ledger has an answer to %s that nobody is paid for", key)
					}
				case "unknown":
					unknown++
				case "reserved":
					t.Errorf("%s is open though its execution is over", key)
				}
			}
			t.Logf("paid %d, answered %d, unknown %d, asked %d times", len(seen), answered, unknown, len(server.Asked()))
			if answered < 40 || (c.stored && unknown > 8) {
				t.Errorf("of 96 calls %d are answered and %d unknown", answered, unknown)
			}
		})
	}
}

func finished(s *system, ids []string) bool {
	for _, id := range ids {
		e, err := s.api.Get(s.t.Context(), id)
		if err != nil || !e.Final() {
			return false
		}
	}
	return true
}

// An execution's agent runs again by the answers that were kept, and nobody is asked;
// what was not asked before is refused, or asked.
func TestReplay(t *testing.T) {
	t.Parallel()
	server := modelserver.Start(func(a modelserver.Asked) string { return "an answer of " + a.Model })
	t.Cleanup(server.Close)
	url := testdatabase.New(t)
	s := newSystem(t, url, append([]string{models(t, server, "anthropic", false, `, "keep_days": 1`)}, quick...)...)
	s.worker()
	id := s.run(testagents.AsksName, map[string]any{"calls": 3, "same": true})
	e := s.await(id, 30*time.Second, "it is over", client.Execution.Final)
	if e.Status != "completed" {
		t.Fatalf("%+v", e)
	}
	// ciclo asks the worker that is beside it.
	dir, err := os.MkdirTemp(filepath.Dir(binary(t, "ciclo")), "replay-")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ciclo", "test/worker"} {
		if err := os.Link(binary(t, name), filepath.Join(dir, filepath.Base(name))); err != nil {
			t.Fatal(err)
		}
	}
	replay := func(variable string, args ...string) (r struct {
		Was, Is                    string
		Result                     []struct{ At string }
		Recorded, Live, Unused     int
		DollarsWas, DollarsIs, Own float64
	}, said string, code int,
	) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "ciclo"), append([]string{"replay", "--json"}, args...)...)
		cmd.Env = append(clean(os.Environ()), "DATABASE_URL="+url, variable)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		_ = cmd.Run() // its exit code is looked at
		var raw map[string]any
		if cmd.ProcessState.ExitCode() == 0 {
			if err := json.Unmarshal(out.Bytes(), &raw); err != nil {
				t.Fatalf("%v: %s", err, out.String())
			}
			if err := json.Unmarshal(out.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			number := func(name string) float64 { v, _ := raw[name].(float64); return v }
			r.Recorded, r.Live, r.Unused = int(number("calls_recorded")), int(number("calls_live")), int(number("calls_unused"))
			r.DollarsWas, r.DollarsIs, r.Own = number("dollars_was"), number("dollars_is"), number("dollars_paid")
		}
		return r, out.String() + errs.String(), cmd.ProcessState.ExitCode()
	}
	before := len(server.Asked())
	count := func(sql string) (n int) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const everything = `SELECT (SELECT count(*) FROM ciclo.executions) + (SELECT count(*) FROM ciclo.llm_calls) + (SELECT count(*) FROM ciclo.steps)`
	rows := count(everything)
	r, said, code := replay(s.env[3], id)
	if code != 0 || r.Was != "completed" || r.Is != "completed" || len(r.Result) != 0 || r.Recorded != 3 || r.Live != 0 || r.Own != 0 || r.DollarsWas <= 0 || r.DollarsWas != r.DollarsIs {
		t.Errorf("the same agent: exit code %d: %s", code, said)
	}
	other := strings.Replace(s.env[3], "CICLO_MODELS=", "", 1)
	text, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	other += ".new"
	if err := os.WriteFile(other, bytes.ReplaceAll(text, []byte("small-1"), []byte("large-1")), 0o600); err != nil {
		t.Fatal(err)
	}
	r, said, code = replay("CICLO_MODELS="+other, id)
	if code != 0 || !strings.Contains(r.Is, "has no recorded answer") || r.Unused != 3 || len(server.Asked()) != before {
		t.Errorf("another model: exit code %d, asked %d times: %s", code, len(server.Asked())-before, said)
	}
	r, said, code = replay("CICLO_MODELS="+other, id, "--live")
	if code != 0 || r.Is != "completed" || r.Live != 3 || r.Own <= 0 || len(r.Result) != 4 || len(server.Asked()) != before+3 {
		t.Errorf("another model, live: exit code %d, asked %d times, %d differences: %s", code, len(server.Asked())-before, len(r.Result), said)
	}
	if got := count(everything); got != rows {
		t.Errorf("replays left %d rows behind", got-rows)
	}
	if _, said, code = replay(s.env[3], "asks_019ac5a8-6f0e-7000-8000-000000000000"); code != 1 || !strings.Contains(said, "no such execution") {
		t.Errorf("an execution that isn't there: exit code %d: %s", code, said)
	}
}

func TestWhatCallsCostIsShown(t *testing.T) {
	t.Parallel()
	server := modelserver.Start(func(modelserver.Asked) string { return "an answer" })
	t.Cleanup(server.Close)
	s := newSystem(t, testdatabase.New(t), append([]string{models(t, server, "anthropic", false, `, "budgets": {"execution": {"dollars": 0.06}}`)}, quick...)...)
	w := s.worker()
	id := s.run(testagents.AsksName, map[string]any{"calls": 3, "text": "the secret words of a client"})
	e := s.await(id, 30*time.Second, "it is over", client.Execution.Final)
	if e.Status != "completed" || e.LLMTokens == nil || *e.LLMTokens < 10 || *e.LLMDollars <= 0 || *e.LLMDollars > .05 {
		t.Fatalf("%+v", e)
	}
	server.Fault = func(modelserver.Asked) modelserver.Fault { return modelserver.Unknown }
	refused := s.run(testagents.AsksName, map[string]any{"calls": 3})
	s.await(refused, 30*time.Second, "it is over", client.Execution.Final)
	said := typed(t, t.TempDir(), strings.ReplaceAll(shBlock(t, "language-models.md", 1), "EXECUTION", id), append(s.env, "CICLO_URL="+s.api.URL))
	for _, want := range []string{testagents.AsksName, "played/small-1", "ask 3", "answered", fmt.Sprint(*e.LLMTokens)} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in:\n%s", want, said)
		}
	}
	costs, err := s.api.Costs(t.Context(), 1)
	if err != nil || len(costs.Days) != 1 || costs.Days[0].Tokens != *e.LLMTokens || len(costs.Waste) != 0 {
		t.Errorf("%+v: %v", costs, err)
	}
	calls, err := s.api.Calls(t.Context(), refused)
	if err != nil || len(calls) != 1 || calls[0].State != "not_done" || calls[0].Dollars != 0 || calls[0].Error == nil || !strings.Contains(*calls[0].Error, "not_found_error") {
		t.Errorf("%+v: %v", calls, err)
	}
	shown, err := json.Marshal([]any{e, calls, costs})
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"the worker's log": w.err.String(), "the API": string(shown), "the command line": said} {
		if strings.Contains(text, modelKey) {
			t.Errorf("the key is in %s", what)
		}
		if what == "the worker's log" && strings.Contains(text, "secret words") {
			t.Errorf("what was asked is in %s", what)
		}
	}
}
