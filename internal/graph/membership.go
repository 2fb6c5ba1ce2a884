package graph

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrRevised says that somebody decided about the graph, or erased from it, since it
// was read: what was made of it must be made anew.
var ErrRevised = errors.New("the graph was revised meanwhile")

// Lock has whoever else writes the graph wait until the transaction's end, and
// returns the graph's revision.
func Lock(ctx context.Context, tx pgx.Tx) (revision int64, err error) {
	if err := tx.QueryRow(ctx, `SELECT revision FROM ciclo.graph_revision FOR UPDATE`).Scan(&revision); err != nil {
		return 0, fmt.Errorf("lock the graph: %w", err)
	}
	return revision, nil
}

// Revision is the graph's as the transaction sees it, without waiting for anybody.
func Revision(ctx context.Context, tx pgx.Tx) (revision int64, err error) {
	if err := tx.QueryRow(ctx, `SELECT revision FROM ciclo.graph_revision`).Scan(&revision); err != nil {
		return 0, fmt.Errorf("read the graph's revision: %w", err)
	}
	return revision, nil
}

// Revise notes that what others have read of the graph is no longer so.
func Revise(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `UPDATE ciclo.graph_revision SET revision = revision + 1`); err != nil {
		return fmt.Errorf("revise the graph: %w", err)
	}
	return nil
}

// Stored is a record as resolution looks at it.
type Stored struct {
	ID, Type, Scope, Name string
	ClientID              string
	EntityID              string // empty where it was never resolved
	// FirstAt is when the first message that mentions it was sent; nil where none does.
	FirstAt                         *time.Time
	Emails, Phones, URLs, Employers []string
}

// storedColumns are of records r with what their messages say of them. Names are
// those that don't depend on what was read last.
const storedColumns = `
	r.id, r.type, r.scope, CASE WHEN r.scope LIKE 'client:%' OR r.key LIKE '=%' THEN r.name ELSE r.key END,
	coalesce(r.client_id, ''), coalesce(r.entity_id, ''),
	(SELECT min(g.sent_at) FROM ciclo.mentions m JOIN ciclo.graph_messages g ON g.id = m.message_id WHERE m.record_id = r.id),
	ARRAY(SELECT DISTINCT a.value FROM ciclo.record_attributes a WHERE a.record_id = r.id AND a.kind = 'email' ORDER BY 1),
	ARRAY(SELECT DISTINCT a.value FROM ciclo.record_attributes a WHERE a.record_id = r.id AND a.kind = 'phone' ORDER BY 1),
	ARRAY(SELECT DISTINCT a.value FROM ciclo.record_attributes a WHERE a.record_id = r.id AND a.kind = 'url' ORDER BY 1),
	ARRAY(SELECT DISTINCT CASE WHEN o.key LIKE '=%' THEN o.name ELSE o.key END COLLATE "C"
	      FROM ciclo.edge_evidence e JOIN ciclo.graph_records o ON o.id = e.object_id
	      WHERE e.subject_id = r.id AND e.relation = 'works_for' ORDER BY 1)`

func collectStored(rows pgx.Rows, err error) ([]Stored, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Stored])
}

// Resolvable are the records that resolution puts together, in order of their ids.
func Resolvable(ctx context.Context, tx pgx.Tx) ([]Stored, error) {
	all, err := collectStored(tx.Query(ctx, `
		SELECT `+storedColumns+` FROM ciclo.graph_records r WHERE r.type IN ('person', 'company') ORDER BY r.id`))
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	return all, nil
}

// canonical is the record that an entity has its id from: a client's before others,
// then the one that was mentioned first.
func canonical(records []Stored) Stored {
	return slices.MinFunc(records, func(a, b Stored) int {
		return cmp.Or(first(a.ClientID != "", b.ClientID != ""), first(a.FirstAt != nil, b.FirstAt != nil), earlier(a.FirstAt, b.FirstAt), cmp.Compare(a.ID, b.ID))
	})
}

// first orders what is so before what isn't.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func earlier(a, b *time.Time) int {
	if a == nil || b == nil {
		return 0
	}
	return a.Compare(*b)
}

// Link is a pair of records and what speaks for their being one.
type Link struct {
	A, B        string
	Probability float64
	Fields      json.RawMessage
}

// Resolution is what resolution made of the records: clusters of all of them, the
// pairs that joined them, and those that a person should look at.
type Resolution struct {
	Clusters [][]Stored
	Joined   []Link
	Reviews  []Link
}

// Resettled says what a resolution changed.
type Resettled struct {
	Merges  int64 `json:"merges"`
	Splits  int64 `json:"splits"`
	Reviews int64 `json:"reviews"` // that wait for a person now
}

// move is a record that comes to another entity.
type move struct{ record, from, to string }

// WriteResolution gives records the entities that resolution found, logs what was
// merged and split, and brings the queue of reviews up to date. ErrRevised where the
// graph isn't at that revision any more.
func WriteResolution(ctx context.Context, tx pgx.Tx, revision int64, execution string, r Resolution) (Resettled, error) {
	var done Resettled
	now, err := Lock(ctx, tx)
	switch {
	case err != nil:
		return done, err
	case now != revision:
		return done, ErrRevised
	}
	membership := map[string]string{}
	for _, cluster := range r.Clusters {
		entity := EntityOf(canonical(cluster).ID)
		for _, one := range cluster {
			membership[one.ID] = entity
		}
	}
	moves, err := writeMembership(ctx, tx, r.Clusters, membership)
	if err != nil {
		return done, fmt.Errorf("write what records are of: %w", err)
	}
	if err := logMoves(ctx, tx, moves, membership, r.Joined, &execution, nil, &done); err != nil {
		return done, err
	}
	if err := writeReviews(ctx, tx, r.Reviews, &done); err != nil {
		return done, fmt.Errorf("write reviews: %w", err)
	}
	return done, nil
}

// writeMembership sets the entity of each record and returns those that came to
// another, a new record being one by itself before.
func writeMembership(ctx context.Context, tx pgx.Tx, clusters [][]Stored, membership map[string]string) ([]move, error) {
	var moves []move
	var records, entities []string
	for _, cluster := range clusters {
		for _, one := range cluster {
			to := membership[one.ID]
			if one.EntityID != to {
				records, entities = append(records, one.ID), append(entities, to)
			}
			if from := cmp.Or(one.EntityID, EntityOf(one.ID)); from != to {
				moves = append(moves, move{one.ID, from, to})
			}
		}
	}
	if len(records) == 0 {
		return nil, nil
	}
	_, err := execAllWith(ctx, tx, []any{records, entities}, `
		INSERT INTO ciclo.entities (id, type, name)
		SELECT DISTINCT ON (n.entity) n.entity, r.type, r.name
		FROM unnest($1::text[], $2::text[]) AS n (record, entity) JOIN ciclo.graph_records r ON r.id = n.record ORDER BY n.entity, r.id
		ON CONFLICT (id) DO NOTHING`, `
		INSERT INTO ciclo.graph_changed_entities
		SELECT r.entity_id FROM unnest($1::text[], $2::text[]) AS n (record, entity) JOIN ciclo.graph_records r ON r.id = n.record WHERE r.entity_id IS NOT NULL
		UNION SELECT entity FROM unnest($1::text[], $2::text[]) AS n (record, entity)
		ON CONFLICT DO NOTHING`, `
		UPDATE ciclo.graph_records r SET entity_id = n.entity
		FROM unnest($1::text[], $2::text[]) AS n (record, entity) WHERE r.id = n.record`)
	return moves, err
}

// execAllWith runs statements that have the same arguments.
func execAllWith(ctx context.Context, tx pgx.Tx, args []any, statements ...string) (int64, error) {
	var rows int64
	for _, sql := range statements {
		tag, err := tx.Exec(ctx, sql, args...)
		if err != nil {
			return rows, err
		}
		rows += tag.RowsAffected()
	}
	return rows, nil
}

// logMoves writes what records came from one entity to another: a merge where the one
// has none left.
func logMoves(ctx context.Context, tx pgx.Tx, moves []move, membership map[string]string, joined []Link, execution, person *string, done *Resettled) error {
	left := map[string]bool{}
	for _, entity := range membership {
		left[entity] = true
	}
	strongest := map[string]Link{} // by each of its records
	for _, l := range joined {
		for _, id := range []string{l.A, l.B} {
			if known, ok := strongest[id]; !ok || l.Probability > known.Probability {
				strongest[id] = l
			}
		}
	}
	slices.SortFunc(moves, func(a, b move) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to), cmp.Compare(a.record, b.record))
	})
	var rows [][]any
	for from := 0; from < len(moves); {
		to := from
		var records []string
		var best *Link
		for ; to < len(moves) && moves[to].from == moves[from].from && moves[to].to == moves[from].to; to++ {
			records = append(records, moves[to].record)
			if l, ok := strongest[moves[to].record]; ok && (best == nil || l.Probability > best.Probability) {
				best = &l
			}
		}
		kind := "merge"
		if left[moves[from].from] {
			kind = "split"
			done.Splits++
		} else {
			done.Merges++
		}
		var probability *float64
		fields := json.RawMessage(`[]`)
		if best != nil && kind == "merge" {
			probability, fields = &best.Probability, best.Fields
		}
		rows = append(rows, []any{kind, moves[from].from, moves[from].to, records, probability, fields, execution, person})
		from = to
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"ciclo", "entity_merges"},
		[]string{"kind", "from_id", "to_id", "records", "probability", "fields", "execution_id", "decided_by"}, pgx.CopyFromRows(rows))
	if err != nil {
		return fmt.Errorf("log merges: %w", err)
	}
	return nil
}

// writeReviews brings the queue to these pairs: others are obsolete, and what a
// person decided stays.
func writeReviews(ctx context.Context, tx pgx.Tx, reviews []Link, done *Resettled) error {
	if err := freshTable(ctx, tx, "graph_reviews", `id text COLLATE "C", record_a text COLLATE "C", record_b text COLLATE "C", probability double precision, fields jsonb`); err != nil {
		return err
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"pg_temp", "graph_reviews"}, []string{"id", "record_a", "record_b", "probability", "fields"},
		pgx.CopyFromSlice(len(reviews), func(i int) ([]any, error) {
			l := reviews[i]
			return []any{reviewID(l.A, l.B), l.A, l.B, l.Probability, l.Fields}, nil
		}))
	if err != nil {
		return err
	}
	_, err = execAll(ctx, tx, `
		UPDATE ciclo.entity_reviews r SET status = 'obsolete'
		WHERE status = 'open' AND probability IS NOT NULL AND NOT EXISTS (SELECT FROM pg_temp.graph_reviews n WHERE n.record_a = r.record_a AND n.record_b = r.record_b)`, `
		INSERT INTO ciclo.entity_reviews AS r (id, record_a, record_b, probability, fields)
		SELECT id, record_a, record_b, probability, fields FROM pg_temp.graph_reviews
		ON CONFLICT (record_a, record_b) DO UPDATE SET status = 'open', probability = excluded.probability, fields = excluded.fields
		WHERE r.status IN ('open', 'obsolete') AND (r.status, r.probability, r.fields) IS DISTINCT FROM ('open', excluded.probability, excluded.fields)`)
	if err != nil {
		return err
	}
	return tx.QueryRow(ctx, `SELECT count(*) FROM ciclo.entity_reviews WHERE status = 'open'`).Scan(&done.Reviews)
}

// reviewID is the id of a pair, a before b.
func reviewID(a, b string) string { return "review_" + digest(a, b) }
