package grafana_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/deploy/grafana"
	"github.com/nuzantara/ciclo/internal/demo"
	"github.com/nuzantara/ciclo/internal/history"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

func connect(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: testdatabase.New(t), Name: t.Name(), MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// filled is a database with a past of n executions.
func filled(t *testing.T, pool *pgxpool.Pool, n int) *pgx.Conn {
	t.Helper()
	if err := history.Fill(t.Context(), pool, n); err != nil {
		t.Fatal(err)
	}
	if err := history.FillBeside(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `VACUUM ANALYZE`); err != nil {
		t.Fatal(err)
	}
	return one(t, pool)
}

func one(t *testing.T, pool *pgxpool.Pool) *pgx.Conn {
	t.Helper()
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Release)
	return conn.Conn()
}

func choose(t *testing.T, conn *pgx.Conn, d grafana.Dashboard) map[string][]string {
	t.Helper()
	chosen, err := d.Choose(t.Context(), conn)
	if err != nil {
		t.Fatalf("%s: %v", d.File, err)
	}
	return chosen
}

// run is what the panel shows when its dashboard is opened now, and why it can't.
func run(t *testing.T, conn *pgx.Conn, p grafana.Panel, since time.Duration, chosen map[string][]string) (grafana.Result, error) {
	t.Helper()
	sql, err := p.Query(since, time.Now(), chosen)
	if err != nil {
		return grafana.Result{}, err
	}
	result, err := grafana.Run(t.Context(), conn, sql)
	if err != nil {
		return result, err
	}
	return result, p.Check(result)
}

// A year of fifty thousand executions, which the tests below look at.
func TestPanels(t *testing.T) {
	t.Parallel()
	pool := connect(t)
	if err := demo.Seed(t.Context(), pool, demo.DefaultTruth, 1, time.Now()); err != nil {
		t.Fatal(err)
	}
	conn := filled(t, pool, 50_000)
	t.Run("each shows something", func(t *testing.T) { eachShowsSomething(t, conn) })
	t.Run("none reads all history", func(t *testing.T) { noneReadsAllHistory(t, conn) })
	t.Run("one that would is found", func(t *testing.T) { oneThatWouldIsFound(t, conn) })
	t.Run("none shows secrets", func(t *testing.T) { noneShowsAddressesAndTexts(t, conn) })
}

func eachShowsSomething(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	for _, d := range dashboards(t) {
		chosen := choose(t, conn, d)
		for name, values := range chosen {
			if len(values) == 0 {
				t.Errorf("%s: variable %s has no values", d.File, name)
			}
		}
		for _, p := range d.Panels {
			result, err := run(t, conn, p, d.Since, chosen)
			if err != nil {
				t.Errorf("%s: panel %q: %v", d.File, p.Title, err)
				continue
			}
			if len(result.Rows) == 0 {
				t.Errorf("%s: panel %q shows nothing", d.File, p.Title)
			}
		}
	}
}

func TestNoPanelFailsWhereThereIsNothing(t *testing.T) {
	t.Parallel()
	conn := one(t, connect(t))
	for _, d := range dashboards(t) {
		chosen := choose(t, conn, d)
		for _, p := range d.Panels {
			if _, err := run(t, conn, p, d.Since, chosen); err != nil {
				t.Errorf("%s: panel %q: %v", d.File, p.Title, err)
			}
		}
	}
}

// No panel shows what people wrote or where they are reached.
func noneShowsAddressesAndTexts(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	for _, sql := range []string{`UPDATE crm.clients SET email = 'secret@client.example', phone = '+6281'`, `UPDATE crm.messages SET body = 'secret words'`} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range dashboards(t) {
		chosen := choose(t, conn, d)
		for _, p := range d.Panels {
			result, err := run(t, conn, p, d.Since, chosen)
			if err != nil {
				t.Fatalf("%s: panel %q: %v", d.File, p.Title, err)
			}
			for _, row := range result.Rows {
				for i, value := range row {
					text, ok := value.(string)
					if ok && (strings.Contains(text, "@") || strings.Contains(text, "secret") || text == "Hello") {
						t.Errorf("%s: panel %q shows %s: %s", d.File, p.Title, result.Columns[i].Name, text)
					}
				}
			}
		}
	}
}

func TestABrokenPanelIsRefused(t *testing.T) {
	t.Parallel()
	conn := filled(t, connect(t), 300)
	series := grafana.Panel{
		Type: "timeseries", Format: "time_series", Named: []string{"test-noop"},
		SQL: `SELECT $__timeGroup(started_at, $__interval) AS time, agent AS metric, count(*) AS executions FROM dashboard.executions WHERE $__timeFilter(started_at) AND agent IN ($agent) GROUP BY 1, 2 ORDER BY 1`,
	}
	table := grafana.Panel{Type: "table", Format: "table", Named: []string{"agent", "seconds"}, Numbers: []string{"seconds"}, SQL: `SELECT agent, seconds, started_at FROM dashboard.executions`}
	stat := grafana.Panel{Type: "stat", Format: "table", SQL: `SELECT count(*) AS executions FROM dashboard.executions`}
	bars := grafana.Panel{Type: "barchart", Format: "table", XField: "segment", SQL: `SELECT segment, clients FROM dashboard.segments`}
	chosen := map[string][]string{"agent": {"test-noop", "test-slow"}}
	for name, p := range map[string]grafana.Panel{"series": series, "table": table, "stat": stat, "bars": bars} {
		if result, err := run(t, conn, p, 60*24*time.Hour, chosen); err != nil || len(result.Rows) == 0 {
			t.Errorf("%s, which is whole: %d rows, %v", name, len(result.Rows), err)
		}
	}
	change := func(p grafana.Panel, old, by string) grafana.Panel {
		if !strings.Contains(p.SQL, old) {
			t.Fatalf("%q is not in %s", old, p.SQL)
		}
		p.SQL = strings.Replace(p.SQL, old, by, 1)
		return p
	}
	named := func(p grafana.Panel, name string) grafana.Panel {
		p.Named = []string{name}
		return p
	}
	for name, c := range map[string]struct {
		panel grafana.Panel
		want  string
	}{
		"a column that isn't there":       {change(table, "seconds", "minutes"), `column "minutes" does not exist`},
		"a table of another schema":       {change(table, "dashboard.executions", "ciclo.executions"), "permission denied"},
		"a write":                         {change(stat, "SELECT count(*) AS executions FROM dashboard.executions", "DELETE FROM dashboard.executions"), "permission denied"},
		"a macro that isn't there":        {change(series, "$__timeFilter", "$__timeFilters"), "there is no macro"},
		"a macro with too few arguments":  {change(series, "started_at, $__interval", "started_at"), "has 1 arguments"},
		"a macro without its arguments":   {change(series, "$__timeFilter(started_at)", "$__timeFilter"), "is no macro"},
		"a variable that isn't there":     {change(series, "($agent)", "($agents)"), "there is no variable"},
		"no time":                         {change(series, "AS time", "AS hour"), "no column time"},
		"rows not in the order of time":   {change(series, "ORDER BY 1", "ORDER BY 1 DESC"), "order of time"},
		"a value that is a text":          {change(series, "count(*)", "count(*)::text"), "no number"},
		"a series that nobody draws":      {named(series, "test-loop"), "test-loop"},
		"an override of no field":         {named(table, "second"), "no such field"},
		"a unit of a text":                {change(table, "seconds", "status AS seconds"), "has a unit and is a text"},
		"a type that Grafana can't show":  {change(table, "started_at", "worker_id"), "Grafana doesn't know"},
		"two columns of one name":         {change(table, "started_at", "agent"), "two columns"},
		"a stat of no row":                {change(stat, "count(*) AS executions", "attempt"), "rows and not one"},
		"a stat of a text":                {change(stat, "count(*)", "count(*)::text"), "no number"},
		"a bar chart without its axis":    {change(bars, "segment,", "segment AS s,"), "its axis"},
		"a bar chart of numbers' names":   {change(bars, "segment,", "clients AS segment,"), "its axis"},
		"a bar chart of nothing to count": {change(bars, ", clients", ""), "no number"},
	} {
		_, err := run(t, conn, c.panel, 60*24*time.Hour, chosen)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}
