package graph

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// ReviewStatuses are those of reviews: open waits for a person, same and different
// are what people decided, obsolete is what resolution doubts no longer.
var ReviewStatuses = []string{"open", "same", "different", "obsolete"}

// ReviewField is one comparison of a pair: its level and what it weighs.
type ReviewField struct {
	Name  string  `json:"name"`
	Level string  `json:"level"`
	Bits  float64 `json:"bits" jsonschema:"For a match, or against it where negative."`
}

// Contact is how somebody or something is reached.
type Contact struct {
	Kind  string `json:"kind" jsonschema:"email, phone or url."`
	Value string `json:"value"`
}

// ReviewRecord is one of the two that a review is about.
type ReviewRecord struct {
	RecordID   string    `json:"record_id"`
	Name       string    `json:"name"`
	Scope      string    `json:"scope" jsonschema:"Whose it is: conversation: or client: and an id; empty where it is the whole firm's."`
	ClientID   *string   `json:"client_id"`
	EntityID   *string   `json:"entity_id" jsonschema:"What it is part of now; null where it is not resolved yet."`
	EntityName *string   `json:"entity_name"`
	Contacts   []Contact `json:"contacts" jsonschema:"At most twenty."`
}

// Review is a pair of records that may be one.
type Review struct {
	ID          string        `json:"review_id"`
	Type        string        `json:"type"`
	Status      string        `json:"status"`
	Probability *float64      `json:"probability" jsonschema:"That they are one; null where a person put it here."`
	Fields      []ReviewField `json:"fields"`
	A           ReviewRecord  `json:"a"`
	B           ReviewRecord  `json:"b"`
	CreatedAt   time.Time     `json:"created_at"`
	DecidedAt   *time.Time    `json:"decided_at"`
	DecidedBy   *string       `json:"decided_by"`
}

// ReviewPlace is where a review lies in the list: by its probability, -1 where it
// has none.
type ReviewPlace struct {
	Probability float64 `json:"p"`
	ID          string  `json:"i"`
}

// Place is the review's.
func (r Review) Place() ReviewPlace {
	p := ReviewPlace{-1, r.ID}
	if r.Probability != nil {
		p.Probability = *r.Probability
	}
	return p
}

// contactsOf are a record's, as JSON.
const contactsOf = `(SELECT coalesce(jsonb_agg(jsonb_build_object('kind', c.kind, 'value', c.value) ORDER BY c.kind, c.value), '[]') FROM (
	SELECT DISTINCT kind, value FROM ciclo.record_attributes WHERE record_id = `

// Reviews returns a page of the reviews of a status, the likeliest first.
func (s *Store) Reviews(ctx context.Context, status string, after *ReviewPlace, limit int) ([]Review, error) {
	where, args := ``, []any{status}
	if after != nil { // a row comparison would need both in one direction
		where = ` AND coalesce(r.probability, -1) <= $2 AND (coalesce(r.probability, -1) < $2 OR r.id > $3)`
		args = append(args, after.Probability, after.ID)
	}
	rows, err := s.Pool.Query(ctx, `
		SELECT r.id, a.type, r.status, r.probability, r.fields, r.created_at, r.decided_at, r.decided_by,
		       a.id, a.name, a.scope, a.client_id, a.entity_id, ea.name, `+contactsOf+`a.id ORDER BY kind, value LIMIT 20) c),
		       b.id, b.name, b.scope, b.client_id, b.entity_id, eb.name, `+contactsOf+`b.id ORDER BY kind, value LIMIT 20) c)
		FROM (
			SELECT * FROM ciclo.entity_reviews r
			WHERE r.status = $1`+where+` AND EXISTS (SELECT FROM ciclo.graph_records WHERE id = r.record_a) AND EXISTS (SELECT FROM ciclo.graph_records WHERE id = r.record_b)
			ORDER BY coalesce(r.probability, -1) DESC, r.id LIMIT `+strconv.Itoa(limit)+`) r
		JOIN ciclo.graph_records a ON a.id = r.record_a LEFT JOIN ciclo.entities ea ON ea.id = a.entity_id
		JOIN ciclo.graph_records b ON b.id = r.record_b LEFT JOIN ciclo.entities eb ON eb.id = b.entity_id
		ORDER BY coalesce(r.probability, -1) DESC, r.id`, args...)
	if err != nil {
		return nil, fmt.Errorf("list reviews: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Review, err error) {
		err = row.Scan(&r.ID, &r.Type, &r.Status, &r.Probability, &r.Fields, &r.CreatedAt, &r.DecidedAt, &r.DecidedBy,
			&r.A.RecordID, &r.A.Name, &r.A.Scope, &r.A.ClientID, &r.A.EntityID, &r.A.EntityName, &r.A.Contacts,
			&r.B.RecordID, &r.B.Name, &r.B.Scope, &r.B.ClientID, &r.B.EntityID, &r.B.EntityName, &r.B.Contacts)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("list reviews: %w", err)
	}
	return list, nil
}
