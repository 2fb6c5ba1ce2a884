package grafana

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Role is who reads the views of schema dashboard, and nothing else.
const Role = "ciclo_dashboard"

// kind is what Grafana makes of a column.
type kind string

const (
	number  kind = "a number"
	word    kind = "a text"
	boolean kind = "a boolean"
	instant kind = "a time"
)

// kinds are the types that Grafana's PostgreSQL data source turns into fields. What
// is not here (arrays, JSON, UUIDs, intervals) comes out as bytes, or fails.
var kinds = map[uint32]kind{
	pgtype.Int2OID: number, pgtype.Int4OID: number, pgtype.Int8OID: number, pgtype.Float4OID: number, pgtype.Float8OID: number, pgtype.NumericOID: number,
	pgtype.TextOID: word, pgtype.VarcharOID: word, pgtype.BoolOID: boolean, pgtype.TimestamptzOID: instant, pgtype.DateOID: instant,
}

// Result is what a query returned.
type Result struct {
	Columns []Column
	Rows    [][]any
}

// Column is a column by its name and PostgreSQL's type.
type Column struct {
	Name string
	OID  uint32
}

// Run runs a query as the dashboards' role, in a transaction of its own that writes
// nothing.
func Run(ctx context.Context, conn *pgx.Conn, sql string) (Result, error) {
	var result Result
	err := asRole(ctx, conn, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql)
		if err != nil {
			return err
		}
		defer rows.Close()
		for _, c := range rows.FieldDescriptions() {
			result.Columns = append(result.Columns, Column{c.Name, c.DataTypeOID})
		}
		for rows.Next() {
			values, err := rows.Values()
			if err != nil {
				return err
			}
			result.Rows = append(result.Rows, values)
		}
		return rows.Err()
	})
	return result, err
}

// asRole runs do in a read-only transaction of the dashboards' role.
func asRole(ctx context.Context, conn *pgx.Conn, do func(pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL ROLE `+Role); err != nil {
			return fmt.Errorf("become %s: %w", Role, err)
		}
		return do(tx)
	})
}

// Check says why the panel couldn't show the result as it should. A series' names
// come from its rows, so overrides of them are looked at where there are rows.
func (p Panel) Check(r Result) error {
	found := map[string]kind{}
	var errs []error
	for _, c := range r.Columns {
		k, known := kinds[c.OID]
		switch {
		case !known:
			errs = append(errs, fmt.Errorf("column %s is of a type (%d) that Grafana doesn't know", c.Name, c.OID))
		case c.Name == "?column?":
			errs = append(errs, errors.New("a column has no name"))
		}
		if _, twice := found[c.Name]; twice {
			errs = append(errs, fmt.Errorf("two columns are named %s", c.Name))
		}
		found[c.Name] = k
	}
	numbers := 0
	for _, k := range found {
		if k == number {
			numbers++
		}
	}
	named := found
	switch {
	case p.Format == "time_series":
		names, err := series(r, found)
		errs = append(errs, err)
		named = names
	case p.Format != "table":
		errs = append(errs, fmt.Errorf("its format is %q", p.Format))
	case p.Type == "stat":
		if numbers == 0 {
			errs = append(errs, errors.New("it has no number to show"))
		}
		if len(r.Rows) != 1 {
			errs = append(errs, fmt.Errorf("it has %d rows and not one", len(r.Rows)))
		}
	case p.Type == "barchart":
		if k := found[p.XField]; k != word && k != instant {
			errs = append(errs, fmt.Errorf("its axis, field %q, is not a text or a time", p.XField))
		}
		if numbers == 0 {
			errs = append(errs, errors.New("it has no number to show"))
		}
	}
	if p.Type == "timeseries" && p.Format != "time_series" {
		errs = append(errs, errors.New("a time series is not asked for as one"))
	}
	if named != nil {
		for _, name := range p.Named {
			if _, there := named[name]; !there {
				errs = append(errs, fmt.Errorf("an override names %s, and there is no such field", name))
			}
		}
		for _, name := range p.Numbers {
			if k, there := named[name]; there && k != number {
				errs = append(errs, fmt.Errorf("field %s has a unit and is %s", name, k))
			}
		}
	}
	return errors.Join(errs...)
}

// series looks at a result as at time series, and returns the series by name: nil
// where rows would name them and there are none.
func series(r Result, found map[string]kind) (map[string]kind, error) {
	var errs []error
	at := slices.IndexFunc(r.Columns, func(c Column) bool { return c.Name == "time" })
	metric := slices.IndexFunc(r.Columns, func(c Column) bool { return found[c.Name] == word })
	names := map[string]kind{}
	words, values := 0, 0
	for _, c := range r.Columns {
		switch k := found[c.Name]; {
		case c.Name == "time":
			if k != instant && k != number {
				errs = append(errs, fmt.Errorf("column time is %s", k))
			}
		case k == word:
			words++
		case k == number:
			values++
			names[c.Name] = number
		default:
			errs = append(errs, fmt.Errorf("column %s of a time series is %s", c.Name, k))
		}
	}
	switch {
	case at < 0:
		errs = append(errs, errors.New("there is no column time"))
	case values == 0:
		errs = append(errs, errors.New("it has no number to show"))
	case words > 1 || (words == 1 && values > 1):
		errs = append(errs, errors.New("several columns would name its series"))
	}
	if at >= 0 {
		if !slices.IsSortedFunc(r.Rows, func(a, b []any) int { return int(max(-1, min(1, epoch(a[at])-epoch(b[at])))) }) {
			errs = append(errs, errors.New("its rows are not in the order of time"))
		}
	}
	if metric >= 0 {
		names = nil
		for _, row := range r.Rows {
			if name, ok := row[metric].(string); ok {
				if names == nil {
					names = map[string]kind{}
				}
				names[name] = number
			}
		}
	}
	return names, errors.Join(errs...)
}

// epoch is a time's seconds, however the query has it.
func epoch(v any) float64 {
	switch v := v.(type) {
	case time.Time:
		return float64(v.Unix())
	case float64:
		return v
	case int64:
		return float64(v)
	case pgtype.Numeric:
		if f, err := v.Float64Value(); err == nil {
			return f.Float64
		}
	}
	return 0
}

// Undefined are the variables that the panel uses, in its query or its links, and
// the dashboard doesn't have.
func (d Dashboard) Undefined(p Panel) []string {
	var missing []string
	for _, text := range append([]string{p.SQL}, p.Links...) {
		for _, name := range used(text) {
			if _, there := d.Variables[name]; !there && !slices.Contains(missing, name) {
				missing = append(missing, name)
			}
		}
	}
	return missing
}

// Choose are the values of all variables when a dashboard is opened: all of them.
func (d Dashboard) Choose(ctx context.Context, conn *pgx.Conn) (map[string][]string, error) {
	chosen := map[string][]string{}
	for name, v := range d.Variables {
		if v.Type != "query" {
			chosen[name] = v.Options
			continue
		}
		r, err := Run(ctx, conn, v.SQL)
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", name, err)
		}
		if len(r.Columns) != 1 || kinds[r.Columns[0].OID] != word {
			return nil, fmt.Errorf("variable %s: its query returns something else than one column of texts", name)
		}
		chosen[name] = nil
		for _, row := range r.Rows {
			if value, ok := row[0].(string); ok {
				chosen[name] = append(chosen[name], value)
			}
		}
	}
	return chosen, nil
}

// Query is the panel's SQL for a span that ends now.
func (p Panel) Query(since time.Duration, now time.Time, chosen map[string][]string) (string, error) {
	span := Span{now.Add(-since), now}
	return Expand(p.SQL, span, span.Interval(p.Interval), chosen)
}
