// Package messagesender is the agent that sends one approved message to a client,
// as an effect: once, whatever crashes. Whether it may leave is the database's to
// say (ciclo.contacts), which way it leaves the channel's (internal/channel).
package messagesender

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/channel"
)

// Name is the agent's name in the catalogue; the triggers of ciclo.messages know it.
const Name = "message-sender"

// Agent sends messages by its channels.
type Agent struct {
	// Channels are those that are set up.
	Channels []channel.Channel
	// Settle is how long a provider may take to list a message that it has
	// accepted; 0 takes DefaultSettle.
	Settle time.Duration
}

// DefaultSettle is longer than a request to a provider may take.
const DefaultSettle = 45 * time.Second

type parameters struct {
	MessageID string `json:"message_id"`
}

// Result is what a completed execution shows.
type Result struct {
	MessageID string `json:"message_id"`
	// Sent says that the channel has it.
	Sent       bool   `json:"sent"`
	ProviderID string `json:"provider_id,omitempty"`
	// Reason is why it was not sent; NotBefore when it is tried again, where it is.
	Reason    string     `json:"reason,omitempty"`
	NotBefore *time.Time `json:"not_before,omitempty"`
}

// reservation is the output of the step that reserves a contact.
type reservation struct {
	Channel string `json:"channel"`
	Address string `json:"address"`
	Subject string `json:"subject"`
	Body    string `json:"body"`
	// Template and Variables are those of a text that nobody changed.
	Template   string            `json:"template,omitempty"`
	Variables  map[string]string `json:"variables,omitempty"`
	ReservedAt time.Time         `json:"reserved_at"`
	// Refused is why the message may not leave now.
	Refused *refusal `json:"refused,omitempty"`
}

// refusal is why a message does not leave. It is final unless NotBefore says when
// it may be tried again.
type refusal struct {
	Reason    string     `json:"reason"`
	NotBefore *time.Time `json:"not_before,omitempty"`
	// Status is the message's that follows: approved, rejected or failed.
	Status string `json:"status"`

	ours bool // it is not the provider that puts it off
}

// errWithdrawn says that the client may no longer be written to.
var errWithdrawn = errors.New("the client withdrew consent or opted out")

// Run sends the message.
func (a Agent) Run(ctx context.Context, task *agents.Task) (agents.Result, error) {
	var p parameters
	if err := task.Decode(&p); err != nil {
		return nil, err
	}
	r, err := agents.StepTx(ctx, task, "reserve", func(ctx context.Context, tx pgx.Tx) (reservation, error) {
		return reserve(ctx, tx, task.ExecutionID, p.MessageID)
	})
	if err != nil {
		return nil, err
	}
	if r.Refused != nil {
		return Result{MessageID: p.MessageID, Reason: r.Refused.Reason, NotBefore: r.Refused.NotBefore}, nil
	}
	by := a.channel(r.Channel)
	if by == nil {
		// It is nobody's refusal, and counts as none: until the message expires an
		// operator has time.
		missing := putOff("the worker has no channel "+r.Channel+": set it up there, or turn it off", time.Hour)
		missing.ours = true
		return a.refuse(ctx, task, p.MessageID, missing)
	}
	task.Progress(0, 1, "sending by "+r.Channel)
	receipt, err := agents.Perform(ctx, task, "send", a.effect(task, by, p.MessageID, r))
	var refused *channel.Refusal
	switch {
	case err == nil:
		return Result{MessageID: p.MessageID, Sent: !task.DryRun, ProviderID: receipt.ProviderID}, nil
	case errors.Is(err, errWithdrawn):
		return a.refuse(ctx, task, p.MessageID, refusal{Reason: errWithdrawn.Error(), Status: "rejected"})
	case errors.As(err, &refused) && refused.Permanent:
		return a.refuse(ctx, task, p.MessageID, refusal{Reason: refused.Error(), Status: "failed"})
	case errors.As(err, &refused) && refused.RetryAfter > 0:
		return a.refuse(ctx, task, p.MessageID, putOff(refused.Error(), refused.RetryAfter))
	}
	// It may have left: the next attempt asks, or a person is to look. Or the channel
	// refuses everything, which an operator must see: then it is not done, and tried
	// again, here first and by another execution later.
	return nil, err
}

func (a Agent) channel(name string) channel.Channel {
	for _, c := range a.Channels {
		if c.Name() == name {
			return c
		}
	}
	return nil
}

// effect is the message's leaving. A channel that can be asked whether it has the
// message is asked before it is sent again; by one that can't, nothing is sent
// twice.
func (a Agent) effect(task *agents.Task, by channel.Channel, id string, r reservation) agents.Effect[channel.Receipt] {
	message := func(key string) channel.Message {
		return channel.Message{Key: key, To: r.Address, Subject: r.Subject, Body: r.Body, Template: r.Template, Variables: r.Variables}
	}
	e := agents.Effect[channel.Receipt]{
		Policy: agents.Once,
		Do: func(ctx context.Context, key string) (channel.Receipt, error) {
			// The last look before it leaves: an opt-out may have come since, or an
			// attempt that died has put it off.
			if err := stillMay(ctx, task, id); err != nil {
				return channel.Receipt{}, agents.NotDone(err)
			}
			receipt, err := by.Send(ctx, message(key))
			var refused *channel.Refusal
			if errors.As(err, &refused) {
				err = agents.NotDone(err)
			}
			return receipt, err
		},
	}
	if finder, ok := by.(channel.Finder); ok {
		e.Policy = agents.Reconcile
		e.Ask = func(ctx context.Context, key string) (channel.Receipt, bool, error) {
			return a.find(ctx, finder, message(key), r.ReservedAt)
		}
	}
	return e
}

// find asks the provider until it has the message or has had the time to list it.
func (a Agent) find(ctx context.Context, by channel.Finder, m channel.Message, since time.Time) (channel.Receipt, bool, error) {
	settle := a.Settle
	if settle == 0 {
		settle = DefaultSettle
	}
	deadline := time.NewTimer(settle)
	defer deadline.Stop()
	for last := false; ; {
		receipt, found, err := by.Find(ctx, m, since)
		if found || err != nil || last {
			return receipt, found, err
		}
		select {
		case <-ctx.Done():
			return channel.Receipt{}, false, ctx.Err()
		case <-deadline.C:
			last = true
		case <-time.After(settle / 8):
		}
	}
}

// reserve reserves a contact for the message; the database decides. What it
// refuses is written into the message, in the same transaction.
func reserve(ctx context.Context, tx pgx.Tx, execution, id string) (reservation, error) {
	var r reservation
	var status string
	var by *string
	err := tx.QueryRow(ctx, `
		SELECT status, execution_id, channel, address, subject, body,
		       CASE WHEN variables IS NULL THEN '' ELSE template || '-' || language END, variables
		FROM ciclo.messages WHERE id = $1 FOR NO KEY UPDATE`, id).
		Scan(&status, &by, &r.Channel, &r.Address, &r.Subject, &r.Body, &r.Template, &r.Variables)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return r, agents.Permanent(fmt.Errorf("there is no message %s", id))
	case err != nil:
		return r, fmt.Errorf("read message %s: %w", id, err)
	case status != "approved" && by != nil && *by == execution:
		// Somebody rejected it, or the client opted out, while it waited for a worker:
		// nothing that an operator must see, so no failure.
		r.Refused = &refusal{Reason: "the message is " + status, Status: status}
		return r, nil
	case status != "approved":
		return r, agents.Permanent(fmt.Errorf("message %s is %s: only an approved one is sent", id, status))
	case by != nil && *by != execution:
		return r, agents.Permanent(fmt.Errorf("message %s is execution %s's to send", id, *by))
	}
	if _, err := tx.Exec(ctx, `UPDATE ciclo.messages SET execution_id = $2 WHERE id = $1`, id, execution); err != nil {
		return r, fmt.Errorf("take message %s: %w", id, err)
	}
	err = pgx.BeginFunc(ctx, tx, func(savepoint pgx.Tx) error {
		return savepoint.QueryRow(ctx, `INSERT INTO ciclo.contacts (message_id) VALUES ($1) RETURNING at`, id).Scan(&r.ReservedAt)
	})
	if err == nil {
		return r, nil
	}
	refused, err := explain(ctx, tx, id, err)
	if err != nil {
		return r, fmt.Errorf("reserve a contact for message %s: %w", id, err)
	}
	r.Refused = refused
	return r, write(ctx, tx, id, *refused)
}

// explain says what a refused reservation means, by the constraint that refused it.
func explain(ctx context.Context, tx pgx.Tx, id string, err error) (*refusal, error) {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return nil, err
	}
	until := func(reason, sql string) (*refusal, error) {
		r := &refusal{Reason: reason, Status: "approved"}
		return r, tx.QueryRow(ctx, sql, id).Scan(&r.NotBefore)
	}
	switch pg.ConstraintName {
	case "contacts_consent":
		return &refusal{Reason: "the client has not consented to messages", Status: "rejected"}, nil
	case "contacts_opt_out":
		return &refusal{Reason: "the client has opted out", Status: "rejected"}, nil
	case "contacts_channel_on":
		return until("the channel is off", `SELECT now() + interval '1 hour' WHERE $1 <> ''`)
	case "contacts_cooldown":
		return until("the client was written to within the cooldown", `
			SELECT max(c.at) + p.cooldown FROM ciclo.contacts c JOIN ciclo.messages m ON c.client_id = m.client_id OR c.address = m.address
			CROSS JOIN ciclo.contact_policy p WHERE m.id = $1 GROUP BY p.cooldown`)
	case "contacts_quiet_hours":
		return until("it is a quiet hour where the client is", `
			SELECT ciclo.quiet_ends(now(), m.zone, p.quiet_until) FROM ciclo.messages m CROSS JOIN ciclo.contact_policy p WHERE m.id = $1`)
	case "contacts_daily_cap":
		return until("the day's messages are used up", `
			SELECT ((now() AT TIME ZONE p.zone)::date + 1)::timestamp AT TIME ZONE p.zone FROM ciclo.contact_policy p WHERE $1 <> ''`)
	}
	return nil, err
}

// putOff is a refusal for a while.
func putOff(reason string, wait time.Duration) refusal {
	at := time.Now().Add(wait).UTC().Truncate(time.Microsecond) // as the database keeps it
	return refusal{Reason: reason, NotBefore: &at, Status: "approved"}
}

// maxPutOff is how often a provider may put a message off; then it has failed.
const maxPutOff = 10

// putOffStep is what each time adds to the shortest wait, so that ten take nearly
// four hours.
const putOffStep = 5 * time.Minute

// refuse writes down that the message did not leave, and ends the execution.
func (a Agent) refuse(ctx context.Context, task *agents.Task, id string, r refusal) (agents.Result, error) {
	r, err := agents.StepTx(ctx, task, "not sent", func(ctx context.Context, tx pgx.Tx) (refusal, error) {
		r := r
		if r.NotBefore != nil && !r.ours {
			var times int
			if err := tx.QueryRow(ctx, `UPDATE ciclo.messages SET put_off = put_off + 1 WHERE id = $1 RETURNING put_off`, id).Scan(&times); err != nil {
				return r, fmt.Errorf("count what message %s was put off: %w", id, err)
			}
			// The provider's wait may be seconds: ten of those are no reason to give up.
			later := time.Now().Add(time.Duration(times) * putOffStep).UTC().Truncate(time.Microsecond)
			switch {
			case times >= maxPutOff:
				r = refusal{Reason: fmt.Sprintf("put off %d times, last since: %s", times, r.Reason), Status: "failed"}
			case r.NotBefore.Before(later):
				r.NotBefore = &later
			}
		}
		return r, write(ctx, tx, id, r)
	})
	if err != nil {
		return nil, err
	}
	return Result{MessageID: id, Reason: r.Reason, NotBefore: r.NotBefore}, nil
}

// write moves a message that does not leave; one that is put off is free for
// another execution.
func write(ctx context.Context, tx pgx.Tx, id string, r refusal) error {
	_, err := tx.Exec(ctx, `
		UPDATE ciclo.messages
		SET status = $2, reason = left($3, 1000), not_before = coalesce($4, not_before),
		    execution_id = CASE WHEN $2 = 'approved' THEN NULL ELSE execution_id END
		WHERE id = $1`, id, r.Status, r.Reason, r.NotBefore)
	if err != nil {
		return fmt.Errorf("write down that message %s did not leave: %w", id, err)
	}
	return nil
}

// stillMay looks once more whether the message may leave: it is still this
// execution's, with its contact, and nobody has opted out since.
func stillMay(ctx context.Context, task *agents.Task, id string) error {
	var may bool
	err := task.Read(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
			SELECT EXISTS (
				SELECT FROM ciclo.messages m JOIN source.clients c ON c.id = m.client_id
				WHERE m.id = $1 AND m.execution_id = $2 AND m.status = 'sending' AND c.consent_marketing
				  AND NOT EXISTS (SELECT FROM ciclo.opt_outs o WHERE o.ended_at IS NULL AND o.address = m.address)
				  AND NOT ciclo.hashed_opt_out(m.address)
				  AND NOT EXISTS (SELECT FROM ciclo.opt_outs o WHERE o.ended_at IS NULL AND o.client_id = m.client_id))`,
			id, task.ExecutionID).Scan(&may)
	})
	if err != nil {
		return fmt.Errorf("look whether message %s may leave: %w", id, err)
	}
	if !may {
		return errWithdrawn
	}
	return nil
}
