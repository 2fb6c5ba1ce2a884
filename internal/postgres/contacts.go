package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ContactPolicy is the firm's rules of writing to clients.
type ContactPolicy struct {
	Channels      []string  `json:"channels" jsonschema:"The channels that are on, of whatsapp and email; none is by default."`
	AutoTemplates []string  `json:"auto_templates" jsonschema:"The templates whose messages need no approval."`
	CooldownHours float64   `json:"cooldown_hours" jsonschema:"Between two messages to one client, or to one address."`
	DailyCap      int       `json:"daily_cap" jsonschema:"Messages a day, of the firm's zone."`
	QuietFrom     string    `json:"quiet_from" jsonschema:"Nobody is written to from this time of the client's day, such as 20:00, …"`
	QuietUntil    string    `json:"quiet_until" jsonschema:"… until this one; equal is never."`
	Zone          string    `json:"zone" jsonschema:"The firm's time zone, and that of clients whose own isn't known."`
	Region        string    `json:"region" jsonschema:"The country of phone numbers that name none, as two capitals; empty where each must."`
	Firm          string    `json:"firm" jsonschema:"How the firm signs."`
	ChangedAt     time.Time `json:"changed_at"`
	ChangedBy     string    `json:"changed_by" jsonschema:"A token's name, or default."`
}

const policyColumns = `channels, auto_templates, (extract(epoch FROM cooldown) / 3600)::float8, daily_cap,
	to_char(quiet_from, 'HH24:MI'), to_char(quiet_until, 'HH24:MI'), zone, region, firm, changed_at, changed_by`

// ContactPolicy returns the rules.
func (s *Store) ContactPolicy(ctx context.Context) (ContactPolicy, error) {
	rows, err := s.reading(ctx).Query(ctx, `SELECT `+policyColumns+` FROM ciclo.contact_policy`)
	if err != nil {
		return ContactPolicy{}, fmt.Errorf("get the contact policy: %w", err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[ContactPolicy])
	if err != nil {
		return p, fmt.Errorf("get the contact policy: %w", err)
	}
	return p, nil
}

// ContactPolicyChange is what is to change of the rules; nil stays.
type ContactPolicyChange struct {
	Channels, AutoTemplates *[]string
	CooldownHours           *float64
	DailyCap                *int
	QuietFrom, QuietUntil   *string
	Zone, Region, Firm      *string
}

// ChangeContactPolicy changes the rules. The database refuses (Refused) what they
// may not be.
func (s *Store) ChangeContactPolicy(ctx context.Context, by string, c ContactPolicyChange) (ContactPolicy, error) {
	rows, err := s.pool.Query(ctx, `
		WITH freed AS ( -- what the rules of before put off is looked at anew
			UPDATE ciclo.messages SET not_before = now()
			WHERE status = 'approved' AND execution_id IS NULL AND reason IN (
				'the channel is off', 'the client was written to within the cooldown', 'it is a quiet hour where the client is', 'the day''s messages are used up'))
		UPDATE ciclo.contact_policy
		SET channels = coalesce($2, channels), auto_templates = coalesce($3, auto_templates),
		    cooldown = coalesce($4::float8 * interval '1 hour', cooldown), daily_cap = coalesce($5, daily_cap),
		    quiet_from = coalesce($6::text::time, quiet_from), quiet_until = coalesce($7::text::time, quiet_until),
		    zone = coalesce($8, zone), region = coalesce($9, region), firm = coalesce($10, firm),
		    changed_at = now(), changed_by = $1
		RETURNING `+policyColumns, by, c.Channels, c.AutoTemplates, c.CooldownHours, c.DailyCap, c.QuietFrom, c.QuietUntil, c.Zone, c.Region, c.Firm)
	if err != nil {
		return ContactPolicy{}, fmt.Errorf("change the contact policy: %w", err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[ContactPolicy])
	if err != nil {
		return p, fmt.Errorf("change the contact policy: %w", err)
	}
	return p, nil
}

// MessageTemplate is a text of messages in one language.
type MessageTemplate struct {
	Name      string    `json:"name"`
	Language  string    `json:"language" jsonschema:"As two letters."`
	Subject   string    `json:"subject"`
	Body      string    `json:"body" jsonschema:"{name|there} is the client's name, or there where it isn't known; {firm} is the firm's."`
	ChangedAt time.Time `json:"changed_at"`
	ChangedBy string    `json:"changed_by" jsonschema:"A token's name, or default."`
}

const templateColumns = `name, language, subject, body, changed_at, changed_by`

// MessageTemplates lists the texts.
func (s *Store) MessageTemplates(ctx context.Context) ([]MessageTemplate, error) {
	rows, err := s.reading(ctx).Query(ctx, `SELECT `+templateColumns+` FROM ciclo.message_templates ORDER BY name, language`)
	if err != nil {
		return nil, fmt.Errorf("list message templates: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[MessageTemplate])
	if err != nil {
		return nil, fmt.Errorf("list message templates: %w", err)
	}
	return list, nil
}

// SetMessageTemplate makes a text or replaces it. The database refuses (Refused)
// placeholders that it doesn't know.
func (s *Store) SetMessageTemplate(ctx context.Context, by string, t MessageTemplate) (MessageTemplate, error) {
	rows, err := s.pool.Query(ctx, `
		INSERT INTO ciclo.message_templates (name, language, subject, body, changed_by) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (name, language) DO UPDATE SET subject = excluded.subject, body = excluded.body, changed_by = excluded.changed_by, changed_at = now()
		RETURNING `+templateColumns, t.Name, t.Language, t.Subject, t.Body, by)
	if err != nil {
		return t, fmt.Errorf("set message template %s in %s: %w", t.Name, t.Language, err)
	}
	t, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[MessageTemplate])
	if err != nil {
		return t, fmt.Errorf("set message template: %w", err)
	}
	return t, nil
}

// OptOut is somebody who wants to hear no more.
type OptOut struct {
	ID       int64      `json:"opt_out_id"`
	Address  *string    `json:"address" jsonschema:"A number in E.164 or a mail address; null where it is of the client alone, or of somebody who was erased: then its hash is kept."`
	ClientID *string    `json:"client_id"`
	Source   string     `json:"source" jsonschema:"One of inbound (the client's own message), provider, hand and erasure."`
	Detail   string     `json:"detail"`
	At       time.Time  `json:"at"`
	EndedAt  *time.Time `json:"ended_at"`
	EndedBy  *string    `json:"ended_by"`
}

const optOutColumns = `id, address, client_id, source, detail, at, ended_at, ended_by`

// ErrNoOptOut says that there is no such opt-out, or that it has ended.
var ErrNoOptOut = errors.New("no such opt-out")

// OptOuts lists opt-outs, newest first, those before an id where it isn't 0.
func (s *Store) OptOuts(ctx context.Context, before int64, limit int) ([]OptOut, error) {
	rows, err := s.reading(ctx).Query(ctx, `
		SELECT `+optOutColumns+` FROM ciclo.opt_outs WHERE $1 = 0 OR id < $1 ORDER BY id DESC LIMIT $2`, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list opt-outs: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[OptOut])
	if err != nil {
		return nil, fmt.Errorf("list opt-outs: %w", err)
	}
	return list, nil
}

// AddOptOut writes down that an address, a client or both hear no more; of an
// address, also each client who was written to there. What waits for them is
// rejected: how many is returned. Said again it changes nothing.
func (s *Store) AddOptOut(ctx context.Context, o OptOut) (rejected int, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		waiting := `
			SELECT count(*) FROM ciclo.messages WHERE status IN ('draft', 'approved')
			AND (address = $1 OR client_id = $2 OR client_id IN (SELECT client_id FROM ciclo.messages WHERE address = $1))`
		if err := tx.QueryRow(ctx, waiting, o.Address, o.ClientID).Scan(&rejected); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO ciclo.opt_outs (address, client_id, source, detail)
			SELECT $1::text, $2::text, $3::text, $4::text
			UNION
			SELECT $1, m.client_id, $3, $4 FROM ciclo.messages m WHERE m.address = $1
			ON CONFLICT DO NOTHING`, o.Address, o.ClientID, o.Source, storable(o.Detail))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("write down an opt-out: %w", err)
	}
	return rejected, nil
}

// EndOptOut ends an opt-out, and those that were written down of its address with
// it. ErrNoOptOut where there is none that is open.
func (s *Store) EndOptOut(ctx context.Context, id int64, by string) error {
	tag, err := s.pool.Exec(ctx, `
		UPDATE ciclo.opt_outs o SET ended_at = now(), ended_by = $2
		FROM ciclo.opt_outs named
		WHERE named.id = $1 AND named.ended_at IS NULL AND o.ended_at IS NULL
		  AND (o.id = named.id OR o.address = named.address OR o.address_hash = named.address_hash)`, id, by)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNoOptOut
	}
	if err != nil {
		return fmt.Errorf("end opt-out %d: %w", id, err)
	}
	return nil
}

// EndInboundOptOuts ends what an address said itself, since it said the opposite. An
// opt-out by hand stays, as one by erasure.
func (s *Store) EndInboundOptOuts(ctx context.Context, address string) error {
	_, err := s.pool.Exec(ctx, `
		UPDATE ciclo.opt_outs SET ended_at = now(), ended_by = 'inbound'
		WHERE (address = $1 OR address_hash = ciclo.address_hash($1)) AND ended_at IS NULL AND source NOT IN ('hand', 'erasure')`, address)
	if err != nil {
		return fmt.Errorf("end the opt-outs of an address: %w", err)
	}
	return nil
}
