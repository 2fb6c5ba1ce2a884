package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Message is a message that an agent drafted for a client, and its fate.
type Message struct {
	ID          string          `json:"message_id"`
	ClientID    string          `json:"client_id"`
	Status      string          `json:"status" jsonschema:"One of draft, approved, sending, sent, unknown (a person must look whether it left), failed, rejected and expired."`
	StatusAt    time.Time       `json:"status_at"`
	Reason      *string         `json:"reason" jsonschema:"Why it stands there, where somebody may want to know."`
	Channel     string          `json:"channel"`
	Address     string          `json:"address"`
	Zone        string          `json:"zone" jsonschema:"The client's time zone, of the quiet hours."`
	Language    string          `json:"language"`
	Template    string          `json:"template"`
	Subject     string          `json:"subject"`
	Body        string          `json:"body"`
	Reasons     json.RawMessage `json:"reasons" jsonschema:"Why it was drafted, in numbers."`
	DraftedBy   string          `json:"drafted_by" jsonschema:"The execution that drafted it."`
	CreatedAt   time.Time       `json:"created_at"`
	ExpiresAt   time.Time       `json:"expires_at" jsonschema:"When it is dropped unless it has left."`
	ApprovedBy  *string         `json:"approved_by" jsonschema:"A token's name, or policy."`
	ApprovedAt  *time.Time      `json:"approved_at"`
	NotBefore   time.Time       `json:"not_before" jsonschema:"When it may be tried."`
	ExecutionID *string         `json:"execution_id" jsonschema:"The execution that sends it, or sent it."`
	SentAt      *time.Time      `json:"sent_at"`
	ProviderID  *string         `json:"provider_id"`
}

const messageColumns = `m.id, m.client_id, m.status, m.status_at, m.reason, m.channel, m.address, m.zone, m.language, m.template, m.subject, m.body,
	m.reasons, m.drafted_by, m.created_at, m.expires_at, m.approved_by, m.approved_at, m.not_before, m.execution_id, m.sent_at, m.provider_id`

// ErrNoMessage says that there is no such message.
var ErrNoMessage = errors.New("no such message")

// MessageStatusError says that the message isn't where this could be done.
type MessageStatusError struct{ Status string }

func (e *MessageStatusError) Error() string { return "the message is " + e.Status }

// MessageFilter narrows a list; zero values don't.
type MessageFilter struct {
	Statuses []string
	Client   string
	// Before is the id after which the page begins, newest first.
	Before string
	Limit  int
}

// Messages lists messages, newest first: with statuses, merged from the first of
// each, so that a few drafts are found among however many were sent.
func (s *Store) Messages(ctx context.Context, f MessageFilter) ([]Message, error) {
	args := []any{f.Limit}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	where := `true`
	if f.Client != "" {
		where += ` AND m.client_id = ` + arg(f.Client)
	}
	if f.Before != "" {
		where += ` AND m.id < ` + arg(f.Before)
	}
	from := `(SELECT * FROM ciclo.messages m WHERE ` + where + ` ORDER BY m.id DESC LIMIT $1)`
	if len(f.Statuses) > 0 {
		statuses := slices.Compact(slices.Sorted(slices.Values(f.Statuses)))
		from = `unnest(` + arg(statuses) + `::text[]) AS asked (status) CROSS JOIN LATERAL (
			SELECT * FROM ciclo.messages m WHERE m.status = asked.status AND ` + where + ` ORDER BY m.id DESC LIMIT $1)`
	}
	rows, err := s.reading(ctx).Query(ctx, `SELECT `+messageColumns+` FROM `+from+` m ORDER BY m.id DESC LIMIT $1`, args...)
	if err != nil {
		return nil, fmt.Errorf("list messages: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Message])
	if err != nil {
		return nil, fmt.Errorf("list messages: %w", err)
	}
	return list, nil
}

// Message returns one message. ErrNoMessage where there is none.
func (s *Store) Message(ctx context.Context, id string) (Message, error) {
	m, err := oneMessage(ctx, s.pool, `SELECT `+messageColumns+` FROM ciclo.messages m WHERE id = $1`, id)
	if err != nil {
		return m, fmt.Errorf("get message %s: %w", id, err)
	}
	return m, nil
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func oneMessage(ctx context.Context, on querier, sql string, args ...any) (Message, error) {
	rows, err := on.Query(ctx, sql, args...)
	if err != nil {
		return Message{}, err
	}
	m, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Message])
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNoMessage
	}
	return m, err
}

// moveMessage runs one guarded UPDATE of a message; its first parameter is the id.
// MessageStatusError where the message is, but not where the guard wants it.
func (s *Store) moveMessage(ctx context.Context, id, update string, args ...any) (m Message, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		m, err = moveMessageTx(ctx, tx, id, update, args...)
		return err
	})
	return m, err
}

func moveMessageTx(ctx context.Context, tx pgx.Tx, id, update string, args ...any) (Message, error) {
	m, err := oneMessage(ctx, tx, update+` RETURNING `+messageColumns, append([]any{id}, args...)...)
	if errors.Is(err, ErrNoMessage) {
		there, missing := oneMessage(ctx, tx, `SELECT `+messageColumns+` FROM ciclo.messages m WHERE id = $1`, id)
		if missing != nil {
			return m, missing
		}
		return there, &MessageStatusError{there.Status}
	}
	return m, err
}

// ApproveMessage lets a draft go out, with another subject or body where they are
// given. An approved message has three days at least. ErrNoMessage,
// MessageStatusError where it is no draft, or one that has expired.
func (s *Store) ApproveMessage(ctx context.Context, id, by string, subject, body *string) (Message, error) {
	m, err := s.moveMessage(ctx, id, `
		UPDATE ciclo.messages m
		SET status = 'approved', approved_by = $2, approved_at = now(), not_before = now(), reason = NULL,
		    subject = coalesce($3, subject), body = coalesce($4, body), variables = CASE WHEN $4::text IS NULL THEN variables END,
		    expires_at = greatest(expires_at, now() + interval '3 days')
		WHERE id = $1 AND status = 'draft' AND expires_at > now()`, by, subject, body)
	if err != nil {
		return m, fmt.Errorf("approve message %s: %w", id, err)
	}
	return m, nil
}

// RejectMessage drops a message that has not begun to leave. ErrNoMessage,
// MessageStatusError.
func (s *Store) RejectMessage(ctx context.Context, id, by, reason string) (Message, error) {
	m, err := s.moveMessage(ctx, id, `
		UPDATE ciclo.messages m SET status = 'rejected', reason = $2
		WHERE id = $1 AND status IN ('draft', 'approved')`, by+": "+reason)
	if err != nil {
		return m, fmt.Errorf("reject message %s: %w", id, err)
	}
	return m, nil
}

// What a person found of a message of which nobody knew whether it left.
const (
	MessageSent      = "sent"       // the client has it
	MessageSendAgain = "send_again" // it did not leave, and shall
	MessageDropped   = "dropped"    // it did not leave, and shall not
)

// ResolveMessage writes down what a person found of an unknown message, in its
// effect too. ErrNoMessage, MessageStatusError.
func (s *Store) ResolveMessage(ctx context.Context, id, by, outcome string) (Message, error) {
	var m Message
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		// It decides for the effect before the message lets go of its execution.
		_, err := tx.Exec(ctx, `
			UPDATE ciclo.effects f
			SET state = CASE WHEN $2 = 'sent' THEN 'done' ELSE 'not_done' END, settled_at = now(),
			    outcome = CASE WHEN $2 = 'sent' THEN jsonb_build_object('resolved_by', $3::text) END
			FROM ciclo.messages m
			WHERE m.id = $1 AND m.status = 'unknown' AND f.execution_id = m.execution_id AND f.name = 'send' AND f.state = 'unknown'`, id, outcome, by)
		if err != nil {
			return err
		}
		m, err = moveMessageTx(ctx, tx, id, `
			UPDATE ciclo.messages m
			SET status = CASE $2 WHEN 'sent' THEN 'sent' WHEN 'send_again' THEN 'approved' ELSE 'rejected' END,
			    sent_at = CASE $2 WHEN 'sent' THEN now() END,
			    execution_id = CASE $2 WHEN 'send_again' THEN NULL ELSE execution_id END,
			    reason = $3::text || ' looked: ' || replace($2, '_', ' '), not_before = now(),
			    expires_at = greatest(expires_at, now() + interval '3 days')
			WHERE id = $1 AND status = 'unknown'`, outcome, by)
		return err
	})
	if err != nil {
		return m, fmt.Errorf("resolve message %s: %w", id, err)
	}
	return m, nil
}

// MessageSender is the agent that sends approved messages, one an execution.
const MessageSender = "message-sender"

// dispatchBatch bounds how many messages one transaction gives to executions.
const dispatchBatch = 20

// DispatchMessages accepts an execution for each approved message that may be
// tried now, as many as the day has left, and lets those expire whose time is
// over. Dispatchers at once share the work. It returns how many it dispatched.
func (s *Store) DispatchMessages(ctx context.Context, a Acceptance) (int, error) {
	var ids []string
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			UPDATE ciclo.messages SET status = 'expired'
			WHERE id IN (
				SELECT id FROM ciclo.messages WHERE status IN ('draft', 'approved') AND execution_id IS NULL AND expires_at <= now()
				ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED)`)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT m.id FROM ciclo.messages m
			WHERE m.status = 'approved' AND m.execution_id IS NULL AND m.not_before <= now()
			  AND m.channel = ANY (SELECT unnest(channels) FROM ciclo.contact_policy)
			ORDER BY m.not_before
			LIMIT least($1, (
				SELECT greatest(0, p.daily_cap - (SELECT count(*) FROM ciclo.contacts c WHERE c.day = (now() AT TIME ZONE p.zone)::date)
				       - (SELECT count(*) FROM ciclo.messages w WHERE w.status = 'approved' AND w.execution_id IS NOT NULL))
				FROM ciclo.contact_policy p))
			FOR UPDATE SKIP LOCKED`, dispatchBatch)
		if err != nil {
			return err
		}
		if ids, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return err
		}
		for _, id := range ids {
			if a.Parameters, err = json.Marshal(map[string]string{"message_id": id}); err != nil {
				return err
			}
			e, err := s.insertTx(ctx, tx, a)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `UPDATE ciclo.messages SET execution_id = $2 WHERE id = $1`, id, e.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("dispatch messages: %w", err)
	}
	return len(ids), nil
}
