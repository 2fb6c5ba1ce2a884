package orchestrator_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// links are where the page's links lead.
func (p page) links() (all []string) {
	for _, n := range elements(p.doc, "a") {
		all = append(all, attribute(n, "href"))
	}
	return all
}

func (p page) leadsTo(address string) bool {
	return slices.Contains(p.links(), address)
}

// marked are the texts that are marked.
func (p page) marked() (all []string) {
	for n := range p.doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data == "mark" {
			all = append(all, n.Data)
		}
	}
	return all
}

// said is a client's message that says words at a place, as evidence that a
// relation of two entities holds.
func (a *api) said(message, body, quote, subject, relation, object string, day int) {
	a.t.Helper()
	a.read(message, day)
	a.exec(`INSERT INTO crm.conversations (id, started_at) VALUES ('c-' || $1, '2026-01-01')`, message)
	a.exec(`INSERT INTO crm.messages (id, conversation_id, role, body, sent_at) VALUES ($1, 'c-' || $1, 'client', $2, '2026-01-01')`, message, body)
	before, _, found := strings.Cut(body, quote)
	if !found {
		a.t.Fatalf("%q is not in %q", quote, body)
	}
	start := len([]rune(before))
	a.exec(`INSERT INTO ciclo.edge_evidence VALUES ($1, $2, $3, $4, $5, $6, $7, 'pattern', '1', .8)`,
		message, graphID("record", subject), relation, graphID("record", object), start, start+len([]rune(quote)), quote)
}

const hostileName = `<script>alert(1)</script>"'> مرحبا` + "\u200b\u202e"

// smallGraph is of two people, a company and a law.
func (a *api) smallGraph() {
	a.t.Helper()
	a.entity("anna", "person", "Anna Ruiz", 3, 1)
	a.entity("co", "company", "Nordvik AS", 3, 1)
	a.entity("law", "law", hostileName, 1, 1)
	a.entity("jo", "person", "Jo Lund", 1, 1)
	a.edge("works", "anna", "works_for", "co", .92)
	a.edge("jo", "jo", "works_for", "co", .5)
	a.edge("law", "co", "governed_by", "law", .7)
	a.said("m1", "Halló 👋 I work for Nordvik AS since May, <b>really</b>.", "I work for Nordvik AS", "anna", "works_for", "co", 1)
	a.said("m2", "So do I: I work for Nordvik AS", "I work for Nordvik AS", "jo", "works_for", "co", 2)
}

func TestGraphPages(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	v := a.visit().as(a.newToken("analyst", "read"))
	if got := v.get("/graph"); got.status != http.StatusOK || !strings.Contains(got.shows(), "Nothing has been read yet") {
		t.Errorf("the empty graph: %d %s", got.status, got.shows())
	}
	if got := v.get("/graph/reviews"); got.status != http.StatusOK || !strings.Contains(got.shows(), "No pair waits for a person") {
		t.Errorf("no reviews: %d %s", got.status, got.shows())
	}
	a.smallGraph()
	anna, co, edge := "/graph/entities/"+graphID("entity", "anna"), "/graph/entities/"+graphID("entity", "co"), "/graph/edges/"+graphID("edge", "works")

	got := v.get("/graph")
	for _, want := range []string{"Entities 4", "Edges that hold 3", "Read from 2 messages", "Anna Ruiz", "works for", hostileName[:10]} {
		if !strings.Contains(got.shows(), want) {
			t.Errorf("%q is not on %s", want, got.shows())
		}
	}
	if !got.leadsTo("/executions/kg_builder_test") || strings.Contains(got.text, "<script>alert") {
		t.Errorf("the page is %s", got.text)
	}
	got = v.get("/graph?q=anna&as_of=2026-06-30&min_confidence=0.4")
	if !got.leadsTo(anna+"?as_of=2026-06-30&min_confidence=0.4") || strings.Contains(got.shows(), "Jo Lund") {
		t.Errorf("the search: %s", got.text)
	}
	if got := v.get("/graph?q=zzzzzz"); got.status != http.StatusOK || !strings.Contains(got.shows(), "Nothing is called so") {
		t.Errorf("nothing found: %d %s", got.status, got.shows())
	}

	got = v.get(co)
	for _, want := range []string{co, anna, edge, "/graph/edges/" + graphID("edge", "law"), "/graph/entities/" + graphID("entity", "law")} {
		if !got.leadsTo(want) {
			t.Errorf("no link to %s", want)
		}
	}
	for _, want := range []string{"Type company", "← works for 92 %", "governed by → 70 %", "92 %", "3 entities"} {
		if !strings.Contains(got.shows(), want) {
			t.Errorf("%q is not on %s", want, got.shows())
		}
	}
	if strings.Count(got.text, `<svg class="chart" `) != 2 || strings.Contains(got.text, "Put both together") {
		t.Errorf("the entity: %s", got.text)
	}
	if got := v.get(anna); strings.Contains(got.shows(), "Jo Lund") || !got.leadsTo(anna+"?depth=2") {
		t.Errorf("to depth 1: %s", got.shows())
	}
	if got := v.get(anna + "?depth=2"); !strings.Contains(got.shows(), "Jo Lund") {
		t.Errorf("to depth 2: %s", got.shows())
	}
	if got := v.get(anna + "?depth=2&min_confidence=0.6"); strings.Contains(got.shows(), "Jo Lund") || !strings.Contains(got.shows(), "Nordvik") {
		t.Errorf("with confidence: %s", got.shows())
	}
	if got := v.get(anna + "?as_of=2025-06-30"); !strings.Contains(got.shows(), "No edge that fits these filters") {
		t.Errorf("before it all: %s", got.shows())
	}

	got = v.get(edge)
	if m := got.marked(); len(m) != 1 || m[0] != "I work for Nordvik AS" {
		t.Errorf("marked is %q", m)
	}
	for _, want := range []string{"Halló 👋 I work for Nordvik AS since May, <b>really</b>.", "The client said it", "conversation c-m1", "message m1", "characters 8 to 29"} {
		if !strings.Contains(got.shows(), want) {
			t.Errorf("%q is not on %s", want, got.shows())
		}
	}
	// What the firm's messages have no more is shown as it was read.
	a.exec(`UPDATE crm.messages SET body = 'something else' WHERE id = 'm1'`)
	if got := v.get(edge); len(got.marked()) != 1 || !strings.Contains(got.shows(), "have it no more as it was read") {
		t.Errorf("without the message: %s", got.shows())
	}
	a.exec(`ALTER VIEW source.messages RENAME TO messages_away`)
	if got := v.get(edge); got.status != http.StatusOK || len(got.marked()) != 1 {
		t.Errorf("without the view: %d %s", got.status, got.shows())
	}
	a.exec(`ALTER VIEW source.messages_away RENAME TO messages`)

	path := "/graph/path?from=" + graphID("entity", "anna") + "&to="
	got = v.get(path + graphID("entity", "jo"))
	if !strings.Contains(got.shows(), "2 edges between them") || len(got.marked()) != 2 || !got.leadsTo("/graph/edges/"+graphID("edge", "jo")) {
		t.Errorf("the path: %s", got.shows())
	}
	if got := v.get(path + "Lund"); !got.leadsTo(path + graphID("entity", "jo")) {
		t.Errorf("who is meant: %s", got.text)
	}
	if got := v.get(path + "zzzzzz"); !strings.Contains(got.shows(), "nothing is called “zzzzzz”") {
		t.Errorf("nobody is meant: %s", got.shows())
	}

	for _, export := range []string{"format=jsonld", "format=graphml", "format=csv&part=entities", "format=csv&part=edges"} {
		address := prefix + "/graph/export?" + export
		if got := v.get("/graph"); !got.leadsTo(address) {
			t.Errorf("no link to %s", address)
		}
		if got := v.get(address); got.status != http.StatusOK || !strings.HasPrefix(got.header.Get("Content-Disposition"), "attachment") || !strings.Contains(got.text, graphID("entity", "co")) {
			t.Errorf("%s by the session: %d %s", export, got.status, got.text)
		}
	}
}

func TestWhatGraphPagesRefuse(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.smallGraph()
	v := a.visit().as(a.newToken("analyst", "read"))
	anna := "/graph/entities/" + graphID("entity", "anna")
	for path, want := range map[string]int{
		"/graph/entities/x":                                      http.StatusNotFound,
		"/graph/entities/" + graphID("entity", "zz"):             http.StatusNotFound,
		"/graph/entities/%00":                                    http.StatusNotFound,
		"/graph/edges/x":                                         http.StatusNotFound,
		"/graph/edges/" + graphID("edge", "zz"):                  http.StatusNotFound,
		"/graph/edges/" + graphID("edge", "works") + "?cursor=x": http.StatusUnprocessableEntity,
		"/graph/nowhere":                                         http.StatusNotFound,
		"/graph?cursor=x":                                        http.StatusUnprocessableEntity,
		"/graph?type=x":                                          http.StatusUnprocessableEntity,
		"/graph?sort=x":                                          http.StatusUnprocessableEntity,
		"/graph?as_of=yesterday":                                 http.StatusUnprocessableEntity,
		"/graph?min_confidence=2":                                http.StatusUnprocessableEntity,
		"/graph?min_confidence=NaN":                              http.StatusUnprocessableEntity,
		"/graph?q=" + strings.Repeat("x", 201):                   http.StatusUnprocessableEntity,
		"/graph?q=%00":                                           http.StatusUnprocessableEntity,
		anna + "?depth=9":                                        http.StatusUnprocessableEntity,
		anna + "?depth=x":                                        http.StatusUnprocessableEntity,
		anna + "?relation=x":                                     http.StatusUnprocessableEntity,
		anna + "?as_of=x":                                        http.StatusUnprocessableEntity,
		anna + "?min_confidence=x":                               http.StatusUnprocessableEntity,
		"/graph/reviews?status=x":                                http.StatusUnprocessableEntity,
		"/graph/reviews?cursor=x":                                http.StatusUnprocessableEntity,
		"/graph/path":                                            http.StatusOK,
		"/graph/path?from=" + graphID("entity", "zz"):            http.StatusNotFound,
		"/graph/path?from=a&to=b&as_of=x":                        http.StatusUnprocessableEntity,
		"/graph/path?to=%ff":                                     http.StatusUnprocessableEntity,
	} {
		if got := v.get(path); got.status != want {
			t.Errorf("%s: %d, want %d: %s", path, got.status, want, got.shows())
		}
	}
}

func TestDecidingOnGraphPages(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for i, short := range []string{"a", "b", "c"} {
		a.entity(short, "person", "Anna Ruiz "+short, 1, i)
		a.read("m"+short, i)
		a.exec(`INSERT INTO ciclo.mentions (message_id, start_char, end_char, surface, type, record_id, extractor, version, confidence)
			VALUES ($1, 0, 11, $2, 'person', $3, 'test', '1', .9)`, "m"+short, "Anna Ruiz "+short, graphID("record", short))
	}
	a.exec(`INSERT INTO ciclo.record_attributes VALUES ('ma', $1, 'email', 'anna@example.org', 'form', '1')`, graphID("record", "a"))
	a.exec(`INSERT INTO ciclo.entity_reviews (id, record_a, record_b, probability, fields) VALUES ($1, $2, $3, .6, '[{"name": "given_name", "level": "exact", "bits": 6.5}, {"name": "phone", "level": "other", "bits": -3.2}]')`,
		graphID("review", "ab"), graphID("record", "a"), graphID("record", "b"))
	review, at := "/graph/reviews/"+graphID("review", "ab"), "/graph/entities/"+graphID("entity", "a")
	reader, approver := a.visit().as(a.newToken("reader", "read")), a.visit().as(a.newToken("lawyer", "approve"))

	got := reader.get("/graph/reviews")
	for _, want := range []string{"60 % likely", "given name: exact", "+6.5", "−3.2", "email anna@example.org", "needs a token of scope approve"} {
		if !strings.Contains(got.shows(), want) {
			t.Errorf("%q is not on %s", want, got.shows())
		}
	}
	if strings.Contains(got.text, `value="same">The same`) {
		t.Error("who may only look is shown buttons")
	}
	same := url.Values{"answer": {"same"}}
	if got := reader.send("/graph", review, same); got.status != http.StatusForbidden {
		t.Errorf("who may only look decides: %d", got.status)
	}
	if got := approver.post(review, url.Values{"answer": {"same"}, "form_token": {"x"}}); got.status != http.StatusForbidden {
		t.Errorf("a form without its token: %d", got.status)
	}
	if got := approver.send("/graph", review, nil); got.status != http.StatusUnprocessableEntity {
		t.Errorf("no answer: %d", got.status)
	}
	if got := approver.send("/graph", "/graph/reviews/x", same); got.status != http.StatusNotFound {
		t.Errorf("no such review: %d", got.status)
	}
	if got := approver.send("/graph/reviews", review, same); got.status != http.StatusSeeOther || got.location != "/graph/reviews" {
		t.Fatalf("decided: %d %s", got.status, got.text)
	}
	if got := approver.get("/graph/reviews"); !strings.Contains(got.shows(), "Both are one now.") || !strings.Contains(got.shows(), "No pair waits") {
		t.Errorf("after it: %s", got.shows())
	}
	if got := approver.send("/graph", review, url.Values{"answer": {"different"}}); got.status != http.StatusConflict {
		t.Errorf("decided otherwise: %d", got.status)
	}
	if got := approver.get("/graph/reviews?status=same"); !strings.Contains(got.shows(), "by lawyer") {
		t.Errorf("what was decided: %s", got.shows())
	}

	if got := approver.send(at, at+"/merge", url.Values{"other": {"Anna"}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("merged with a name: %d", got.status)
	}
	if got := approver.send(at, at+"/merge", url.Values{"other": {graphID("entity", "zz")}}); got.status != http.StatusNotFound {
		t.Errorf("merged with nobody: %d", got.status)
	}
	if got := reader.send("/graph", at+"/merge", url.Values{"other": {graphID("entity", "c")}}); got.status != http.StatusForbidden {
		t.Errorf("who may only look merges: %d", got.status)
	}
	if got := approver.send(at, at+"/merge", url.Values{"other": {"https://ciclo.example/graph/entities/" + graphID("entity", "c") + "?x"}}); got.status != http.StatusSeeOther || got.location != at {
		t.Fatalf("merged: %d to %q %s", got.status, got.location, got.text)
	}
	if got := approver.get("/graph/entities/" + graphID("entity", "c")); !strings.Contains(got.shows(), "is part of this entity now") || !strings.Contains(got.shows(), "email anna@example.org") || !strings.Contains(got.shows(), "Mentions 3 in 3 conversations") {
		t.Errorf("what was merged: %s", got.shows())
	}
	var merge int64
	if err := a.pool.QueryRow(t.Context(), `SELECT id FROM ciclo.entity_merges WHERE from_id = $1`, graphID("entity", "c")).Scan(&merge); err != nil {
		t.Fatal(err)
	}
	undo := url.Values{"merge": {fmt.Sprint(merge)}}
	if got := reader.send("/graph", at+"/undo", undo); got.status != http.StatusForbidden {
		t.Errorf("who may only look undoes: %d", got.status)
	}
	if got := approver.send(at, at+"/undo", url.Values{"merge": {"x"}}); got.status != http.StatusNotFound {
		t.Errorf("no such merge is undone: %d", got.status)
	}
	if got := approver.send(at, at+"/undo", undo); got.status != http.StatusSeeOther || got.location != at {
		t.Fatalf("undone: %d %s", got.status, got.text)
	}
	if got := approver.get("/graph/entities/" + graphID("entity", "c")); strings.Contains(got.shows(), "is part of this entity now") {
		t.Errorf("after the undoing: %s", got.shows())
	}
	var log string
	if err := a.pool.QueryRow(t.Context(), `SELECT string_agg(token || ' ' || regexp_replace(path, '^.*/graph/', '') || ' ' || status, E'\n' ORDER BY id) FROM ciclo.audit_log WHERE status = 200`).Scan(&log); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("lawyer reviews/%s 200\nlawyer merges 200\nlawyer merges/%d/undo 200", graphID("review", "ab"), merge); log != want {
		t.Errorf("the log is\n%s\nwant\n%s", log, want)
	}
}

// A hub's page is bounded, and says that there is more.
func TestAHubsPage(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	const many = 50_000
	a.entity("hub", "company", "Nordvik AS", 3, 1)
	// Without triggers and references, which take a minute for as many.
	a.exec(fmt.Sprintf(`DO $do$ BEGIN
		SET LOCAL session_replication_role = replica;
		INSERT INTO ciclo.entities (id, type, name, degree) SELECT 'entity_' || lpad(n::text, 16, '0'), 'person', 'Somebody with a long name of their own, number ' || n, 1 FROM generate_series(1, %d) n;
		INSERT INTO ciclo.edges (id, subject_id, relation, object_id, valid_at, confidence, evidence, conversations)
			SELECT 'edge_' || lpad(n::text, 16, '0'), 'entity_' || lpad(n::text, 16, '0'), 'works_for', '%s', '2026-01-01', .3 + .6 * n / %[1]d, 1, 1 FROM generate_series(1, %[1]d) n;
		UPDATE ciclo.entities SET degree = %[1]d WHERE id = '%[2]s';
	END $do$`, many, graphID("entity", "hub")))
	a.exec(`ANALYZE ciclo.entities, ciclo.edges`)
	v := a.visit().as(a.newToken("analyst", "read"))
	for _, depth := range []string{"1", "2"} {
		got := v.get("/graph/entities/" + graphID("entity", "hub") + "?depth=" + depth)
		if got.status != http.StatusOK || len(got.text) > 150_000 {
			t.Errorf("depth %s: %d with %d bytes", depth, got.status, len(got.text))
		}
		for _, want := range []string{"number 50000", map[string]string{"1": "49 940 more edges are not shown", "2": "There is more than is shown"}[depth]} {
			if !strings.Contains(got.shows(), want) {
				t.Errorf("%q is not there to depth %s: %s", want, depth, got.shows()[:2000])
			}
		}
	}
}
