package grafana_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/deploy/grafana"
)

// mostRows is how many rows a panel may look at, of a history of which a day has
// some 140 executions and a month some 4,000, and of 1,000 clients: the most are the counts of 90 days by hour. mostWhole is how
// many rows a table may have that is read from beginning to end: Postgres rightly
// does that to a small one. Of the firm's 50,000 executions, their transitions and
// steps it is no choice, which bench-panels shows of all tables at a million.
const (
	mostRows  = 15_000
	mostWhole = 15_000
)

func noneReadsAllHistory(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	for _, d := range dashboards(t) {
		chosen := choose(t, conn, d)
		// As it is opened, and for whoever looks at a whole year.
		for _, since := range []time.Duration{d.Since, 365 * 24 * time.Hour} {
			for _, p := range d.Panels {
				sql, err := p.Query(since, time.Now(), chosen)
				if err != nil {
					t.Fatal(err)
				}
				plan, err := grafana.Explain(t.Context(), conn, sql)
				if err != nil {
					t.Fatalf("%s: panel %q: %v", d.File, p.Title, err)
				}
				if reads := plan.Excess(mostWhole, mostRows); reads != "" {
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
		if plan.Excess(mostWhole, mostRows) == "" {
			t.Errorf("%s is taken, with %d rows", sql, plan.Rows)
		}
	}
}
