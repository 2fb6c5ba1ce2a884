package knowledgegraph

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	topEntities = 10
	// namedLeftOut bounds the names in a note.
	namedLeftOut = 5
)

// result reads what the graph is now.
func (b *building) result(ctx context.Context, plan Messages, resettled Resettling, said *Said) (*Result, error) {
	r := &Result{
		From: b.from().Format(time.DateOnly), Resolution: resettled, Models: b.models, Versions: b.pipeline.Versions(), Notes: b.notes(plan),
		Messages: plan, LanguageModel: said,
	}
	err := b.task.Read(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `SELECT count(*) FROM ciclo.graph_messages`).Scan(&r.Messages.Graph)
		if err != nil {
			return fmt.Errorf("count messages: %w", err)
		}
		for _, c := range []struct {
			into *map[string]int
			sql  string
		}{
			{&r.Mentions, `SELECT type, count(*) FROM ciclo.mentions GROUP BY 1`},
			{&r.Extractors, `SELECT extractor, count(*) FROM ciclo.mentions GROUP BY 1`},
			{&r.Entities, `SELECT type, count(*) FROM ciclo.entities WHERE expired_at IS NULL GROUP BY 1`},
			{&r.Edges, `SELECT relation, count(*) FROM ciclo.edges WHERE expired_at IS NULL GROUP BY 1`},
		} {
			if *c.into, err = counts(ctx, tx, c.sql); err != nil {
				return fmt.Errorf("count what is in the graph: %w", err)
			}
		}
		// By the database's clock, as StartedAt is.
		err = tx.QueryRow(ctx, `
			SELECT count(*) FILTER (WHERE created_at >= $1 AND expired_at IS NULL), count(*) FILTER (WHERE created_at < $1 AND expired_at >= $1),
			       (SELECT count(*) FROM ciclo.edges WHERE created_at >= $1 AND expired_at IS NULL), (SELECT count(*) FROM ciclo.edges WHERE created_at < $1 AND expired_at >= $1)
			FROM ciclo.entities`, b.task.StartedAt).Scan(&r.Changes.NewEntities, &r.Changes.GoneEntities, &r.Changes.NewEdges, &r.Changes.EndedEdges)
		if err != nil {
			return fmt.Errorf("count what changed: %w", err)
		}
		rows, err := tx.Query(ctx, `
			SELECT id, type, name, conversations FROM ciclo.entities WHERE expired_at IS NULL AND conversations > 0
			ORDER BY conversations DESC, id LIMIT $1`, topEntities)
		if err != nil {
			return fmt.Errorf("read the top entities: %w", err)
		}
		r.Top, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Top])
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func counts(ctx context.Context, tx pgx.Tx, sql string) (map[string]int, error) {
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	all := map[string]int{}
	var name string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&name, &n}, func() error { all[name] = n; return nil })
	return all, err
}

// notes say what a person should know of the run.
func (b *building) notes(plan Messages) []string {
	notes := []string{}
	if plan.Older > 0 {
		notes = append(notes, fmt.Sprintf("%d messages sent before %s were never read: days_back, at most 365, has them read too.", plan.Older, b.from().Format(time.DateOnly)))
	}
	for _, l := range b.models {
		switch {
		case l.Version == "":
			notes = append(notes, "The messages have too few of the firm's own names to learn from: people and companies that no list has are found only where a message says what they are.")
		case b.learned:
			notes = append(notes, fmt.Sprintf("What finds names that no list has was learned anew, from %d messages, and all were read again by it.", l.Messages))
		}
	}
	if n := len(b.leftOut); n > 0 {
		text := fmt.Sprintf("%d names of the firm's are not looked for, such as", n)
		for i, l := range b.leftOut[:min(n, namedLeftOut)] {
			if i > 0 {
				text += ";"
			}
			text += fmt.Sprintf(" %.60q (%s)", l.Name, l.Reason)
		}
		notes = append(notes, text+".")
	}
	return notes
}
