package outside

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/channel/played"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

const (
	twilioToken = "the-token-of-nobody"
	publicURL   = "https://ciclo.firm.example"
	inboundPath = "/api/autonomous-agents/messages/inbound/twilio"
)

// messaging is the shipped programs with a Twilio and a mail server, and a firm
// that may write to its clients at any hour.
type messaging struct {
	*system
	pool    *pgxpool.Pool
	twilio  *played.Twilio
	mails   *played.Mail
	drafter string
}

func newMessaging(t *testing.T) *messaging {
	t.Helper()
	account := "AC" + strings.Repeat("0", 32)
	twilio, err := played.NewTwilio(account, twilioToken)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(twilio.Close)
	mails, err := played.NewMail()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mails.Close)
	url := testdatabase.New(t)
	s := newSystemOf(t, "", url, append([]string{
		"CICLO_TWILIO_ACCOUNT_SID=" + account, "CICLO_TWILIO_AUTH_TOKEN=" + twilioToken, "CICLO_TWILIO_FROM=+390612345678", "CICLO_TWILIO_URL=" + twilio.URL,
		"CICLO_MAIL_SERVER=smtp://" + mails.Address, "CICLO_MAIL_FROM=The Firm <hello@firm.example>",
		"CICLO_PUBLIC_URL=" + publicURL, "CICLO_MESSAGE_SETTLE=1s",
	}, quick...)...)
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	m := &messaging{system: s, pool: pool, twilio: twilio, mails: mails}
	m.exec(`UPDATE ciclo.contact_policy SET channels = '{whatsapp,email}', quiet_from = '00:00', quiet_until = '00:00'`)
	// Whoever drafted: an execution that is over.
	m.drafter = s.run("message-sender", map[string]string{"message_id": "message_none"})
	if _, err := s.api.Cancel(t.Context(), m.drafter); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *messaging) exec(sql string, args ...any) {
	m.t.Helper()
	if _, err := m.pool.Exec(m.t.Context(), sql, args...); err != nil {
		m.t.Fatal(err)
	}
}

// row is one value of the database, as text.
func (m *messaging) row(sql string, args ...any) (text string) {
	m.t.Helper()
	if err := m.pool.QueryRow(m.t.Context(), sql, args...).Scan(&text); err != nil {
		m.t.Fatal(err)
	}
	return text
}

// draft makes a client, who consents, and a draft for it.
func (m *messaging) draft(clientID, address string) string {
	m.t.Helper()
	m.exec(`INSERT INTO crm.clients (id, consent_marketing) VALUES ($1, true) ON CONFLICT DO NOTHING`, clientID)
	id := "message_" + uuid.Must(uuid.NewV7()).String()
	m.exec(`
		INSERT INTO ciclo.messages (id, client_id, drafted_by, template, language, reasons, channel, address, zone, subject, body, variables)
		VALUES ($1, $2, $3, 'slipping', 'en', '{"clv": 12}', CASE WHEN $4 LIKE '%@%' THEN 'email' ELSE 'whatsapp' END, $4, 'Europe/Rome', 'Hello — you', $5, '{"1": "you", "2": "the firm"}')`,
		id, clientID, m.drafter, address, words(clientID))
	return id
}

// words are those of a client's message.
func words(clientID string) string { return "Hello " + clientID + ",\nit has been a while, è vero?" }

func (m *messaging) approve(id string) {
	m.t.Helper()
	if _, err := m.api.ApproveMessage(m.t.Context(), id, nil, nil); err != nil {
		m.t.Fatal(err)
	}
}

// approved is an approved message.
func (m *messaging) approved(clientID, address string) string {
	m.t.Helper()
	id := m.draft(clientID, address)
	m.approve(id)
	return id
}

func (m *messaging) awaitMessage(id string, limit time.Duration, what string, holds func(client.Message) bool) (last client.Message) {
	m.t.Helper()
	defer func() {
		if m.t.Failed() {
			text, _ := json.Marshal(last) //nolint:errchkjson // it came as JSON
			m.t.Logf("%s: %s", what, text)
		}
	}()
	eventually(m.t, limit, what, func() bool {
		var err error
		if last, err = m.api.Message(m.t.Context(), id); err != nil {
			m.t.Fatal(err)
		}
		return holds(last)
	})
	return last
}

func (m *messaging) awaitStatus(id, status string) client.Message {
	m.t.Helper()
	return m.awaitMessage(id, 60*time.Second, "the message is "+status, func(message client.Message) bool { return message.Status == status })
}

// awaitPutOff awaits that a message waits again, with a reason.
func (m *messaging) awaitPutOff(id string) client.Message {
	m.t.Helper()
	return m.awaitMessage(id, 60*time.Second, "the message is put off", func(message client.Message) bool {
		return message.Status == "approved" && message.Reason != nil && message.ExecutionID == nil
	})
}

// dispatched awaits the execution that is to send a message; without a worker it waits.
func (m *messaging) dispatched(id string) string {
	m.t.Helper()
	message := m.awaitMessage(id, 10*time.Second, "it has an execution", func(message client.Message) bool { return message.ExecutionID != nil })
	return *message.ExecutionID
}

// left is how many messages a provider has accepted to an address.
func (m *messaging) left(address string) (n int) {
	for _, s := range m.twilio.Messages() {
		if s.To == "whatsapp:"+address {
			n++
		}
	}
	for _, s := range m.mails.Messages() {
		if len(s.To) == 1 && s.To[0] == address {
			n++
		}
	}
	return n
}

func (m *messaging) expectLeft(address string, want int) {
	m.t.Helper()
	if n := m.left(address); n != want {
		m.t.Errorf("%d messages left to %s, want %d", n, address, want)
	}
}

// again lets what was put off leave now, and tells the dispatcher.
func (m *messaging) again(id string) {
	m.t.Helper()
	m.exec(`UPDATE ciclo.messages SET not_before = now() WHERE id = $1`, id)
	m.wake()
}

// wake makes the dispatcher look.
func (m *messaging) wake() {
	m.t.Helper()
	if _, err := m.api.ChangeContactPolicy(m.t.Context(), map[string]any{"firm": "The Firm"}); err != nil {
		m.t.Fatal(err)
	}
}

func reason(m client.Message) string {
	if m.Reason == nil {
		return ""
	}
	return *m.Reason
}

func TestApprovedMessagesLeave(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	m.worker()
	whatsapp, mail := m.draft("C-1", "+393331234567"), m.draft("C-2", "c2@elsewhere.example")
	waiting := m.draft("C-3", "c3@elsewhere.example")
	for id, address := range map[string]string{whatsapp: "+393331234567", mail: "c2@elsewhere.example"} {
		m.approve(id)
		// The dispatcher alone would look each 15 seconds.
		sent := m.awaitMessage(id, 10*time.Second, "it is sent", func(message client.Message) bool { return message.Status == "sent" })
		m.expectLeft(address, 1)
		if sent.ProviderID == nil || sent.SentAt == nil || sent.Reason != nil {
			t.Errorf("sent as %+v", sent)
		}
		e := m.await(*sent.ExecutionID, 10*time.Second, "its execution is over", client.Execution.Final)
		var result struct {
			MessageID  string `json:"message_id"`
			Sent       bool
			ProviderID string `json:"provider_id"`
		}
		if err := json.Unmarshal(e.Result, &result); err != nil || e.Status != "completed" || e.Attempt != 1 || !result.Sent || result.MessageID != id || result.ProviderID != *sent.ProviderID {
			t.Errorf("its execution is %s", e.Raw)
		}
		if f := m.effect(e.ID); f.State != "done" || f.Name != "send" {
			t.Errorf("its effect is %+v", f)
		}
	}
	if got := m.twilio.Messages()[0]; got.Body != words("C-1") || got.From != "whatsapp:+390612345678" {
		t.Errorf("Twilio has %+v", got)
	}
	if got := m.mails.Messages()[0]; got.From != "hello@firm.example" || !strings.Contains(got.Text, "Hello C-2,") {
		t.Errorf("the mail server has %+v", got)
	}
	if message := m.awaitStatus(waiting, "draft"); message.ExecutionID != nil {
		t.Errorf("nobody approved %+v", message)
	}
	m.expectLeft("c3@elsewhere.example", 0)
}

// One after the other, since what Twilio does is for the next message it is sent.
func TestWhatTwilioAnswersAndWhatFollows(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	m.worker()
	accept := func(c played.Command) played.Command { c.Accept = true; return c }
	unavailable := played.Command{Do: "status", Status: 503, Code: 20503}
	for i, c := range []struct {
		name    string
		command played.Command
		status  string
		reason  string
		left    int
	}{
		{"503, and it has it", accept(unavailable), "sent", "", 1},
		{"503, and it has it not", unavailable, "sent", "", 1},
		{"half an answer, and it has it", accept(played.Command{Do: "half"}), "sent", "", 1},
		{"half an answer, and it has it not", played.Command{Do: "half"}, "sent", "", 1},
		{"cut, and it has it", accept(played.Command{Do: "cut"}), "sent", "", 1},
		{"hangs, and it has it", accept(played.Command{Do: "hang"}), "sent", "", 1},
		{"hangs, and it has it not", played.Command{Do: "hang"}, "sent", "", 1},
		{"429 with Retry-After", played.Command{Do: "status", Status: 429, Code: 20429, RetryAfter: "1800"}, "approved", "Twilio takes no more for now", 0},
		{"the receiver opted out there", played.Command{Do: "status", Status: 400, Code: 21610}, "failed", "the receiver has opted out", 0},
	} {
		address, clientID := fmt.Sprintf("+3933312345%02d", i), fmt.Sprint("C-", i)
		m.twilio.Misbehave(c.command)
		id := m.approved(clientID, address)
		var got client.Message
		if c.status == "approved" {
			got = m.awaitPutOff(id)
			if wait := time.Until(got.NotBefore); wait < 25*time.Minute || wait > 31*time.Minute {
				t.Errorf("%s: put off for %s", c.name, wait)
			}
		} else {
			got = m.awaitStatus(id, c.status)
		}
		if !strings.Contains(reason(got), c.reason) || (c.reason == "") != (got.Reason == nil) {
			t.Errorf("%s: the reason is %q", c.name, reason(got))
		}
		if n := m.left(address); n != c.left {
			t.Errorf("%s: %d left", c.name, n)
		}
		if n := m.row(`SELECT count(*)::text FROM ciclo.contacts WHERE message_id = $1`, id); n != fmt.Sprint(c.left) {
			t.Errorf("%s: %s contacts", c.name, n)
		}
		if c.status == "approved" { // its time comes
			m.again(id)
			m.awaitStatus(id, "sent")
			m.expectLeft(address, 1)
		}
	}
}

func TestAWrongTokenLosesNothing(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	wrong := m.worker("CICLO_TWILIO_AUTH_TOKEN=another-token")
	id := m.approved("C-1", "+393331234567")
	execution := m.dispatched(id)
	got := m.awaitPutOff(id)
	e := m.await(execution, 10*time.Second, "its execution is over", client.Execution.Final)
	if e.Status != "failed" || e.Error == nil || !strings.Contains(e.Error.Text, "Twilio refused the account") {
		t.Errorf("its execution is %s", e.Raw)
	}
	if !strings.Contains(reason(got), "Twilio refused the account") || time.Until(got.NotBefore) < 10*time.Minute || got.ApprovedBy == nil {
		t.Errorf("the message is %+v", got)
	}
	if n := m.row(`SELECT count(*)::text FROM ciclo.contacts`); n != "0" {
		t.Errorf("%s contacts", n)
	}
	if said := wrong.err.String() + wrong.out.String() + reason(got) + string(e.Raw); strings.Contains(said, "another-token") {
		t.Error("the token is told")
	}
	wrong.signal(syscall.SIGKILL)
	wrong.wait(10 * time.Second)
	m.worker()
	// Its five attempts opened the breaker; whoever mended the token closes it.
	if err := m.api.Resume(t.Context(), "message-sender"); err != nil {
		t.Error(err)
	}
	m.again(id)
	m.awaitStatus(id, "sent")
	m.expectLeft("+393331234567", 1)
}

// The worker is killed while Twilio holds its request: of two messages at once, one
// that Twilio has and one that it hasn't.
func TestAMessageWhoseWorkerIsKilled(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	worker := m.worker()
	for round := range 3 {
		m.twilio.Misbehave(played.Command{Do: "hang"}, played.Command{Do: "hang", Accept: true})
		addresses := map[string]string{}
		for i := range 2 {
			address := fmt.Sprintf("+39333123%02d%02d", round, i)
			addresses[m.approved(fmt.Sprintf("C-%d-%d", round, i), address)] = address
		}
		eventually(t, 30*time.Second, "Twilio holds both", func() bool { return m.twilio.Hung() == 2*round+2 })
		if n := len(m.twilio.Messages()); n != 2*round+1 {
			t.Errorf("round %d: Twilio has %d", round, n)
		}
		worker.signal(syscall.SIGKILL)
		worker.wait(10 * time.Second)
		worker = m.worker()
		for id, address := range addresses {
			sent := m.awaitStatus(id, "sent")
			m.expectLeft(address, 1)
			if e := m.await(*sent.ExecutionID, 10*time.Second, "its execution is over", client.Execution.Final); e.Attempt != 2 || e.Status != "completed" {
				t.Errorf("round %d: its execution is %s", round, e.Raw)
			}
			if sent.ProviderID == nil || m.left(address) == 1 && !m.hasSID(*sent.ProviderID, address) {
				t.Errorf("round %d: sent as %+v", round, sent)
			}
		}
	}
	if n := len(m.twilio.Messages()); n != 6 {
		t.Errorf("%d messages left", n)
	}
}

func (m *messaging) hasSID(sid, address string) bool {
	for _, s := range m.twilio.Messages() {
		if s.SID == sid {
			return s.To == "whatsapp:"+address
		}
	}
	return false
}

// A mail server can't be asked: what may have left is for a person, whatever the
// truth is, and nothing sends it again but that person's word.
func TestAMailThatMayHaveLeftIsForAPerson(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	worker := m.worker()
	type letter struct {
		address string
		left    int
		outcome string
		status  string
		after   int
	}
	letters := map[string]letter{}
	add := func(l letter) string {
		id := m.approved("C-"+l.address, l.address)
		letters[id] = l
		return id
	}
	for _, l := range []letter{
		{"cut-taken@elsewhere.example", 1, "send_again", "sent", 2},
		{"cut-not-taken@elsewhere.example", 0, "send_again", "sent", 1},
		{"cut-and-found@elsewhere.example", 1, "sent", "sent", 1},
		{"cut-and-dropped@elsewhere.example", 0, "dropped", "rejected", 0},
	} {
		m.mails.Misbehave(played.Command{Do: "cut", Accept: l.left == 1})
		m.awaitStatus(add(l), "unknown")
	}
	// Killed while the server holds the text, which it has, or the receiver.
	m.mails.Misbehave(played.Command{Do: "hang", Accept: true})
	add(letter{"killed-taken@elsewhere.example", 1, "sent", "sent", 1})
	eventually(t, 30*time.Second, "the server holds the text", func() bool { return m.mails.Hung() == 1 })
	m.mails.Misbehave(played.Command{At: "rcpt", Do: "hang"})
	add(letter{"killed-before@elsewhere.example", 0, "send_again", "sent", 1})
	eventually(t, 30*time.Second, "the server holds the receiver", func() bool { return m.mails.Hung() == 2 })
	worker.signal(syscall.SIGKILL)
	worker.wait(10 * time.Second)
	m.worker()
	for id, l := range letters {
		got := m.awaitStatus(id, "unknown")
		if !strings.Contains(reason(got), "may have left") || got.ExecutionID == nil {
			t.Errorf("%s: %+v", l.address, got)
		}
		if e := m.await(*got.ExecutionID, 10*time.Second, "its execution is over", client.Execution.Final); e.Status != "failed" || e.Error == nil || e.Error.Class != "unknown_effect" {
			t.Errorf("%s: its execution is %s", l.address, e.Raw)
		}
	}
	// The dispatcher has looked by the time that another has left.
	m.awaitStatus(m.approved("C-other", "other@elsewhere.example"), "sent")
	for _, l := range letters {
		m.expectLeft(l.address, l.left)
	}
	page, err := m.api.Messages(t.Context(), url.Values{"status": {"unknown"}})
	if err != nil || len(page.Messages) != len(letters) {
		t.Errorf("%d are shown, %v", len(page.Messages), err)
	}
	for id, l := range letters {
		if _, err := m.api.ResolveMessage(t.Context(), id, l.outcome); err != nil {
			t.Error(err)
		}
		m.awaitStatus(id, l.status)
		m.expectLeft(l.address, l.after)
	}
	// A person's word is asked for once.
	for id := range letters {
		if _, err := m.api.ResolveMessage(t.Context(), id, "send_again"); err == nil {
			t.Errorf("%s is resolved twice", id)
		}
	}
}

// A server that greylists one receiver is no sign of illness: the mail waits, and
// the others leave.
func TestAReceiverWhoIsGreylistedHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	m.worker()
	m.mails.Misbehave(played.Command{At: "rcpt", Do: "status", Status: 450})
	id := m.approved("C-1", "c1@elsewhere.example")
	got := m.awaitPutOff(id)
	if wait := time.Until(got.NotBefore); wait < 13*time.Minute || wait > 16*time.Minute || !strings.Contains(reason(got), "smtp 450") {
		t.Errorf("put off for %s: %q", wait, reason(got))
	}
	m.awaitStatus(m.approved("C-2", "c2@elsewhere.example"), "sent")
	m.expectLeft("c1@elsewhere.example", 0)
	m.again(id)
	m.awaitStatus(id, "sent")
	m.expectLeft("c1@elsewhere.example", 1)
	// For good, it is no use.
	m.mails.Misbehave(played.Command{At: "rcpt", Do: "status", Status: 550})
	gone := m.awaitStatus(m.approved("C-3", "c3@elsewhere.example"), "failed")
	if !strings.Contains(reason(gone), "refused the receiver (smtp 550") {
		t.Errorf("the reason is %q", reason(gone))
	}
	m.expectLeft("c3@elsewhere.example", 0)
}

func TestTwoWorkersRaceForOneAddressAndForTheDaysLast(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		addresses [2]string
		cap       int
		reason    string
	}{
		"two clients of one address": {[2]string{"+393331234567", "+393331234567"}, 100, "the client was written to within the cooldown"},
		"a cap of one":               {[2]string{"+393331234567", "c2@elsewhere.example"}, 1, "the day's messages are used up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMessaging(t)
			var ids []string
			for i, address := range c.addresses {
				id := m.approved(fmt.Sprint("C-", i), address)
				m.dispatched(id)
				ids = append(ids, id)
			}
			m.exec(`UPDATE ciclo.contact_policy SET daily_cap = $1`, c.cap)
			m.worker()
			m.worker()
			var sent, waits int
			for _, id := range ids {
				got := m.awaitMessage(id, 30*time.Second, "it is sent or put off", func(message client.Message) bool {
					return message.Status == "sent" || message.Status == "approved" && message.Reason != nil
				})
				switch {
				case got.Status == "sent":
					sent++
				case reason(got) == c.reason && time.Until(got.NotBefore) > 0 && got.ExecutionID == nil:
					waits++
				default:
					t.Errorf("it is %+v", got)
				}
			}
			if n := len(m.twilio.Messages()) + len(m.mails.Messages()); sent != 1 || waits != 1 || n != 1 {
				t.Errorf("%d sent, %d put off, %d left", sent, waits, n)
			}
		})
	}
}
