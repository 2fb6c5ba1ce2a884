package orchestrator_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/nuzantara/ciclo/internal/retention"
	"github.com/nuzantara/ciclo/internal/testagents"
	"github.com/nuzantara/ciclo/internal/testdatabase"
	"github.com/nuzantara/ciclo/orchestrator"
)

// whole gives every execution the moves that it must have made.
func (a *api) whole() {
	a.t.Helper()
	a.exec(`
		INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, worker_id, reason, at, outcome)
		SELECT id, m.was, m.becomes, m.attempt, m.worker, 'test', coalesce(m.at, started_at), m.outcome
		FROM ciclo.executions e CROSS JOIN LATERAL (VALUES
			(1, NULL, 'started', 0, NULL::uuid, started_at, NULL), (2, 'started', 'running', 1, '019ac5a8-6f0e-7000-8000-000000000000', running_at, NULL),
			(3, 'running', status, 1, '019ac5a8-6f0e-7000-8000-000000000000', ended_at, status)) m (n, was, becomes, attempt, worker, at, outcome)
		WHERE ended_at IS NOT NULL AND NOT EXISTS (SELECT FROM ciclo.transitions t WHERE t.execution_id = e.id) ORDER BY id, m.n`)
}

// Whatever shows results answers the same once the executions that wrote them are
// pruned; these say so themselves, and those without results are gone.
func TestResultsOfPrunedExecutions(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	now := time.Now()
	older, old := a.valueRun("completed", 220, false), a.valueRun("completed", 210, false)
	for _, run := range []string{older, old} {
		a.manyScores(run, 20)
	}
	a.change(old, older, "c1", "VIP")
	a.read("m-1", 1) // by one that stays alive: it is counted, since no trigger is off yet
	first, second := a.trained(now.AddDate(0, 0, -205), false, "+a", "b"), a.trained(now.AddDate(0, 0, -204), false, "b", "+c")
	a.trained(now, false, "+a")
	a.proposal(second, "p-1", "be brief")
	a.entity("a", "person", "Anna", 3, 1)
	a.entity("b", "person", "Ana", 1, 2)
	a.exec(`INSERT INTO ciclo.transitions (execution_id, to_status, attempt, reason) VALUES ('kg_builder_test', 'started', 0, 'test')`)
	a.merged("b", "a")
	builder := a.trained(now.AddDate(0, 0, -203), false)
	a.exec(`UPDATE ciclo.executions SET agent = 'knowledge-graph-builder' WHERE id = $1`, builder)
	a.exec(`UPDATE ciclo.graph_messages SET execution_id = $1`, builder)
	a.exec(`UPDATE ciclo.entity_merges SET execution_id = $1, decided_by = NULL`, builder)
	a.exec(`ALTER TABLE ciclo.executions ENABLE TRIGGER USER`)
	a.exec(`INSERT INTO crm.clients (id, consent_marketing) VALUES ('C-1', true)`)
	message := "message_" + uuid.Must(uuid.NewV7()).String()
	a.exec(`
		INSERT INTO ciclo.messages (id, client_id, drafted_by, template, language, reasons, channel, address, zone, subject, body)
		VALUES ($1, 'C-1', $2, 'slipping', 'en', '{}', 'email', 'c@firm.example', 'UTC', 'Hello', 'Hello')`, message, old)
	a.exec(`UPDATE ciclo.executions SET agent = 'knowledge-graph-builder' WHERE id = $1`, a.valueRun("completed", 1, false))
	gone, latest := a.valueRun("failed", 215, false), a.valueRun("completed", 1, false)
	a.manyScores(latest, 3)
	a.change(latest, old, "c2", "LOW")
	a.whole()
	a.exec(`INSERT INTO ciclo.steps (execution_id, name, attempt, worker_id, output, started_at) SELECT id, 'load', 1, '019ac5a8-6f0e-7000-8000-000000000000', '1', running_at FROM ciclo.executions WHERE id = $1`, old)

	paths := []string{
		"/clients/values", "/clients/values?execution=" + old, "/clients/values?execution=" + older + "&sort=churn_risk_90", "/clients/values.csv?execution=" + old,
		"/clients/values/summary?execution=" + old, "/clients/c1/values", "/clients/segment-changes", "/clients/segment-changes?after=0",
		"/patterns", "/patterns?execution=" + first, "/patterns?execution=" + second, "/patterns/history?feature=a", "/prompts", "/prompts/p-1", "/prompts/p-1/effect",
		"/graph/entities/" + graphID("entity", "a"), "/graph/entities/" + graphID("entity", "a") + "/mentions", "/graph/summary", "/messages", "/messages/" + message,
	}
	before := map[string]answer{}
	for _, path := range paths {
		before[path] = a.send("GET", prefix+path, "")
		if before[path].status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, before[path].status, before[path].body)
		}
	}
	report, err := retention.Prune(t.Context(), a.pool, retention.Policy{OlderThan: 90 * 24 * time.Hour})
	if err != nil || report.Gone("ciclo.executions") != 1 || report.Gone("ciclo.transitions") != 18 {
		t.Fatalf("%v: %+v", err, report)
	}
	for _, path := range paths {
		if r := a.send("GET", prefix+path, ""); r.status != http.StatusOK || !bytes.Equal(r.body, before[path].body) {
			t.Errorf("%s was %s\nand is %d %s", path, before[path].body, r.status, r.body)
		}
	}

	at := prefix + "/executions/" + old
	if r := a.send("GET", at, ""); r.status != http.StatusOK || r.field(t, "pruned_at") == nil || r.field(t, "result", "currency") != "EUR" || len(r.field(t, "transitions").([]any)) != 0 {
		t.Errorf("one that results name: %d %s", r.status, r.body)
	}
	for _, list := range []string{"attempts", "transitions", "steps", "effects"} {
		if r := a.send("GET", at+"/"+list, ""); r.status != http.StatusOK || len(r.field(t, list).([]any)) != 0 {
			t.Errorf("its %s: %d %s", list, r.status, r.body)
		}
	}
	if r := a.send("GET", at+"/events", ""); r.status != http.StatusNoContent {
		t.Errorf("its events: %d %s", r.status, r.body)
	}
	if r := a.send("GET", prefix+"/executions", ""); !strings.Contains(string(r.body), old) || strings.Contains(string(r.body), gone) {
		t.Errorf("the list: %s", r.body)
	}
	for _, path := range []string{"", "/attempts", "/transitions", "/steps", "/effects", "/events"} {
		if r := a.send("GET", prefix+"/executions/"+gone+path, ""); r.status != http.StatusNotFound {
			t.Errorf("one without results%s: %d %s", path, r.status, r.body)
		}
	}
	for _, path := range []string{"/retry", "/cancel"} {
		if r := a.send("POST", prefix+"/executions/"+gone+path, ""); r.status != http.StatusNotFound {
			t.Errorf("POST %s of one without results: %d %s", path, r.status, r.body)
		}
	}
	if r := a.send("GET", prefix+"/audit", ""); r.field(t, "violations") != 0. {
		t.Errorf("the audit: %s", r.body)
	}
	if r := a.send("GET", prefix+"/status", ""); r.status != http.StatusOK {
		t.Errorf("status: %d %s", r.status, r.body)
	}
}

// A retry with what was finished is refused where that is no longer kept.
func TestRetryOfAPrunedExecution(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	old := a.failed()
	a.exec(`UPDATE ciclo.effects SET state = 'done', outcome = '1' WHERE execution_id = $1`, old)
	a.exec(`UPDATE ciclo.executions SET ended_at = now() - interval '91 days', started_at = now() - interval '92 days' WHERE id = $1`, old)
	a.proposal(old, "p-1", "be brief")
	a.run("test-steps", `{"steps": 1}`)
	report, err := retention.Prune(t.Context(), a.pool, retention.Policy{OlderThan: 90 * 24 * time.Hour})
	if err != nil || report.Gone("ciclo.steps") != 4 || report.Gone("ciclo.effects") != 4 {
		t.Fatalf("%v: %+v", err, report)
	}
	retry := prefix + "/executions/" + old + "/retry"
	for _, body := range []string{`{"resume": true}`, `{"from_step": "fit"}`} {
		if r := a.send("POST", retry, body); r.status != http.StatusConflict || r.field(t, "type") != "urn:ciclo:execution-pruned" {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
	if r := a.send("POST", retry, ""); r.status != http.StatusAccepted || r.field(t, "retry_of") != old {
		t.Errorf("afresh: %d %s", r.status, r.body)
	}
}

// A backfill of slots that are no longer kept is refused.
func TestBackfillOfPrunedSlots(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	if r := a.send("POST", prefix+"/schedules", `{"name": "nightly", "cron": "0 * * * *", "agents": ["test-noop"]}`); r.status != http.StatusCreated {
		t.Fatalf("%d %s", r.status, r.body)
	}
	a.exec(`UPDATE ciclo.schedules SET slots_pruned_until = '2026-01-10'`)
	at := prefix + "/schedules/nightly/backfill"
	if r := a.send("POST", at, `{"from": "2026-01-09T20:00:00Z", "to": "2026-01-10T20:00:00Z"}`); r.status != http.StatusConflict || r.field(t, "type") != "urn:ciclo:slots-pruned" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := a.send("POST", at, `{"from": "2026-01-10T01:00:00Z", "to": "2026-01-10T20:00:00Z"}`); r.status != http.StatusAccepted || r.field(t, "queued") == 0. {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// logged may be read while the services write to it.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Two orchestrators with a standing policy prune together, and say what they did.
func TestTheStandingPolicy(t *testing.T) {
	t.Parallel()
	url := testdatabase.New(t)
	a := newAPIOn(t, url, &logged{})
	for range 150 {
		a.valueRun("failed", 100, false)
	}
	kept := a.valueRun("failed", 80, false)
	a.whole()
	catalogue, err := testagents.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	log := &logged{}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	for range 2 {
		o, err := orchestrator.New(orchestrator.Config{
			Pool: a.pool, ReaperPool: a.pool, Catalogue: catalogue, Token: token, Version: "test", NoScheduling: true,
			Retention: 90 * 24 * time.Hour, PruneEvery: 100 * time.Millisecond, Log: slog.New(slog.NewTextHandler(log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			if err := o.Run(ctx, listener); err != nil {
				t.Error(err)
			}
		})
	}
	deadline, left := time.Now().Add(30*time.Second), 0
	for left != 1 || !strings.Contains(log.String(), "history was pruned") {
		if err := a.pool.QueryRow(t.Context(), `SELECT count(*) FROM ciclo.executions`).Scan(&left); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d are left: %s", left, log)
		}
	}
	stop()
	running.Wait()
	if r := a.send("GET", prefix+"/executions/"+kept, ""); r.status != http.StatusOK {
		t.Errorf("the younger one: %d %s", r.status, r.body)
	}
	if !strings.Contains(log.String(), "ciclo.executions=") || strings.Contains(log.String(), "history is pruned later") {
		t.Errorf("the log: %s", log)
	}
}

func TestRetentionsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, older := range []time.Duration{time.Hour, -time.Hour, 24*time.Hour - 1} {
		if _, err := orchestrator.New(orchestrator.Config{Retention: older, Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "at least a day") {
			t.Errorf("%s: %v", older, err)
		}
	}
	for text, why := range map[string]string{"12h": "less than a day", "90": "whole number", "for ever": "whole number"} {
		c := orchestrator.Command{Retention: text}
		if err := c.Serve(t.Context(), slog.New(slog.DiscardHandler), nil); err == nil || !strings.Contains(err.Error(), "CICLO_RETENTION") || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
