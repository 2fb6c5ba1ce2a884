package graph

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// exportBatch is how many rows of an export are in memory.
const exportBatch = 5000

// ExportedEntity is an entity with its other names.
type ExportedEntity struct {
	Entity
	Aliases []string
}

// Export reads the graph as of a time, entities and then edges, each by id, and
// gives it away in batches; what is nil is not read. All of it is of one snapshot,
// so that each edge's entities are there: whoever takes the batches must not be
// slow, since a connection and a snapshot are held for it. Entities are those that
// have not expired and were mentioned by then, or never.
func (s *Store) Export(ctx context.Context, asOf time.Time, entities func([]ExportedEntity) error, edges func([]Edge) error) error {
	err := pgx.BeginTxFunc(ctx, s.Pool, pgx.TxOptions{AccessMode: pgx.ReadOnly, IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		// Who takes it ends it where it takes too long; services' sessions end sooner.
		if _, err := tx.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
			return err
		}
		if entities != nil {
			if err := exportAll(ctx, tx, `
				SELECT `+entityColumns+`, ARRAY(SELECT a.alias FROM ciclo.entity_aliases a WHERE a.entity_id = e.id AND a.alias <> e.name ORDER BY a.mentions DESC, a.alias)
				FROM ciclo.entities e WHERE e.expired_at IS NULL AND (e.first_at IS NULL OR e.first_at <= $1) AND e.id > $2 ORDER BY e.id LIMIT $3`,
				asOf, func(e ExportedEntity) string { return e.ID }, entities); err != nil {
				return err
			}
		}
		if edges == nil {
			return nil
		}
		return exportAll(ctx, tx, `
			SELECT `+edgeColumns+` FROM ciclo.edges e
			JOIN ciclo.entities s ON s.id = e.subject_id AND s.expired_at IS NULL AND (s.first_at IS NULL OR s.first_at <= $1)
			JOIN ciclo.entities o ON o.id = e.object_id AND o.expired_at IS NULL AND (o.first_at IS NULL OR o.first_at <= $1)
			WHERE `+holds+` AND e.id > $2 ORDER BY e.id LIMIT $3`,
			asOf, func(e Edge) string { return e.ID }, edges)
	})
	if err != nil {
		return fmt.Errorf("export the graph: %w", err)
	}
	return nil
}

// exportAll gives all rows of a statement away, a batch after the other by their
// ids.
func exportAll[T any](ctx context.Context, tx pgx.Tx, sql string, asOf time.Time, id func(T) string, take func([]T) error) error {
	for after := ""; ; {
		rows, err := tx.Query(ctx, sql, asOf, after, exportBatch)
		if err != nil {
			return err
		}
		batch, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
		if err != nil {
			return err
		}
		if err := take(batch); err != nil || len(batch) < exportBatch {
			return err
		}
		after = id(batch[len(batch)-1])
	}
}
