package outside

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/modelserver"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// A model that is played proposes to put an agent off; the next cycle of the planned
// schedule goes by that and says so, and one that is opened by hand doesn't.
func TestAModelPlansCycles(t *testing.T) {
	t.Parallel()
	server := modelserver.Start(func(modelserver.Asked) string {
		return `{"agents": [{"agent_name": "knowledge-graph-builder", "decision": "put_off", "why": "0 messages are new"}]}`
	})
	t.Cleanup(server.Close)
	url := testdatabase.New(t)
	s := newSystemOf(t, "", url, append([]string{modelsOf(t, server, "openai", true, "cycle-planner", "")}, quick...)...)
	s.worker()
	eventually(t, 20*time.Second, "the schedules are made", func() bool {
		list, err := s.api.Schedules(t.Context())
		return err == nil && len(list) >= 4
	})
	said := typed(t, t.TempDir(), shBlock(t, "language-models.md", 2), append(slices.Clone(s.env), "CICLO_URL="+s.api.URL))
	for _, want := range []string{"0 messages are new", "put_off", "played/small-1", "plan-orchestration"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in:\n%s", want, said)
		}
	}
	if n := len(server.Paid()); n != 1 {
		t.Errorf("%d calls were paid", n)
	}

	// Its own slot is an hour old and nothing came of it: it is behind.
	statement(t, url, `INSERT INTO ciclo.slots (schedule, due_at, outcome, reason, opened_by) VALUES ('knowledge-graph-builder', now() - interval '1 hour', 'skipped', 'breaker', 'slot')`)
	soon := filepath.Join(t.TempDir(), "soon.json")
	if err := os.WriteFile(soon, []byte(`{"planned": true, "anchor_at": "`+time.Now().Add(8*time.Second).UTC().Format(time.RFC3339)+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(slices.Clone(s.env), "CICLO_URL="+s.api.URL)
	for _, args := range [][]string{
		{"schedules", "create", "soon", "--every", "24h", "--cooldown", "0s", "--agent", "knowledge-graph-builder", "--from-file", soon},
		{"run", "cycle-planner", "--schedule", "soon", "--wait"},
	} {
		if out, said, code := run(t, t.TempDir(), "ciclo", env, args...); code != 0 {
			t.Fatalf("%v ends with %d: %s%s", args, code, out, said)
		}
	}
	var planned client.Cycle
	eventually(t, 30*time.Second, "a planned cycle went by the proposal", func() bool {
		id := ask(t, url, `SELECT coalesce(min(id), '') FROM ciclo.cycles WHERE schedule = 'soon' AND opened_by = 'slot'`)
		if id == "" {
			return false
		}
		var err error
		planned, err = s.api.Cycle(t.Context(), id)
		return err == nil
	})
	decided := ""
	for _, a := range planned.Agents {
		if a.Agent == "knowledge-graph-builder" {
			decided = a.Decision + " " + a.Reason + " " + a.Detail
		}
	}
	if planned.Planner != "played/small-1" || decided != "skip proposed 0 messages are new" || !strings.Contains(string(planned.Snapshot), "valid_until") {
		t.Errorf("by %s: %s", planned.Planner, decided)
	}
	out, _, code := run(t, t.TempDir(), "ciclo", env, "cycles", "show", planned.ID)
	if code != 0 || !strings.Contains(out, "planned by played/small-1") || !strings.Contains(out, "0 messages are new") {
		t.Errorf("ciclo cycles show ends with %d: %s", code, out)
	}
	out, said, code = run(t, t.TempDir(), "ciclo", env, "schedules", "run", "soon", "--json")
	if code != 0 || strings.Contains(out, "proposed") {
		t.Errorf("opened by hand, it ends with %d: %s%s", code, out, said)
	}
	byHand := ask(t, url, `SELECT string_agg(c.planner || ' ' || a.decision || ' ' || a.reason, ',') FROM ciclo.cycles c JOIN ciclo.cycle_agents a ON a.cycle_id = c.id WHERE c.opened_by = 'hand' AND a.agent = 'knowledge-graph-builder'`)
	if byHand != "rules run behind" {
		t.Errorf("opened by hand: %s", byHand)
	}
}
