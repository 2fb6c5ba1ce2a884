package graph

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/fold"
)

// Derived says how many rows of each kind came, went or became others.
type Derived struct {
	Entities int64 `json:"entities"`
	Aliases  int64 `json:"aliases"`
	Edges    int64 `json:"edges"`
}

// DeriveChanged derives entities that were noted as changed, at most so many, and
// says whether there are more. Places come last and all at once, since which of them
// lies in which is derived as a whole.
func DeriveChanged(ctx context.Context, tx pgx.Tx, most int) (d Derived, more bool, err error) {
	rows, err := tx.Query(ctx, `
		WITH noted AS (
			SELECT n.entity_id, e.type = 'location' AS place FROM ciclo.graph_changed_entities n JOIN ciclo.entities e ON e.id = n.entity_id
		), others AS (SELECT entity_id FROM noted WHERE NOT place ORDER BY entity_id LIMIT $1)
		SELECT entity_id FROM others UNION ALL SELECT entity_id FROM noted WHERE place AND NOT EXISTS (SELECT FROM others)`, most)
	if err != nil {
		return d, false, fmt.Errorf("take changed entities: %w", err)
	}
	entities, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return d, false, fmt.Errorf("take changed entities: %w", err)
	}
	if len(entities) == 0 {
		return d, false, nil
	}
	if d, err = Derive(ctx, tx, entities); err != nil {
		return d, false, err
	}
	err = tx.QueryRow(ctx, `
		WITH done AS (DELETE FROM ciclo.graph_changed_entities n WHERE entity_id = ANY ($1) OR NOT EXISTS (SELECT FROM ciclo.entities e WHERE e.id = n.entity_id))
		SELECT EXISTS (SELECT FROM ciclo.graph_changed_entities n JOIN ciclo.entities e ON e.id = n.entity_id WHERE n.entity_id <> ALL ($1))`, entities).Scan(&more)
	if err != nil {
		return d, false, fmt.Errorf("take changed entities: %w", err)
	}
	return d, more, nil
}

// Derive makes what is said of entities anew from their records' mentions and
// evidence: names and counts, and their edges. What is as it was keeps its rows. The
// outcome depends on the base rows alone, to the bit.
func Derive(ctx context.Context, tx pgx.Tx, entities []string) (Derived, error) {
	var d Derived
	if err := freshTable(ctx, tx, "graph_scope", `id text COLLATE "C"`); err != nil {
		return d, fmt.Errorf("derive: %w", err)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO pg_temp.graph_scope SELECT DISTINCT unnest($1::text[])`, entities); err != nil {
		return d, fmt.Errorf("derive: %w", err)
	}
	// The planner would take it for empty.
	if _, err := tx.Exec(ctx, `ANALYZE pg_temp.graph_scope`); err != nil {
		return d, fmt.Errorf("derive: %w", err)
	}
	var err error
	if d.Aliases, err = deriveAliases(ctx, tx); err != nil {
		return d, fmt.Errorf("derive aliases: %w", err)
	}
	if d.Entities, err = deriveEntities(ctx, tx); err != nil {
		return d, fmt.Errorf("derive entities: %w", err)
	}
	if d.Edges, err = deriveEdges(ctx, tx); err != nil {
		return d, fmt.Errorf("derive edges: %w", err)
	}
	return d, nil
}

// namedRecords are records whose own name is the thing's, and not how a message
// happens to write it: a client's (rank 1), a value's (2), or one of those in the
// firm's lists (3), of which the messages say which is used.
const namedRecords = `
	SELECT r.entity_id, r.name, CASE WHEN r.client_id IS NOT NULL THEN 1 WHEN r.key LIKE '=%' THEN 3 ELSE 2 END AS rank
	FROM ciclo.graph_records r JOIN pg_temp.graph_scope ours ON ours.id = r.entity_id
	WHERE (r.scope LIKE 'client:%' OR r.key LIKE '=%' OR r.type IN ('money', 'date', 'law'))`

// longestAlias bounds names, in characters, so that an index can hold them.
const longestAlias = "300"

// deriveAliases writes the names of the entities in scope.
func deriveAliases(ctx context.Context, tx pgx.Tx) (int64, error) {
	rows, err := tx.Query(ctx, `
		SELECT entity_id, alias, sum(n)::int FROM (
			SELECT r.entity_id, left(btrim(regexp_replace(m.surface, '\s+', ' ', 'g')), `+longestAlias+`) COLLATE "C" AS alias, count(*) AS n
			FROM pg_temp.graph_scope s JOIN ciclo.graph_records r ON r.entity_id = s.id JOIN ciclo.mentions m ON m.record_id = r.id
			GROUP BY 1, 2
			UNION ALL SELECT entity_id, left(name, `+longestAlias+`) COLLATE "C", 0 FROM (`+namedRecords+`) AS named) AS a
		WHERE alias <> '' GROUP BY 1, 2`)
	if err != nil {
		return 0, err
	}
	type alias struct {
		Entity, Alias string
		Mentions      int
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[alias])
	if err != nil {
		return 0, err
	}
	if err := freshTable(ctx, tx, "graph_aliases", `entity_id text COLLATE "C", alias text COLLATE "C", folded text COLLATE "C", mentions integer`); err != nil {
		return 0, err
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"pg_temp", "graph_aliases"}, []string{"entity_id", "alias", "folded", "mentions"},
		pgx.CopyFromSlice(len(all), func(i int) ([]any, error) {
			return []any{all[i].Entity, all[i].Alias, fold.Text(all[i].Alias), all[i].Mentions}, nil
		}))
	if err != nil {
		return 0, err
	}
	return execAll(ctx, tx, `ANALYZE pg_temp.graph_aliases`, `
		DELETE FROM ciclo.entity_aliases a USING pg_temp.graph_scope s
		WHERE a.entity_id = s.id AND NOT EXISTS (SELECT FROM pg_temp.graph_aliases n WHERE n.entity_id = a.entity_id AND n.alias = a.alias)`, `
		INSERT INTO ciclo.entity_aliases AS a (entity_id, alias, folded, mentions)
		SELECT entity_id, alias, folded, mentions FROM pg_temp.graph_aliases
		ON CONFLICT (entity_id, alias) DO UPDATE SET folded = excluded.folded, mentions = excluded.mentions
		WHERE (a.folded, a.mentions) IS DISTINCT FROM (excluded.folded, excluded.mentions)`)
}

// deriveEntities writes how the entities in scope are called and how often they are
// mentioned; an entity that has no record has expired. A record that no table names is
// called as its mentions do.
func deriveEntities(ctx context.Context, tx pgx.Tx) (int64, error) {
	_, err := execAll(ctx, tx, `
		UPDATE ciclo.graph_records r SET name = n.name
		FROM (SELECT r.id, min(m.surface COLLATE "C") AS name
		      FROM pg_temp.graph_scope s JOIN ciclo.graph_records r ON r.entity_id = s.id JOIN ciclo.mentions m ON m.record_id = r.id
		      WHERE NOT (r.scope LIKE 'client:%' OR r.key LIKE '=%' OR r.type IN ('money', 'date', 'law'))
		      GROUP BY r.id) AS n
		WHERE r.id = n.id AND r.name <> n.name`)
	if err != nil {
		return 0, err
	}
	return execAll(ctx, tx, `
		UPDATE ciclo.entities e SET
			name = n.name, client_ids = n.client_ids, mentions = n.mentions, conversations = n.conversations, first_at = n.first_at, last_at = n.last_at,
			degree = CASE WHEN n.records = 0 THEN 0 ELSE e.degree END, expired_at = CASE WHEN n.records = 0 THEN coalesce(e.expired_at, now()) END
		FROM (
			SELECT s.id, f.records, f.client_ids, m.mentions, m.conversations, m.first_at, m.last_at, coalesce(
				(SELECT name FROM (`+namedRecords+`) AS named WHERE named.entity_id = s.id AND rank < 3
				 ORDER BY rank, (SELECT a.mentions FROM ciclo.entity_aliases a WHERE a.entity_id = s.id AND a.alias = named.name) DESC, name COLLATE "C" LIMIT 1),
				(SELECT alias FROM ciclo.entity_aliases a WHERE a.entity_id = s.id
				 -- People by whole names; of equal ones the longer.
				 ORDER BY e.type = 'person' AND a.folded LIKE '% %' DESC, a.mentions DESC, length(a.alias) DESC, a.alias LIMIT 1),
				e.name) AS name
			FROM pg_temp.graph_scope s JOIN ciclo.entities e ON e.id = s.id,
			LATERAL (SELECT count(*) AS records, coalesce(array_agg(DISTINCT client_id::text ORDER BY client_id::text) FILTER (WHERE client_id IS NOT NULL), '{}') AS client_ids
			         FROM ciclo.graph_records r WHERE r.entity_id = s.id) AS f,
			LATERAL (SELECT count(*) AS mentions, count(DISTINCT g.conversation_id) AS conversations, min(g.sent_at) AS first_at, max(g.sent_at) AS last_at
			         FROM ciclo.graph_records r JOIN ciclo.mentions m ON m.record_id = r.id JOIN ciclo.graph_messages g ON g.id = m.message_id
			         WHERE r.entity_id = s.id) AS m) AS n
		WHERE e.id = n.id
		  AND (e.name, e.client_ids, e.mentions, e.conversations, e.first_at, e.last_at, e.expired_at IS NULL)
		      IS DISTINCT FROM (n.name, n.client_ids, n.mentions::int, n.conversations::int, n.first_at, n.last_at, n.records > 0)`)
}

// execAll runs statements and adds up the rows of those that write.
func execAll(ctx context.Context, tx pgx.Tx, statements ...string) (int64, error) {
	var rows int64
	for _, sql := range statements {
		tag, err := tx.Exec(ctx, sql)
		if err != nil {
			return rows, err
		}
		rows += tag.RowsAffected()
	}
	return rows, nil
}
