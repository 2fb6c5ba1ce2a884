package erasure_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/erasure"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

func TestMain(m *testing.M) {
	fingerprint, err := postgres.SchemaFingerprint()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testdatabase.Main(m, testdatabase.Options{Migrate: postgres.Migrate, Fingerprint: fingerprint})
}

// firm is a database with its clients.
type firm struct {
	t     *testing.T
	ctx   context.Context //nolint:containedctx // it is the test's
	pool  *pgxpool.Pool
	store *postgres.Store
	*erasure.Erasures
}

func newFirm(t *testing.T) *firm {
	t.Helper()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: testdatabase.New(t), Name: t.Name(), MaxConns: 5})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	store, err := postgres.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	f := &firm{t, t.Context(), pool, store, erasure.New(pool)}
	f.exec(`UPDATE ciclo.contact_policy SET channels = '{whatsapp,email}', region = 'ID', quiet_from = '00:00', quiet_until = '00:00', cooldown = '0'`)
	return f
}

func (f *firm) exec(sql string, args ...any) {
	f.t.Helper()
	if _, err := f.pool.Exec(f.ctx, sql, args...); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
}

func (f *firm) text(sql string, args ...any) (text string) {
	f.t.Helper()
	if err := f.pool.QueryRow(f.ctx, sql, args...).Scan(&text); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
	return text
}

// erase erases a client and expects it to be over.
func (f *firm) erase(r erasure.Request) erasure.Erasure {
	f.t.Helper()
	r.By = "test"
	e, err := f.Erase(f.ctx, r)
	if err != nil {
		f.t.Fatal(err)
	}
	if !r.DryRun && e.EndedAt == nil {
		f.carryOn()
		if e, err = f.Erase(f.ctx, r); err != nil || e.EndedAt == nil {
			f.t.Fatalf("it goes on: %+v, %v", e, err)
		}
	}
	return e
}

// carryOn goes on until every erasure is over. Transactions of other tests in the same
// server count too, so once may not be enough.
func (f *firm) carryOn() {
	f.t.Helper()
	for range 20 {
		if err := f.CarryOn(f.ctx); err != nil {
			f.t.Fatal(err)
		}
		if f.text(`SELECT count(*)::text FROM ciclo.erasures WHERE ended_at IS NULL`) == "0" {
			return
		}
	}
	f.t.Fatal("it never ends")
}

// execution accepts one; started says whether it runs.
func (f *firm) execution(agent, parameters string, started bool) string {
	f.t.Helper()
	e, err := f.store.Accept(f.ctx, postgres.Acceptance{
		Agent: agent, IDPrefix: strings.ReplaceAll(agent, "-", "_") + "_", Parameters: json.RawMessage(parameters), Tries: 2, TimeoutSeconds: 60, Priority: 2, Reason: "test",
	})
	if err != nil {
		f.t.Fatal(err)
	}
	if started {
		f.exec(`UPDATE ciclo.executions SET status = 'running', attempt = 1, worker_id = gen_random_uuid(), running_at = now() WHERE id = $1`, e.ID)
	}
	return e.ID
}

func (f *firm) complete(id, result string) {
	f.t.Helper()
	f.exec(`UPDATE ciclo.executions SET status = 'completed', worker_id = NULL, ended_at = now(), result = $2 WHERE id = $1`, id, result)
}

func (f *firm) fail(id, text string) {
	f.t.Helper()
	f.exec(`UPDATE ciclo.executions SET status = 'failed', worker_id = NULL, ended_at = now(), error_class = 'error', error_text = $2 WHERE id = $1`, id, text)
	f.exec(`INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, reason, outcome, error_class, error_text)
		VALUES ($1, 'running', 'failed', 1, 'attempt failed: ' || $2, 'failed', 'error', $2)`, id, text)
}

// somebody is a client with everything that Ciclo may come to know.
type somebody struct {
	id, name, mail, phone, whatsapp, e164 string
	// traces are texts by which the client is found, wherever they stand.
	traces []string
	// conversations and messages are ids of the client's.
	conversation, message string
}

func client(n int) somebody {
	s := [...]somebody{
		{id: "client-a7", name: "Anna Ruiz-Ferrer", mail: "Anna.Ruiz@mail.example", phone: "0812-3456-7890", whatsapp: "+62 812 3456 7891", e164: "+6281234567891"},
		{id: "client-b8", name: "Bruno Tommasi", mail: "bruno@firm.example", phone: "0812-9999-1110", whatsapp: "+62 812 9999 1111", e164: "+6281299991111"},
	}[n]
	s.conversation, s.message = "talk-"+s.id, "said-"+s.id
	s.traces = []string{s.name, strings.ToLower(s.name), s.mail, strings.ToLower(s.mail), s.phone, s.whatsapp, s.e164, "secret words of " + s.id}
	return s
}

// fill writes all of it.
func (f *firm) fill(s somebody) {
	f.t.Helper()
	said := "secret words of " + s.id
	f.exec(`INSERT INTO crm.clients (id, name, email, phone, whatsapp, language, consent_marketing, tags) VALUES ($1, $2, $3, $4, $5, 'it', true, ARRAY['knows ' || $2])`,
		s.id, s.name, s.mail, s.phone, s.whatsapp)
	f.exec(`INSERT INTO crm.practice_types VALUES ('visa', 'Visa') ON CONFLICT DO NOTHING`)
	f.exec(`INSERT INTO crm.practices (id, client_id, practice_type_id, currency) VALUES ('practice-' || $1, $1, 'visa', 'EUR')`, s.id)
	f.exec(`INSERT INTO crm.payments (client_id, practice_id, paid_at, amount, currency) VALUES ($1, 'practice-' || $1, now() - interval '90 days', 120, 'EUR'), ($1, NULL, now(), 80, 'EUR')`, s.id)
	f.exec(`INSERT INTO crm.interactions (client_id, channel, direction, kind, occurred_at, reference) VALUES ($1, 'phone', 'inbound', 'call', now() - interval '60 days', 'call of ' || $2)`, s.id, s.name)
	f.exec(`INSERT INTO crm.conversations (id, client_id, channel, segment, started_at, outcome, outcome_at) VALUES ($1, $2, 'chat', 'VIP', now() - interval '30 days', 'won', now() - interval '29 days')`, s.conversation, s.id)
	f.exec(`INSERT INTO crm.messages VALUES ($1, $2, 'client', $3, now() - interval '30 days')`, s.message, s.conversation, "I am "+s.name+", "+said)
	f.exec(`INSERT INTO crm.ratings (conversation_id, rating) VALUES ($1, 4)`, s.conversation)
	f.exec(`INSERT INTO crm.names VALUES ('person', 'gazetteer-' || $1, $2)`, s.id, s.name)
	f.exec(`INSERT INTO crm.imports (kind, file, sha256, rows) VALUES ('clients', $1, sha256(convert_to($1, 'UTF8')), 1)`, "/data/"+s.name+".csv")

	before, run := f.execution("client-value-predictor", `{"note": "about `+s.name+`"}`, true), f.execution("client-value-predictor", `{"days_back": 3}`, true)
	top := `{"top_clients": [{"client_id": "` + s.id + `", "name": "` + s.name + `", "clv": 77}], "notes": ["` + strings.ToUpper(s.name) + ` is the best"], "clients": 2}`
	for _, id := range []string{before, run} {
		f.exec(`INSERT INTO ciclo.client_scores (execution_id, client_id, as_of, segment, repeat_purchases, recency_weeks, age_weeks, mean_spend, p_alive, churn_risk_30, churn_risk_90,
			expected_purchases, expected_spend, expected_value, clv, clv_12_months, low_confidence) VALUES ($1, $2, now(), 'VIP', 3, 4, 20, 5, .5, .5, .6, 1, 1, 1, 77, 1, false)`, id, s.id)
		f.exec(`INSERT INTO ciclo.value_payments VALUES ($1, 0, ''), ($1, 1, convert_to($2, 'UTF8'))`, id, s.id+said)
		f.exec(`UPDATE ciclo.executions SET progress_done = 1, progress_total = 2, progress_text = $2, progress_at = now() WHERE id = $1`, id, "at "+s.name)
		f.complete(id, top)
	}
	f.exec(`INSERT INTO ciclo.segment_changes (execution_id, previous_execution_id, client_id, from_segment, to_segment) VALUES ($1, $2, $3, 'LOW', 'VIP')`, run, before, s.id)
	f.exec(`INSERT INTO ciclo.steps (execution_id, name, attempt, worker_id, output, started_at) VALUES ($1, 'fit', 1, gen_random_uuid(), $2, now())`, run, top)

	failed := f.execution("conversation-trainer", `{}`, true)
	f.fail(failed, "the provider refused "+s.e164+" of "+s.name)
	f.exec(`INSERT INTO ciclo.notices (kind, agent, execution_id, subject, text, error) VALUES ('failed', 'conversation-trainer', $1, $2, $2, $2)`, failed, "failed: "+s.name)
	f.exec(`UPDATE ciclo.river_job SET errors = ARRAY[jsonb_build_object('error', $2::text)], metadata = jsonb_build_object($2::text, $3::text)
		WHERE id = (SELECT river_job_id FROM ciclo.executions WHERE id = $1)`, failed, "panic at "+s.name, s.mail)
	f.exec(`UPDATE ciclo.executions SET idempotency_key = $2, request_hash = sha256('x') WHERE id = $1`, failed, "erase "+s.mail)
	f.exec(`INSERT INTO ciclo.webhooks (id, url, statuses, secret, created_by) VALUES (gen_random_uuid(), 'https://firm.example/' , '{failed}', sha256('x'), 'x') ON CONFLICT DO NOTHING`)
	f.exec(`INSERT INTO ciclo.webhook_deliveries (webhook_id, transition_id, due_at, error) SELECT w.id, t.id, NULL, $2 FROM ciclo.webhooks w, ciclo.transitions t
		WHERE t.execution_id = $1 AND t.to_status = 'failed' ON CONFLICT (transition_id, webhook_id) DO UPDATE SET error = excluded.error`, failed, "500: "+s.name)
	f.exec(`INSERT INTO ciclo.cycles (id, opened_by, deadline_at, max_parallel, parameters, planner, planner_error, snapshot) VALUES ('cycle_' || $1, 'hand', now(), 1, $2, 'rules', $3, $2)`,
		s.id, `{"for": "`+s.name+`"}`, s.name)
	f.exec(`INSERT INTO ciclo.cycle_agents (cycle_id, agent, position, decision, reason, detail) VALUES ('cycle_' || $1, 'a', 1, 'skip', 'x', $2)`, s.id, "for "+s.name)
	f.exec(`INSERT INTO ciclo.schedules (name, description, interval_seconds, anchor_at, created_by, paused_at, paused_reason) VALUES ($1, $2, 3600, now(), 'x', now(), $2)`, s.id, "while "+s.name+" is away")
	f.exec(`INSERT INTO ciclo.pauses (agent, kind, reason) VALUES ($1, 'hand', $2)`, s.id, s.name+" asked")
	f.exec(`UPDATE ciclo.notices SET due_at = NULL, sent_at = now() WHERE kind = 'paused'`)

	trained := f.execution("conversation-trainer", `{}`, true)
	f.exec(`INSERT INTO ciclo.patterns (execution_id, kind, feature, rank, n_with, n_with_won, n_without, n_without_won, risk_difference, risk_low, risk_high, p, q, confirmed,
			later_with, later_with_won, later_without, later_without_won, same_as, examples)
		VALUES ($1, 'ngram', $2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, false, 0, 0, 0, 0, '{}', '{}'), ($1, 'ngram', 'thank you', 2, 0, 0, 0, 0, 0, 0, 0, 1, 1, false, 0, 0, 0, 0, '{}', ARRAY[$3, 'talk-of-nobody'])`,
		trained, strings.ToLower(s.name), s.conversation)
	f.complete(trained, `{"top_patterns": [{"feature": "thank you", "examples": ["`+s.conversation+`", "talk-of-nobody"]}]}`)
	f.exec(`INSERT INTO ciclo.prompt_proposals (execution_id, id, prompt, base_hash, patterns_hash, window_from, window_to, title, body, lines, left_out, report, plot, data_until, status, reason)
		VALUES ($1, $2, 'x', repeat('0', 64), encode(sha256(convert_to($2, 'UTF8')), 'hex'), '2026-01-01', '2026-01-30', $3, $3, ARRAY[$3], jsonb_build_array($3::text), $3, $3, now(), 'refused', $3)`,
		trained, "p-"+s.id, "as "+s.name+" says")

	f.draft(s, "message_1-"+s.id, run)
	f.exec(`UPDATE ciclo.messages SET status = 'rejected', reason = $2 WHERE id = $1`, "message_1-"+s.id, s.name+" called")
	f.send(s, "message_2-"+s.id, run)
	f.exec(`INSERT INTO ciclo.opt_outs (address, client_id, source, detail) VALUES ($1, $2, 'hand', $3), ($1, NULL, 'inbound', 'SM1')`, s.e164, s.id, s.name+" wrote")
	f.exec(`UPDATE ciclo.opt_outs SET ended_at = now(), ended_by = 'x' WHERE address = $1`, s.e164)

	f.exec(`INSERT INTO ciclo.graph_models (name, version, model, messages) VALUES ('tagger of ' || $1, '1', convert_to($2, 'UTF8'), 3)`, s.id, "w="+strings.ToLower(s.name))
	f.fillGraph(s)
}

// draft writes a draft to the client's WhatsApp.
func (f *firm) draft(s somebody, id, run string) {
	f.t.Helper()
	f.exec(`INSERT INTO ciclo.messages (id, client_id, drafted_by, template, language, reasons, channel, address, zone, subject, body, variables)
		VALUES ($1, $2, $3, 'slipping', 'it', '{"clv": 77}', 'whatsapp', $4, 'Asia/Jakarta', 'Hello', $5, jsonb_build_object('1', $6::text, '2', 'The Firm'))`,
		id, s.id, run, s.e164, "Hello "+s.name+", secret words of "+s.id, s.name)
}

// sending has an execution that has reserved its contact and sends the message.
func (f *firm) sending(s somebody, id, run string) (execution string) {
	f.t.Helper()
	f.draft(s, id, run)
	f.exec(`UPDATE ciclo.messages SET status = 'approved', approved_by = 'test', approved_at = now() WHERE id = $1`, id)
	execution = f.execution("message-sender", `{"message_id": "`+id+`"}`, true)
	f.exec(`UPDATE ciclo.messages SET execution_id = $2 WHERE id = $1`, id, execution)
	f.exec(`INSERT INTO ciclo.contacts (message_id) VALUES ($1)`, id)
	f.exec(`INSERT INTO ciclo.steps (execution_id, name, attempt, worker_id, output, started_at) SELECT $1, 'reserve', 1, gen_random_uuid(), jsonb_build_object('address', address, 'body', body), now() FROM ciclo.messages WHERE id = $2`, execution, id)
	f.exec(`INSERT INTO ciclo.effects (execution_id, name, key, policy, state, attempt, worker_id) VALUES ($1, 'send', $1, 'once', 'intended', 1, gen_random_uuid())`, execution)
	return execution
}

func (f *firm) sent(s somebody, execution string) {
	f.t.Helper()
	f.exec(`UPDATE ciclo.effects SET state = 'done', settled_at = now(), outcome = jsonb_build_object('provider_id', 'SM77', 'to', $2::text) WHERE execution_id = $1`, execution, s.e164)
	f.complete(execution, `{"sent": true}`) // its trigger settles the message
}

func (f *firm) send(s somebody, id, run string) {
	f.t.Helper()
	f.sent(s, f.sending(s, id, run))
}

// fillGraph writes what the knowledge graph holds of the client.
func (f *firm) fillGraph(s somebody) {
	f.t.Helper()
	id := func(kind, of string) string { return f.text(`SELECT $1 || '_' || left(md5($2), 16)`, kind, of) }
	entity, firmEntity := id("entity", s.id), id("entity", "Acme")
	gone := id("entity", "before "+s.id)
	own, spoken, acme := id("record", "own "+s.id), id("record", "spoken "+s.id), id("record", "Acme")
	f.exec(`INSERT INTO ciclo.entities (id, type, name, client_ids, mentions, conversations, first_at, last_at) VALUES ($1, 'person', $2, ARRAY[$3], 1, 1, now(), now())`, entity, s.name, s.id)
	f.exec(`INSERT INTO ciclo.entities (id, type, name, expired_at) VALUES ($1, 'person', $2, now())`, gone, s.name)
	f.exec(`INSERT INTO ciclo.entities (id, type, name, mentions, conversations, first_at, last_at) VALUES ($1, 'company', 'Acme', 2, 2, now(), now()) ON CONFLICT DO NOTHING`, firmEntity)
	f.exec(`INSERT INTO ciclo.graph_records VALUES ($1, 'person', 'client:' || $2, $3, $4, $2, $5), ($6, 'person', 'conversation:' || $2, $3, $4, NULL, $5)`, own, s.id, strings.ToLower(s.name), s.name, entity, spoken)
	f.exec(`INSERT INTO ciclo.graph_records VALUES ($1, 'company', '', 'acme', 'Acme', NULL, $2) ON CONFLICT DO NOTHING`, acme, firmEntity)
	reader := f.execution("knowledge-graph-builder", `{}`, false)
	f.exec(`INSERT INTO ciclo.graph_messages (id, conversation_id, client_id, sent_at, body_hash, versions, execution_id) VALUES ($1, $2, $3, now(), sha256('x'), '{}', $4)`, s.message, s.conversation, s.id, reader)
	f.exec(`INSERT INTO ciclo.mentions VALUES ($1, 5, 5 + char_length($2), $2, 'person', $3, 'gazetteer', '1', 1), ($1, 40, 44, 'Acme', 'company', $4, 'gazetteer', '1', 1)`, s.message, s.name, spoken, acme)
	f.exec(`INSERT INTO ciclo.record_attributes VALUES ($1, $2, 'email', lower($3), 'x', '1')`, s.message, spoken, s.mail)
	f.exec(`INSERT INTO ciclo.edge_evidence VALUES ($1, $2, 'works_for', $3, 0, char_length($4), $4, 'x', '1', .9)`, s.message, spoken, acme, s.name+" of Acme")
	f.exec(`INSERT INTO ciclo.edges (id, subject_id, relation, object_id, valid_at, confidence, evidence, conversations) VALUES ($1, $2, 'works_for', $3, now(), .9, 1, 1)`, id("edge", s.id), entity, firmEntity)
	f.exec(`INSERT INTO ciclo.edges (id, subject_id, relation, object_id, valid_at, expired_at, confidence, evidence, conversations) VALUES ($1, $2, 'works_for', $3, now(), now(), .9, 1, 1)`, id("edge", "before "+s.id), gone, firmEntity)
	f.exec(`INSERT INTO ciclo.entity_aliases VALUES ($1, $2, lower($2), 1)`, entity, s.name)
	f.exec(`INSERT INTO ciclo.entity_aliases VALUES ($1, 'Acme', 'acme', 2) ON CONFLICT DO NOTHING`, firmEntity)
	f.exec(`INSERT INTO ciclo.entity_merges (kind, from_id, to_id, records, fields, decided_by) VALUES ('merge', $1, $2, ARRAY[$3], jsonb_build_array($4::text), 'test')`, gone, entity, spoken, s.name)
	f.exec(`UPDATE ciclo.entities e SET degree = (SELECT count(*) FROM ciclo.edges WHERE (subject_id = e.id OR object_id = e.id) AND expired_at IS NULL)`)
	f.exec(`INSERT INTO ciclo.entity_reviews (id, record_a, record_b, fields) VALUES ($1, least($2, $3), greatest($2, $3), jsonb_build_array($4::text))`, id("review", s.id), own, spoken, s.name)
}

// dump is every row of schemas ciclo and crm as text, by table, binary texts too.
func (f *firm) dump() map[string][]string {
	f.t.Helper()
	rows, err := f.pool.Query(f.ctx, `
		SELECT c.relnamespace::regnamespace || '.' || c.relname, coalesce(string_agg(format('encode(%I, ''escape'')', a.attname), ' || ' ORDER BY a.attnum) FILTER (WHERE a.atttypid = 'bytea'::regtype), '''''')
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relnamespace IN ('ciclo'::regnamespace, 'crm'::regnamespace) AND c.relkind IN ('r', 'p', 'm') GROUP BY 1 ORDER BY 1`)
	if err != nil {
		f.t.Fatal(err)
	}
	type source struct{ table, binary string }
	tables, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (s source, err error) { return s, r.Scan(&s.table, &s.binary) })
	if err != nil {
		f.t.Fatal(err)
	}
	all := map[string][]string{}
	for _, s := range tables {
		rows, err := f.pool.Query(f.ctx, `SELECT t::text || coalesce(`+s.binary+`, '') FROM `+s.table+` t ORDER BY 1`)
		if err == nil {
			all[s.table], err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if err != nil {
			f.t.Fatalf("%s: %v", s.table, err)
		}
	}
	return all
}

// found are the rows of a dump that hold one of the texts, by table.
func found(dump map[string][]string, texts ...string) (rows []string) {
	for table, all := range dump {
		for _, row := range all {
			if slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(row, s) }) {
				rows = append(rows, table+": "+row)
			}
		}
	}
	slices.Sort(rows)
	return rows
}

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
	for _, table := range []string{"ciclo.contacts", "ciclo.erasures", "ciclo.executions", "ciclo.messages", "ciclo.opt_outs", "ciclo.schedules", "ciclo.pauses", "ciclo.notices", "ciclo.cycles", "ciclo.cycle_agents", "ciclo.prompt_proposals", "crm.clients", "crm.conversations", "crm.payments", "crm.practices"} {
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
