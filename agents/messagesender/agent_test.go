package messagesender_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/agents/messagesender"
	"github.com/nuzantara/ciclo/internal/channel"
	"github.com/nuzantara/ciclo/internal/channel/played"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
	"github.com/nuzantara/ciclo/worker"
)

func TestMain(m *testing.M) {
	fingerprint, err := postgres.SchemaFingerprint()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testdatabase.Main(m, testdatabase.Options{Migrate: postgres.Migrate, Fingerprint: fingerprint})
}

// rig is a store with a worker that sends by WhatsApp alone, to a played Twilio.
type rig struct {
	*postgres.Store
	t         *testing.T
	pool      *pgxpool.Pool
	catalogue agents.Catalogue
	twilio    *played.Twilio
	drafter   string
}

// newRig runs a worker with the agent, or what change makes of it.
func newRig(t *testing.T, change func(agents.Agent) agents.Agent) *rig {
	t.Helper()
	r := &rig{t: t}
	account := "AC" + strings.Repeat("0", 32)
	var err error
	if r.twilio, err = played.NewTwilio(account, "token"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.twilio.Close)
	r.pool, err = postgres.Connect(r.t.Context(), postgres.PoolConfig{URL: testdatabase.New(t), Name: t.Name(), MaxConns: 8, Stall: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.pool.Close)
	if r.Store, err = postgres.New(r.pool); err != nil {
		t.Fatal(err)
	}
	if r.catalogue, err = agents.Embedded(); err != nil {
		t.Fatal(err)
	}
	channels, err := channel.Config{WhatsApp: channel.WhatsAppConfig{AccountSID: account, AuthToken: "token", From: "+390612345678", URL: r.twilio.URL}}.Channels()
	if err != nil {
		t.Fatal(err)
	}
	sender, err := messagesender.Config{Settle: time.Second}.New(channels)
	if err != nil {
		t.Fatal(err)
	}
	var agent agents.Agent = sender
	if change != nil {
		agent = change(agent)
	}
	r.exec(`UPDATE ciclo.contact_policy SET channels = '{whatsapp,email}', quiet_from = '00:00', quiet_until = '00:00'`)
	r.drafter = r.accept("message_none")
	if _, err := r.Cancel(r.t.Context(), r.drafter); err != nil {
		t.Fatal(err)
	}
	w, err := worker.New(worker.Config{
		Pool: r.pool, BeatPool: r.pool, Catalogue: r.catalogue, Agents: map[string]agents.Agent{messagesender.Name: agent},
		Beat: 100 * time.Millisecond, Drain: 300 * time.Millisecond, Version: "test", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stop worker: %v", err)
		}
	})
	return r
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.pool.Exec(r.t.Context(), sql, args...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) holds(sql string, args ...any) (yes bool) {
	r.t.Helper()
	if err := r.pool.QueryRow(r.t.Context(), sql, args...).Scan(&yes); err != nil {
		r.t.Fatal(err)
	}
	return yes
}

func (r *rig) acceptance(message string) postgres.Acceptance {
	r.t.Helper()
	m := r.catalogue.Find(messagesender.Name)
	parameters, err := m.CheckParameters([]byte(`{"message_id": "` + message + `"}`))
	if err != nil {
		r.t.Fatal(err)
	}
	return postgres.Acceptance{
		Agent: m.Name, IDPrefix: m.IDPrefix, Parameters: parameters, Tries: m.Tries, TimeoutSeconds: m.TimeoutSeconds, Priority: m.Priority, Reason: "test",
	}
}

func (r *rig) accept(message string) string {
	r.t.Helper()
	e, err := r.Accept(r.t.Context(), r.acceptance(message))
	if err != nil {
		r.t.Fatal(err)
	}
	return e.ID
}

// draft makes a client in Makassar, who consents, and a draft for it.
func (r *rig) draft(client, address string) string {
	r.t.Helper()
	r.exec(`INSERT INTO crm.clients (id, consent_marketing) VALUES ($1, true) ON CONFLICT DO NOTHING`, client)
	id := "message_" + uuid.Must(uuid.NewV7()).String()
	r.exec(`
		INSERT INTO ciclo.messages (id, client_id, drafted_by, template, language, reasons, channel, address, zone, subject, body, variables)
		VALUES ($1, $2, $3, 'slipping', 'en', '{"clv": 12}', CASE WHEN $4 LIKE '%@%' THEN 'email' ELSE 'whatsapp' END, $4, 'Asia/Makassar', 'Hello', 'Hello ' || $2, '{"1": "you", "2": "the firm"}')`,
		id, client, r.drafter, address)
	return id
}

func (r *rig) approved(client, address string) string {
	r.t.Helper()
	id := r.draft(client, address)
	if _, err := r.ApproveMessage(r.t.Context(), id, "somebody", nil, nil); err != nil {
		r.t.Fatal(err)
	}
	return id
}

func (r *rig) message(id string) postgres.Message {
	r.t.Helper()
	m, err := r.Message(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// send runs an execution for a message to its end; due ones are enqueued
// meanwhile, as the reaper does.
func (r *rig) send(message string) execution.Execution {
	r.t.Helper()
	return r.await(r.accept(message))
}

func (r *rig) await(id string) execution.Execution {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := r.Enqueue(ctx); err != nil {
			r.t.Fatal(err)
		}
		e, _, err := r.Get(ctx, id)
		if err != nil {
			r.t.Fatalf("it did not end: %+v: %v", e, err)
		}
		if e.Status.Final() {
			return e
		}
		<-tick.C
	}
}

func result(t *testing.T, e execution.Execution) (r messagesender.Result) {
	t.Helper()
	if err := json.Unmarshal(e.Result, &r); err != nil || e.Status != execution.Completed {
		t.Fatalf("it ended as %+v: %v", e, err)
	}
	return r
}

// Why a message doesn't leave now, and when it may.
func TestWhyAMessageDoesNotLeave(t *testing.T) {
	t.Parallel()
	const around = `(now() AT TIME ZONE '%s')::time + interval '%d minutes'`
	quiet := func(zone string) string {
		return `UPDATE ciclo.contact_policy SET quiet_from = ` + fmt.Sprintf(around, zone, -5) + `, quiet_until = ` + fmt.Sprintf(around, zone, 5) + ` WHERE $1 <> ''`
	}
	const inAnHour = `not_before BETWEEN now() + interval '59 minutes' AND now() + interval '61 minutes'`
	for name, c := range map[string]struct {
		address string
		before  string // $1 is the message
		status  string
		reason  string
		when    string // of a message that is put off
	}{
		"nothing is against it": {"+6281234567801", `SELECT $1`, "sent", "", ""},
		"quiet where the client is": {
			"+6281234567801", quiet("Asia/Makassar"), "approved", "it is a quiet hour where the client is",
			`not_before > now() AND not_before < now() + interval '6 minutes'
			 AND (not_before AT TIME ZONE 'Asia/Makassar')::time = (SELECT quiet_until FROM ciclo.contact_policy)`,
		},
		"quiet where the firm is": {"+6281234567801", quiet("UTC"), "sent", "", ""},
		"the cap": {
			"+6281234567801", `UPDATE ciclo.contact_policy SET daily_cap = 0, zone = 'Asia/Makassar' WHERE $1 <> ''`, "approved", "the day's messages are used up",
			`not_before > now() AND not_before AT TIME ZONE 'Asia/Makassar' = (now() AT TIME ZONE 'Asia/Makassar')::date + 1`,
		},
		"the channel is off": {
			"+6281234567801", `UPDATE ciclo.contact_policy SET channels = '{email}' WHERE $1 <> ''`, "approved", "the channel is off", inAnHour,
		},
		"the worker has no mail": {
			"c1@elsewhere.example", `SELECT $1`, "approved", "the worker has no channel email: set it up there, or turn it off", inAnHour,
		},
		"no consent any more": {
			"+6281234567801", `UPDATE crm.clients SET consent_marketing = false WHERE $1 <> ''`, "rejected", "the client has not consented to messages", "",
		},
		"the client is gone": {
			"+6281234567801", `UPDATE crm.clients SET id = 'another' WHERE $1 <> ''`, "rejected", "the client has not consented to messages", "",
		},
		"no mail, where a provider put it off nine times": {
			"c1@elsewhere.example", `UPDATE ciclo.messages SET put_off = 9 WHERE id = $1`, "approved",
			"the worker has no channel email: set it up there, or turn it off", inAnHour,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			id := r.approved("C-1", c.address)
			r.exec(c.before, id)
			e := r.send(id)
			got, m := result(t, e), r.message(id)
			if m.Status != c.status || got.MessageID != id || got.Reason != c.reason || got.Sent != (c.status == "sent") {
				t.Errorf("it is %+v, the result %+v", m, got)
			}
			if reason := m.Reason; c.status != "sent" && (reason == nil || *reason != c.reason) {
				t.Errorf("the reason is %v", reason)
			}
			if left := len(r.twilio.Messages()); left != map[bool]int{true: 1}[c.status == "sent"] {
				t.Errorf("%d left", left)
			}
			if c.status == "sent" {
				return
			}
			if r.holds(`SELECT EXISTS (SELECT FROM ciclo.contacts)`) {
				t.Error("a contact is left of what did not leave")
			}
			if (m.ExecutionID == nil) != (c.status == "approved") || (got.NotBefore != nil) != (c.status == "approved") {
				t.Errorf("it is %+v, the result %+v", m, got)
			}
			if c.when != "" && (!got.NotBefore.Equal(m.NotBefore) || !r.holds(`SELECT `+c.when+` FROM ciclo.messages WHERE id = $1`, id)) {
				t.Errorf("it may be tried at %v (%v)", m.NotBefore, got.NotBefore)
			}
		})
	}
}

func TestTheCooldownPutsOff(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if !result(t, r.send(r.approved("C-1", "+6281234567801"))).Sent {
		t.Fatal("the first did not leave")
	}
	for name, id := range map[string]string{
		"the client, at another number":    r.approved("C-1", "+6281234567802"),
		"the number, under another client": r.approved("C-2", "+6281234567801"),
	} {
		got, m := result(t, r.send(id)), r.message(id)
		if got.Sent || m.Status != "approved" || got.Reason != "the client was written to within the cooldown" {
			t.Errorf("%s: it is %+v, the result %+v", name, m, got)
		}
		if !r.holds(`SELECT m.not_before = c.at + interval '7 days' FROM ciclo.messages m, ciclo.contacts c WHERE m.id = $1`, id) {
			t.Errorf("%s: it may be tried at %v", name, m.NotBefore)
		}
	}
	if n := len(r.twilio.Messages()); n != 1 {
		t.Errorf("%d left", n)
	}
}

// A provider that says "in a second" again and again doesn't use up the ten times in
// ten seconds.
func TestEachTimeAMessageIsPutOffItWaitsLonger(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	id := r.approved("C-1", "+6281234567801")
	for times := 1; times <= 10; times++ {
		r.twilio.Misbehave(played.Command{Do: "status", Status: 429, Code: 20429, RetryAfter: "1"})
		got, m := result(t, r.send(id)), r.message(id)
		if times == 10 {
			if m.Status != "failed" || got.NotBefore != nil || got.Reason != "put off 10 times, last since: Twilio takes no more for now (20429)" {
				t.Errorf("the tenth time it is %+v, the result %+v", m, got)
			}
			break
		}
		wait := time.Until(m.NotBefore)
		if want := time.Duration(times) * 5 * time.Minute; m.Status != "approved" || wait > want || wait < want-time.Minute || !got.NotBefore.Equal(m.NotBefore) {
			t.Errorf("time %d it waits %s: %+v", times, wait, m)
		}
	}
	if n := len(r.twilio.Messages()); n != 0 {
		t.Errorf("%d left", n)
	}
}

// An opt-out by the client's id, of before the draft.
func TestAnOptOutRejects(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	client := "C-1"
	if _, err := r.AddOptOut(r.t.Context(), postgres.OptOut{ClientID: &client, Source: "hand"}); err != nil {
		t.Fatal(err)
	}
	id := r.approved(client, "+6281234567801")
	got, m := result(t, r.send(id)), r.message(id)
	if got.Sent || m.Status != "rejected" || got.Reason != "the client has opted out" || len(r.twilio.Messages()) != 0 {
		t.Errorf("it is %+v, the result %+v", m, got)
	}
}

// What an execution has no business with fails at once and stays as it was.
func TestMessagesThatAnExecutionMayNotSend(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	anothers := r.approved("C-2", "+6281234567802")
	r.exec(`UPDATE ciclo.messages SET execution_id = $2 WHERE id = $1`, anothers, r.drafter)
	sent := r.approved("C-3", "+6281234567803")
	r.send(sent)
	for name, c := range map[string]struct{ id, says string }{
		"a draft":                {r.draft("C-1", "+6281234567801"), "is draft: only an approved one is sent"},
		"another execution's":    {anothers, "is execution " + r.drafter + "'s to send"},
		"one that has been sent": {sent, "is sent: only an approved one is sent"},
		"one that isn't there":   {"message_nobody", "there is no message message_nobody"},
	} {
		var before string
		if c.id != "message_nobody" {
			before = fmt.Sprintf("%+v", r.message(c.id).Status)
		}
		e := r.send(c.id)
		if e.Status != execution.Failed || e.Attempt != 1 || e.Error == nil || e.Error.Class != execution.ClassPermanent || !strings.Contains(e.Error.Text, c.says) {
			t.Errorf("%s: it ended as %+v, %+v", name, e, e.Error)
		}
		if c.id != "message_nobody" && fmt.Sprintf("%+v", r.message(c.id).Status) != before {
			t.Errorf("%s: it is %+v", name, r.message(c.id))
		}
	}
	if m := r.message(anothers); m.ExecutionID == nil || *m.ExecutionID != r.drafter {
		t.Errorf("it was taken: %+v", m)
	}
	if n := len(r.twilio.Messages()); n != 1 {
		t.Errorf("%d left", n)
	}
}

// dying loses the outcome of its first attempts: they end where the agent had done
// everything.
type dying struct {
	agents.Agent
	attempts int
}

func (d dying) Run(ctx context.Context, task *agents.Task) (agents.Result, error) {
	result, err := d.Agent.Run(ctx, task)
	if err == nil && task.Attempt <= d.attempts {
		return nil, errors.New("the attempt dies before its result is stored")
	}
	return result, err
}

// The message was put off, or refused for good, and the attempt died after that was
// written: the next one sends nothing, though the provider would take it now.
func TestAnAttemptThatDiesAfterItWroteThatNothingWasSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		command played.Command
		status  string
		reason  string
	}{
		"put off":          {played.Command{Do: "status", Status: 429, Code: 20429, RetryAfter: "600"}, "approved", "Twilio takes no more for now (20429)"},
		"refused for good": {played.Command{Do: "status", Status: 400, Code: 21610}, "failed", "Twilio refused the message: the receiver has opted out (21610)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(a agents.Agent) agents.Agent { return dying{a, 2} })
			r.twilio.Misbehave(c.command)
			id := r.approved("C-1", "+6281234567801")
			e := r.send(id)
			got, m := result(t, e), r.message(id)
			if e.Attempt != 3 || got.Sent || got.Reason != c.reason || m.Status != c.status || m.Reason == nil || *m.Reason != c.reason {
				t.Errorf("attempt %d: it is %+v, the result %+v", e.Attempt, m, got)
			}
			if n := len(r.twilio.Messages()); n != 0 {
				t.Errorf("%d left", n)
			}
			if !r.holds(`SELECT put_off <= 1 FROM ciclo.messages`) {
				t.Error("it was put off more than once")
			}
		})
	}
}

// The same, and meanwhile another execution has sent it.
func TestAnAttemptThatDiesWhileAnotherExecutionSends(t *testing.T) {
	t.Parallel()
	var r *rig
	other := make(chan string, 1)
	r = newRig(t, func(a agents.Agent) agents.Agent { return meanwhile{a, other} })
	r.twilio.Misbehave(played.Command{Do: "status", Status: 429, Code: 20429, RetryAfter: "600"})
	id := r.approved("C-1", "+6281234567801")
	first := r.accept(id)
	<-other // the first attempt has put it off, and died
	second := r.send(id)
	if !result(t, second).Sent {
		t.Errorf("the second did not send: %+v", second)
	}
	e := r.await(first)
	if got := result(t, e); got.Sent || e.Attempt != 2 {
		t.Errorf("the first ended as %+v", e)
	}
	m := r.message(id)
	if m.Status != "sent" || *m.ExecutionID != second.ID || len(r.twilio.Messages()) != 1 {
		t.Errorf("it is %+v; %d left", m, len(r.twilio.Messages()))
	}
}

// meanwhile says when the first execution's first attempt has done its work, and
// lets it die.
type meanwhile struct {
	agents.Agent
	over chan string
}

func (a meanwhile) Run(ctx context.Context, task *agents.Task) (agents.Result, error) {
	result, err := a.Agent.Run(ctx, task)
	if r, ok := result.(messagesender.Result); ok && task.Attempt == 1 && !r.Sent {
		a.over <- task.ExecutionID
		return nil, errors.New("the attempt dies before its result is stored")
	}
	return result, err
}

func TestSettleIsBounded(t *testing.T) {
	t.Parallel()
	for settle, ok := range map[time.Duration]bool{-time.Second: false, 0: false, time.Second: true, 45 * time.Second: true, 4 * time.Minute: true, 5 * time.Minute: false} {
		if _, err := (messagesender.Config{Settle: settle}).New(nil); (err == nil) != ok || (err != nil && !strings.Contains(err.Error(), "CICLO_MESSAGE_SETTLE")) {
			t.Errorf("%s: %v", settle, err)
		}
	}
}
