package erasure_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

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

	f.exec(`INSERT INTO ciclo.llm_calls (execution_id, step, hash, agent, provider, model, state, attempt, worker_id, settled_at, reserved_tokens, reserved_cost, input_tokens, output_tokens, cost, request, answer, kept_until, client_ids)
		SELECT $1, step, repeat('a', 64), 'client-value-predictor', 'firm', 'm', 'answered', 1, gen_random_uuid(), now(), 9, 1, 1, 1, 1, convert_to($2, 'UTF8'), convert_to($2, 'UTF8'), now() + interval '1 day', about
		FROM (VALUES ('about one', ARRAY[$3, 'somebody']), ('about both', ARRAY['nobody', $3])) c (step, about)`, run, "write to "+s.name, s.id)
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
