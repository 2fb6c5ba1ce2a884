package outside

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// What clients of the system before this one still send, as docs/migrating.md says
// what becomes of it: by the shipped orchestrator, with no worker.
func TestOldClients(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/migrating.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newSystemOf(t, "", testdatabase.New(t), "ENABLE_ORCHESTRATOR=false") // its old name
	const prefix = "/api/autonomous-agents"
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		has                      string
	}{
		{"parameters in the query", "POST", "/conversation-trainer/run?days_back=7", "", 202, `"status":"started"`},
		{"while one runs", "POST", "/conversation-trainer/run", `{"days_back": 7}`, 409, `"execution_id":"conv_trainer_`},
		{"parameters in a body", "POST", "/knowledge-graph-builder/run", `{"days_back": 30, "init_schema": false}`, 202, `"execution_id":"kg_builder_`},
		{"a rebuild, as admin", "POST", "/knowledge-graph-builder/run?days_back=30&init_schema=true", "", 202, `"init_schema":true`},
		{"no parameters", "POST", "/client-value-predictor/run", "", 202, `"execution_id":"client_predictor_`},
		{"twice within a second", "POST", "/client-value-predictor/run", "", 202, `"execution_id":"client_predictor_`},
		{"a list", "GET", "/executions?limit=20", "", 200, `"executions":[`},
		{"too long a list", "GET", "/executions?limit=1000", "", 422, `1..200`},
		{"an old id", "GET", "/executions/conv_trainer_20251108_040000", "", 404, `execution-unknown`},
		{"the status", "GET", "/status", "", 200, `"scheduling":false`},
		{"an agent's name with an underscore", "POST", "/conversation_trainer/run", "", 404, `agent-unknown`},
		{"too many days", "POST", "/conversation-trainer/run?days_back=400", "", 422, `days_back`},
		{"a parameter that was ignored", "POST", "/client-value-predictor/run", `{"days": 7}`, 422, `days`},
		{"a filter that was ignored", "GET", "/executions?page=2", "", 422, `page`},
		{"the scheduler's status", "GET", "/scheduler/status", "", 404, `http-404`},
		{"a task switched on", "POST", "/scheduler/task/conversation_trainer/enable", "", 404, `http-404`},
	} {
		status, text := s.old(c.method, prefix+c.path, c.body, "Authorization", "Bearer "+token)
		if status != c.status || !strings.Contains(text, c.has) {
			t.Errorf("%s: %s %s is %d %.300s", c.name, c.method, c.path, status, text)
		}
	}
	if status, text := s.old("GET", prefix+"/status", "", "X-API-Key", token); status != 401 {
		t.Errorf("the old header opens: %d %s", status, text)
	}

	// The fields of old answers are there, or the page says by what name.
	_, list := s.old("GET", prefix+"/executions?limit=1", "", "Authorization", "Bearer "+token)
	var listed struct {
		Executions []map[string]any `json:"executions"`
	}
	if err := json.Unmarshal([]byte(list), &listed); err != nil || len(listed.Executions) != 1 {
		t.Fatalf("the list is %s: %v", list, err)
	}
	id, _ := listed.Executions[0]["execution_id"].(string)
	_, text := s.old("GET", prefix+"/executions/"+id, "", "Authorization", "Bearer "+token)
	var execution map[string]any
	if err := json.Unmarshal([]byte(text), &execution); err != nil {
		t.Fatal(err)
	}
	for old, now := range map[string]string{
		"execution_id": "execution_id", "agent_name": "agent_name", "status": "status", "message": "message",
		"started_at": "started_at", "completed_at": "ended_at", "result": "result", "error": "error", "days_back": "parameters", "init_schema": "parameters",
	} {
		if _, there := execution[now]; !there {
			t.Errorf("an execution has no %s, which %s has become", now, old)
		}
		if !strings.Contains(string(page), "| `"+old+"` | `"+now) {
			t.Errorf("docs/migrating.md does not say that %s is %s", old, now)
		}
	}
}

// old sends a request as a client that knows nothing of this API.
func (s *system) old(method, path, body, header, value string) (status int, text string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.api.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set(header, value)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}
