package graph

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// surely is the confidence from which evidence says who employs somebody: what is
// less sure doesn't end an employment.
const surely = "0.5"

// deriveEdges brings the edges of the entities in scope to what the evidence says.
func deriveEdges(ctx context.Context, tx pgx.Tx) (int64, error) {
	if err := gatherEvidence(ctx, tx); err != nil {
		return 0, err
	}
	if err := combineEvidence(ctx, tx); err != nil {
		return 0, err
	}
	if err := breakCycles(ctx, tx); err != nil {
		return 0, err
	}
	return writeEdges(ctx, tx)
}

// gatherEvidence fills graph_said with the evidence that edges of the scope rest on,
// and graph_chains with the people whose employments are looked at as a whole.
func gatherEvidence(ctx context.Context, tx pgx.Tx) error {
	if err := freshTable(ctx, tx, "graph_said", `subject text COLLATE "C", relation text, object text COLLATE "C", message_id text COLLATE "C", conversation_id text COLLATE "C", sent_at timestamptz, confidence double precision`); err != nil {
		return err
	}
	if err := freshTable(ctx, tx, "graph_chains", `subject text COLLATE "C" PRIMARY KEY`); err != nil {
		return err
	}
	const said = `
		SELECT s.entity_id AS subject, e.relation, o.entity_id AS object, e.message_id, g.conversation_id, g.sent_at, max(e.confidence)
		FROM ciclo.edge_evidence e JOIN ciclo.graph_records s ON s.id = e.subject_id JOIN ciclo.graph_records o ON o.id = e.object_id
		JOIN ciclo.graph_messages g ON g.id = e.message_id`
	_, err := execAll(ctx, tx, `
		INSERT INTO pg_temp.graph_said `+said+`
		JOIN (SELECT e.message_id, e.subject_id, e.relation, e.object_id
		      FROM pg_temp.graph_scope c JOIN ciclo.graph_records r ON r.entity_id = c.id JOIN ciclo.edge_evidence e ON e.subject_id = r.id
		      UNION
		      SELECT e.message_id, e.subject_id, e.relation, e.object_id
		      FROM pg_temp.graph_scope c JOIN ciclo.graph_records r ON r.entity_id = c.id JOIN ciclo.edge_evidence e ON e.object_id = r.id
		     ) AS touched USING (message_id, subject_id, relation, object_id)
		WHERE e.relation <> 'works_for' AND s.entity_id <> o.entity_id
		  AND NOT (e.relation = 'located_in' AND s.type = 'location' AND o.type = 'location')
		GROUP BY 1, 2, 3, 4, 5, 6`, `
		INSERT INTO pg_temp.graph_chains
		SELECT id FROM pg_temp.graph_scope
		UNION
		SELECT s.entity_id FROM pg_temp.graph_scope c JOIN ciclo.graph_records r ON r.entity_id = c.id
		JOIN ciclo.edge_evidence e ON e.object_id = r.id AND e.relation = 'works_for' JOIN ciclo.graph_records s ON s.id = e.subject_id
		WHERE s.entity_id IS NOT NULL`, `
		INSERT INTO pg_temp.graph_said `+said+` JOIN pg_temp.graph_chains c ON c.subject = s.entity_id
		WHERE e.relation = 'works_for' AND s.entity_id <> o.entity_id
		GROUP BY 1, 2, 3, 4, 5, 6`, `
		INSERT INTO pg_temp.graph_said `+said+`
		WHERE e.relation = 'located_in' AND s.type = 'location' AND o.type = 'location' AND s.entity_id <> o.entity_id
		  AND EXISTS (SELECT FROM pg_temp.graph_scope c JOIN ciclo.entities p ON p.id = c.id WHERE p.type = 'location')
		GROUP BY 1, 2, 3, 4, 5, 6`, `
		ANALYZE pg_temp.graph_said`)
	return err
}

// combineEvidence fills graph_edges with the edges that the evidence makes. One
// conversation says a thing once, as surely as it says it best; conversations are
// independent, so that together they are wrong only if all are (noisy-OR). Sums are
// taken in one order, and rounded, so that the same evidence is the same number; they
// are bounded, since Postgres takes a result too small for a number for an error.
func combineEvidence(ctx context.Context, tx pgx.Tx) error {
	if err := freshTable(ctx, tx, "graph_edges", `subject text COLLATE "C", relation text, object text COLLATE "C", valid_at timestamptz, invalid_at timestamptz, confidence double precision, evidence integer, conversations integer`); err != nil {
		return err
	}
	const noisyOr = `greatest(round((1 - exp(greatest(sum(ln(1 - least(best, 0.999999)) ORDER BY best, conversation_id), -50)))::numeric, 6), 0.000001)::double precision`
	_, err := execAll(ctx, tx, `
		INSERT INTO pg_temp.graph_edges
		SELECT subject, relation, object, min(first_at), NULL, `+noisyOr+`, sum(n), count(*)
		FROM (SELECT subject, relation, object, conversation_id, max(confidence) AS best, count(*) AS n, min(sent_at) AS first_at
		      FROM pg_temp.graph_said WHERE relation <> 'works_for' GROUP BY 1, 2, 3, 4) AS c
		GROUP BY 1, 2, 3`, `
		-- Somebody's employers in the order of what was said: one at a time, the surest.
		-- Another one ends the employment before.
		INSERT INTO pg_temp.graph_edges
		WITH said AS (
			SELECT DISTINCT ON (subject, sent_at) subject, object, sent_at
			FROM pg_temp.graph_said WHERE relation = 'works_for' AND confidence >= `+surely+`
			ORDER BY subject, sent_at, confidence DESC, object, message_id
		), changes AS (
			SELECT *, object IS DISTINCT FROM lag(object) OVER (PARTITION BY subject ORDER BY sent_at) AS changed FROM said
		), begun AS (
			SELECT subject, object, sent_at AS valid_at, row_number() OVER (PARTITION BY subject ORDER BY sent_at) AS n,
			       lead(sent_at) OVER (PARTITION BY subject ORDER BY sent_at) AS invalid_at
			FROM changes WHERE changed
		), dated AS (
			-- Each piece of evidence with the employment that it falls into.
			SELECT *, max(n) OVER (PARTITION BY subject ORDER BY sent_at, n NULLS LAST ROWS UNBOUNDED PRECEDING) AS within FROM (
				SELECT subject, object, conversation_id, confidence, sent_at, NULL::bigint AS n FROM pg_temp.graph_said WHERE relation = 'works_for'
				UNION ALL SELECT subject, object, NULL, NULL, valid_at, n FROM begun) AS both_kinds
		)
		SELECT subject, 'works_for', object, valid_at, invalid_at, `+noisyOr+`, sum(n), count(*)
		FROM (SELECT b.subject, b.object, b.valid_at, b.invalid_at, d.conversation_id, max(d.confidence) AS best, count(*) AS n
		      FROM dated d JOIN begun b ON b.subject = d.subject AND b.n = d.within AND b.object = d.object
		      WHERE d.n IS NULL
		      GROUP BY 1, 2, 3, 4, 5) AS c
		GROUP BY subject, object, valid_at, invalid_at`, `
		ANALYZE pg_temp.graph_edges`)
	return err
}

// within says that a place lies in another.
type within struct{ Subject, Object string }

// inCycles are the places that may lie in themselves: those that are left when, again
// and again, places are taken away in which none lies, or that lie in none.
func inCycles(edges []within) map[string]bool {
	outside, inside := map[string][]string{}, map[string][]string{}
	for _, e := range edges {
		outside[e.Subject], inside[e.Object] = append(outside[e.Subject], e.Object), append(inside[e.Object], e.Subject)
	}
	left := map[string]bool{}
	ways := map[string][2]int{}
	var free []string
	for _, e := range edges {
		for _, place := range []string{e.Subject, e.Object} {
			if !left[place] {
				left[place], ways[place] = true, [2]int{len(outside[place]), len(inside[place])}
				if len(outside[place]) == 0 || len(inside[place]) == 0 {
					free = append(free, place)
				}
			}
		}
	}
	for len(free) > 0 {
		place := free[len(free)-1]
		free = free[:len(free)-1]
		if !left[place] {
			continue
		}
		delete(left, place)
		for side, others := range [2][]string{inside[place], outside[place]} {
			for _, other := range others {
				w := ways[other]
				w[side]--
				ways[other] = w
				if w[side] == 0 {
					free = append(free, other)
				}
			}
		}
	}
	return left
}

// breakCycles takes away places that would lie in themselves: the strongest edges
// stay, one after the other, unless those before say the contrary.
func breakCycles(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		SELECT g.subject, g.object FROM pg_temp.graph_edges g JOIN ciclo.entities s ON s.id = g.subject JOIN ciclo.entities o ON o.id = g.object
		WHERE g.relation = 'located_in' AND s.type = 'location' AND o.type = 'location'
		ORDER BY g.confidence DESC, g.conversations DESC, g.subject, g.object`)
	if err != nil {
		return err
	}
	edges, err := pgx.CollectRows(rows, pgx.RowToStructByPos[within])
	if err != nil {
		return err
	}
	core := inCycles(edges)
	containers := map[string][]string{}
	var subjects, objects []string
	for _, e := range edges {
		if !core[e.Subject] || !core[e.Object] {
			continue
		}
		if reaches(containers, e.Object, e.Subject) {
			subjects, objects = append(subjects, e.Subject), append(objects, e.Object)
			continue
		}
		containers[e.Subject] = append(containers[e.Subject], e.Object)
	}
	if len(subjects) == 0 {
		return nil
	}
	_, err = tx.Exec(ctx, `
		DELETE FROM pg_temp.graph_edges g USING unnest($1::text[], $2::text[]) AS b (subject, object)
		WHERE g.relation = 'located_in' AND g.subject = b.subject AND g.object = b.object`, subjects, objects)
	return err
}

// reaches says whether one place lies in another, by any number of edges.
func reaches(containers map[string][]string, from, to string) bool {
	seen := map[string]bool{from: true}
	for next := []string{from}; len(next) > 0; {
		at := next[len(next)-1]
		next = next[:len(next)-1]
		if at == to {
			return true
		}
		for _, place := range containers[at] {
			if !seen[place] {
				seen[place] = true
				next = append(next, place)
			}
		}
	}
	return false
}

// writeEdges brings ciclo.edges to graph_edges, within the scope. An edge that is
// no more expires; one that is again is the same row as before.
func writeEdges(ctx context.Context, tx pgx.Tx) (int64, error) {
	if err := freshTable(ctx, tx, "graph_touched", `id text COLLATE "C"`); err != nil {
		return 0, err
	}
	changed, err := execAll(ctx, tx, `
		WITH gone AS (
			UPDATE ciclo.edges e SET expired_at = coalesce(e.expired_at, now()), invalid_at = NULL
			WHERE e.id IN (
				SELECT x.id FROM pg_temp.graph_scope s JOIN ciclo.edges x ON x.subject_id = s.id
				UNION SELECT x.id FROM pg_temp.graph_scope s JOIN ciclo.edges x ON x.object_id = s.id
				UNION SELECT x.id FROM pg_temp.graph_chains c JOIN ciclo.edges x ON x.subject_id = c.subject AND x.relation = 'works_for'
				UNION SELECT x.id FROM ciclo.edges x JOIN ciclo.entities s ON s.id = x.subject_id JOIN ciclo.entities o ON o.id = x.object_id
				      WHERE x.relation = 'located_in' AND s.type = 'location' AND o.type = 'location'
				        AND EXISTS (SELECT FROM pg_temp.graph_scope c JOIN ciclo.entities p ON p.id = c.id WHERE p.type = 'location'))
			  AND (e.expired_at IS NULL OR e.invalid_at IS NOT NULL)
			  AND NOT EXISTS (SELECT FROM pg_temp.graph_edges g
			                  WHERE g.subject = e.subject_id AND g.relation = e.relation AND g.object = e.object_id AND g.valid_at = e.valid_at)
			RETURNING e.subject_id, e.object_id)
		INSERT INTO pg_temp.graph_touched SELECT subject_id FROM gone UNION ALL SELECT object_id FROM gone`, `
		-- Before new ones, since nobody has two employers.
		WITH ended AS (
			UPDATE ciclo.edges e SET invalid_at = g.invalid_at, expired_at = coalesce(e.expired_at, now())
			FROM pg_temp.graph_edges g
			WHERE g.subject = e.subject_id AND g.relation = e.relation AND g.object = e.object_id AND g.valid_at = e.valid_at
			  AND g.invalid_at IS NOT NULL AND e.invalid_at IS DISTINCT FROM g.invalid_at
			RETURNING e.subject_id, e.object_id)
		INSERT INTO pg_temp.graph_touched SELECT subject_id FROM ended UNION ALL SELECT object_id FROM ended`, `
		WITH written AS (
			INSERT INTO ciclo.edges AS e (id, subject_id, relation, object_id, valid_at, invalid_at, expired_at, confidence, evidence, conversations)
			SELECT 'edge_' || substr(encode(sha256(convert_to(concat_ws(' ', subject, relation, object, extract(epoch FROM valid_at)), 'UTF8')), 'hex'), 1, 16),
			       subject, relation, object, valid_at, invalid_at, CASE WHEN invalid_at IS NOT NULL THEN now() END, confidence, evidence, conversations
			FROM pg_temp.graph_edges
			ON CONFLICT (subject_id, relation, object_id, valid_at) DO UPDATE SET
				invalid_at = excluded.invalid_at, confidence = excluded.confidence, evidence = excluded.evidence, conversations = excluded.conversations,
				expired_at = CASE WHEN excluded.invalid_at IS NOT NULL THEN coalesce(e.expired_at, now()) END
			WHERE (e.invalid_at, e.expired_at IS NULL, e.confidence, e.evidence, e.conversations)
			      IS DISTINCT FROM (excluded.invalid_at, excluded.invalid_at IS NULL, excluded.confidence, excluded.evidence, excluded.conversations)
			RETURNING e.subject_id, e.object_id)
		INSERT INTO pg_temp.graph_touched SELECT subject_id FROM written UNION ALL SELECT object_id FROM written`)
	if err != nil {
		return 0, err
	}
	_, err = execAll(ctx, tx, `
		UPDATE ciclo.entities e SET degree = d.degree
		FROM (SELECT t.id, (SELECT count(*) FROM ciclo.edges x WHERE x.subject_id = t.id AND x.expired_at IS NULL)
		                 + (SELECT count(*) FROM ciclo.edges x WHERE x.object_id = t.id AND x.expired_at IS NULL) AS degree
		      FROM (SELECT DISTINCT id FROM pg_temp.graph_touched) AS t) AS d
		WHERE e.id = d.id AND e.degree <> d.degree`)
	return changed / 2, err
}
