package retention

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Policy is what to prune and at which pace.
type Policy struct {
	// OlderThan is the age, at least MinAge: what ended before now less OlderThan goes,
	// what ended exactly then stays.
	OlderThan time.Duration
	// Agent limits it to one agent's executions; then nothing else goes.
	Agent string
	// DryRun counts what would go and changes nothing.
	DryRun bool
	// Rest is how long to pause after each batch, as a multiple of the time that it
	// took: 0 doesn't, 9 works a tenth of the time.
	Rest float64
	// Progress is told how far it is after each batch, if it isn't nil.
	Progress func(Report)
}

// Report is what was pruned, or would be.
type Report struct {
	Before time.Time `json:"before"`
	Agent  string    `json:"agent_name,omitempty"`
	DryRun bool      `json:"dry_run"`
	// Rows are those that went, by table; tables of which nothing went are left out.
	Rows []Rows `json:"rows"`
	// Kept are old executions, and cycles, that stay, by reason.
	Kept []Kept `json:"kept"`
	// Batches is how many transactions it took; LongestSeconds the longest of them.
	Batches        int     `json:"batches"`
	LongestSeconds float64 `json:"longest_seconds"`
	Seconds        float64 `json:"seconds"`
}

// Rows are those of a table.
type Rows struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// Kept says of how many a reason holds. The reasons are those of
// ciclo.held_executions; result, where the execution's row alone stays; and cycle.
type Kept struct {
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

// Gone is how many rows of a table went.
func (r Report) Gone(table string) int64 {
	for _, rows := range r.Rows {
		if rows.Table == table {
			return rows.Rows
		}
	}
	return 0
}

// Nothing reports whether no row went.
func (r Report) Nothing() bool { return len(r.Rows) == 0 }

// add counts what a batch did.
func (r *Report) add(gone, kept map[string]int64) {
	for table, n := range gone {
		if n == 0 {
			continue
		}
		i, there := slices.BinarySearchFunc(r.Rows, table, func(rows Rows, table string) int { return strings.Compare(rows.Table, table) })
		if !there {
			r.Rows = slices.Insert(r.Rows, i, Rows{Table: table})
		}
		r.Rows[i].Rows += n
	}
	for reason, n := range kept {
		i, there := slices.BinarySearchFunc(r.Kept, reason, func(kept Kept, reason string) int { return strings.Compare(kept.Reason, reason) })
		if !there {
			r.Kept = slices.Insert(r.Kept, i, Kept{Reason: reason})
		}
		r.Kept[i].Count += n
	}
}

// Prune goes over history once, the oldest first, a batch and a transaction at a
// time, so that it may end anywhere. Several may prune at once: what one has locked
// the others leave to it. What was done before an error is in the report.
func Prune(ctx context.Context, pool *pgxpool.Pool, p Policy) (report Report, err error) {
	report = Report{Agent: p.Agent, DryRun: p.DryRun, Rows: []Rows{}, Kept: []Kept{}}
	if p.OlderThan < MinAge {
		return report, fmt.Errorf("prune history: %s is less than a day", p.OlderThan)
	}
	began := time.Now()
	defer func() { report.Seconds = time.Since(began).Seconds() }()
	if err := pool.QueryRow(ctx, `SELECT now() - $1::interval`, p.OlderThan).Scan(&report.Before); err != nil {
		return report, fmt.Errorf("prune history: ask for the time: %w", err)
	}
	w := &walk{pool: pool, policy: p, report: &report, size: firstBatch}
	steps := []struct {
		what string
		do   func(context.Context) error
	}{{"executions", w.executions}, {"cycles", w.cycles}, {"slots", w.slots}, {"sessions and notices", w.others}}
	if p.Agent != "" {
		steps = steps[:1] // all others are of many agents
	}
	for _, step := range steps {
		if err := step.do(ctx); err != nil {
			return report, fmt.Errorf("prune %s: %w", step.what, err)
		}
	}
	return report, nil
}
