package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// messaging is a firm that may write to its clients at any hour.
type messaging struct {
	*bundle
	drafter string
}

func newMessaging(t *testing.T) *messaging {
	t.Helper()
	b := newBundle(t)
	m := &messaging{b, b.accept().ID}
	m.exec(`UPDATE ciclo.contact_policy SET channels = '{whatsapp,email}', quiet_from = '00:00', quiet_until = '00:00'`)
	return m
}

// draft makes a client, who consents, and a draft for it.
func (m *messaging) draft(client, address string) string {
	m.t.Helper()
	m.exec(`INSERT INTO crm.clients (id, consent_marketing) VALUES ($1, true) ON CONFLICT DO NOTHING`, client)
	id := "message_" + uuid.Must(uuid.NewV7()).String()
	m.exec(`
		INSERT INTO ciclo.messages (id, client_id, drafted_by, template, language, reasons, channel, address, zone, subject, body)
		VALUES ($1, $2, $3, 'slipping', 'en', '{"clv": 12}', CASE WHEN $4 LIKE '%@%' THEN 'email' ELSE 'whatsapp' END, $4, 'Europe/Rome', 'Hello', 'Hello there')`,
		id, client, m.drafter, address)
	return id
}

// approved is a draft that was approved and given to an execution, which runs.
func (m *messaging) approved(client, address string) (id string, a *postgres.Attempt) {
	m.t.Helper()
	id = m.draft(client, address)
	_, err := m.ApproveMessage(m.ctx, id, "somebody", nil, nil)
	m.must(err)
	return id, m.dispatched(id)
}

var sender = postgres.Acceptance{
	Agent: postgres.MessageSender, IDPrefix: "message_sender_", Tries: 1, TimeoutSeconds: 60, Priority: 2, Reason: "approved", Origin: "schedule",
}

func (m *messaging) dispatched(id string) *postgres.Attempt {
	m.t.Helper()
	_, err := m.DispatchMessages(m.ctx, sender)
	m.must(err)
	message := m.message(id)
	if message.ExecutionID == nil {
		m.t.Fatalf("it was not dispatched: %+v", message)
	}
	return m.run(*message.ExecutionID, m.worker())
}

func (m *messaging) message(id string) postgres.Message {
	m.t.Helper()
	message, err := m.Message(m.ctx, id)
	m.must(err)
	return message
}

// reserve reserves a contact; it returns the constraint that refused it.
func (m *messaging) reserve(id string) string {
	m.t.Helper()
	_, err := m.pool.Exec(m.ctx, `INSERT INTO ciclo.contacts (message_id) VALUES ($1)`, id)
	var refused *pgconn.PgError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refused):
		return refused.ConstraintName
	}
	m.t.Fatal(err)
	return ""
}

func TestWhomTheDatabaseLetsNobodyWriteTo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before string // $1 is the message
		want   string
	}{
		"consent, no opt-out, any hour":  {`SELECT $1::text`, ""},
		"not approved":                   {`UPDATE ciclo.messages SET status = 'rejected', reason = 'no' WHERE id = $1`, "contacts_approved"},
		"the channel is off":             {`UPDATE ciclo.contact_policy SET channels = '{email}' WHERE $1 <> ''`, "contacts_channel_on"},
		"no consent":                     {`UPDATE crm.clients SET consent_marketing = false WHERE $1 <> ''`, "contacts_consent"},
		"not the firm's client any more": {`UPDATE crm.clients SET id = 'another' WHERE $1 <> ''`, "contacts_consent"},
		"quiet hours":                    {`UPDATE ciclo.contact_policy SET quiet_from = (now() AT TIME ZONE 'Europe/Rome')::time - interval '1 minute', quiet_until = (now() AT TIME ZONE 'Europe/Rome')::time + interval '5 minutes' WHERE $1 <> ''`, "contacts_quiet_hours"},
		"quiet hours of another zone":    {`UPDATE ciclo.contact_policy SET quiet_from = (now() AT TIME ZONE 'Asia/Makassar')::time - interval '1 minute', quiet_until = (now() AT TIME ZONE 'Asia/Makassar')::time + interval '5 minutes' WHERE $1 <> ''`, ""},
		"none a day":                     {`UPDATE ciclo.contact_policy SET daily_cap = 0 WHERE $1 <> ''`, "contacts_daily_cap"},
		"another address's opt-out":      {`INSERT INTO ciclo.opt_outs (address, source) SELECT '+39061111111', 'hand' WHERE $1 <> ''`, ""},
		"another client's opt-out":       {`INSERT INTO ciclo.opt_outs (client_id, source) SELECT 'C-2', 'hand' WHERE $1 <> ''`, ""},
		"an opt-out that has ended":      {`INSERT INTO ciclo.opt_outs (client_id, source, ended_at, ended_by) SELECT 'C-1', 'hand', now(), 'somebody' WHERE $1 <> ''`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMessaging(t)
			id, _ := m.approved("C-1", "+390612345678")
			m.exec(c.before, id)
			if got := m.reserve(id); got != c.want {
				t.Errorf("refused by %q, not %q", got, c.want)
			}
		})
	}
}

// The one that reserves can't say how.
func TestAReservationIsByThePolicyAlone(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	id, _ := m.approved("C-1", "+390612345678")
	m.exec(`
		INSERT INTO ciclo.contacts (message_id, client_id, address, at, cooldown, daily_cap, number, day, zone, firm_zone, quiet_from, quiet_until)
		VALUES ($1, 'nobody', '+1', '2020-01-01', '0', 0, -5, '2020-01-01', 'UTC', 'UTC', '00:00', '01:00')`, id)
	var got string
	m.scan([]any{&got}, `
		SELECT client_id || ' ' || address || ' ' || (at > now() - interval '1 minute') || ' ' || cooldown || ' ' || daily_cap || ' ' || number || ' ' || zone
		FROM ciclo.contacts`)
	if want := "C-1 +390612345678 true 7 days 100 1 Europe/Rome"; got != want {
		t.Errorf("the contact is %q, not %q", got, want)
	}
	if status := m.message(id).Status; status != "sending" {
		t.Errorf("the message is %s", status)
	}
}

// settled ends a message's execution, with an effect in the state where one is named.
func (m *messaging) settled(a *postgres.Attempt, effect string) {
	m.t.Helper()
	if effect != "" {
		_, _, err := m.IntendEffect(m.ctx, a, "send", a.Execution.ID+"/send", "once", false)
		m.must(err)
		if effect != "intended" {
			var outcome []byte
			if effect == "done" {
				outcome = []byte(`{"provider_id": "SM1"}`)
			}
			m.must(m.SettleEffect(m.ctx, a, "send", effect, outcome))
		}
	}
	m.failed(a, postgres.Failure{Class: "permanent", Text: "it broke", Permanent: true})
}

func TestTheCooldownIsOfTheClientAndOfTheAddress(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	first, a := m.approved("C-1", "+390612345678")
	if got := m.reserve(first); got != "" {
		t.Fatal(got)
	}
	m.settled(a, "done")
	again, _ := m.approved("C-1", "c1@firm.example")
	if got := m.reserve(again); got != "contacts_cooldown" {
		t.Errorf("the client by another channel: refused by %q", got)
	}
	double, _ := m.approved("C-2", "+390612345678")
	if got := m.reserve(double); got != "contacts_cooldown" {
		t.Errorf("the address under another client's id: refused by %q", got)
	}
	m.exec(`UPDATE ciclo.contact_policy SET cooldown = '0'`)
	if got := m.reserve(again); got != "" {
		t.Errorf("after the cooldown: refused by %q", got)
	}
}

// Two workers, two connections, one client under two ids: one message leaves.
func TestReservationsRace(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	m.exec(`UPDATE ciclo.contact_policy SET daily_cap = 3`)
	var ids []string
	for i := range 12 {
		address := fmt.Sprintf("+39061234%04d", i/2) // each address twice
		id := m.draft(fmt.Sprintf("C-%d", i), address)
		_, err := m.ApproveMessage(m.ctx, id, "somebody", nil, nil)
		m.must(err)
		m.exec(`UPDATE ciclo.messages SET execution_id = $2 WHERE id = $1`, id, m.accept().ID)
		ids = append(ids, id)
	}
	var mu sync.Mutex
	refused := map[string]int{}
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() {
			why := m.reserve(id)
			mu.Lock()
			defer mu.Unlock()
			refused[why]++
		})
	}
	wg.Wait()
	if refused[""] != 3 || refused["contacts_daily_cap"]+refused["contacts_cooldown"] != 9 {
		t.Errorf("of twelve at once with a cap of three: %v", refused)
	}
	if n := m.count(`SELECT count(DISTINCT address) FROM ciclo.contacts`); n != 3 {
		t.Errorf("they went to %d addresses", n)
	}
}

// Without the trigger's own order the constraints alone refuse a second successor.
func TestTheChainOfContactsHasNoForks(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	for _, id := range []string{"1", "2", "3"} {
		m.draft("C-"+id, "+39061234567"+id)
	}
	m.exec(`ALTER TABLE ciclo.contacts DISABLE TRIGGER USER`)
	insert := func(message, at, previous string) error {
		_, err := m.pool.Exec(m.ctx, `
			INSERT INTO ciclo.contacts (message_id, client_id, address, at, previous_at, cooldown, day, number, daily_cap, firm_zone, zone, quiet_from, quiet_until)
			SELECT id, 'C', address, $2::timestamptz, nullif($3, '')::timestamptz, '7 days', $2::timestamptz::date, 1, 1, 'UTC', 'UTC', '00:00', '00:00'
			FROM ciclo.messages WHERE client_id = $1`, message, at, previous)
		return err
	}
	m.must(insert("C-1", "2026-01-01", ""))
	for name, c := range map[string]struct{ at, previous string }{
		"a second first":             {"2026-01-02", ""},
		"one within the cooldown":    {"2026-01-05", "2026-01-01"},
		"one after what isn't there": {"2026-02-01", "2026-01-03"},
	} {
		if err := insert("C-2", c.at, c.previous); !postgres.Refused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m.must(insert("C-2", "2026-01-08", "2026-01-01"))
	if err := insert("C-3", "2026-01-20", "2026-01-01"); !postgres.Refused(err) {
		t.Errorf("a second successor: %v", err)
	}
}

func TestAnOptOutStopsWhatWaits(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	draft := m.draft("C-1", "+390612345678")
	approved, _ := m.approved("C-2", "c2@firm.example")
	other := m.draft("C-3", "c3@firm.example")
	address := "+390612345678"
	for _, rejected := range []int{1, 0} { // said twice
		if n, err := m.AddOptOut(m.ctx, postgres.OptOut{Address: &address, Source: "inbound", Detail: "STOP"}); err != nil || n != rejected {
			t.Errorf("%d were rejected, %v", n, err)
		}
	}
	client := "C-2"
	if n, err := m.AddOptOut(m.ctx, postgres.OptOut{ClientID: &client, Source: "hand"}); err != nil || n != 1 {
		t.Errorf("%d were rejected, %v", n, err)
	}
	for id, want := range map[string]string{draft: "rejected", approved: "rejected", other: "draft"} {
		if got := m.message(id).Status; got != want {
			t.Errorf("%s is %s, not %s", id, got, want)
		}
	}
	list, err := m.OptOuts(m.ctx, 0, 10)
	m.must(err)
	if len(list) != 3 { // the address, its client, the other client
		t.Errorf("the opt-outs are %+v", list)
	}
	// By another channel and under another id too.
	elsewhere, _ := m.approved("C-1", "c1@firm.example")
	if got := m.reserve(elsewhere); got != "contacts_opt_out" {
		t.Errorf("the client elsewhere: refused by %q", got)
	}
	again, _ := m.approved("C-9", "+390612345678")
	if got := m.reserve(again); got != "contacts_opt_out" {
		t.Errorf("the address under another id: refused by %q", got)
	}
	// What the client said, the client takes back.
	m.must(m.EndInboundOptOuts(m.ctx, address))
	if got := m.reserve(again); got != "" {
		t.Errorf("after START: refused by %q", got)
	}
	// What was written down by hand beside it stays.
	for _, source := range []string{"inbound", "hand"} {
		_, err := m.AddOptOut(m.ctx, postgres.OptOut{Address: &address, Source: source})
		m.must(err)
	}
	m.must(m.EndInboundOptOuts(m.ctx, address))
	if n := m.count(`SELECT count(*) FROM ciclo.opt_outs WHERE address = $1 AND ended_at IS NULL AND source = 'hand'`, address); n == 0 {
		t.Error("START ended what was written down by hand")
	}
	if err := m.EndOptOut(m.ctx, list[2].ID, "somebody"); !errors.Is(err, postgres.ErrNoOptOut) {
		t.Errorf("ended twice: %v", err)
	}
}

// Whatever ends the execution that was to send it, the message's fate is its effect's.
func TestAMessagesFateIsItsEffects(t *testing.T) {
	t.Parallel()
	for effect, want := range map[string]struct {
		status   string
		contacts int
	}{
		"":         {"approved", 0},
		"not_done": {"approved", 0},
		"done":     {"sent", 1},
		"unknown":  {"unknown", 1},
		"intended": {"unknown", 1},
	} {
		t.Run(effect, func(t *testing.T) {
			t.Parallel()
			m := newMessaging(t)
			id, a := m.approved("C-1", "+390612345678")
			if got := m.reserve(id); got != "" {
				t.Fatal(got)
			}
			m.settled(a, effect)
			got := m.message(id)
			if n := m.count(`SELECT count(*) FROM ciclo.contacts`); got.Status != want.status || n != want.contacts {
				t.Errorf("it is %s with %d contacts: %+v", got.Status, n, got)
			}
			switch got.Status {
			case "approved":
				if got.ExecutionID != nil || time.Until(got.NotBefore) < 14*time.Minute || got.Reason == nil || *got.Reason != "it was not sent: it broke" {
					t.Errorf("it is tried again like this: %+v", got)
				}
			case "sent":
				if got.ProviderID == nil || *got.ProviderID != "SM1" || got.SentAt == nil {
					t.Errorf("it is sent like this: %+v", got)
				}
			}
		})
	}
	t.Run("cancelled before it began", func(t *testing.T) {
		t.Parallel()
		m := newMessaging(t)
		id := m.draft("C-1", "c@firm.example")
		_, err := m.ApproveMessage(m.ctx, id, "somebody", nil, nil)
		m.must(err)
		_, err = m.DispatchMessages(m.ctx, sender)
		m.must(err)
		_, err = m.Cancel(m.ctx, *m.message(id).ExecutionID)
		m.must(err)
		if got := m.message(id); got.Status != "approved" || got.ExecutionID != nil {
			t.Errorf("it is %+v", got)
		}
	})
	t.Run("ten times in vain", func(t *testing.T) {
		t.Parallel()
		m := newMessaging(t)
		id, a := m.approved("C-1", "+390612345678")
		m.exec(`UPDATE ciclo.messages SET put_off = 9`)
		m.reserve(id)
		m.settled(a, "not_done")
		if got := m.message(id); got.Status != "failed" {
			t.Errorf("it is %+v", got)
		}
	})
}

func TestAPersonLooksAtAnUnknownMessage(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[string]struct {
		status, effect string
		contacts       int
	}{
		postgres.MessageSent:      {"sent", "done", 1},
		postgres.MessageSendAgain: {"approved", "not_done", 0},
		postgres.MessageDropped:   {"rejected", "not_done", 0},
	} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			m := newMessaging(t)
			id, a := m.approved("C-1", "+390612345678")
			m.reserve(id)
			m.settled(a, "unknown")
			got, err := m.ResolveMessage(m.ctx, id, "somebody", outcome)
			m.must(err)
			var effect string
			m.scan([]any{&effect}, `SELECT state FROM ciclo.effects`)
			if n := m.count(`SELECT count(*) FROM ciclo.contacts`); got.Status != want.status || effect != want.effect || n != want.contacts {
				t.Errorf("it is %s, its effect %s, with %d contacts", got.Status, effect, n)
			}
			var moved *postgres.MessageStatusError
			if _, err := m.ResolveMessage(m.ctx, id, "somebody", outcome); !errors.As(err, &moved) {
				t.Errorf("resolved twice: %v", err)
			}
		})
	}
}

func TestMovesOfMessages(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	id := m.draft("C-1", "c@firm.example")
	body := "Another text"
	got, err := m.ApproveMessage(m.ctx, id, "somebody", nil, &body)
	m.must(err)
	if got.Status != "approved" || got.Body != body || got.ApprovedBy == nil || *got.ApprovedBy != "somebody" {
		t.Errorf("approved with another body: %+v", got)
	}
	var moved *postgres.MessageStatusError
	if _, err := m.ApproveMessage(m.ctx, id, "somebody", nil, nil); !errors.As(err, &moved) || moved.Status != "approved" {
		t.Errorf("approved twice: %v", err)
	}
	if _, err := m.ApproveMessage(m.ctx, "message_x", "somebody", nil, nil); !errors.Is(err, postgres.ErrNoMessage) {
		t.Errorf("approved what isn't there: %v", err)
	}
	if got, err = m.RejectMessage(m.ctx, id, "somebody", "too soon"); err != nil || got.Status != "rejected" || *got.Reason != "somebody: too soon" {
		t.Errorf("rejected: %+v, %v", got, err)
	}
	stale := m.draft("C-2", "c2@firm.example")
	m.exec(`UPDATE ciclo.messages SET expires_at = now() WHERE id = $1`, stale)
	if _, err := m.ApproveMessage(m.ctx, stale, "somebody", nil, nil); !errors.As(err, &moved) {
		t.Errorf("approved when its time was over: %v", err)
	}
	if _, err := m.DispatchMessages(m.ctx, sender); err != nil || m.message(stale).Status != "expired" {
		t.Errorf("it is %+v, %v", m.message(stale), err)
	}
	m.draft("C-3", "c3@firm.example")
	for name, sql := range map[string]string{
		"a second open message of a client": `INSERT INTO ciclo.messages SELECT 'message_2', client_id, drafted_by, template, language, reasons, channel, address, zone, subject, body FROM ciclo.messages WHERE client_id = 'C-3'`,
		"sending without a contact":         `UPDATE ciclo.messages SET status = 'sending', execution_id = drafted_by, approved_by = 'x', approved_at = now() WHERE client_id = 'C-3'`,
		"sent from a draft":                 `UPDATE ciclo.messages SET status = 'sent', sent_at = now(), execution_id = drafted_by, approved_by = 'x', approved_at = now() WHERE client_id = 'C-3'`,
		"approved by nobody":                `UPDATE ciclo.messages SET status = 'approved' WHERE client_id = 'C-3'`,
		"another address":                   `UPDATE ciclo.messages SET address = 'x@firm.example' WHERE client_id = 'C-3'`,
		"another text after the approval":   `UPDATE ciclo.messages SET body = 'x' WHERE client_id = 'C-1'`,
		"back from the end":                 `UPDATE ciclo.messages SET status = 'draft' WHERE client_id = 'C-1'`,
		"a number that is not E.164":        `INSERT INTO ciclo.messages SELECT 'message_2', 'C-4', drafted_by, template, language, reasons, 'whatsapp', '06 1234', zone, subject, body FROM ciclo.messages WHERE client_id = 'C-3'`,
		"an address with a line break":      `INSERT INTO ciclo.messages SELECT 'message_2', 'C-4', drafted_by, template, language, reasons, 'email', E'a@b\nc', zone, subject, body FROM ciclo.messages WHERE client_id = 'C-3'`,
		"a subject with a line break":       `INSERT INTO ciclo.messages SELECT 'message_2', 'C-4', drafted_by, template, language, reasons, channel, address, zone, E'a\nb', body FROM ciclo.messages WHERE client_id = 'C-3'`,
		"an unknown zone":                   `INSERT INTO ciclo.messages SELECT 'message_2', 'C-4', drafted_by, template, language, reasons, channel, address, 'Mars/Olympus', subject, body FROM ciclo.messages WHERE client_id = 'C-3'`,
		"a policy without a row":            `DELETE FROM ciclo.contact_policy`,
		"an address in capitals":            `INSERT INTO ciclo.messages SELECT 'message_2', 'C-4', drafted_by, template, language, reasons, 'email', 'A@firm.example', zone, subject, body FROM ciclo.messages WHERE client_id = 'C-3'`,
		"a text of blanks":                  `UPDATE ciclo.messages SET body = E' \n ' WHERE client_id = 'C-3'`,
		"a text that moves the cursor":      `UPDATE ciclo.messages SET body = E'a\x1b[2Jb' WHERE client_id = 'C-3'`,
		"another template":                  `UPDATE ciclo.messages SET template = 'x' WHERE client_id = 'C-3'`,
		"variables after the approval":      `UPDATE ciclo.messages SET variables = '{"1": "x"}' WHERE client_id = 'C-1'`,
		"a message that begins as sent":     `INSERT INTO ciclo.messages (id, client_id, drafted_by, template, language, reasons, channel, address, zone, subject, body, status, sent_at, execution_id, approved_by, approved_at) SELECT 'message_2', 'C-4', drafted_by, template, language, reasons, channel, address, zone, subject, body, 'sent', now(), drafted_by, 'x', now() FROM ciclo.messages WHERE client_id = 'C-3'`,
		"an opt-out in capitals":            `INSERT INTO ciclo.opt_outs (address, source) VALUES ('A@firm.example', 'hand')`,
		"a second policy":                   `INSERT INTO ciclo.contact_policy DEFAULT VALUES`,
		"a channel that isn't there":        `UPDATE ciclo.contact_policy SET channels = '{pigeon}'`,
		"a negative cap":                    `UPDATE ciclo.contact_policy SET daily_cap = -1`,
		"a template of unknown words":       `UPDATE ciclo.message_templates SET body = 'Dear {surname}'`,
		"a template with an open brace":     `UPDATE ciclo.message_templates SET body = 'Dear {name'`,
		"an opt-out of nobody":              `INSERT INTO ciclo.opt_outs (source) VALUES ('hand')`,
	} {
		if _, err := m.pool.Exec(m.ctx, sql); !postgres.Refused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDispatchersShareTheWorkAndKeepTheCap(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	m.exec(`UPDATE ciclo.contact_policy SET daily_cap = 30`)
	for i := range 50 {
		id := m.draft(fmt.Sprintf("C-%d", i), fmt.Sprintf("c%d@firm.example", i))
		_, err := m.ApproveMessage(m.ctx, id, "somebody", nil, nil)
		m.must(err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 4 {
				if _, err := m.DispatchMessages(context.WithoutCancel(m.ctx), sender); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	n := m.count(`SELECT count(*) FROM ciclo.messages WHERE execution_id IS NOT NULL`)
	executions := m.count(`SELECT count(*) FROM ciclo.executions WHERE agent = 'message-sender'`)
	// Two that look at once may each take what the day has left: the reservation is
	// what keeps the cap.
	if n < 30 || n > 50 || executions != n || m.count(`SELECT count(DISTINCT execution_id) FROM ciclo.messages`) != n {
		t.Errorf("%d messages have %d executions", n, executions)
	}
	m.exec(`UPDATE ciclo.contact_policy SET channels = '{whatsapp}', daily_cap = 1000`)
	if n, err := m.DispatchMessages(m.ctx, sender); err != nil || n != 0 {
		t.Errorf("of a channel that is off %d were dispatched, %v", n, err)
	}
}

// What may have left can't be sent again, nor forgotten, by whatever writes.
func TestWhatMayHaveLeftStays(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	id, a := m.approved("C-1", "c1@firm.example")
	m.reserve(id)
	_, _, err := m.IntendEffect(m.ctx, a, "send", a.Execution.ID+"/send", "once", false)
	m.must(err)
	for name, sql := range map[string]string{
		"sent again":          `UPDATE ciclo.messages SET status = 'approved', execution_id = NULL WHERE id = $1`,
		"rejected meanwhile":  `UPDATE ciclo.messages SET status = 'rejected', reason = 'x' WHERE id = $1`,
		"its contact deleted": `DELETE FROM ciclo.contacts WHERE message_id = $1`,
	} {
		if _, err := m.pool.Exec(m.ctx, sql, id); !postgres.Refused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m.settled(a, "")
	if got := m.message(id).Status; got != "unknown" {
		t.Errorf("it is %s", got)
	}
}

// A cap that is lowered below the day's use puts off, like any other.
func TestACapBelowTheDaysUse(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	for _, client := range []string{"C-1", "C-2", "C-3"} {
		id, _ := m.approved(client, client[2:]+"@firm.example")
		if client == "C-3" {
			m.exec(`UPDATE ciclo.contact_policy SET daily_cap = 1`)
		}
		if got, want := m.reserve(id), map[string]string{"C-3": "contacts_daily_cap"}[client]; got != want {
			t.Errorf("%s: refused by %q, not %q", client, got, want)
		}
	}
}
