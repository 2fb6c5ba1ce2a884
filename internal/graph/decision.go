package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

var (
	// ErrNotFound says that there is no such review, merge or entity.
	ErrNotFound = errors.New("there is none")
	// ErrDecided says that a person has decided otherwise before.
	ErrDecided = errors.New("it was decided otherwise")
	// ErrKinds says that two entities are of types that can't be one.
	ErrKinds = errors.New("they can't be one")
	// ErrMoved says that the records are not together any more, or not apart.
	ErrMoved = errors.New("the records have moved since")
)

// Decision is what a person said of two records.
type Decision struct {
	A, B string
	Same bool
}

// Decisions are those that stand, in order of their records.
func Decisions(ctx context.Context, tx pgx.Tx) ([]Decision, error) {
	rows, err := tx.Query(ctx, `SELECT record_a, record_b, status = 'same' FROM ciclo.entity_reviews WHERE status IN ('same', 'different') ORDER BY 1, 2`)
	if err != nil {
		return nil, fmt.Errorf("read decisions: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Decision])
	if err != nil {
		return nil, fmt.Errorf("read decisions: %w", err)
	}
	return all, nil
}

// Decide writes a person's answer to a review: same puts both records' entities
// together at once. The same answer again changes nothing. It returns what the records
// are part of then. ErrNotFound; ErrDecided
// where both were put together before, which Undo takes back.
func Decide(ctx context.Context, tx pgx.Tx, review string, same bool, by string) ([]string, error) {
	if _, err := Lock(ctx, tx); err != nil {
		return nil, err
	}
	var a, b, status string
	err := tx.QueryRow(ctx, `SELECT record_a, record_b, status FROM ciclo.entity_reviews WHERE id = $1`, review).Scan(&a, &b, &status)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, fmt.Errorf("review %s: %w", review, ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("read review %s: %w", review, err)
	case status == answer(same):
		return entitiesOf(ctx, tx, a, b)
	case status == "same":
		return nil, fmt.Errorf("both were put together: undo that merge: %w", ErrDecided)
	}
	if err := decide(ctx, tx, a, b, same, by); err != nil {
		return nil, err
	}
	var changed []string
	if same {
		if changed, err = join(ctx, tx, a, b, by); err != nil {
			return nil, err
		}
	}
	if err := settle(ctx, tx, changed); err != nil {
		return nil, err
	}
	return entitiesOf(ctx, tx, a, b)
}

// Merge puts two entities together, since a person says that they are one, whatever was
// said before. ErrNotFound; ErrKinds where they can't be; ErrMoved where both are one
// already.
func Merge(ctx context.Context, tx pgx.Tx, one, other, by string) ([]string, error) {
	if _, err := Lock(ctx, tx); err != nil {
		return nil, err
	}
	a, err := recordsOf(ctx, tx, one)
	if err != nil {
		return nil, err
	}
	b, err := recordsOf(ctx, tx, other)
	if err != nil {
		return nil, err
	}
	switch {
	case len(a) == 0 || len(b) == 0:
		return nil, fmt.Errorf("entities %s and %s: %w", one, other, ErrNotFound)
	case one == other:
		return nil, fmt.Errorf("entity %s: %w", one, ErrMoved)
	case a[0].Type != b[0].Type || !Resolved(a[0].Type):
		return nil, fmt.Errorf("%w: people with people, companies with companies, and these are %s and %s", ErrKinds, a[0].Type, b[0].Type)
	}
	if err := decide(ctx, tx, canonical(a).ID, canonical(b).ID, true, by); err != nil {
		return nil, err
	}
	changed, err := join(ctx, tx, canonical(a).ID, canonical(b).ID, by)
	if err != nil {
		return nil, err
	}
	if err := settle(ctx, tx, changed); err != nil {
		return nil, err
	}
	return entitiesOf(ctx, tx, canonical(a).ID, canonical(b).ID)
}

// Undo takes a logged merge back: the records that came are an entity of their own
// again, as before, and stay so. ErrNotFound; ErrMoved where they are elsewhere by now.
func Undo(ctx context.Context, tx pgx.Tx, merge int64, by string) ([]string, error) {
	if _, err := Lock(ctx, tx); err != nil {
		return nil, err
	}
	var to string
	var moved []string
	err := tx.QueryRow(ctx, `SELECT to_id, records FROM ciclo.entity_merges WHERE id = $1 AND kind = 'merge'`, merge).Scan(&to, &moved)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, fmt.Errorf("merge %d: %w", merge, ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("read merge %d: %w", merge, err)
	}
	entity, err := entityOf(ctx, tx, moved)
	if err != nil {
		return nil, err
	}
	if entity == "" {
		return nil, fmt.Errorf("merge %d: %w", merge, ErrMoved)
	}
	all, err := recordsOf(ctx, tx, entity)
	if err != nil {
		return nil, err
	}
	var leave, stay []Stored
	for _, r := range all {
		if slices.Contains(moved, r.ID) {
			leave = append(leave, r)
		} else {
			stay = append(stay, r)
		}
	}
	if len(stay) == 0 {
		return nil, fmt.Errorf("merge %d: %w", merge, ErrMoved)
	}
	// Each that leaves is different from the first that stays, so that no resolution
	// brings some of them back. What else stays may have come since: it is free.
	for _, r := range leave {
		if err := decide(ctx, tx, r.ID, canonical(stay).ID, false, by); err != nil {
			return nil, err
		}
	}
	if err := partDecisions(ctx, tx, leave, stay); err != nil {
		return nil, err
	}
	changed, err := regroup(ctx, tx, [][]Stored{leave, stay}, by)
	if err != nil {
		return nil, err
	}
	if err := settle(ctx, tx, changed); err != nil {
		return nil, err
	}
	return entitiesOf(ctx, tx, canonical(leave).ID, canonical(stay).ID)
}

func answer(same bool) string {
	if same {
		return "same"
	}
	return "different"
}

// decide writes what a person said of two records; the last word counts.
func decide(ctx context.Context, tx pgx.Tx, a, b string, same bool, by string) error {
	if a > b {
		a, b = b, a
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO ciclo.entity_reviews AS r (id, record_a, record_b, status, decided_at, decided_by)
		VALUES ($1, $2, $3, $4, now(), $5)
		ON CONFLICT (record_a, record_b) DO UPDATE SET status = excluded.status, decided_at = excluded.decided_at, decided_by = excluded.decided_by
		WHERE r.status <> excluded.status`, reviewID(a, b), a, b, answer(same), by)
	if err != nil {
		return fmt.Errorf("write the decision: %w", err)
	}
	return nil
}

// partDecisions takes back that a record of the one side is one with one of the other.
func partDecisions(ctx context.Context, tx pgx.Tx, one, other []Stored) error {
	_, err := tx.Exec(ctx, `
		UPDATE ciclo.entity_reviews SET status = 'obsolete', decided_at = NULL, decided_by = NULL
		WHERE status = 'same' AND ((record_a = ANY ($1) AND record_b = ANY ($2)) OR (record_a = ANY ($2) AND record_b = ANY ($1)))`, recordIDs(one), recordIDs(other))
	if err != nil {
		return fmt.Errorf("take decisions back: %w", err)
	}
	return nil
}

func recordIDs(records []Stored) []string {
	all := make([]string, len(records))
	for i, r := range records {
		all[i] = r.ID
	}
	return all
}

// join puts the entities of two records together, and returns those that it changed.
func join(ctx context.Context, tx pgx.Tx, a, b, by string) ([]string, error) {
	var one, other string
	err := tx.QueryRow(ctx, `
		SELECT coalesce((SELECT entity_id FROM ciclo.graph_records WHERE id = $1), ''), coalesce((SELECT entity_id FROM ciclo.graph_records WHERE id = $2), '')`, a, b).Scan(&one, &other)
	if err != nil {
		return nil, fmt.Errorf("read what the records are of: %w", err)
	}
	if one == "" || other == "" {
		return nil, fmt.Errorf("records %s and %s are of no entity yet: %w", a, b, ErrMoved)
	}
	if one == other {
		return nil, nil
	}
	all, err := collectStored(tx.Query(ctx, `SELECT `+storedColumns+` FROM ciclo.graph_records r WHERE r.entity_id IN ($1, $2)`, one, other))
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	// Who says that both are one takes back what was said of records of theirs.
	_, err = tx.Exec(ctx, `
		UPDATE ciclo.entity_reviews d SET status = 'obsolete', decided_at = NULL, decided_by = NULL
		FROM ciclo.graph_records a, ciclo.graph_records b
		WHERE d.status = 'different' AND a.id = d.record_a AND b.id = d.record_b AND a.entity_id IN ($1, $2) AND b.entity_id IN ($1, $2)`, one, other)
	if err != nil {
		return nil, fmt.Errorf("take decisions back: %w", err)
	}
	// All of both are one, whatever each of them alone would be taken for.
	for _, r := range all {
		if first := canonical(all).ID; r.ID != first {
			if err := decide(ctx, tx, r.ID, first, true, by); err != nil {
				return nil, err
			}
		}
	}
	return regroup(ctx, tx, [][]Stored{all}, by)
}

// regroup makes each of these groups of records an entity, logs it as a person's, and
// returns the entities that it changed.
func regroup(ctx context.Context, tx pgx.Tx, groups [][]Stored, by string) ([]string, error) {
	membership := map[string]string{}
	for _, group := range groups {
		for _, r := range group {
			membership[r.ID] = EntityOf(canonical(group).ID)
		}
	}
	moves, err := writeMembership(ctx, tx, groups, membership)
	if err != nil {
		return nil, fmt.Errorf("write what records are of: %w", err)
	}
	var changed []string
	for _, m := range moves {
		changed = append(changed, m.from, m.to)
	}
	slices.Sort(changed)
	return slices.Compact(changed), logMoves(ctx, tx, moves, membership, nil, nil, &by, &Resettled{})
}

// recordsOf are an entity's.
func recordsOf(ctx context.Context, tx pgx.Tx, entity string) ([]Stored, error) {
	all, err := collectStored(tx.Query(ctx, `SELECT `+storedColumns+` FROM ciclo.graph_records r WHERE r.entity_id = $1 ORDER BY r.id`, entity))
	if err != nil {
		return nil, fmt.Errorf("read the records of %s: %w", entity, err)
	}
	return all, nil
}

// entityOf is the entity that all of these records are of that are still there;
// empty where they are of several, or none is left.
func entityOf(ctx context.Context, tx pgx.Tx, records []string) (string, error) {
	rows, err := tx.Query(ctx, `SELECT DISTINCT entity_id FROM ciclo.graph_records WHERE id = ANY ($1) AND entity_id IS NOT NULL`, records)
	if err != nil {
		return "", fmt.Errorf("read what records are of: %w", err)
	}
	entities, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "", fmt.Errorf("read what records are of: %w", err)
	}
	if len(entities) != 1 {
		return "", nil
	}
	return entities[0], nil
}

// entitiesOf are the entities of two records, each once.
func entitiesOf(ctx context.Context, tx pgx.Tx, a, b string) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT DISTINCT entity_id FROM ciclo.graph_records WHERE id IN ($1, $2) AND entity_id IS NOT NULL ORDER BY 1`, a, b)
	if err != nil {
		return nil, fmt.Errorf("read what the records are of: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read what the records are of: %w", err)
	}
	return all, nil
}

// settle derives the entities that a decision has changed, and has resolutions begin
// anew.
func settle(ctx context.Context, tx pgx.Tx, entities []string) error {
	if len(entities) > 0 {
		if _, err := Derive(ctx, tx, entities); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM ciclo.graph_changed_entities WHERE entity_id = ANY ($1)`, entities); err != nil {
			return fmt.Errorf("settle the decision: %w", err)
		}
	}
	return Revise(ctx, tx)
}
