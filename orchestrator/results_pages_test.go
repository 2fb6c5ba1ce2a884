package orchestrator_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// scan reads one row.
func (a *api) scan(sql string, args []any, into ...any) {
	a.t.Helper()
	if err := a.pool.QueryRow(a.t.Context(), sql, args...).Scan(into...); err != nil {
		a.t.Fatalf("%s: %v", sql, err)
	}
}

// has reports whether the page has an element with this attribute.
func (p page) has(element, name, value string) bool {
	for n := range p.doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == element && attribute(n, name) == value {
			return true
		}
	}
	return false
}

// count counts the page's elements of a name.
func (p page) count(element string) (n int) {
	for e := range p.doc.Descendants() {
		if e.Type == html.ElementNode && e.Data == element {
			n++
		}
	}
	return n
}

// wants fails the test unless the page is there and says all of it.
func (p page) wants(t *testing.T, name string, words ...string) {
	t.Helper()
	if p.status != http.StatusOK {
		t.Fatalf("%s: %d %s", name, p.status, p.shows())
	}
	shown := p.shows()
	for _, want := range words {
		if !strings.Contains(shown, want) {
			t.Errorf("%s lacks %q: %s", name, want, shown)
		}
	}
	if n := p.count("h1"); n != 1 {
		t.Errorf("%s has %d h1", name, n)
	}
	ids := map[string]bool{}
	for n := range p.doc.Descendants() {
		if id := attribute(n, "id"); n.Type == html.ElementNode && id != "" {
			if ids[id] {
				t.Errorf("%s has the id %s twice", name, id)
			}
			ids[id] = true
		}
		if n.Type == html.ElementNode && attribute(n, "style") != "" {
			t.Errorf("%s has a style attribute", name)
		}
	}
	if len(p.text) > 150_000 {
		t.Errorf("%s has %d bytes", name, len(p.text))
	}
}

func TestResultPagesWithoutResults(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	v := a.visit().as(a.newToken("analyst", "read"))
	for path, want := range map[string]string{
		"/clients": "No figures yet", "/segment-changes": "None.", "/messages": "None.", "/messages/opt-outs": "Nobody.",
		"/patterns": "No run yet", "/patterns/history?feature=a": "No run of the Conversation Trainer is complete yet", "/prompts": "None yet",
	} {
		v.get(path).wants(t, path, want)
	}
	for path, want := range map[string]int{
		"/clients/nobody": 404, "/clients/%00": 404, "/clients/a%2Fb": 404, "/messages/message_x": 404, "/messages/x": 404, "/prompts/nobody": 404, "/prompts/%00": 404,
		"/clients?cursor=x": 422, "/clients?min_churn_risk=NaN": 422, "/clients?segment=x": 422, "/clients?sort=x": 422, "/clients?execution=x": 422,
		"/segment-changes?cursor=x": 422, "/segment-changes?to=x": 422, "/segment-changes?client=%00": 422,
		"/messages?status=x": 422, "/messages?cursor=x": 422, "/messages/opt-outs?cursor=x": 422,
		"/patterns?kind=x": 422, "/patterns?confirmed=x": 422, "/patterns?cursor=x": 422, "/patterns/history": 422, "/patterns/history?feature=%00": 422,
		"/prompts?cursor=x": 422,
	} {
		if got := v.get(path); got.status != want || got.count("h1") != 1 {
			t.Errorf("%s: %d %s, want %d", path, got.status, got.shows(), want)
		}
	}
}

func TestClientPages(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	first, last := a.valueRun("completed", 2, false), a.valueRun("completed", 1, false)
	a.manyScores(first, 120)
	a.manyScores(last, 120)
	strange := "<b>/ü?#% \u202eevil"
	a.exec(`INSERT INTO crm.clients (id, name) VALUES ('c9', 'Wayan <script>alert(1)</script>'), ($1, NULL)`, strange)
	a.score(first, strange, "LOW", 10, .9, true)
	a.score(last, strange, "VIP", 1e9, .25, true)
	a.exec(`UPDATE ciclo.client_scores SET previous_segment = 'LOW', first_purchase_on = '2025-01-01', last_purchase_on = '2026-01-01', purchases_low = 0, purchases_high = 7, clv_low = 9e8, clv_high = 2e9, total_spend = 77
		WHERE execution_id = $1 AND client_id = $2`, last, strange)
	a.change(last, first, strange, "VIP")
	v := a.visit().as(a.newToken("analyst", "read"))

	got := v.get("/clients")
	got.wants(t, "/clients", "121", "BG/NBD", "VIP", "EUR", "Download these as CSV", "1 clients changed segment")
	if !strings.Contains(got.text, last) || strings.Contains(got.text, "<script>alert") || got.count("svg") != 3 {
		t.Errorf("the run isn't named, markup got through, or %d charts are there", got.count("svg"))
	}
	next := got.link(t, "Next page")
	if more := v.get(next); more.status != http.StatusOK || more.count("tr") < 50 || !more.has("a", "rel", "first") {
		t.Errorf("%s: %d", next, more.status)
	}
	filtered := v.get("/clients?segment=VIP&segment=HIGH&min_churn_risk=0.2&low_confidence=true&sort=churn_risk_90")
	filtered.wants(t, "filtered", strange[:3])
	if filtered.count("tr") >= got.count("tr") {
		t.Errorf("filters leave %d rows of %d", filtered.count("tr"), got.count("tr"))
	}
	// The export works with the session alone, and has the page's filters.
	csv := v.get(filtered.link(t, "Download these as CSV"))
	if csv.status != http.StatusOK || !strings.HasPrefix(csv.header.Get("Content-Type"), "text/csv") || strings.Contains(csv.text, ",LOW,") && !strings.Contains(csv.text, "VIP,LOW") {
		t.Errorf("the export: %d %v", csv.status, csv.header)
	}

	one := v.get("/clients/" + url.PathEscape(strange))
	one.wants(t, "one client", "Over the runs", "Low confidence", "before LOW", "nine in ten such clients make 0 to 7", "It has been silent for 30 days", "25 %", "Messages to this client")
	if one.count("svg") != 2 {
		t.Errorf("%d charts of one client", one.count("svg"))
	}
	if got := v.get("/clients/c9"); got.status != http.StatusOK || !strings.Contains(got.shows(), "Wayan <script>alert(1)</script>") {
		t.Errorf("a name with markup: %d", got.status)
	}
	v.get("/segment-changes?to=VIP&client="+url.QueryEscape(strange)).wants(t, "changes", "LOW", "VIP")
}

// link is where a link with this text leads.
func (p page) link(t *testing.T, text string) string {
	t.Helper()
	for n := range p.doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "a" && n.FirstChild != nil && strings.TrimSpace(n.FirstChild.Data) == text {
			return attribute(n, "href")
		}
	}
	t.Fatalf("the page has no link %q: %s", text, p.shows())
	return ""
}

func TestMessagePages(t *testing.T) {
	t.Parallel()
	a, ids := newMessagingAPI(t, "C-1", "C-2", "C-3")
	a.exec(`UPDATE crm.clients SET name = 'Wayan' WHERE id = 'C-1'`)
	reader := a.visit().as(a.newToken("reader", "read"))
	approver := a.visit().as(a.newToken("analyst", "approve"))
	page := reader.get("/messages")
	page.wants(t, "/messages", "Drafts that wait for approval", "Wayan", "Hello there", "All channels are off", "Contact policy")
	if page.has("form", "action", "/messages/"+ids[0]+"/approve") || reader.get("/messages/"+ids[0]).has("textarea", "name", "body") {
		t.Error("who may only read sees how to approve")
	}
	// The buttons that aren't shown are refused too, as is a form from elsewhere.
	if got := reader.send("/messages", "/messages/"+ids[0]+"/approve", nil); got.status != http.StatusForbidden {
		t.Errorf("approved without the right: %d", got.status)
	}
	if got := approver.post("/messages/"+ids[0]+"/approve", url.Values{"form_token": {"x"}}); got.status != http.StatusForbidden {
		t.Errorf("approved with a wrong form token: %d", got.status)
	}
	for _, c := range []struct {
		path string
		form url.Values
		want string
	}{
		{ids[0] + "/approve", url.Values{"subject": {"Hello"}, "body": {"Hello,\r\nWayan"}}, "approved"},
		{ids[1] + "/reject", url.Values{"reason": {"we talked yesterday"}}, "rejected"},
		{ids[2] + "/approve", nil, "approved"},
	} {
		id, _, _ := strings.Cut(c.path, "/")
		got := approver.send("/messages", "/messages/"+c.path, c.form)
		if got.status != http.StatusSeeOther || got.location != "/messages/"+id {
			t.Fatalf("%s: %d to %q %s", c.path, got.status, got.location, got.shows())
		}
		approver.get(got.location).wants(t, c.path, c.want)
	}
	var body, by string
	var logged int
	a.scan(`SELECT body, approved_by FROM ciclo.messages WHERE id = $1`, []any{ids[0]}, &body, &by)
	a.scan(`SELECT count(*) FROM ciclo.audit_log WHERE token = 'analyst' AND method = 'POST' AND path ~ '/(approve|reject)$' AND status = 200`, nil, &logged)
	if body != "Hello,\nWayan" || by != "analyst" || logged != 3 {
		t.Errorf("the text is %q, approved by %s; %d are in the audit log", body, by, logged)
	}
	for path, want := range map[string]int{ids[0] + "/approve": 409, ids[1] + "/resolve": 422, "message_x/approve": 404} {
		if got := approver.send("/messages/opt-outs", "/messages/"+path, nil); got.status != want {
			t.Errorf("%s: %d %s, want %d", path, got.status, got.shows(), want)
		}
	}
	if got := approver.send("/messages/opt-outs", "/messages/"+ids[2]+"/resolve", url.Values{"outcome": {"sent"}}); got.status != http.StatusConflict {
		t.Errorf("resolved, but not unknown: %d", got.status)
	}
	reader.get("/messages?status=rejected").wants(t, "rejected ones", "we talked yesterday")
	reader.get("/messages?client_id=C-1").wants(t, "of one client", "Wayan")

	// Opting out rejects what waits; ending it is for administrators.
	got := approver.send("/messages/opt-outs", "/messages/opt-outs", url.Values{"client_id": {"C-3"}, "detail": {"by telephone"}})
	if got.status != http.StatusSeeOther {
		t.Fatalf("opt-out: %d %s", got.status, got.shows())
	}
	approver.get("/messages/opt-outs").wants(t, "opt-outs", "C-3", "by telephone")
	reader.get("/messages/"+ids[2]).wants(t, "what waited", "rejected")
	var out int64
	a.scan(`SELECT max(id) FROM ciclo.opt_outs`, nil, &out)
	end := fmt.Sprintf("/messages/opt-outs/%d/end", out)
	if got := approver.send("/messages/opt-outs", end, nil); got.status != http.StatusForbidden {
		t.Errorf("ended by an approver: %d", got.status)
	}
	admin := a.visit().as(token)
	if got := admin.send("/messages/opt-outs", end, nil); got.status != http.StatusSeeOther {
		t.Errorf("ended: %d %s", got.status, got.shows())
	}
	if got := admin.send("/messages/opt-outs", end, nil); got.status != http.StatusNotFound {
		t.Errorf("ended twice: %d", got.status)
	}
	if got := admin.send("/messages/opt-outs", "/messages/opt-outs/x/end", nil); got.status != http.StatusNotFound {
		t.Errorf("no opt-out's id: %d", got.status)
	}
	if got := approver.send("/messages/opt-outs", "/messages/opt-outs", url.Values{"address": {""}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("an opt-out of nobody: %d", got.status)
	}
}

func TestPatternPages(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	now := time.Now().UTC().Truncate(time.Microsecond)
	a.trained(now.Add(-2*time.Hour), false, "b")
	last := a.trained(now.Add(-time.Hour), false, "+<i>shall we</i>", "b", "turn_length")
	a.exec(`UPDATE ciclo.executions SET result = '{"from": "2026-01-01", "as_of": "2026-01-30", "conversations": 40, "won": 21, "patterns_found": 3, "patterns_confirmed": 1, "q": 0.1, "notes": ["too few <b>conversations</b>"],
		"smallest_detectable": {"risk_difference": 0.3, "risk_difference_of_a_tenth": 0.5, "power": 0.8, "level": 0.01}}' WHERE id = $1`, last)
	v := a.visit().as(a.newToken("analyst", "read"))
	got := v.get("/patterns")
	got.wants(t, "/patterns", "Association, not cause", "“<i>shall we</i>”", "confirmed", "won more often: by 20.0 points, between 10.0 and 30.0", "0.0500", "too few <b>conversations</b>", "30.0 points", "c1")
	if !got.has("svg", "role", "img") || strings.Contains(got.text, "<i>shall") {
		t.Error("the plot is missing, or markup got through")
	}
	v.get("/patterns?confirmed=true&effect=odds_ratio").wants(t, "odds ratios", "Odds ratios", "2.00 (1.00 to 3.00)")
	v.get("/patterns?kind=money").wants(t, "none like that", "No pattern is like that")
	v.get("/patterns/history?feature=b").wants(t, "history", "2 of 2 complete runs shown here found it")
	v.get("/patterns/history?feature="+url.QueryEscape("<i>shall we</i>")).wants(t, "history", "1 of 2 complete runs")
}

func TestPromptPages(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	run := a.trained(time.Now().UTC(), false, "+a")
	base := "You help clients.\n<!-- trainer:begin -->\n- say hello\n<!-- trainer:end -->\nBe <b>kind</b>.\n"
	a.exec(`INSERT INTO crm.prompts (name, version, body) VALUES ('sales', 'v1', $1)`, base)
	a.proposal(run, "p-0", strings.Replace(base, "say hello", "say shall we begin", 1))
	a.proposal(run, "p-1", "another text\n")
	a.exec(`UPDATE ciclo.prompt_proposals SET base_hash = encode(sha256(convert_to($1, 'UTF8')), 'hex'), status = 'proposed', branch = 'ciclo/p-0', commit = repeat('a', 40), url = 'https://git.example/firm/prompts/pull/7', pull_request = 7 WHERE id = 'p-0'`, base)
	a.exec(`UPDATE ciclo.prompt_proposals SET status = 'proposed', branch = 'ciclo/p-1', url = 'javascript:alert(1)', pull_request = 8 WHERE id = 'p-1'`)
	v := a.visit().as(a.newToken("analyst", "read"))
	list := v.get("/prompts")
	list.wants(t, "/prompts", "proposed", "Pull request 7", "javascript:alert(1)")
	if !list.has("a", "rel", "noopener noreferrer external") || list.has("a", "href", "javascript:alert(1)") {
		t.Error("the pull request is no link, or what is none is one")
	}
	one := v.get("/prompts/p-0")
	one.wants(t, "a proposal", "hello", "shall we begin", "is too long", "An association in time", "No version of the prompt")
	var gone, come []string
	for n := range one.doc.Descendants() {
		if n.Type == html.ElementNode && (n.Data == "ins" || n.Data == "del") {
			if text := n.FirstChild.Data; n.Data == "ins" {
				come = append(come, text)
			} else {
				gone = append(gone, text)
			}
		}
	}
	if strings.Join(gone, "|") != "hello" || strings.Join(come, "|") != "shall we begin" {
		t.Errorf("marked as gone %q, as come %q", gone, come)
	}
	v.get("/prompts/p-1").wants(t, "one without its base", "The text that it changes is not here any more", "- one")
	v.get("/prompts/p-0?before=v1&after=v2").wants(t, "other versions", "v2")
	if got := v.get("/prompts/p-0?before=v1&after=v1"); got.status != http.StatusUnprocessableEntity {
		t.Errorf("the same version twice: %d", got.status)
	}
}
