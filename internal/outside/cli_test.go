package outside

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// commandLine is the command line towards a system of the test agents.
func commandLine(s *system) *shipped {
	s.t.Helper()
	return &shipped{t: s.t, dir: s.t.TempDir(), env: append(slices.Clone(s.env), "CICLO_URL="+s.api.URL)}
}

// finding is a line of ciclo doctor --json.
type finding struct{ Check, State, Detail, Next string }

// doctor runs ciclo doctor and returns what it found by check; of several, the last.
func (s *shipped) doctor() (found map[string]finding, code int) {
	s.t.Helper()
	began := time.Now()
	out, said, code := s.ciclo("doctor", "--json")
	if took := time.Since(began); took > 15*time.Second {
		s.t.Errorf("ciclo doctor took %s", took)
	}
	var list []finding
	if err := json.Unmarshal([]byte(out), &list); err != nil || said != "" {
		s.t.Fatalf("%v: %s%s", err, out, said)
	}
	found = map[string]finding{}
	for _, f := range list {
		found[f.Check] = f
	}
	return found, code
}

// problems are the checks that found one.
func problems(found map[string]finding) (checks []string) {
	for check, f := range found {
		if f.State == "problem" {
			checks = append(checks, check)
		}
	}
	slices.Sort(checks)
	return checks
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testdatabase.New(t), quick...)
	c := commandLine(s)
	check := func(what string, want ...string) map[string]finding {
		t.Helper()
		found, code := c.doctor()
		if got := problems(found); !slices.Equal(got, want) || (code == 0) != (len(want) == 0) || code > 1 {
			t.Errorf("%s: exit code %d, problems %v, want %v: %+v", what, code, got, want, found)
		}
		return found
	}
	check("no worker", "agents", "workers")

	worker := s.worker()
	s.await(s.run("test-noop", nil), 20*time.Second, "it is completed", client.Execution.Final)
	found := check("healthy")
	for check, f := range found {
		if f.State != "ok" {
			t.Errorf("healthy, but %s is %+v", check, f)
		}
	}
	if len(found) != 16 || !strings.Contains(found["database"].Detail, "schema version") || !strings.Contains(found["grant"].Detail, "administer") {
		t.Errorf("the checks are %+v", found)
	}

	if _, said, code := c.ciclo("pause", "test-noop", "--reason", "being mended"); code != 0 {
		t.Fatal(said)
	}
	pause := check("a paused agent", "paused")["paused"]
	if !strings.Contains(pause.Detail, "being mended") || pause.Next != "ciclo resume test-noop" {
		t.Errorf("the pause is %+v", pause)
	}
	if _, said, code := c.ciclo(strings.Fields(pause.Next)[1:]...); code != 0 { // as it says
		t.Fatal(said)
	}
	check("healthy again")

	if _, said, code := c.ciclo("schedules", "create", "nightly", "--cron", "0 4 * * *", "--agent", "test-noop"); code != 0 {
		t.Fatal(said)
	}
	check("a schedule")
	if _, said, code := c.ciclo("schedules", "pause", "nightly", "--reason", "holidays"); code != 0 {
		t.Fatal(said)
	}
	pause = check("a paused schedule", "schedules")["schedules"]
	if _, said, code := c.ciclo(strings.Fields(pause.Next)[1:]...); code != 0 || !strings.Contains(pause.Detail, "holidays") {
		t.Fatal(pause, said)
	}

	worker.signal(syscall.SIGKILL)
	eventually(t, 20*time.Second, "the killed worker is lost", func() bool {
		found, _ := c.doctor()
		return slices.Equal(problems(found), []string{"agents", "workers"})
	})

	// A token of the scope read is enough for all of it.
	out, said, code := c.ciclo("token", "create", "reader", "--scope", "read")
	if code != 0 {
		t.Fatal(said)
	}
	all := c.env
	c.env = append(slices.Clone(all), "CICLO_TOKEN="+strings.TrimSpace(out))
	if f := check("a reader", "agents", "workers")["grant"]; !strings.HasSuffix(f.Detail, "may look") {
		t.Errorf("a reader may %+v", f)
	}
	c.env = append(slices.Clone(all), "CICLO_TOKEN=wrong-wrong-wrong")
	if f := check("a wrong token", "grant")["grant"]; !strings.Contains(f.Detail, "not known") || !strings.Contains(f.Next, "ciclo token create") {
		t.Errorf("the token is %+v", f)
	}
	c.env = append(slices.Clone(all), "CICLO_URL=http://"+freePort(t))
	if f := check("no orchestrator", "health")["database"]; f.State != "ok" {
		t.Errorf("without an orchestrator the database is %+v", f)
	}
	c.env = append(slices.Clone(all), "DATABASE_URL=postgres://postgres@"+freePort(t)+"/ciclo")
	check("another database, which is away", "agents", "database", "workers")
	c.env = []string{}
	check("nothing known", "address", "token")
}

func TestDoctorOfAnOldSchema(t *testing.T) {
	t.Parallel()
	url := testdatabase.New(t)
	s := newSystem(t, url, quick...)
	s.worker()
	s.await(s.run("test-noop", nil), 20*time.Second, "it is completed", client.Execution.Final)
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: url, MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), `DELETE FROM ciclo.goose_db_version WHERE version_id = (SELECT max(version_id) FROM ciclo.goose_db_version)`); err != nil {
		t.Fatal(err)
	}
	found, code := commandLine(s).doctor()
	if code != 1 || !slices.Equal(problems(found), []string{"database", "ready"}) {
		t.Errorf("exit code %d: %+v", code, found)
	}
	if f := found["database"]; f.Next != "ciclo migrate" || !strings.Contains(f.Detail, ".sql") {
		t.Errorf("the database is %+v", f)
	}
	if f := found["ready"]; !strings.HasPrefix(f.Next, "ciclo migrate") {
		t.Errorf("it is not ready: %+v", f)
	}
}

// Every command with --json prints JSON alone, in one system and in this order.
func TestJSONAlone(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testdatabase.New(t), quick...)
	s.worker()
	c := commandLine(s)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	t.Cleanup(receiver.Close)
	parameters := c.file("parameters.json", `{"millis": 1}`)
	payments := c.file("payments.csv", "client_id,paid_at,amount,currency\na,2026-01-01,10,EUR\n")
	bad := c.file("bad.csv", "client_id,paid_at,amount,currency\na,never,10,EUR\n")
	failed := s.await(s.run("test-fail", map[string]any{"how": "permanent"}), 20*time.Second, "it has failed", client.Execution.Final).ID
	slow := s.run("test-slow", map[string]any{"millis": 60_000})
	s.await(slow, 20*time.Second, "it runs", running)
	workers, err := s.api.Workers(t.Context())
	if err != nil || len(workers) != 1 {
		t.Fatalf("%+v, %v", workers, err)
	}
	var commands []string
	do := func(code int, key string, args ...string) map[string]any {
		t.Helper()
		out, said, got := c.ciclo(append(args, "--json")...)
		commands = append(commands, strings.Join(args, " ")+" ")
		var last any
		values := 0
		for decoder := json.NewDecoder(strings.NewReader(out)); ; values++ {
			if err := decoder.Decode(&last); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("%v: stdout is not JSON alone: %v: %s%s", args, err, out, said)
				return nil
			}
		}
		object, _ := last.(map[string]any)
		if _, there := object[key]; got != code || !there && key != "" || values == 0 || values > 1 && args[0] != "events" {
			t.Errorf("%v: exit code %d, want %d, and %d values with %q: %s%s", args, got, code, values, key, out, said)
		}
		return object
	}
	do(0, "schema_version", "migrate")
	do(0, "pending", "migrate", "--plan")
	do(0, "clients", "import", "demo")
	do(0, "rows", "import", "payments", payments)
	do(1, "bad_rows", "import", "payments", bad)
	do(0, "rows", "import", "clients", c.file("clients.csv", "id,name\na,Ayu\n"))
	do(0, "rows", "import", "names", c.file("names.csv", "type,id,name\nlaw,a,Law 6/2011\n"))
	do(0, "rows", "import", "interactions", c.file("interactions.csv", "client_id,channel,direction,kind,occurred_at\na,phone,inbound,call,2026-01-01\n"))
	do(0, "rows", "import", "rates", c.file("rates.csv", "currency,into,day,rate\nIDR,EUR,2026-01-01,0.00006\n"))
	do(0, "rows", "import", "conversations", c.file("conversations.csv", "id,started_at\nc,2026-01-01\n"))
	do(0, "rows", "import", "messages", c.file("messages.csv", "id,conversation_id,role,body,sent_at\nm,c,agent,hello,2026-01-01\n"))
	do(0, "execution_id", "run", "test-noop")
	do(0, "execution_id", "run", "test-slow", "--from-file", parameters)
	ended := do(0, "result", "run", "test-steps", "--wait")
	do(0, "result", "run", "test-steps", "--follow")
	do(1, "error", "run", "test-fail", "--how", "permanent", "--wait")
	id, isID := ended["execution_id"].(string)
	if !isID {
		t.Fatalf("no execution: %v", ended)
	}
	do(0, "agents", "status")
	do(0, "transitions", "status", id)
	do(0, "executions", "list")
	do(0, "agents", "agents")
	do(0, "parameters", "agents", "test-steps")
	do(0, "workers", "workers")
	do(0, "patterns", "patterns", "list")
	do(0, "proposals", "prompts", "list")
	database, err := pgx.Connect(t.Context(), strings.TrimPrefix(s.env[0], "DATABASE_URL="))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Close(context.Background()) })
	if _, err := database.Exec(t.Context(), `
		INSERT INTO ciclo.prompt_proposals (execution_id, id, prompt, base_hash, patterns_hash, window_from, window_to, title, body, lines, left_out, report, plot, data_until)
		VALUES ($1, 'p-1', 'x', repeat('0', 64), repeat('1', 64), '2026-01-01', '2026-01-30', 'x', 'x', '{x}', '[]', 'x', 'x', now())`, id); err != nil {
		t.Fatal(err)
	}
	do(0, "report", "prompts", "show", "p-1")
	do(0, "verdict", "prompts", "effect", "p-1")
	do(0, "runs", "patterns", "history", "thank you")
	do(0, "execution_id", "watch", id)
	do(1, "execution_id", "watch", failed)
	do(0, "event", "events", id)
	do(0, "", "steps", id)
	do(0, "", "effects", id)
	do(0, "", "calls", id)
	do(0, "", "costs")
	do(0, "execution_id", "retry", id)
	do(1, "execution_id", "retry", failed, "--follow")
	do(0, "execution_id", "cancel", slow)
	do(3, "execution_id", "watch", slow)
	do(0, "paused", "pause", "test-noop")
	do(0, "paused", "resume", "test-noop")
	do(0, "violations", "audit")
	do(1, "", "doctor")
	do(0, "token", "token", "create", "grafana", "--scope", "read")
	do(0, "tokens", "token", "list")
	do(0, "revoked", "token", "revoke", "grafana")
	schedule := c.file("schedule.json", `{"agents": ["test-noop"]}`)
	do(0, "next_slots", "schedules", "create", "nightly", "--cron", "0 4 * * *", "--from-file", schedule)
	do(0, "schedules", "schedules", "list")
	do(0, "next_slots", "schedules", "change", "nightly", "--from-file", schedule)
	do(0, "next_slots", "schedules", "pause", "nightly")
	do(0, "next_slots", "schedules", "resume", "nightly")
	do(0, "queued", "schedules", "backfill", "nightly", "--from", time.Now().UTC().Add(-time.Hour).Format(time.RFC3339))
	do(0, "slots", "schedules", "slots", "nightly")
	opened := do(0, "cycle_id", "schedules", "run", "nightly")
	cycle, isID := opened["cycle_id"].(string)
	if !isID {
		t.Fatalf("no cycle: %v", opened)
	}
	do(0, "cycles", "cycles")
	do(0, "cycles", "cycles", "list")
	do(0, "cycle_id", "cycles", "show", cycle)
	do(0, "cycle_id", "cycles", "open", "test-noop", "--wait")
	do(0, "cycle_id", "cycles", "cancel", do(0, "cycle_id", "cycles", "open", "test-slow")["cycle_id"].(string))
	webhook, isObject := do(0, "secret", "webhooks", "create", receiver.URL)["webhook"].(map[string]any)
	hook, isID := webhook["webhook_id"].(string)
	if !isObject || !isID {
		t.Fatalf("no webhook: %v", webhook)
	}
	do(0, "webhooks", "webhooks", "list")
	do(0, "execution_id", "run", "test-noop", "--wait")
	var page client.DeliveryPage
	eventually(t, 20*time.Second, "the webhook is to be told", func() bool {
		page, err = s.api.Deliveries(t.Context(), hook, nil)
		return err == nil && len(page.Deliveries) > 0
	})
	do(0, "deliveries", "webhooks", "deliveries", hook)
	do(0, "delivery_id", "webhooks", "retry", hook, strconv.FormatInt(page.Deliveries[0].ID, 10))
	do(0, "ended", "webhooks", "end", hook)
	do(0, "changes", "clients", "changes")
	var drafts []string
	for i := range 3 {
		drafts = append(drafts, fmt.Sprintf("message_%d", i))
		execute(t, c.pool(), `
			INSERT INTO ciclo.messages (id, client_id, drafted_by, template, language, reasons, channel, address, zone, subject, body)
			VALUES ($1, $1, $2, 'slipping', 'en', '{"clv": 12.5}', 'email', $1 || '@firm.example', 'UTC', 'Hello', 'Hello there')`, drafts[i], id)
	}
	do(0, "messages", "messages")
	do(0, "messages", "messages", "list", "--status", "draft")
	do(0, "messages", "messages", "show", drafts[0])
	do(0, "messages", "messages", "approve", drafts[0], drafts[1])
	do(0, "messages", "messages", "reject", drafts[2], "--reason", "we talked")
	do(1, "messages", "messages", "resolve", drafts[2], "sent")
	do(0, "channels", "messages", "policy", "--firm", "The Firm")
	do(0, "templates", "messages", "templates", "list")
	do(0, "subject", "messages", "templates", "set", "slipping", "es", c.file("es.txt", "Hola\n\nHola {name|}\n"))
	do(0, "address", "messages", "opt-outs", "add", "--address", "+39 06 1234 5678")
	outs, err := s.api.OptOuts(t.Context(), nil)
	if err != nil || len(outs.OptOuts) == 0 {
		t.Fatalf("%+v, %v", outs, err)
	}
	do(0, "opt_outs", "messages", "opt-outs", "list")
	do(0, "ended", "messages", "opt-outs", "end", strconv.FormatInt(outs.OptOuts[0].ID, 10))
	do(0, "rows", "erase", "client", "a", "--dry-run")
	do(0, "ended_at", "erase", "client", "a", "--yes")
	do(0, "rows", "prune", "--older-than", "90d", "--dry-run")
	do(0, "rows", "prune", "--older-than", "90d")
	do(0, "executions_live", "restored", "--dry-run", "--force")
	do(0, "noted", "restored", "--nothing-lost")
	do(0, "ready", "health")
	do(0, "programs", "config", "check")
	do(0, "variables", "config", "variables")
	do(0, "script", "completion", "bash")
	for _, sql := range []string{
		`INSERT INTO ciclo.entities (id, type, name) VALUES ('entity_000000000000000a', 'person', 'Anna'), ('entity_000000000000000b', 'company', 'Nordvik')`,
		`INSERT INTO ciclo.edges (id, subject_id, relation, object_id, valid_at, confidence, evidence, conversations) VALUES ('edge_000000000000000c', 'entity_000000000000000a', 'works_for', 'entity_000000000000000b', now(), .5, 1, 1)`,
	} {
		execute(t, c.pool(), sql)
	}
	do(0, "entities", "kg", "top")
	do(0, "entities", "kg", "hubs", "--type", "person")
	do(0, "entities", "kg", "search", "anna")
	do(0, "aliases", "kg", "show", "entity_000000000000000a")
	do(0, "nodes", "kg", "neighbours", "entity_000000000000000a")
	do(0, "length", "kg", "path", "entity_000000000000000a", "entity_000000000000000b")
	do(0, "evidence", "kg", "evidence", "edge_000000000000000c")
	do(0, "reviews", "kg", "reviews")
	execute(t, c.pool(), `
		INSERT INTO ciclo.entities (id, type, name) SELECT 'entity_00000000000000' || n, 'person', 'Bela' FROM generate_series(10, 13) n`)
	execute(t, c.pool(), `
		INSERT INTO ciclo.graph_records (id, type, scope, key, name, entity_id)
		SELECT 'record_00000000000000' || n, 'person', 'conversation:' || n, 'bela', 'Bela', 'entity_00000000000000' || n FROM generate_series(10, 13) n`)
	execute(t, c.pool(), `
		INSERT INTO ciclo.entity_reviews (id, record_a, record_b) VALUES ('review_0000000000000000', 'record_0000000000000010', 'record_0000000000000011')`)
	do(0, "entity_ids", "kg", "decide", "review_0000000000000000", "same")
	do(0, "entity_ids", "kg", "merge", "entity_0000000000000012", "entity_0000000000000013")
	do(0, "entity_ids", "kg", "undo", "1")
	do(0, "relations", "kg", "summary")
	do(0, "bytes", "kg", "export", "--format", "jsonld", "--output", filepath.Join(t.TempDir(), "graph.jsonld"))
	do(0, "draining", "drain", workers[0].ID, "--plan")
	if got := do(0, "draining", "drain", workers[0].ID)["draining"]; got != true {
		t.Errorf("draining is %v", got)
	}
	out, said, code := c.ciclo("health", "--json", "--url", "http://"+freePort(t))
	var health struct {
		Ready *bool
	}
	if err := json.Unmarshal([]byte(out), &health); err != nil || code != 1 || health.Ready == nil || *health.Ready {
		t.Errorf("a health that isn't: %d %s%s", code, out, said)
	}
	help, _, _ := c.ciclo("--help")
	_, list, _ := strings.Cut(help, "Commands:\n")
	lines := 0
	for line := range strings.Lines(list) {
		usage, isCommand := strings.CutPrefix(line, "  ")
		if !isCommand || strings.HasPrefix(usage, " ") || strings.TrimSpace(usage) == "" {
			continue
		}
		lines++
		name, _, _ := strings.Cut(strings.Join(strings.Fields(usage), " ")+" ", " [")
		name, _, _ = strings.Cut(name, " <")
		name, _, _ = strings.Cut(name, " --")
		ran := slices.ContainsFunc(commands, func(c string) bool { return strings.HasPrefix(c, strings.TrimSpace(name)+" ") })
		if !ran && name != "dev" && name != "replay" && !(strings.HasPrefix(name, "clients ")) { // TestTheDemoOnce, TestReplay and TestClientsForPeople have them
			t.Errorf("ciclo %s has no line here", name)
		}
	}
	if lines < 25 {
		t.Errorf("the help lists %d commands: %s", lines, help)
	}
}

func TestAgentsAndWorkersForPeople(t *testing.T) {
	t.Parallel()
	s := newShipped(t)
	has := func(text string, words ...string) {
		t.Helper()
		for _, w := range words {
			if !strings.Contains(text, w) {
				t.Errorf("%q is not in:\n%s", w, text)
			}
		}
	}
	out, _, _ := s.ciclo("agents")
	has(out, "AGENT", "client-value-predictor", "Client Value Predictor", "0 10 * * *")
	out, _, _ = s.ciclo("agents", "client-value-predictor")
	has(out, "--horizon-days", "integer", "1..1826", "365", "How far ahead", "date or last_payment", "> 0, ≤ 1")
	if _, said, code := s.ciclo("agents", "nobody"); code != 1 || !strings.Contains(said, "ciclo agents") {
		t.Errorf("an unknown agent: %d %s", code, said)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the worker is shown", func() bool {
		out, _, _ = s.ciclo("workers")
		return strings.Contains(out, "alive")
	})
	has(out, "PID", "LEASE UNTIL", host, "client-value-predictor=1")
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testdatabase.New(t), quick...)
	s.worker()
	c := commandLine(s)
	file := c.file("steps.json", `{"steps": 2}`)
	broken := c.file("broken.json", `{"steps": 2`)
	wrong := c.file("wrong.json", `{"steps": 0}`)
	for name, line := range map[string]struct {
		args []string
		code int
		want string
	}{
		"completed":                     {[]string{"run", "test-noop", "--wait"}, 0, ""},
		"completed, from a file":        {[]string{"run", "test-steps", "--wait", "--json", "--from-file", file}, 0, `"sum": 3`},
		"accepted":                      {[]string{"run", "test-noop"}, 0, "is accepted"},
		"failed":                        {[]string{"run", "test-fail", "--how", "permanent", "--wait"}, 1, "failed"},
		"refused":                       {[]string{"run", "test-steps", "--steps", "0"}, 2, "steps"},
		"refused, from a file":          {[]string{"run", "test-steps", "--from-file", wrong}, 2, "steps"},
		"no JSON":                       {[]string{"run", "test-steps", "--from-file", broken}, 2, "is not JSON"},
		"no file":                       {[]string{"run", "test-steps", "--from-file", filepath.Join(c.dir, "none")}, 2, "no such file"},
		"a file and flags":              {[]string{"run", "test-steps", "--steps", "1", "--from-file", file}, 2, "not both"},
		"a wrong flag":                  {[]string{"list", "--limit", "x"}, 2, "--limit"},
		"a flag that there isn't":       {[]string{"list", "--color"}, 2, "--color"},
		"no argument":                   {[]string{"cancel"}, 2, "id"},
		"no age to prune by":            {[]string{"prune", "--dry-run"}, 2, "--older-than 90d --dry-run"},
		"too late":                      {[]string{"run", "test-slow", "--millis", "20000", "--wait", "--timeout", "200ms"}, 4, "goes on"},
		"too late, followed":            {[]string{"run", "test-slow", "--millis", "20000", "--follow", "--timeout", "200ms"}, 4, "goes on"},
		"an execution that there isn't": {[]string{"cancel", "slow_none"}, 1, "No such execution"},
	} {
		out, said, code := c.ciclo(line.args...)
		if code != line.code || !strings.Contains(out+said, line.want) {
			t.Errorf("%s: exit code %d, want %d and %q in:\n%s%s", name, code, line.code, line.want, out, said)
		}
	}

	for _, wait := range []string{"--wait", "--follow"} {
		waiting := start(t, c.dir, "ciclo", c.env, "run", "test-slow", "--millis", "60000", wait)
		var id string
		eventually(t, 20*time.Second, "it runs", func() bool {
			id, _, _ = strings.Cut(waiting.out.String(), "\n")
			return strings.Contains(waiting.out.String(), "waiting")
		})
		if out, said, code := c.ciclo("cancel", id); code != 0 {
			t.Fatalf("cancel: %d %s%s", code, out, said)
		}
		if code := waiting.wait(30 * time.Second); code != 3 {
			t.Errorf("%s: cancelled ends with %d", wait, code)
		}
		if _, _, code := c.ciclo("watch", id); code != 3 {
			t.Errorf("watching what is cancelled ends with %d", code)
		}
	}
}

// Parameters come from stdin; the wait for them ends by Ctrl-C.
func TestRunFromStdin(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testdatabase.New(t), quick...)
	s.worker()
	c := commandLine(s)
	for text, want := range map[string]int{`{"steps": 3}`: 0, `{"steps": 0}`: 2, `steps: 3`: 2, ``: 2} {
		in, end, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		p := startWith(t, in, c.dir, "ciclo", c.env, "run", "test-steps", "--wait", "--from-file", "-")
		in.Close()
		if _, err := end.WriteString(text); err != nil {
			t.Fatal(err)
		}
		end.Close()
		if code := p.wait(30 * time.Second); code != want {
			t.Errorf("%q ends with %d, want %d: %s%s", text, code, want, p.out, p.err)
		}
	}
	in, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	p := startWith(t, in, c.dir, "ciclo", c.env, "run", "test-steps", "--from-file", "-")
	in.Close()
	if _, err := end.Write(make([]byte, 128<<10)); err != nil { // more than a pipe holds: it is being read
		t.Fatal(err)
	}
	p.signal(syscall.SIGINT)
	if code := p.wait(10 * time.Second); code != 1 {
		t.Errorf("Ctrl-C ends the wait for stdin with %d: %s", code, p.err)
	}
}
