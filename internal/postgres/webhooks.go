package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/execution"
)

// Webhook is who wants to be told of executions' moves over HTTP.
type Webhook struct {
	ID          string             `json:"webhook_id"`
	URL         string             `json:"url"`
	Description string             `json:"description"`
	Agents      []string           `json:"agents" jsonschema:"Whose executions; none is all."`
	Statuses    []execution.Status `json:"statuses" jsonschema:"The moves to which of them."`
	CreatedAt   time.Time          `json:"created_at"`
	CreatedBy   string             `json:"created_by" jsonschema:"The name of the API token."`
	EndedAt     *time.Time         `json:"ended_at"`
	EndedReason *string            `json:"ended_reason" jsonschema:"Deleted, or answered 410 Gone."`
	Waiting     int                `json:"waiting" jsonschema:"How many deliveries are to be sent, or sent again; at most 1000 are counted."`
}

// WebhookDelivery is one move that a webhook is told of.
type WebhookDelivery struct {
	ID          int64            `json:"delivery_id"`
	ExecutionID string           `json:"execution_id"`
	Agent       string           `json:"agent_name"`
	Status      execution.Status `json:"status" jsonschema:"What the execution moved to."`
	State       string           `json:"state" jsonschema:"One of waiting, delivered and given_up."`
	CreatedAt   time.Time        `json:"created_at"`
	DueAt       *time.Time       `json:"due_at" jsonschema:"When it is sent, or sent again."`
	Tries       int              `json:"tries"`
	DeliveredAt *time.Time       `json:"delivered_at"`
	Answer      *int             `json:"answer" jsonschema:"The HTTP status of the last try; null where there was none."`
	Error       *string          `json:"error" jsonschema:"What failed at the last try."`
}

var (
	// ErrNoWebhook says that there is no such webhook, or that it has ended.
	ErrNoWebhook = errors.New("no such webhook")
	// ErrNoDelivery says that the webhook has no such delivery that could be sent again.
	ErrNoDelivery = errors.New("no such delivery waits or was given up")
	// errDeliveryTaken says that another sender has it: this one's lease ran out.
	errDeliveryTaken = errors.New("another sender has taken it over")
)

const webhookColumns = `w.id::text, w.url, w.description, w.agents, w.statuses, w.created_at, w.created_by, w.ended_at, w.ended_reason,
	(SELECT count(*) FROM (SELECT FROM ciclo.webhook_deliveries d WHERE d.webhook_id = w.id AND d.due_at IS NOT NULL LIMIT 1000) waiting)::int`

// CreateWebhook stores a webhook and returns it. The database refuses other
// statuses and URLs than it knows.
func (s *Store) CreateWebhook(ctx context.Context, w Webhook, secret []byte) (Webhook, error) {
	rows, err := s.pool.Query(ctx, `
		INSERT INTO ciclo.webhooks AS w (url, description, agents, statuses, secret, created_by)
		VALUES ($1, $2, $3, $4, $5, $6) RETURNING `+webhookColumns, w.URL, w.Description, w.Agents, w.Statuses, secret, w.CreatedBy)
	if err != nil {
		return w, fmt.Errorf("create a webhook: %w", err)
	}
	w, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Webhook])
	if err != nil {
		return w, fmt.Errorf("create a webhook: %w", err)
	}
	return w, nil
}

// Webhooks lists the webhooks that have not ended, oldest first, then the last
// hundred that have.
func (s *Store) Webhooks(ctx context.Context) ([]Webhook, error) {
	rows, err := s.pool.Query(ctx, `
		(SELECT `+webhookColumns+` FROM ciclo.webhooks w WHERE ended_at IS NULL ORDER BY created_at, id)
		UNION ALL
		(SELECT `+webhookColumns+` FROM ciclo.webhooks w WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, id LIMIT 100)`)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Webhook])
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	return list, nil
}

// EndWebhook ends a webhook: what waits is given up. ErrNoWebhook where it is
// unknown or has ended.
func (s *Store) EndWebhook(ctx context.Context, id, reason string) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE ciclo.webhooks SET ended_at = now(), ended_reason = $2, secret = NULL WHERE id = $1 AND ended_at IS NULL`, id, reason)
		if err == nil && tag.RowsAffected() == 0 {
			err = ErrNoWebhook
		}
		if err == nil {
			_, err = tx.Exec(ctx, `UPDATE ciclo.webhook_deliveries SET due_at = NULL, error = $2 WHERE webhook_id = $1 AND due_at IS NOT NULL`, id, "the webhook ended: "+reason)
		}
		if err != nil {
			return fmt.Errorf("end webhook %s: %w", id, err)
		}
		return nil
	})
}

// Deliveries lists a webhook's deliveries, newest first, those before an id where
// it isn't 0. ErrNoWebhook where it is unknown.
func (s *Store) Deliveries(ctx context.Context, webhookID string, before int64, limit int) ([]WebhookDelivery, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT d.id, t.execution_id, e.agent, t.to_status,
		       CASE WHEN d.delivered_at IS NOT NULL THEN 'delivered' WHEN d.due_at IS NULL THEN 'given_up' ELSE 'waiting' END,
		       d.created_at, d.due_at, d.tries, d.delivered_at, d.answer, d.error
		FROM ciclo.webhook_deliveries d JOIN ciclo.transitions t ON t.id = d.transition_id JOIN ciclo.executions e ON e.id = t.execution_id
		WHERE d.webhook_id = $1 AND ($2 = 0 OR d.id < $2)
		ORDER BY d.id DESC LIMIT $3`, webhookID, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list deliveries of %s: %w", webhookID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[WebhookDelivery])
	if err == nil && len(list) == 0 {
		var known bool
		err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM ciclo.webhooks WHERE id = $1)`, webhookID).Scan(&known)
		if err == nil && !known {
			err = ErrNoWebhook
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list deliveries of %s: %w", webhookID, err)
	}
	return list, nil
}

// Redeliver makes a delivery that waits or was given up due now. ErrNoDelivery
// where there is none, or its webhook has ended.
func (s *Store) Redeliver(ctx context.Context, webhookID string, id int64) error {
	tag, err := s.pool.Exec(ctx, `
		UPDATE ciclo.webhook_deliveries d SET due_at = least(due_at, now())
		FROM ciclo.webhooks w
		WHERE d.id = $2 AND d.webhook_id = $1 AND d.delivered_at IS NULL AND w.id = d.webhook_id AND w.ended_at IS NULL`, webhookID, id)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNoDelivery
	}
	if err != nil {
		return fmt.Errorf("send delivery %d of %s again: %w", id, webhookID, err)
	}
	return nil
}

// Outgoing is a delivery that a sender has taken, and what it needs for it.
type Outgoing struct {
	ID          int64
	WebhookID   string
	URL         string
	Secret      []byte
	Tries       int // this one included
	ExecutionID string
	Agent       string
	DryRun      bool
	Transition  execution.Transition
}

// TakeDeliveries takes deliveries that are due, for a lease in which nobody else
// sends them: of each webhook that isn't among the busy ones at most perWebhook.
func (s *Store) TakeDeliveries(ctx context.Context, lease time.Duration, busy []string, perWebhook int) ([]Outgoing, error) {
	// A transition may write a delivery while its webhook ends.
	if _, err := s.pool.Exec(ctx, `
		UPDATE ciclo.webhook_deliveries d SET due_at = NULL, error = 'the webhook ended'
		FROM ciclo.webhooks w WHERE w.id = d.webhook_id AND w.ended_at IS NOT NULL AND d.due_at <= now()`); err != nil {
		return nil, fmt.Errorf("take deliveries: %w", err)
	}
	rows, err := s.pool.Query(ctx, `
		WITH taken AS (
			UPDATE ciclo.webhook_deliveries SET due_at = now() + $1::interval, tries = tries + 1
			WHERE id IN (
				SELECT d.id FROM ciclo.webhooks w CROSS JOIN LATERAL (
					SELECT id FROM ciclo.webhook_deliveries WHERE webhook_id = w.id AND due_at <= now()
					ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED) d
				WHERE w.ended_at IS NULL AND w.id::text <> ALL ($2::text[]))
			RETURNING id, webhook_id, transition_id, tries
		)
		SELECT d.id, w.id::text, w.url, w.secret, d.tries, t.execution_id, e.agent, e.dry_run,
		       coalesce(t.from_status, ''), t.to_status, t.at, t.attempt, t.worker_id::text, t.reason, t.outcome, t.error_class, coalesce(t.error_text, '')
		FROM taken d JOIN ciclo.webhooks w ON w.id = d.webhook_id AND w.ended_at IS NULL
		JOIN ciclo.transitions t ON t.id = d.transition_id JOIN ciclo.executions e ON e.id = t.execution_id
		ORDER BY d.id`, lease, busy, perWebhook)
	if err != nil {
		return nil, fmt.Errorf("take deliveries: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Outgoing, error) {
		var d Outgoing
		var class *string
		var text string
		t := &d.Transition
		err := row.Scan(&d.ID, &d.WebhookID, &d.URL, &d.Secret, &d.Tries, &d.ExecutionID, &d.Agent, &d.DryRun,
			&t.From, &t.To, &t.At, &t.Attempt, &t.Worker, &t.Reason, &t.Outcome, &class, &text)
		if class != nil {
			t.Error = &execution.Error{Class: *class, Text: text}
		}
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("take deliveries: %w", err)
	}
	return list, nil
}

// Delivered ends a delivery that was taken.
func (s *Store) Delivered(ctx context.Context, d Outgoing, answer int) error {
	return s.settle(ctx, d, `due_at = NULL, delivered_at = now(), answer = $3, error = NULL`, answer)
}

// Undelivered makes a delivery that was not taken due again after a delay, or gives
// it up where that is negative. reason stays in its row; answer is 0 where there
// was none.
func (s *Store) Undelivered(ctx context.Context, d Outgoing, answer int, reason string, retryIn time.Duration) error {
	var in *time.Duration
	if retryIn >= 0 {
		in = &retryIn
	}
	return s.settle(ctx, d, `due_at = now() + $5::interval, answer = nullif($3, 0), error = $4`, answer, storable(reason), in)
}

func (s *Store) settle(ctx context.Context, d Outgoing, set string, args ...any) error {
	tag, err := s.pool.Exec(ctx, `UPDATE ciclo.webhook_deliveries SET `+set+` WHERE id = $1 AND tries = $2 AND due_at IS NOT NULL`, append([]any{d.ID, d.Tries}, args...)...)
	if err == nil && tag.RowsAffected() == 0 {
		err = errDeliveryTaken
	}
	if err != nil {
		return fmt.Errorf("note how delivery %d went: %w", d.ID, err)
	}
	return nil
}
