package erasure_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuzantara/ciclo/internal/erasure"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// The heart of it: nothing anywhere shows who was erased, and nothing of anybody else
// has changed.
func TestNothingIsLeftAndNobodyElseIsTouched(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	anna, bruno := client(0), client(1)
	f.fill(anna)
	f.fill(bruno)
	before := f.dump()
	if n := len(found(before, anna.traces...)); n < 40 {
		t.Fatalf("only %d rows show the client before", n)
	}
	f.erase(erasure.Request{ClientID: anna.id})
	after := f.dump()
	for _, row := range found(after, anna.traces...) {
		t.Errorf("it is still there: %s", row)
	}
	// What an ended run kept of all clients' payments, packed together, the next run
	// would have removed too.
	delete(before, "ciclo.value_payments")
	if diff := cmp.Diff(found(before, append(slices.Clone(bruno.traces), bruno.id)...), found(after, append(slices.Clone(bruno.traces), bruno.id)...)); diff != "" {
		t.Errorf("somebody else's rows have changed: %s", diff)
	}
	// What the id alone shows is what was decided to stay.
	left := map[string]bool{}
	for _, row := range found(after, anna.id) {
		table, _, _ := strings.Cut(row, ": ")
		left[table] = true
	}
	want := map[string]bool{}
	for _, table := range []string{"ciclo.contacts", "ciclo.erasures", "ciclo.executions", "ciclo.llm_calls", "ciclo.messages", "ciclo.opt_outs", "ciclo.schedules", "ciclo.pauses", "ciclo.notices", "ciclo.cycles", "ciclo.cycle_agents", "ciclo.prompt_proposals", "crm.clients", "crm.conversations", "crm.payments", "crm.practices"} {
		want[table] = true
	}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("the id stays in: %s", diff)
	}
	if got := f.text(`SELECT concat_ws(' ', m.status, m.sent_at IS NOT NULL, m.provider_id, c.number, c.address IS NULL) FROM ciclo.messages m JOIN ciclo.contacts c ON c.message_id = m.id WHERE m.client_id = $1`, anna.id); got != "sent t SM77 1 t" {
		t.Errorf("of the message that was sent there is: %s", got)
	}
}

func TestErasingTwiceIsErasingOnce(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	anna := client(0)
	f.fill(anna)
	f.fill(client(1))
	first := f.erase(erasure.Request{ClientID: anna.id})
	before := f.dump()
	second := f.erase(erasure.Request{ClientID: anna.id})
	second.EndedAt = first.EndedAt
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the second answer is another: %s", diff)
	}
	after := f.dump()
	delete(before, "ciclo.erasures")
	delete(after, "ciclo.erasures")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the second erasure changed: %s", diff)
	}
}

func TestADryRunCountsAndChangesNothing(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	anna := client(0)
	f.fill(anna)
	before := f.dump()
	dry := f.erase(erasure.Request{ClientID: anna.id, DryRun: true})
	if diff := cmp.Diff(before, f.dump()); diff != "" {
		t.Fatalf("a dry run changed: %s", diff)
	}
	real := f.erase(erasure.Request{ClientID: anna.id})
	if diff := cmp.Diff(dry.Rows, real.Rows); diff != "" || !dry.DryRun || dry.EndedAt != nil {
		t.Errorf("a dry run counts otherwise: %s%+v", diff, dry)
	}
}

func TestNobodyIsUnknownAndChangesNothing(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	f.fill(client(1))
	before := f.dump()
	for _, r := range []erasure.Request{{ClientID: "nobody"}, {ClientID: "nobody", DryRun: true}} {
		if _, err := f.Erase(t.Context(), r); err == nil || !strings.Contains(err.Error(), erasure.ErrNoClient.Error()) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if diff := cmp.Diff(before, f.dump()); diff != "" {
		t.Error(diff)
	}
}

// The firm has deleted the client in its own tables before: what Ciclo wrote says what
// to look for.
func TestAClientWhomTheFirmKnowsNoMore(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	anna := client(0)
	f.fill(anna)
	f.exec(`TRUNCATE crm.clients, crm.names, crm.imports CASCADE`)
	f.erase(erasure.Request{ClientID: anna.id})
	for _, row := range found(f.dump(), anna.name, strings.ToLower(anna.name), anna.e164, "secret words") {
		t.Errorf("it is still there: %s", row)
	}
}

// An execution that read the client before and writes after: what it leaves is erased
// when it has ended.
func TestARunThatBeganBefore(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	anna := client(0)
	f.fill(anna)
	run := f.execution("client-value-predictor", `{}`, true)
	e, err := f.Erase(t.Context(), erasure.Request{ClientID: anna.id, By: "test"})
	if err != nil || e.EndedAt != nil || !slices.Equal(e.WaitsFor, []string{run}) {
		t.Fatalf("it waits for the run: %+v, %v", e, err)
	}
	if rows := found(f.dump(), "secret words"); len(rows) > 0 {
		t.Errorf("what was there is erased at once, but for: %v", rows)
	}
	f.exec(`INSERT INTO ciclo.client_scores (execution_id, client_id, as_of, segment, repeat_purchases, recency_weeks, age_weeks, mean_spend, p_alive, churn_risk_30, churn_risk_90,
		expected_purchases, expected_spend, expected_value, clv, clv_12_months, low_confidence) VALUES ($1, $2, now(), 'VIP', 3, 4, 20, 5, .5, .5, .6, 1, 1, 1, 1, 1, false)`, run, anna.id)
	f.exec(`INSERT INTO ciclo.value_payments VALUES ($1, 0, ''), ($1, 1, convert_to($2, 'UTF8'))`, run, anna.id)
	if err := f.CarryOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := f.text(`SELECT count(*)::text FROM ciclo.value_payments WHERE part > 0`); n != "1" {
		t.Errorf("the run goes on and has lost its payments")
	}
	f.complete(run, `{"top_clients": [{"client_id": "`+anna.id+`", "name": "`+anna.name+`"}], "notes": ["`+anna.name+` leads"]}`)
	f.carryOn()
	for _, row := range found(f.dump(), anna.traces...) {
		t.Errorf("the run left: %s", row)
	}
	got := f.text(`SELECT result::text FROM ciclo.executions WHERE id = $1`, run)
	if want := `{"notes": ["[erased] leads"], "top_clients": []}`; got != want {
		t.Errorf("the result is %s, want %s", got, want)
	}
	if n := f.text(`SELECT concat_ws(' ', (SELECT count(*) FROM ciclo.client_scores WHERE client_id = $1), (SELECT count(*) FROM ciclo.value_payments WHERE part > 0), (SELECT count(*) FROM ciclo.erasures WHERE ended_at IS NULL))`, anna.id); n != "0 0 0" {
		t.Errorf("scores, payments and open erasures: %s", n)
	}
}

// A message that is being sent keeps its words until it is known whether it left: the
// next attempt asks by them.
func TestAMessageThatIsBeingSent(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	anna := client(0)
	f.fill(anna)
	drafter := f.execution("client-value-predictor", `{}`, false)
	sending := f.sending(anna, "message_3", drafter)
	e, err := f.Erase(t.Context(), erasure.Request{ClientID: anna.id, By: "test"})
	if err != nil || e.EndedAt != nil || !slices.Equal(e.WaitsFor, []string{sending}) {
		t.Fatalf("it waits for the sending: %+v, %v", e, err)
	}
	if got := f.text(`SELECT output ->> 'address' FROM ciclo.steps WHERE execution_id = $1`, sending); got != anna.e164 {
		t.Errorf("the sending has lost its address: %q", got)
	}
	f.sent(anna, sending)
	f.carryOn()
	for _, row := range found(f.dump(), anna.traces...) {
		t.Errorf("the sending left: %s", row)
	}
	if got := f.text(`SELECT status || ' ' || address FROM ciclo.messages WHERE id = 'message_3'`); got != "sent [erased]" {
		t.Errorf("the message is %s", got)
	}
}

// A transaction that was under way at the erasure is waited for.
func TestATransactionThatWasUnderWay(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	anna := client(0)
	f.fill(anna)
	tx, err := f.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Such as a retry, which takes the steps of another execution with it.
	retry := f.execution("client-value-predictor", `{}`, false)
	if _, err := tx.Exec(t.Context(), `INSERT INTO ciclo.steps (execution_id, name, attempt, worker_id, output, started_at)
		SELECT $1, 'copied', 1, worker_id, output, started_at FROM ciclo.steps WHERE output ? 'top_clients'`, retry); err != nil {
		t.Fatal(err)
	}
	e, err := f.Erase(t.Context(), erasure.Request{ClientID: anna.id, By: "test"})
	if err != nil || e.EndedAt != nil {
		t.Fatalf("it is over: %+v, %v", e, err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.carryOn()
	for _, row := range found(f.dump(), anna.traces...) {
		t.Errorf("the transaction left: %s", row)
	}
}

// Who was erased is not written to again, whatever an import brings, under whatever id.
func TestNobodyWhoWasErasedIsWrittenToAgain(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	anna, bruno := client(0), client(1)
	f.fill(anna)
	f.fill(bruno)
	f.erase(erasure.Request{ClientID: anna.id})
	again := anna
	again.id = "client-new"
	f.exec(`INSERT INTO crm.clients (id, name, email, whatsapp, consent_marketing) VALUES ($1, $2, $3, $4, true)`, again.id, anna.name, anna.mail, anna.whatsapp)
	run := f.execution("client-value-predictor", `{}`, false)
	for name, change := range map[string]string{"by number": `UPDATE ciclo.messages SET status = status`, "by mail": `SELECT 1`} {
		id := "message_" + strings.ReplaceAll(name, " ", "-")
		channel, address := "whatsapp", anna.e164
		if name == "by mail" {
			channel, address = "email", strings.ToLower(anna.mail)
		}
		f.exec(change)
		f.exec(`INSERT INTO ciclo.messages (id, client_id, drafted_by, template, language, reasons, channel, address, zone, subject, body, status, approved_by, approved_at)
			VALUES ($1, $2, $3, 'x', 'en', '{}', $4, $5, 'UTC', 'x', 'x', 'approved', 'test', now())`, id, again.id, run, channel, address)
		_, err := f.pool.Exec(t.Context(), `INSERT INTO ciclo.contacts (message_id) VALUES ($1)`, id)
		if err == nil || !strings.Contains(err.Error(), "opted out") {
			t.Errorf("%s: %v", name, err)
		}
		f.exec(`UPDATE ciclo.messages SET status = 'rejected', reason = 'x' WHERE id = $1`, id)
	}
	// STOP says nothing new, and writes no address down.
	stop, err := f.store.AddOptOut(t.Context(), postgres.OptOut{Address: &anna.e164, Source: "inbound", Detail: "SM2"})
	if err != nil || stop != 0 || f.text(`SELECT count(*)::text FROM ciclo.opt_outs WHERE address = $1`, anna.e164) != "0" {
		t.Errorf("STOP of who was erased: %d, %v", stop, err)
	}
	// Others are written to as before.
	f.send(bruno, "message_9", run)
}

// A transaction that drafts, and lets out, while the client is erased.
func TestADraftThatCameInBetween(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	anna := client(0)
	f.fill(anna)
	run := f.execution("client-value-predictor", `{}`, true)
	if _, err := f.Erase(t.Context(), erasure.Request{ClientID: anna.id, By: "test"}); err != nil {
		t.Fatal(err)
	}
	f.draft(anna, "message_5", run)
	f.exec(`UPDATE ciclo.messages SET status = 'approved', approved_by = 'policy', approved_at = now() WHERE id = 'message_5'`)
	f.complete(run, `{}`)
	f.carryOn()
	for _, row := range found(f.dump(), anna.traces...) {
		t.Errorf("the draft left: %s", row)
	}
}

// An erased id stays erased in the default tables.
func TestAnImportBringsNothingBack(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	anna, bruno := client(0), client(1)
	f.fill(anna)
	f.fill(bruno)
	f.erase(erasure.Request{ClientID: anna.id})
	f.exec(`INSERT INTO crm.messages VALUES ('m-1', $1, 'client', 'secret words of client-a7', now()), ('m-2', $2, 'client', 'hello', now())`, anna.conversation, bruno.conversation)
	f.exec(`INSERT INTO crm.ratings VALUES ($1, 5, now())`, anna.conversation)
	f.exec(`INSERT INTO crm.interactions (client_id, channel, direction, kind, occurred_at) VALUES ($1, $2, 'inbound', 'x', now())`, anna.id, anna.name)
	f.exec(`UPDATE crm.clients SET name = $2, email = $3, consent_marketing = true WHERE id IN ($1, 'x')`, anna.id, anna.name, anna.mail)
	for _, row := range found(f.dump(), anna.traces...) {
		t.Errorf("it is back: %s", row)
	}
	if n := f.text(`SELECT count(*)::text FROM crm.messages`); n != "2" {
		t.Errorf("there are %s messages, want the two of the other client", n)
	}
}

// The guards let nothing else pass: not of who isn't erased, and of who is not to
// anything but the erased form.
func TestTheGuardsLetNothingElsePass(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	anna, bruno := client(0), client(1)
	f.fill(anna)
	f.fill(bruno)
	f.erase(erasure.Request{ClientID: anna.id})
	f.exec(`SET ciclo.erasing = 'on'`)
	for name, sql := range map[string]string{
		"a message of somebody else":                  `UPDATE ciclo.messages SET address = '[erased]', subject = '[erased]', body = '[erased]', variables = NULL, reasons = '{}' WHERE id = 'message_2-client-b8'`,
		"an erased message with another text":         `UPDATE ciclo.messages SET body = 'x' WHERE id = 'message_2-client-a7'`,
		"an erased message to another address":        `UPDATE ciclo.messages SET address = '+6281234567891' WHERE id = 'message_2-client-a7'`,
		"a contact of somebody else":                  `UPDATE ciclo.contacts SET address = NULL, address_previous_at = NULL WHERE client_id = 'client-b8'`,
		"an erased contact at another time":           `UPDATE ciclo.contacts SET at = now() WHERE client_id = 'client-a7'`,
		"an erased contact of another client":         `UPDATE ciclo.contacts SET client_id = 'x' WHERE client_id = 'client-a7'`,
		"a contact that is gone":                      `DELETE FROM ciclo.contacts WHERE client_id = 'client-a7'`,
		"a transition":                                `UPDATE ciclo.transitions SET reason = 'x'`,
		"a transition with its error erased":          `UPDATE ciclo.transitions SET error_text = '[erased]' WHERE error_text IS NOT NULL`,
		"an erasure that is over and still looks":     `UPDATE ciclo.erasures SET patterns = '{.*}'`,
		"another key of the hashes":                   `UPDATE ciclo.erasure_key SET key = sha256('x')`,
		"no key of the hashes":                        `DELETE FROM ciclo.erasure_key`,
		"an opt-out with an address and its own hash": `INSERT INTO ciclo.opt_outs (address, address_hash, source) VALUES ('x@y.example', sha256('x'), 'hand')`,
	} {
		if _, err := f.pool.Exec(t.Context(), sql); !postgres.Refused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Two clients of one address, written to in turn: the chain of the other one stays whole.
func TestAnAddressOfTwo(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	anna, bruno := client(0), client(1)
	f.fill(anna)
	f.exec(`INSERT INTO crm.clients (id, name, whatsapp, consent_marketing) VALUES ($1, $2, $3, true)`, bruno.id, bruno.name, anna.whatsapp)
	bruno.e164 = anna.e164
	run := f.execution("client-value-predictor", `{}`, false)
	for i, s := range []somebody{bruno, anna, bruno, anna, anna, bruno} {
		f.send(s, fmt.Sprintf("message_%d", i), run)
	}
	f.erase(erasure.Request{ClientID: anna.id})
	got := f.text(`
		SELECT string_agg(c.message_id || '<' || coalesce(b.message_id, ''), ' ' ORDER BY c.at)
		FROM ciclo.contacts c LEFT JOIN ciclo.contacts b ON b.address = c.address AND b.at = c.address_previous_at WHERE c.client_id = $1`, bruno.id)
	if want := "message_0< message_2<message_0 message_5<message_2"; got != want {
		t.Errorf("the chain is %s, want %s", got, want)
	}
	if n := f.text(`SELECT count(*)::text FROM ciclo.contacts WHERE client_id = $1 AND address IS NOT NULL`, anna.id); n != "0" {
		t.Errorf("%s contacts keep the address", n)
	}
}

func TestPaymentsGoWhereTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	anna := client(0)
	f.fill(anna)
	f.fill(client(1))
	f.erase(erasure.Request{ClientID: anna.id})
	if n := f.text(`SELECT count(*)::text FROM crm.payments WHERE client_id = $1`, anna.id); n != "2" {
		t.Fatalf("%s payments are left, want 2", n)
	}
	f.erase(erasure.Request{ClientID: anna.id, Payments: true})
	if n := f.text(`SELECT concat_ws(' ', (SELECT count(*) FROM crm.payments), (SELECT count(*) FROM crm.practices))`); n != "2 1" {
		t.Errorf("payments and practices left: %s, want the other client's 2 1", n)
	}
}

// More than fits into a batch, interrupted after each statement or so, ends as if
// nothing had been.
func TestALargeClientGoesOnWhereItWasInterrupted(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	anna := client(0)
	f.fill(anna)
	f.exec(`INSERT INTO crm.messages SELECT 'x' || n, $1, 'client', 'secret words of client-a7', now() FROM generate_series(1, 25000) n`, anna.conversation)
	f.exec(`INSERT INTO ciclo.graph_messages (id, conversation_id, client_id, sent_at, body_hash, versions, execution_id) SELECT 'x' || n, $1, $2, now(), sha256('x'), '{}', (SELECT min(id) FROM ciclo.executions) FROM generate_series(1, 2500) n`, anna.conversation, anna.id)
	for wait := time.Millisecond; ; wait *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		e, err := f.Erase(ctx, erasure.Request{ClientID: anna.id, By: "test"})
		cancel()
		if err == nil && e.EndedAt != nil {
			break
		}
		if wait > time.Minute {
			t.Fatalf("it never ends: %+v, %v", e, err)
		}
	}
	for _, row := range found(f.dump(), anna.traces...) {
		t.Errorf("it is still there: %s", row)
	}
	if n := f.text(`SELECT rows ->> 'crm.messages' FROM ciclo.erasures`); n != "25001" {
		t.Errorf("%s messages were counted, want 25001", n)
	}
}
