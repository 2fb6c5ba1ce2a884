package orchestrator_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/testdatabase"
	"github.com/nuzantara/ciclo/orchestrator"
)

// Executions of an agent that a version doesn't have any more are in sight, and can be
// listed and cancelled.
func TestAnAgentThatIsGone(t *testing.T) {
	t.Parallel()
	url := testdatabase.New(t)
	before := newAPIOn(t, url, &strings.Builder{})
	accepted := before.send(http.MethodPost, prefix+"/test-slow/run", "")
	id, _ := accepted.field(t, "execution_id").(string)
	if unserved, _ := before.send(http.MethodGet, prefix+"/status", "").field(t, "unserved_agents").([]any); len(unserved) != 0 {
		t.Errorf("unserved before: %v", unserved)
	}

	after := newAPIOn(t, url, &strings.Builder{}, func(cfg *orchestrator.Config) {
		var left agents.Catalogue
		for _, m := range cfg.Catalogue {
			if m.Name != "test-slow" {
				left = append(left, m)
			}
		}
		cfg.Catalogue = left
	})
	unserved, _ := after.send(http.MethodGet, prefix+"/status", "").field(t, "unserved_agents").([]any)
	if len(unserved) != 1 {
		t.Fatalf("unserved: %v", unserved)
	}
	if one, _ := unserved[0].(map[string]any); one["agent_name"] != "test-slow" || one["started"] != 1.0 || one["running"] != 0.0 {
		t.Errorf("unserved: %v", one)
	}
	if shown := string(after.send(http.MethodGet, "/metrics", "").body); !strings.Contains(shown, "ciclo_executions_unserved 1\n") {
		t.Error("no metric shows it")
	}
	if list, _ := after.send(http.MethodGet, prefix+"/executions?agent=test-slow&status=started", "").field(t, "executions").([]any); len(list) != 1 {
		t.Errorf("listed: %v", list)
	}
	if r := after.send(http.MethodGet, prefix+"/executions?agent=test-never", ""); r.status != http.StatusUnprocessableEntity {
		t.Errorf("an agent that never was: %d", r.status)
	}
	if r := after.send(http.MethodPost, prefix+"/test-slow/run", ""); r.status != http.StatusNotFound {
		t.Errorf("a run of it: %d", r.status)
	}
	if r := after.send(http.MethodPost, prefix+"/executions/"+id+"/cancel", ""); r.status != http.StatusAccepted {
		t.Errorf("cancelled: %d %s", r.status, r.body)
	}
	if unserved, _ := after.send(http.MethodGet, prefix+"/status", "").field(t, "unserved_agents").([]any); len(unserved) != 0 {
		t.Errorf("unserved in the end: %v", unserved)
	}
}
