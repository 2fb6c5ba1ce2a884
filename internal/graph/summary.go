package graph

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Count is how many there are of a kind.
type Count struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

// Summary is how much the graph holds.
type Summary struct {
	Entities    int64      `json:"entities"`
	Types       []Count    `json:"types" jsonschema:"Entities by type, those that there are, the most first."`
	Edges       int64      `json:"edges" jsonschema:"Those that hold."`
	Relations   []Count    `json:"relations"`
	OpenReviews int64      `json:"open_reviews"`
	Messages    int64      `json:"messages" jsonschema:"How many were read."`
	LastReadAt  *time.Time `json:"last_read_at" jsonschema:"When the last one was; null where none was."`
	ExecutionID *string    `json:"execution_id" jsonschema:"The execution that read it; null as last_read_at is."`
}

// Summary counts, and reads all entities, edges and messages for it.
func (s *Store) Summary(ctx context.Context) (Summary, error) {
	var sum Summary
	err := pgx.BeginTxFunc(ctx, s.Pool, pgx.TxOptions{AccessMode: pgx.ReadOnly, IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) (err error) {
		count := func(sql string) (counts []Count, total int64, err error) {
			rows, err := tx.Query(ctx, sql)
			if err != nil {
				return nil, 0, err
			}
			if counts, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Count]); err != nil {
				return nil, 0, err
			}
			for _, c := range counts {
				total += c.Count
			}
			return counts, total, nil
		}
		if sum.Types, sum.Entities, err = count(`SELECT type, count(*) FROM ciclo.entities WHERE expired_at IS NULL GROUP BY type ORDER BY 2 DESC, 1`); err != nil {
			return err
		}
		if sum.Relations, sum.Edges, err = count(`SELECT relation, count(*) FROM ciclo.edges WHERE expired_at IS NULL GROUP BY relation ORDER BY 2 DESC, 1`); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `
			SELECT (SELECT count(*) FROM ciclo.entity_reviews WHERE status = 'open'), m.n, l.read_at, l.execution_id
			FROM (SELECT count(*) AS n FROM ciclo.graph_messages) m
			LEFT JOIN (SELECT read_at, execution_id FROM ciclo.graph_messages ORDER BY read_at DESC LIMIT 1) l ON true`).Scan(&sum.OpenReviews, &sum.Messages, &sum.LastReadAt, &sum.ExecutionID)
	})
	if err != nil {
		return sum, fmt.Errorf("summarise the graph: %w", err)
	}
	return sum, nil
}
