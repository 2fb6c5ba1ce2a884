package retention

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A batch's rows are locked for as long as its transaction takes: batches grow while
// that is short, and shrink where it is long.
const (
	firstBatch = 100
	maxBatch   = 1000
	shortBatch = 100 * time.Millisecond
	longBatch  = 250 * time.Millisecond
)

// A batch that meets a lock or takes too long is in others' way: it gives up and comes
// again, smaller. Its wait for a lock lies below deadlock_timeout, so that no other
// transaction is ever the victim.
const (
	bounds  = `SET LOCAL lock_timeout = '500ms'; SET LOCAL statement_timeout = '5s'`
	retries = 8
	giveWay = 200 * time.Millisecond
)

// passing are SQLSTATEs after which a batch is tried again: a lock or a statement
// timed out, a deadlock.
var passing = []string{"55P03", "57014", "40P01"}

// walk is one run of Prune.
type walk struct {
	pool   *pgxpool.Pool
	policy Policy
	report *Report
	size   int
}

// batch is what a call of one of the database's functions answers.
type batch struct {
	seen       int
	gone, kept map[string]int64
}

// batches does one after another until nothing is left to look at.
func (w *walk) batches(ctx context.Context, do func(ctx context.Context, tx pgx.Tx, size int) (batch, error)) error {
	for tries := 0; ; {
		began := time.Now()
		var did batch
		// A batch judges by what it sees after it has its locks: not on a snapshot from before.
		err := pgx.BeginTxFunc(ctx, w.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, bounds); err != nil {
				return err
			}
			var err error
			did, err = do(ctx, tx, w.size)
			return err
		})
		took := time.Since(began)
		var refused *pgconn.PgError
		if errors.As(err, &refused) && slices.Contains(passing, refused.Code) && tries < retries && ctx.Err() == nil {
			tries++
			w.size = max(1, w.size/2)
			if err := pause(ctx, giveWay); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		tries = 0
		if did.seen == 0 {
			return nil
		}
		w.report.add(did.gone, did.kept)
		w.report.Batches++
		w.report.LongestSeconds = max(w.report.LongestSeconds, took.Seconds())
		if w.policy.Progress != nil {
			soFar := *w.report
			soFar.Rows, soFar.Kept = slices.Clone(soFar.Rows), slices.Clone(soFar.Kept)
			w.policy.Progress(soFar)
		}
		switch {
		case took < shortBatch:
			w.size = min(2*w.size, maxBatch)
		case took > longBatch:
			w.size = max(1, w.size/2)
		}
		if err := pause(ctx, time.Duration(w.policy.Rest*float64(took))); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}

// dated is a position in what is walked by its end.
type dated struct {
	at time.Time
	id string
}

// executions prunes those that ended before. The position moves on with each batch
// that was committed, also past what stays.
func (w *walk) executions(ctx context.Context) error {
	var after dated
	return w.batches(ctx, func(ctx context.Context, tx pgx.Tx, size int) (batch, error) {
		return w.byEnd(tx.QueryRow(ctx, `
			SELECT seen, last_at, last_id, gone, kept FROM ciclo.prune_executions($1, $2, $3, $4, $5, $6)`,
			w.report.Before, w.policy.Agent, after.at, after.id, size, w.policy.DryRun), &after)
	})
}

// cycles prunes those whose executions are pruned.
func (w *walk) cycles(ctx context.Context) error {
	var after dated
	return w.batches(ctx, func(ctx context.Context, tx pgx.Tx, size int) (batch, error) {
		return w.byEnd(tx.QueryRow(ctx, `
			SELECT seen, last_at, last_id, gone, kept FROM ciclo.prune_cycles($1, $2, $3, $4, $5)`,
			w.report.Before, after.at, after.id, size, w.policy.DryRun), &after)
	})
}

func (w *walk) byEnd(row pgx.Row, after *dated) (did batch, err error) {
	var at *time.Time
	var id *string
	if err := row.Scan(&did.seen, &at, &id, &did.gone, &did.kept); err != nil {
		return did, err
	}
	if id != nil {
		*after = dated{*at, *id}
	}
	return did, nil
}

// slots prunes those that were skipped; others go with their cycles.
func (w *walk) slots(ctx context.Context) error {
	var schedule string
	var due time.Time
	return w.batches(ctx, func(ctx context.Context, tx pgx.Tx, size int) (did batch, err error) {
		var lastSchedule *string
		var lastDue *time.Time
		err = tx.QueryRow(ctx, `
			SELECT seen, last_schedule, last_due, gone FROM ciclo.prune_slots($1, $2, $3, $4, $5)`,
			w.report.Before, schedule, due, size, w.policy.DryRun).Scan(&did.seen, &lastSchedule, &lastDue, &did.gone)
		if err == nil && lastSchedule != nil {
			schedule, due = *lastSchedule, *lastDue
		}
		return did, err
	})
}

// others prunes what hangs on no execution, and counts it at once.
func (w *walk) others(ctx context.Context) error {
	counted := false
	return w.batches(ctx, func(ctx context.Context, tx pgx.Tx, size int) (did batch, err error) {
		if counted {
			return did, nil
		}
		err = tx.QueryRow(ctx, `SELECT gone FROM ciclo.prune_others($1, $2, $3)`, w.report.Before, size, w.policy.DryRun).Scan(&did.gone)
		for _, n := range did.gone {
			did.seen += int(n)
		}
		counted = w.policy.DryRun && err == nil
		return did, err
	})
}
