package graph

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// WriteClients brings the records of the firm's own clients to these: new ones come,
// names change, and those that are no client any more are collected by Collect.
func WriteClients(ctx context.Context, tx pgx.Tx, clients []Record) error {
	if err := applyRecords(ctx, tx, clients); err != nil {
		return fmt.Errorf("write the records of clients: %w", err)
	}
	_, err := execAll(ctx, tx, `
		INSERT INTO ciclo.graph_changed_records
		SELECT r.id FROM ciclo.graph_records r JOIN pg_temp.graph_found n ON n.id = r.id WHERE r.name <> n.name OR r.entity_id IS NULL
		ON CONFLICT DO NOTHING`, `
		UPDATE ciclo.graph_records r SET name = n.name FROM pg_temp.graph_found n WHERE n.id = r.id AND r.name <> n.name`)
	if err != nil {
		return fmt.Errorf("write the names of clients: %w", err)
	}
	return nil
}

// Collect removes records that nothing mentions any more and that are none of the
// clients that WriteClients wrote last in this transaction.
func Collect(ctx context.Context, tx pgx.Tx) (int64, error) {
	const nothing = `
		NOT EXISTS (SELECT FROM pg_temp.graph_found n WHERE n.id = r.id)
		AND NOT EXISTS (SELECT FROM ciclo.mentions m WHERE m.record_id = r.id)
		AND NOT EXISTS (SELECT FROM ciclo.record_attributes a WHERE a.record_id = r.id)
		AND NOT EXISTS (SELECT FROM ciclo.edge_evidence e WHERE e.subject_id = r.id)
		AND NOT EXISTS (SELECT FROM ciclo.edge_evidence e WHERE e.object_id = r.id)`
	removed, err := execAll(ctx, tx, `ANALYZE pg_temp.graph_found`, `
		WITH gone AS (DELETE FROM ciclo.graph_records r WHERE `+nothing+` RETURNING entity_id)
		INSERT INTO ciclo.graph_changed_entities SELECT DISTINCT entity_id FROM gone WHERE entity_id IS NOT NULL ON CONFLICT DO NOTHING`)
	if err != nil {
		return 0, fmt.Errorf("collect records that nothing mentions: %w", err)
	}
	return removed, nil
}

// NoteChanged notes the entities of records that have changed, all of them where the
// graph is to be derived from the beginning.
func NoteChanged(ctx context.Context, tx pgx.Tx, all bool) error {
	_, err := tx.Exec(ctx, `
		WITH changed AS (DELETE FROM ciclo.graph_changed_records RETURNING record_id)
		INSERT INTO ciclo.graph_changed_entities
		SELECT r.entity_id FROM ciclo.graph_records r WHERE r.entity_id IS NOT NULL AND ($1 OR r.id IN (SELECT record_id FROM changed))
		UNION SELECT e.id FROM ciclo.entities e WHERE $1
		ON CONFLICT DO NOTHING`, all)
	if err != nil {
		return fmt.Errorf("note changed entities: %w", err)
	}
	return nil
}

// ReadAnew has all messages be read again that were read before, and returns how many.
func ReadAnew(ctx context.Context, tx pgx.Tx) (int64, error) {
	tag, err := tx.Exec(ctx, `UPDATE ciclo.graph_messages SET versions = '{}' WHERE versions <> '{}'`)
	if err != nil {
		return 0, fmt.Errorf("have messages read again: %w", err)
	}
	return tag.RowsAffected(), nil
}

// ReadUntil notes until when messages were sent that a complete run has looked at; it
// never goes back.
func ReadUntil(ctx context.Context, tx pgx.Tx, until *time.Time) error {
	if _, err := tx.Exec(ctx, `UPDATE ciclo.graph_revision SET read_until = greatest(read_until, $1)`, until); err != nil {
		return fmt.Errorf("note until when messages were read: %w", err)
	}
	return nil
}

// Settled says that nothing waits to be resolved or derived.
func Settled(ctx context.Context, tx pgx.Tx) (settled bool, err error) {
	err = tx.QueryRow(ctx, `
		SELECT NOT EXISTS (SELECT FROM ciclo.graph_changed_records) AND NOT EXISTS (SELECT FROM ciclo.graph_changed_entities)
		   AND NOT EXISTS (SELECT FROM ciclo.graph_records WHERE entity_id IS NULL)`).Scan(&settled)
	if err != nil {
		return false, fmt.Errorf("see whether the graph is settled: %w", err)
	}
	return settled, nil
}
