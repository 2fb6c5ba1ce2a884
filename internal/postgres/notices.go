package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Notice is what the operator is told of. The database writes it in the
// transaction of its cause (triggers of migrations/00007_notices.sql).
type Notice struct {
	ID string
	// Kind is failed (a scheduled execution, for good) or paused (an agent).
	Kind string
	// Agent is AllAgents where all are paused.
	Agent       string
	ExecutionID *string
	Subject     string
	Text        string
	At          time.Time
	// Tries counts how often a sender took it, this time included.
	Tries int
	// Told are the channels that have it already.
	Told []string
}

// errNoticeTaken says that another sender has the notice: this one's lease ran out.
var errNoticeTaken = errors.New("another sender has taken it over")

// TakeNotice takes the notice that has been due for the longest, for a lease in
// which nobody else sends it. Nil where none is due.
func (s *Store) TakeNotice(ctx context.Context, lease time.Duration) (*Notice, error) {
	var n Notice
	err := s.pool.QueryRow(ctx, `
		UPDATE ciclo.notices SET due_at = now() + $1::interval, tries = tries + 1
		WHERE id = (SELECT id FROM ciclo.notices WHERE due_at <= now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
		RETURNING id::text, kind, agent, execution_id, subject, text, at, tries, told`, lease).
		Scan(&n.ID, &n.Kind, &n.Agent, &n.ExecutionID, &n.Subject, &n.Text, &n.At, &n.Tries, &n.Told)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("take a notice: %w", err)
	}
	return &n, nil
}

// NoticeTold notes that a channel has the notice, whoever else may hold it now.
func (s *Store) NoticeTold(ctx context.Context, n *Notice, channel string) error {
	_, err := s.pool.Exec(ctx, `UPDATE ciclo.notices SET told = array_append(told, $2) WHERE id = $1 AND $2 <> ALL (told)`, n.ID, channel)
	if err != nil {
		return fmt.Errorf("note that %s has notice %s: %w", channel, n.ID, err)
	}
	return nil
}

// NoticeSent ends a notice that every channel has.
func (s *Store) NoticeSent(ctx context.Context, n *Notice) error {
	tag, err := s.pool.Exec(ctx, `
		UPDATE ciclo.notices SET sent_at = now(), due_at = NULL
		WHERE id = $1 AND tries = $2 AND due_at IS NOT NULL`, n.ID, n.Tries)
	if err == nil && tag.RowsAffected() == 0 {
		err = errNoticeTaken
	}
	if err != nil {
		return fmt.Errorf("end notice %s: %w", n.ID, err)
	}
	return nil
}

// NoticeFailed makes the notice due again after a delay, or gives it up where it
// is older than giveUp; then it returns true. reason stays in its row.
func (s *Store) NoticeFailed(ctx context.Context, n *Notice, reason string, retryIn, giveUp time.Duration) (givenUp bool, err error) {
	err = s.pool.QueryRow(ctx, `
		UPDATE ciclo.notices SET error = $3, due_at = CASE WHEN at > now() - $5::interval THEN now() + $4::interval END
		WHERE id = $1 AND tries = $2 AND due_at IS NOT NULL
		RETURNING due_at IS NULL`, n.ID, n.Tries, storable(reason), retryIn, giveUp).Scan(&givenUp)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNoticeTaken
	}
	if err != nil {
		return false, fmt.Errorf("put notice %s off: %w", n.ID, err)
	}
	return givenUp, nil
}
