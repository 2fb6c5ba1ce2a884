package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/history"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/retention"
)

// halfAYear leaves about half of a history, which goes back for 365 days.
const halfAYear = 4380 * time.Hour

// The paces: of the command and of the orchestrator's loop.
const (
	commandRest = 1
	loopRest    = 9
)

// retention prunes half of a million executions while others are accepted at a steady
// rate, and looks at the tables' sizes: after it, and after as many new rows have come.
func (b *bench) retention(ctx context.Context) (_ []figure, err error) {
	n := 1_000_000
	if b.plan.repeats == 1 {
		n /= 10
	}
	b.say("filling a database with %d executions …", n)
	url, err := b.historyOf(ctx, n)
	if err != nil {
		return nil, err
	}
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: "ciclo bench retention", MaxConns: 4})
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	full, err := sizeOf(ctx, pool)
	if err != nil {
		return nil, err
	}
	ours, err := b.startOrchestrator(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ours.Stop()) }()
	client := newClient()
	accept := func(ctx context.Context, _ int) error {
		return client.do(ctx, request{http.MethodPost, ours.url + runPath, ours.token, http.StatusAccepted}, nil)
	}
	load := func(ctx context.Context, lasts time.Duration) ([]time.Duration, error) {
		return openLoop(ctx, 20*time.Millisecond, 0, lasts, accept)
	}
	b.say("accepting alone …")
	if _, err := load(ctx, b.plan.warm); err != nil {
		return nil, err
	}
	alone, err := load(ctx, 2*b.plan.open)
	if err != nil {
		return nil, err
	}
	// while accepts until the pruning is over.
	while := func(rest float64, most time.Duration) (retention.Report, []time.Duration, error) {
		pruning, stop := context.WithTimeout(ctx, most)
		defer stop()
		type outcome struct {
			report retention.Report
			err    error
		}
		pruned := make(chan outcome, 1)
		go func() {
			report, err := retention.Prune(pruning, pool, retention.Policy{OlderThan: halfAYear, Rest: rest})
			pruned <- outcome{report, err}
		}()
		var times []time.Duration
		for {
			some, err := load(ctx, time.Second)
			times = append(times, some...)
			if err != nil {
				stop()
				o := <-pruned
				return o.report, times, errors.Join(err, o.err)
			}
			select {
			case o := <-pruned:
				slices.Sort(times)
				if pruning.Err() != nil && ctx.Err() == nil { // its time was over
					o.err = nil
				}
				return o.report, times, o.err
			default:
			}
		}
	}
	b.say("pruning at the loop's pace …")
	gentle, atLoop, err := while(loopRest, 4*b.plan.open)
	if err != nil {
		return nil, err
	}
	b.say("pruning at the command's pace …")
	quick, atCommand, err := while(commandRest, 10*time.Minute)
	if err != nil {
		return nil, err
	}
	gone := float64(gentle.Gone("ciclo.executions") + quick.Gone("ciclo.executions"))
	if _, err := pool.Exec(ctx, `VACUUM ANALYZE`); err != nil {
		return nil, fmt.Errorf("vacuum: %w", err)
	}
	half, err := sizeOf(ctx, pool)
	if err != nil {
		return nil, err
	}
	b.say("filling with %.0f new ones …", gone)
	if err := history.FillAgain(ctx, pool, int(gone)); err != nil {
		return nil, fmt.Errorf("fill again: %w", err)
	}
	again, err := sizeOf(ctx, pool)
	if err != nil {
		return nil, err
	}
	perSecond := func(r retention.Report) series { return series{float64(r.Gone("ciclo.executions")) / r.Seconds} }
	rows := 0.
	for _, table := range quick.Rows {
		rows += float64(table.Rows)
	}
	return []figure{
		{Name: "pruned executions", Unit: "", Ours: series{gone}},
		{Name: "pruned a second, at the command's pace", Unit: "executions/s", Ours: perSecond(quick)},
		{Name: "pruned a second, at the command's pace", Unit: "rows/s", Ours: series{rows / quick.Seconds}},
		{Name: "pruned a second, at the loop's pace", Unit: "executions/s", Ours: perSecond(gentle)},
		{Name: "longest transaction, at the command's pace", Unit: "ms", Ours: series{1000 * quick.LongestSeconds}},
		beside("accept at 50/s, alone and at the loop's pace, p50", "ms", series{percentile(alone, 50)}, series{percentile(atLoop, 50)}),
		beside("accept at 50/s, alone and at the loop's pace, p99", "ms", series{percentile(alone, 99)}, series{percentile(atLoop, 99)}),
		beside("accept at 50/s, alone and at the command's pace, p50", "ms", series{percentile(alone, 50)}, series{percentile(atCommand, 50)}),
		beside("accept at 50/s, alone and at the command's pace, p99", "ms", series{percentile(alone, 99)}, series{percentile(atCommand, 99)}),
		beside("tables, before and after pruning and VACUUM", "MB", series{full.tables}, series{half.tables}),
		beside("indexes, before and after pruning and VACUUM", "MB", series{full.indexes}, series{half.indexes}),
		beside("tables, before and with as many new rows", "MB", series{full.tables}, series{again.tables}),
		beside("indexes, before and with as many new rows", "MB", series{full.indexes}, series{again.indexes}),
	}, nil
}

// size is that of executions and transitions, in MB.
type size struct{ tables, indexes float64 }

func sizeOf(ctx context.Context, pool *pgxpool.Pool) (s size, err error) {
	err = pool.QueryRow(ctx, `
		SELECT sum(pg_table_size(t))::float8 / 1e6, sum(pg_indexes_size(t))::float8 / 1e6
		FROM (VALUES ('ciclo.executions'::regclass), ('ciclo.transitions'::regclass)) tables (t)`).Scan(&s.tables, &s.indexes)
	if err != nil {
		return s, fmt.Errorf("ask for sizes: %w", err)
	}
	return s, nil
}
