package grafana

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Plan is what the database did for a query.
type Plan struct {
	// Whole are the tables that were read from beginning to end, with their rows.
	Whole map[string]int
	// Rows is how many rows of tables and indexes were looked at.
	Rows int
	// Milliseconds of planning and running it.
	Milliseconds float64
}

// node is a part of EXPLAIN (FORMAT JSON).
type node struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Rows     float64 `json:"Actual Rows"`
	Loops    float64 `json:"Actual Loops"`
	Filtered float64 `json:"Rows Removed by Filter"`
	Recheck  float64 `json:"Rows Removed by Index Recheck"`
	Plans    []node  `json:"Plans"`
}

// Explain runs a query as the dashboards' role and returns its plan.
func Explain(ctx context.Context, conn *pgx.Conn, sql string) (Plan, error) {
	var raw []byte
	err := asRole(ctx, conn, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) `+sql).Scan(&raw)
	})
	if err != nil {
		return Plan{}, fmt.Errorf("explain: %w", err)
	}
	var answer []struct {
		Plan      node    `json:"Plan"`
		Planning  float64 `json:"Planning Time"`
		Execution float64 `json:"Execution Time"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return Plan{}, fmt.Errorf("read a plan: %w", err)
	}
	plan := Plan{Whole: map[string]int{}}
	for _, a := range answer {
		plan.add(a.Plan)
		plan.Milliseconds += a.Planning + a.Execution
	}
	return plan, nil
}

func (p *Plan) add(n node) {
	if n.Relation != "" {
		p.Rows += int((n.Rows + n.Filtered + n.Recheck) * n.Loops)
		if n.Type == "Seq Scan" && n.Loops > 0 {
			p.Whole[n.Relation] = int(n.Rows + n.Filtered)
		}
	}
	for _, below := range n.Plans {
		p.add(below)
	}
}

// Excess says what the plan reads more than it may: more than so many rows of one
// table from beginning to end, or of all that it looks at. Empty is nothing.
func (p Plan) Excess(most int) string {
	for _, table := range slices.Sorted(maps.Keys(p.Whole)) {
		if n := p.Whole[table]; n > most {
			return fmt.Sprintf("it reads all %d rows of %s", n, table)
		}
	}
	if p.Rows > most {
		return fmt.Sprintf("it looks at %d rows, more than %d", p.Rows, most)
	}
	return ""
}
