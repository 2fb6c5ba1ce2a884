package orchestrator_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/net/html"
)

// visitors have signed in, each with a token that has one scope and its name. All
// tokens are made first: the service doesn't look for new ones at any moment.
func (a *api) visitors(scopes ...string) (all []*visitor) {
	a.t.Helper()
	var tokens []string
	for _, scope := range scopes {
		tokens = append(tokens, a.newToken("of-"+scope, scope))
	}
	first := a.visit()
	for _, token := range tokens {
		all = append(all, first.another().as(token))
	}
	return all
}

// press sends a form with the session's token.
func (v *visitor) press(path string, fields ...string) page {
	v.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return v.send("/audit", path, form)
}

// elements are those of a name, in order.
func elements(root *html.Node, name string) (found []*html.Node) {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			found = append(found, n)
		}
	}
	return found
}

// says fails unless the page answers 200 and holds each text.
func (p page) says(t *testing.T, texts ...string) {
	t.Helper()
	if p.status != http.StatusOK {
		t.Errorf("status %d: %s", p.status, p.shows())
		return
	}
	shown := p.shows()
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			t.Errorf("%q is not in %s", text, shown)
		}
	}
	p.sound(t)
}

// sound fails unless the page keeps what every page must.
func (p page) sound(t *testing.T) {
	t.Helper()
	if n := len(elements(p.doc, "h1")); n != 1 {
		t.Errorf("%d h1", n)
	}
	seen, labelled := map[string]bool{}, map[string]bool{}
	for _, n := range elements(p.doc, "label") {
		labelled[attribute(n, "for")] = true
	}
	for n := range p.doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		id := attribute(n, "id")
		if id != "" && seen[id] {
			t.Errorf("the id %s is there twice", id)
		}
		seen[id] = true
		if attribute(n, "style") != "" || n.Data == "style" || n.Data == "script" && attribute(n, "src") == "" {
			t.Errorf("what the policy forbids: %s", n.Data)
		}
		switch {
		case n.Data == "select" || n.Data == "textarea", n.Data == "input" && attribute(n, "type") != "hidden" && attribute(n, "type") != "checkbox":
			if !labelled[id] {
				t.Errorf("no label for %s %s", n.Data, id)
			}
		case n.Data == "form" && attribute(n, "method") == "post":
			if !strings.Contains(fmt.Sprint(names(n)), "form_token") {
				t.Errorf("the form to %s has no token", attribute(n, "action"))
			}
		}
	}
}

func names(form *html.Node) (all []string) {
	for n := range form.Descendants() {
		if n.Data == "input" || n.Data == "select" {
			all = append(all, attribute(n, "name"))
		}
	}
	return all
}

// forms are where the page's forms lead, but for signing out.
func (p page) forms() (to []string) {
	for _, n := range elements(p.doc, "form") {
		if action := attribute(n, "action"); attribute(n, "method") == "post" && action != "/sign-out" {
			to = append(to, action)
		}
	}
	return to
}

// logged are the audit log's lines.
func (a *api) logged() string {
	a.t.Helper()
	var log string
	err := a.pool.QueryRow(a.t.Context(), `SELECT coalesce(string_agg(token || ' ' || method || ' ' || replace(path, $1, '') || ' ' || status, E'\n' ORDER BY id), '') FROM ciclo.audit_log`, prefix).Scan(&log)
	if err != nil {
		a.t.Fatal(err)
	}
	return log
}

// ended makes an execution with a result, as its agent would.
func (a *api) ended(agent, result string) string {
	a.t.Helper()
	return a.endedAs(agent, result, false)
}

func (a *api) endedAs(agent, result string, dry bool) string {
	a.t.Helper()
	id := "seen_" + uuid.NewString()
	a.exec(`INSERT INTO ciclo.executions (id, agent, status, attempt, tries, timeout_seconds, running_at, ended_at, result, dry_run)
		VALUES ($1, $2, 'completed', 1, 3, 60, now(), now(), $3, $4)`, id, agent, result, dry)
	a.exec(`INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, worker_id, reason, outcome) VALUES
		($1, NULL, 'started', 0, NULL, 'accepted', NULL), ($1, 'started', 'running', 1, gen_random_uuid(), 'claimed', NULL), ($1, 'running', 'completed', 1, gen_random_uuid(), 'completed', 'completed')`, id)
	return id
}

func TestTheListOfExecutions(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	l := a.visitors("read")[0]
	l.get("/executions").says(t, "Nothing was run yet")
	failed := a.failed()
	for range 60 {
		a.ended("test-noop", `{}`)
	}
	waits := a.run("test-slow", `{"millis": 5}`)
	first := l.get("/executions")
	first.says(t, "Executions", "accepted; waits for a worker", "Next page")
	if rows := len(elements(first.doc, "tr")); rows != 51 {
		t.Errorf("%d rows, want 50 and their heads", rows)
	}
	if !first.leadsTo("/executions/" + waits) {
		t.Error("the newest is not there")
	}
	var next string
	for _, n := range elements(first.doc, "a") {
		if attribute(n, "rel") == "next" {
			next = attribute(n, "href")
		}
	}
	second := l.get(next)
	second.says(t, "First page", "Earlier ones")
	if rows := len(elements(second.doc, "tr")); rows != 13 || !second.leadsTo("/executions/"+failed) {
		t.Errorf("%d rows on the second page", rows)
	}
	for _, n := range elements(second.doc, "div") {
		if strings.Contains(attribute(n, "class"), "live") {
			t.Error("a page after the first is live")
		}
	}
	l.get("/executions?agent=test-steps&status=failed&status=cancelled&since=&until=&cycle=").says(t, "failed", "Show all", "no")
	l.get("/executions?agent=test-noop&status=failed").says(t, "No execution is like that")
	l.get("/executions?since=2999-01-01T00:00").says(t, "No execution is like that")
	l.get("/executions?until=2999-01-01T00:00&status=started").says(t, "test-slow")
	for path, status := range map[string]int{
		"/executions?agent=nobody": 422, "/executions?status=done": 422, "/executions?since=yesterday": 422, "/executions?cursor=x": 422, "/executions?x=1": 422,
		"/executions?cycle=%00": 422, "/executions?retry_of=%00": 422, "/executions/nobody": 404, "/executions/%00": 404, "/executions/..%2f..": 404, "/executions/" + strings.Repeat("x", 3000): 404,
		"/cycles/nobody": 404, "/cycles?status=done": 422, "/cycles?cursor=x": 422, "/cycles?schedule=A%20B": 422, "/schedules/nobody": 404, "/schedules?x=1": 422,
	} {
		if p := l.get(path); p.status != status || len(elements(p.doc, "h1")) != 1 {
			t.Errorf("%.60s: %d, want %d as a page", path, p.status, status)
		}
	}
}

func TestOneExecutionsPage(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	id := a.failed()
	of := a.visitors("read", "run")
	l, runner := of[0], of[1]
	a.exec(`UPDATE ciclo.executions SET llm_tokens = 12345, llm_cost = 0.01236 WHERE id = '` + id + `'`)
	p := l.get("/executions/" + id)
	p.says(t, "345 tokens, 0.0124 dollars", "test-steps", "failed", "Why it failed: permanent", "A person must look", "mail after publish", "publish", "Bytes kept", "Parameters", "steps 7", "attempt 1: failed")
	if n := len(elements(p.doc, "svg")); n != 2 {
		t.Errorf("%d drawings", n)
	}
	if f := p.forms(); len(f) != 0 {
		t.Errorf("who may only read is offered %v", f)
	}
	if p := l.press("/executions/" + id + "/retry"); p.status != http.StatusForbidden {
		t.Errorf("and may do it: %d", p.status)
	}
	path := "/executions/" + id
	p = runner.get(path)
	if f := p.forms(); len(f) != 1 || f[0] != path+"/retry" {
		t.Errorf("a final one offers %v", f)
	}
	if p := runner.post(path+"/retry", url.Values{"form_token": {"wrong"}}); p.status != http.StatusForbidden {
		t.Errorf("a wrong form's token: %d", p.status)
	}
	for form, status := range map[string]int{"step:nothing": 422, "all": 422} {
		if p := runner.press(path+"/retry", "take", form); p.status != status {
			t.Errorf("taking over %s: %d", form, p.status)
		}
	}
	if p := runner.press(path + "/cancel"); p.status != http.StatusConflict {
		t.Errorf("cancelling what has failed: %d", p.status)
	}
	form := url.Values{"form_token": {p.value(t, "form_token")}, "once": {p.value(t, "once")}, "take": {"step:publish"}}
	p = runner.post(path+"/retry", form)
	if twice := runner.post(path+"/retry", form); twice.status != http.StatusSeeOther || twice.location != p.location {
		t.Errorf("the same form sent twice leads to %d %s, not %s", twice.status, twice.location, p.location)
	}
	if next := runner.get(path).value(t, "once"); next == form.Get("once") {
		t.Error("after a retry the page asks for the same one")
	}
	if p.status != http.StatusSeeOther || p.location == path || !strings.HasPrefix(p.location, "/executions/steps_") {
		t.Fatalf("a retry leads to %d %s", p.status, p.location)
	}
	again := runner.get(p.location)
	again.says(t, "started", "Retry of", "load", "Cancel…", "No worker has begun it yet", "of-run")
	if !again.leadsTo(path) || again.forms()[0] != p.location+"/cancel" {
		t.Errorf("the new one leads to %v", again.forms())
	}
	l.get(path).says(t, "Retried as")
	if !l.get(path).leadsTo(p.location) {
		t.Error("the old one doesn't lead to its retry")
	}
	if p := runner.press(p.location + "/cancel"); p.status != http.StatusSeeOther || p.location != again.forms()[0][:len(again.forms()[0])-len("/cancel")] {
		t.Errorf("cancelled: %d %s", p.status, p.location)
	}
	runner.get(p.location).says(t, "cancelled", "Retry…")
}
