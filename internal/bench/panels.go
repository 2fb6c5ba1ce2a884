package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/deploy/grafana"
)

// panelAim is how long a panel's query should take at a million executions.
const panelAim = 50

// mostPanelRows is how many rows a panel may look at there: the most is a month of
// failures.
const mostPanelRows = 50_000

// panels measures the query of each panel of the Grafana dashboards at many
// executions beside ten thousand, and what it reads. Both histories lie within one
// year: a day of the larger one has a hundred times as many executions, and so has a
// panel that shows what they did.
func (b *bench) panels(ctx context.Context) ([]figure, error) {
	dashboards, err := grafana.Dashboards()
	if err != nil {
		return nil, err
	}
	var sides [2]*pgx.Conn
	for i, n := range []int{fewExecutions, b.many} {
		b.say("filling a database with %d executions …", n)
		url, err := b.besidesOf(ctx, n)
		if err != nil {
			return nil, err
		}
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return nil, err
		}
		defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // the database is dropped anyway
		sides[i] = conn
	}
	var figures []figure
	for _, d := range dashboards {
		var chosen [2]map[string][]string
		for i := range sides {
			if chosen[i], err = d.Choose(ctx, sides[i]); err != nil {
				return nil, err
			}
		}
		for _, p := range d.Panels {
			name := strings.TrimSuffix(d.File, ".json") + ": " + p.Title
			var took [2]series
			for range b.plan.repeats {
				for i := range sides {
					milliseconds, err := panelTime(ctx, sides[i], d, p, chosen[i])
					if err != nil {
						return nil, fmt.Errorf("%s: %w", name, err)
					}
					took[i] = append(took[i], milliseconds)
				}
			}
			figures = append(figures, timeWithin(name, took[0], took[1], panelAim))
			sql, err := p.Query(d.Since, time.Now(), chosen[1])
			if err != nil {
				return nil, err
			}
			plan, err := grafana.Explain(ctx, sides[1], sql)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if reads := plan.Excess(mostPanelRows); reads != "" {
				return nil, fmt.Errorf("%s: %s", name, reads)
			}
			figures = append(figures, atMost(name+", rows", "rows", series{float64(plan.Rows)}, mostPanelRows))
		}
	}
	return figures, nil
}

// panelTime is the median of a few of the panel's queries, in milliseconds, with all
// rows received.
func panelTime(ctx context.Context, conn *pgx.Conn, d grafana.Dashboard, p grafana.Panel, chosen map[string][]string) (float64, error) {
	times := make([]time.Duration, 11)
	for i := range times {
		sql, err := p.Query(d.Since, time.Now(), chosen)
		if err != nil {
			return 0, err
		}
		began := time.Now()
		if _, err := grafana.Run(ctx, conn, sql); err != nil {
			return 0, err
		}
		times[i] = time.Since(began)
	}
	slices.Sort(times)
	return percentile(times, 50), nil
}
