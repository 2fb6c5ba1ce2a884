// Package erasure erases a person's data on request, everywhere in Ciclo: what
// becomes of each column is in decisions.go and docs/erasure.md. Imports: graph,
// phone and pgx.
//
// An erasure is a row of ciclo.erasures, then passes over all tables until one finds
// nothing and nobody is left who may write what he read before: executions that ran,
// and transactions that were under way, when something was found last. So it may end
// anywhere and goes on with the next pass; an execution that holds the client's data
// in memory writes it, and the pass after its end erases that too.
package erasure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNoClient says that nothing in the database is of such a client.
var ErrNoClient = errors.New("no such client")

// Request is what is to be erased.
type Request struct {
	ClientID string
	// By is who asks: a token's name.
	By string
	// Payments are kept as accounting records unless they are asked for.
	Payments bool
	// DryRun counts, in one transaction that is rolled back.
	DryRun bool
}

// Rows are those of a table that were deleted or changed.
type Rows struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// Erasure is how far it is.
type Erasure struct {
	ClientID string     `json:"client_id"`
	DryRun   bool       `json:"dry_run" jsonschema:"Nothing was changed: the rows are those that would be."`
	ErasedAt time.Time  `json:"erased_at" jsonschema:"Since when agents read nothing of the client."`
	ErasedBy string     `json:"erased_by" jsonschema:"A token's name."`
	Payments bool       `json:"payments" jsonschema:"Whether the payments are erased too."`
	EndedAt  *time.Time `json:"ended_at" jsonschema:"When all was erased; null while it goes on. Asked again the call says how far it is."`
	WaitsFor []string   `json:"waits_for" jsonschema:"The executions that may still write what they read before: what they leave is erased when they end."`
	Rows     []Rows     `json:"rows" jsonschema:"Rows that were deleted or changed so far, by table."`
	Firm     []string   `json:"firm" jsonschema:"What lies outside of Ciclo's own tables, for the firm to erase."`
}

// Erasures begins them and carries them on.
type Erasures struct{ pool *pgxpool.Pool }

// New makes one.
func New(pool *pgxpool.Pool) *Erasures { return &Erasures{pool} }

// Erase begins an erasure, or goes on with it, until it is over, waits for others or
// ctx is done; the last is no error once it has begun. ErrNoClient where nothing is of
// the client.
func (e *Erasures) Erase(ctx context.Context, r Request) (Erasure, error) {
	if r.DryRun {
		return e.rehearse(ctx, r)
	}
	if err := pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, asEraser); err != nil {
			return err
		}
		return begin(ctx, tx, r)
	}); err != nil {
		return Erasure{}, fmt.Errorf("begin to erase a client: %w", err)
	}
	err := e.carryOn(ctx, r.ClientID)
	if err != nil && ctx.Err() == nil {
		return Erasure{}, err
	}
	// Its state is worth a last look, whatever time is left.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return e.show(ctx, e.pool, r.ClientID)
}

// rehearse does all of it in one transaction that is rolled back.
func (e *Erasures) rehearse(ctx context.Context, r Request) (Erasure, error) {
	tx, err := e.pool.Begin(ctx)
	if err != nil {
		return Erasure{}, fmt.Errorf("rehearse an erasure: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	// It must be in nobody's way for long.
	if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '1s'`); err != nil {
		return Erasure{}, fmt.Errorf("rehearse an erasure: %w", err)
	}
	if _, err := tx.Exec(ctx, asEraser); err != nil {
		return Erasure{}, fmt.Errorf("rehearse an erasure: %w", err)
	}
	if err := begin(ctx, tx, r); err != nil {
		return Erasure{}, fmt.Errorf("rehearse an erasure: %w", err)
	}
	p := &pass{client: r.ClientID, within: func(ctx context.Context, do func(pgx.Tx) error) error { return do(tx) }}
	if _, err := p.run(ctx); err != nil {
		return Erasure{}, fmt.Errorf("rehearse an erasure: %w", err)
	}
	if _, err := tx.Exec(ctx, note, r.ClientID); err != nil {
		return Erasure{}, fmt.Errorf("rehearse an erasure: %w", err)
	}
	shown, err := e.show(ctx, tx, r.ClientID)
	shown.DryRun = true
	return shown, err
}

// CarryOn goes on with every erasure that is not over.
func (e *Erasures) CarryOn(ctx context.Context) error {
	rows, err := e.pool.Query(ctx, `SELECT client_id FROM ciclo.erasures WHERE ended_at IS NULL ORDER BY erased_at, client_id`)
	if err != nil {
		return fmt.Errorf("list erasures: %w", err)
	}
	clients, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list erasures: %w", err)
	}
	var failed error
	for _, client := range clients { // one that fails is in nobody's way
		failed = errors.Join(failed, e.carryOn(ctx, client))
	}
	return failed
}

// asEraser becomes, for the transaction, the role that may change what is erased,
// where deploy/roles.sql made one: the orchestrator's own may not. The owner of the
// schema needs none.
const asEraser = `
	SELECT set_config('role', r.rolname, true) FROM pg_roles r
	WHERE r.rolname = 'ciclo_eraser' AND pg_has_role(r.oid, 'MEMBER')
	  AND NOT (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'ciclo')`

// note remembers who may still write what was read before.
const note = `
	UPDATE ciclo.erasures SET horizon = pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
	       runs = ARRAY(SELECT id FROM ciclo.executions WHERE ended_at IS NULL AND attempt > 0 ORDER BY id)
	WHERE client_id = $1`

// patience is how long it waits for transactions that were under way: most are over
// in a moment.
const patience = 2 * time.Second

// carryOn makes passes until one finds nothing and nobody is left who holds anything,
// or somebody holds it for longer.
func (e *Erasures) carryOn(ctx context.Context, client string) error {
	p := &pass{client: client, within: func(ctx context.Context, do func(pgx.Tx) error) error {
		return pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error {
			// Whoever builds the graph may hold it for long; the next pass comes soon.
			if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '5s'`); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, asEraser); err != nil {
				return err
			}
			return do(tx)
		})
	}}
	for {
		quiet, looked, err := e.quiet(ctx, client)
		if err != nil {
			return err
		}
		if looked && !quiet {
			return nil
		}
		found, err := p.run(ctx)
		if err != nil {
			return fmt.Errorf("erase a client: %w", err)
		}
		if looked && found == 0 {
			_, err := e.pool.Exec(ctx, `
				UPDATE ciclo.erasures SET ended_at = now(), patterns = '{}', words = '{}', conversations = '{}', runs = '{}' WHERE client_id = $1`, client)
			if err != nil {
				return fmt.Errorf("end an erasure: %w", err)
			}
			return nil
		}
		if _, err := e.pool.Exec(ctx, note, client); err != nil {
			return fmt.Errorf("note who may still write: %w", err)
		}
	}
}

// quiet reports whether nobody is left who may write what he read before; looked is
// false where no pass was made yet. For transactions alone it waits a little.
func (e *Erasures) quiet(ctx context.Context, client string) (quiet, looked bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	for deadline := time.Now().Add(patience); ; {
		var running, underWay bool
		err := e.pool.QueryRow(ctx, `
			SELECT runs IS NOT NULL,
			       EXISTS (SELECT FROM ciclo.executions x WHERE x.id = ANY (e.runs) AND x.ended_at IS NULL),
			       coalesce(pg_snapshot_xmin(pg_current_snapshot())::text::bigint < horizon, false)
			FROM ciclo.erasures e WHERE client_id = $1`, client).Scan(&looked, &running, &underWay)
		if err != nil {
			return false, false, fmt.Errorf("look who may still write: %w", err)
		}
		if running || !underWay || time.Now().After(deadline) {
			return !running && !underWay, looked, nil
		}
		select {
		case <-ctx.Done():
			return false, looked, nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// show reads how far an erasure is.
func (e *Erasures) show(ctx context.Context, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, client string,
) (Erasure, error) {
	s := Erasure{WaitsFor: []string{}, Rows: []Rows{}, Firm: []string{}}
	var rows json.RawMessage
	err := db.QueryRow(ctx, `
		SELECT client_id, erased_at, erased_by, payments, ended_at, rows, firm,
		       ARRAY(SELECT id FROM ciclo.executions x WHERE x.id = ANY (e.runs) AND x.ended_at IS NULL ORDER BY id)
		FROM ciclo.erasures e WHERE client_id = $1`, client).
		Scan(&s.ClientID, &s.ErasedAt, &s.ErasedBy, &s.Payments, &s.EndedAt, &rows, &s.Firm, &s.WaitsFor)
	if err != nil {
		return s, fmt.Errorf("read an erasure: %w", err)
	}
	counts := map[string]int64{}
	if err := json.Unmarshal(rows, &counts); err != nil {
		return s, fmt.Errorf("read an erasure: %w", err)
	}
	for table, n := range counts {
		s.Rows = append(s.Rows, Rows{table, n})
	}
	slices.SortFunc(s.Rows, func(a, b Rows) int { return strings.Compare(a.Table, b.Table) })
	return s, nil
}
