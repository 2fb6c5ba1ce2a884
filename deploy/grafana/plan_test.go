package grafana_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/deploy/grafana"
)

// most is how many rows a panel may look at, of a history of which a day has some
// 140 executions and a month some 4,000, and of 1,000 clients; and how many rows a
// table may have that is read from beginning to end, which Postgres rightly does to
// a small one. The whole year's is that of the counts by hour, which 90 days bound.
// All are fewer than the 50,000 executions, their transitions and their steps.
const (
	most       = 15_000
	mostOfYear = 40_000
)

func noneReadsAllHistory(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	for _, d := range dashboards(t) {
		chosen := choose(t, conn, d)
		// As it is opened, and for whoever looks at a whole year.
		for since, most := range map[time.Duration]int{d.Since: most, 365 * 24 * time.Hour: mostOfYear} {
			for _, p := range d.Panels {
				sql, err := p.Query(since, time.Now(), chosen)
				if err != nil {
					t.Fatal(err)
				}
				plan, err := grafana.Explain(t.Context(), conn, sql)
				if err != nil {
					t.Fatalf("%s: panel %q: %v", d.File, p.Title, err)
				}
				if reads := plan.Excess(most); reads != "" {
					t.Errorf("%s: panel %q of %s: %s", d.File, p.Title, since, reads)
				}
			}
		}
	}
}

// What the test above holds panels to finds one that reads too much.
func oneThatWouldIsFound(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	for _, sql := range []string{
		`SELECT count(*) FROM dashboard.transitions WHERE at > now() - interval '1 day'`,
		`SELECT count(*) FROM dashboard.transitions WHERE execution_id >= 'noop_0'`,
	} {
		plan, err := grafana.Explain(t.Context(), conn, sql)
		if err != nil {
			t.Fatal(err)
		}
		if plan.Excess(mostOfYear) == "" {
			t.Errorf("%s is taken, with %d rows", sql, plan.Rows)
		}
	}
}
