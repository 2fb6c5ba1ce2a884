package cycleplanner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nuzantara/ciclo/agents"
)

// facts are what a model is told: numbers, and the agents' own descriptions.
type facts struct {
	// Day and Hour are of the run's acceptance, in UTC.
	Day    string       `json:"day"`
	Hour   int          `json:"hour_utc"`
	Agents []agentFacts `json:"agents"`
}

type agentFacts struct {
	Name        string   `json:"agent_name"`
	Description string   `json:"description"`
	Needs       []string `json:"needs"`
	// HoursSinceCompleted is nil where it never completed.
	HoursSinceCompleted *float64 `json:"hours_since_it_completed"`
	Runs                []run    `json:"last_runs"`
	// New is what came since it completed last, or in the last 30 days; at most newMost of
	// each. A view that can't be read is left out.
	New map[string]int `json:"new_since"`
}

// run is one of an agent's last executions that ended.
type run struct {
	Status   string   `json:"status"`
	HoursAgo float64  `json:"hours_ago"`
	Minutes  float64  `json:"minutes"`
	Dollars  *float64 `json:"model_dollars"`
	Error    *string  `json:"error_class"`
}

const (
	lastRuns = 5
	newMost  = 10_000
	newDays  = 30
)

// news is where agents find what is new, and when it came.
var news = []struct{ what, view, at string }{
	{"messages", "source.messages", "sent_at"},
	{"conversations", "source.conversations", "started_at"},
	{"payments", "source.payments", "paid_at"},
	{"clients", "source.clients", "created_at"},
}

// look reads the facts of a planned schedule's agents.
func (a Agent) look(ctx context.Context, task *agents.Task, schedule string) (facts, error) {
	at := task.StartedAt.UTC()
	f := facts{Day: at.Format(time.DateOnly), Hour: at.Hour(), Agents: []agentFacts{}}
	var names []string
	err := task.Read(ctx, func(tx pgx.Tx) error {
		names = nil
		err := tx.QueryRow(ctx, `SELECT agents FROM ciclo.schedules WHERE name = $1 AND planned`, schedule).Scan(&names)
		if errors.Is(err, pgx.ErrNoRows) {
			return agents.Permanent(fmt.Errorf("there is no planned schedule %q: ciclo schedules shows which are", schedule))
		}
		return err
	})
	if err != nil {
		return f, fmt.Errorf("read the schedule: %w", err)
	}
	if len(names) == 0 { // all that run by themselves, as in its cycles
		for _, m := range a.Catalogue {
			if m.RunsByItself() {
				names = append(names, m.Name)
			}
		}
	}
	for _, name := range names {
		m := a.Catalogue.Find(name)
		if m == nil {
			continue // its cycles skip it, too
		}
		one := agentFacts{Name: name, Description: m.Description, Needs: []string{}}
		for _, need := range m.Needs {
			one.Needs = append(one.Needs, need.Agent)
		}
		since, err := one.past(ctx, task)
		if err != nil {
			return f, err
		}
		if one.New, err = newSince(ctx, task, since); err != nil {
			return f, err
		}
		f.Agents = append(f.Agents, one)
	}
	return f, nil
}

// past reads what an agent did, and since when the news count.
func (f *agentFacts) past(ctx context.Context, task *agents.Task) (since time.Time, err error) {
	since = task.StartedAt.AddDate(0, 0, -newDays)
	var completed *time.Time
	err = task.Read(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `SELECT max(ended_at) FROM (SELECT ended_at FROM ciclo.executions WHERE agent = $1 AND status = 'completed' AND NOT dry_run ORDER BY ended_at DESC, id DESC LIMIT 1) last`, f.Name).Scan(&completed)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT status, (extract(epoch FROM $3 - ended_at) / 3600)::float8, (extract(epoch FROM ended_at - coalesce(running_at, started_at)) / 60)::float8, llm_cost::float8, error_class
			FROM ciclo.executions WHERE agent = $1 AND ended_at < $3 AND NOT dry_run AND status IN ('completed', 'failed', 'cancelled')
			ORDER BY started_at DESC, id DESC LIMIT $2`, f.Name, lastRuns, task.StartedAt)
		if err != nil {
			return err
		}
		f.Runs, err = pgx.CollectRows(rows, pgx.RowToStructByPos[run])
		return err
	})
	if err != nil {
		return since, fmt.Errorf("read what %s did: %w", f.Name, err)
	}
	for i := range f.Runs {
		f.Runs[i].HoursAgo, f.Runs[i].Minutes = tenths(f.Runs[i].HoursAgo), tenths(f.Runs[i].Minutes)
	}
	if completed != nil {
		hours := tenths(task.StartedAt.Sub(*completed).Hours())
		f.HoursSinceCompleted = &hours
		if completed.After(since) {
			since = *completed
		}
	}
	return since, nil
}

func tenths(x float64) float64 { return math.Round(10*x) / 10 }

// newSince counts what came by each view, in a transaction of its own: one that the firm
// broke spoils no other.
func newSince(ctx context.Context, task *agents.Task, since time.Time) (map[string]int, error) {
	counts := map[string]int{}
	for _, n := range news {
		var count int
		err := task.Read(ctx, func(tx pgx.Tx) error {
			return tx.QueryRow(ctx, fmt.Sprintf(`SELECT count(*) FROM (SELECT FROM %s WHERE %s > $1 AND %[2]s <= $2 LIMIT %[3]d) new`, n.view, n.at, newMost), since, task.StartedAt).Scan(&count)
		})
		var broken *pgconn.PgError
		switch {
		case errors.As(err, &broken) && strings.HasPrefix(broken.Code, "42"):
			task.Log.WarnContext(ctx, "a view of the firm's can't be read", "view", n.view, "error", err)
		case err != nil:
			return nil, fmt.Errorf("count new %s: %w", n.what, err)
		default:
			counts[n.what] = count
		}
	}
	return counts, nil
}
