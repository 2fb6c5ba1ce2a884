package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/plan"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// failing is a model that fails in every way.
type failing struct{ how string }

func (failing) Name() string { return "model" }

func (f failing) Plan(ctx context.Context, s plan.Situation) ([]plan.Decision, error) {
	switch f.how {
	case "error":
		return nil, errors.New("no answer")
	case "nonsense":
		return []plan.Decision{{Agent: "nobody", Run: true, Reason: "I think so"}}, nil
	case "hangs":
		<-ctx.Done()
		return nil, ctx.Err()
	default:
		return []plan.Decision{{Agent: s.Agents[0].Agent, Run: true, Reason: "I think so", Needs: []plan.Need{}}}, nil
	}
}

func TestAPlannerThatFailsIsReplacedByTheRules(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]string{"error": "rules no answer", "nonsense": "rules the plan names nobody, which is not in the cycle, or twice", "": "model "} {
		s := newScheduling(t, func(s *scheduler) { s.planner = func(plan.Situation) plan.Planner { return failing{how} } })
		s.add("own", time.Hour, time.Second)
		s.must(s.tick(t.Context()))
		var got string
		s.must(s.pool.QueryRow(t.Context(), `SELECT planner || ' ' || coalesce(planner_error, '') FROM ciclo.cycles`).Scan(&got))
		if got != want || s.slots("own") != "fired" {
			t.Errorf("%s: %s, and the slot is %s", how, got, s.slots("own"))
		}
	}
}

// A planned cycle goes by the newest proposal for its schedule, which it keeps; one that
// can't be read, is a dry run's, or of another schedule decides nothing.
func TestAPlannedCycleGoesByTheNewestProposal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		proposals []string // as parameters, dry_run, result
		want      string
	}{
		"put off": {[]string{
			`'{"schedule": "planned"}', false, '{"engine": "firm/old", "valid_until": "2999-01-01T00:00:00Z", "agents": []}'`,
			`'{"schedule": "planned"}', false, '{"engine": "firm/m", "valid_until": "2999-01-01T00:00:00Z", "agents": [{"agent_name": "test-noop", "decision": "put_off", "why": "nothing is new"}]}'`,
			`'{"schedule": "planned"}', true, '{"engine": "firm/dry", "valid_until": "2999-01-01T00:00:00Z", "agents": []}'`,
			`'{"schedule": "other"}', false, '{"engine": "firm/other", "valid_until": "2999-01-01T00:00:00Z", "agents": []}'`,
		}, "firm/m skip proposed nothing is new; slot proposed"},
		"none":       {nil, "rules run behind"},
		"unreadable": {[]string{`'{"schedule": "planned"}', false, '{"engine": "firm/m", "valid_until": "soon"}'`}, "rules run behind"},
		"too old":    {[]string{`'{"schedule": "planned"}', false, '{"engine": "firm/m", "valid_until": "2001-01-01T00:00:00Z", "agents": [{"agent_name": "test-noop", "decision": "put_off", "why": "x"}]}'`}, "rules run behind"},
	} {
		s := newScheduling(t)
		s.add("own", 24*time.Hour, time.Second)
		s.must(s.tick(t.Context()))
		s.finish("failed") // so it is behind
		for i, p := range c.proposals {
			_, err := s.pool.Exec(t.Context(), fmt.Sprintf(`
				INSERT INTO ciclo.executions (id, agent, status, parameters, dry_run, result, tries, timeout_seconds, priority, attempt, started_at, running_at, ended_at, status_at)
				SELECT 'cycle_planner_%d', 'cycle-planner', 'completed', p::jsonb, dry, r::jsonb, 1, 60, 2, 1, now(), now(), now() + interval '%[1]d seconds', now() FROM (VALUES (%s)) v (p, dry, r)`, i, p))
			s.must(err)
		}
		s.add("planned", time.Hour, time.Second, func(n *postgres.Schedule) { n.Planned = true })
		s.must(s.tick(t.Context()))
		var got string
		s.must(s.pool.QueryRow(t.Context(), `
			SELECT concat_ws(' ', c.planner, a.decision, a.reason) || CASE a.reason WHEN 'proposed' THEN ' ' || a.detail ELSE '' END
			FROM ciclo.cycles c JOIN ciclo.cycle_agents a ON a.cycle_id = c.id WHERE c.schedule = 'planned'`).Scan(&got))
		if slot := s.slots("planned"); slot != "fired" {
			got += "; slot " + slot
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if n := s.count(`SELECT count(*) FROM ciclo.cycles WHERE schedule = 'planned' AND snapshot #>> '{proposal,engine}' = 'firm/m'`); n != 1 && name == "put off" {
			t.Error("the cycle doesn't keep the proposal")
		}
	}
}
