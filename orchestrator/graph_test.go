package orchestrator_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nuzantara/ciclo/internal/fold"
)

const knowledge = prefix + "/graph"

// graphID is an id of a kind made of a short name of letters and digits.
func graphID(kind, name string) string { return kind + "_" + strings.Repeat("0", 16-len(name)) + name }

// entity makes an entity of one record, in so many conversations, last seen on a day of January 2026.
func (a *api) entity(short, kind, name string, conversations, day int) {
	a.t.Helper()
	a.exec(`INSERT INTO ciclo.entities (id, type, name, mentions, conversations, first_at, last_at) VALUES ($1, $2, $3, $4, $4, '2026-01-01', timestamptz '2026-01-01' + $5 * interval '1 day')`,
		graphID("entity", short), kind, name, conversations, day)
	a.exec(`INSERT INTO ciclo.graph_records (id, type, scope, key, name, entity_id) VALUES ($1, $2, '', $3, $4, $5)`, graphID("record", short), kind, short, name, graphID("entity", short))
	a.alias(short, name)
}

func (a *api) alias(short, alias string) {
	a.t.Helper()
	a.exec(`INSERT INTO ciclo.entity_aliases (entity_id, alias, folded, mentions) VALUES ($1, $2, $3, 1)`, graphID("entity", short), alias, fold.Text(alias))
}

func (a *api) edge(short, subject, relation, object string, confidence float64) {
	a.t.Helper()
	a.exec(`INSERT INTO ciclo.edges (id, subject_id, relation, object_id, valid_at, confidence, evidence, conversations) VALUES ($1, $2, $3, $4, '2026-01-01', $5, 1, 1)`,
		graphID("edge", short), graphID("entity", subject), relation, graphID("entity", object), confidence)
	a.exec(`UPDATE ciclo.entities SET degree = degree + 1 WHERE id IN ($1, $2)`, graphID("entity", subject), graphID("entity", object))
}

// read is a message that was read, sent on a day of January 2026.
func (a *api) read(id string, day int) {
	a.t.Helper()
	a.exec(`INSERT INTO ciclo.executions (id, agent, status, tries, timeout_seconds, next_attempt_at) VALUES ('kg_builder_test', 'knowledge-graph-builder', 'started', 1, 60, now()) ON CONFLICT DO NOTHING`)
	a.exec(`INSERT INTO ciclo.graph_messages (id, conversation_id, sent_at, body_hash, versions, execution_id) VALUES ($1, 'c-' || $1, timestamptz '2026-01-01' + $2 * interval '1 day', decode(repeat('00', 32), 'hex'), '{}', 'kg_builder_test')`, id, day)
}

// merged lets an entity be part of another.
func (a *api) merged(from, to string) {
	a.t.Helper()
	a.exec(`UPDATE ciclo.entities SET mentions = 0, conversations = 0, degree = 0, first_at = NULL, last_at = NULL, expired_at = now() WHERE id = $1`, graphID("entity", from))
	a.exec(`INSERT INTO ciclo.entity_merges (kind, from_id, to_id, records, decided_by) VALUES ('merge', $1, $2, ARRAY[$3], 'test')`, graphID("entity", from), graphID("entity", to), graphID("record", from))
	a.exec(`UPDATE ciclo.graph_records SET entity_id = $2 WHERE entity_id = $1`, graphID("entity", from), graphID("entity", to))
}

// shorts are the short names of a list's members by their ids.
func (r answer) shorts(tb testing.TB, list, field string) string {
	tb.Helper()
	all, ok := r.field(tb, list).([]any)
	if !ok {
		tb.Fatalf("%d %s", r.status, r.body)
	}
	var names []string
	for _, one := range all {
		id, _ := one.(map[string]any)[field].(string)
		_, padded, _ := strings.Cut(id, "_")
		names = append(names, strings.TrimLeft(padded, "0"))
	}
	return strings.Join(names, " ")
}

// pagesOf are all of a list, by pages.
func (a *api) pagesOf(path, list, field string, limit int) string {
	a.t.Helper()
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	var names []string
	for cursor := ""; ; {
		r := a.send("GET", fmt.Sprintf("%s%slimit=%d%s", path, separator, limit, cursor), "")
		if page := r.shorts(a.t, list, field); page != "" {
			names = append(names, page)
		}
		next, more := r.field(a.t, "next_cursor").(string)
		if !more {
			return strings.Join(names, " ")
		}
		cursor = "&cursor=" + next
	}
}

func TestListsOfEntities(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.entity("a", "person", "Anna Ruiz", 3, 5)
	a.entity("b", "company", "Nordvik AS", 7, 2)
	a.entity("c", "person", "Jo Lund", 3, 9)
	a.entity("d", "topic", "golden visa", 1, 5)
	a.entity("gone", "person", "Nobody Now", 50, 9)
	a.exec(`INSERT INTO ciclo.entities (id, type, name) VALUES ($1, 'company', 'Client Ltd')`, graphID("entity", "e")) // of the firm's tables alone
	a.edge("dc", "d", "requires", "c", .5)
	a.edge("dd", "d", "relates_to", "c", .5)
	a.edge("ab", "a", "works_for", "b", .5)
	a.merged("gone", "a")
	for query, want := range map[string]string{
		"":                                      "b a c d e",
		"?type=person":                          "a c",
		"?type=person&type=company&type=person": "b a c e",
		"?sort=degree":                          "c d a b e",
		"?sort=degree&type=topic&type=person":   "c d a",
		"?sort=last_seen":                       "c a d b e",
		"?sort=last_seen&type=company":          "b e",
		"?type=law":                             "",
	} {
		for _, limit := range []int{1, 2, 200} {
			if got := a.pagesOf(knowledge+"/entities"+query, "entities", "entity_id", limit); got != want {
				t.Errorf("%q by %d: %q, want %q", query, limit, got, want)
			}
		}
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.entity("anna", "person", "Anna Ruíz", 3, 1)
	a.alias("anna", "Anita")
	a.entity("hanna", "person", "Hanna Ruizo", 1, 1)
	a.entity("jo", "person", "Jørgen Lund", 1, 1)
	a.entity("pt", "company", "PT Maju Jaya", 9, 1)
	a.entity("pt2", "company", "PT Jaya Maju Bersama", 1, 1)
	a.entity("moscow", "location", "Москва", 1, 1)
	a.entity("beijing", "location", "北京", 1, 1)
	a.entity("q", "topic", "Q", 1, 1)
	a.entity("gone", "person", "Anna Ruiz", 50, 1)
	a.merged("gone", "anna")
	for query, want := range map[string]string{
		"q=Anna Ruiz":                           "anna hanna",
		"q=anna  RUIZ ":                         "anna hanna",
		"q=ruiz anna":                           "anna hanna", // in any order
		"q=Anna Ruis":                           "anna hanna", // a typo
		"q=Ana Ruiz":                            "anna hanna",
		"q=Anna Ruiz&type=company":              "",
		"q=Ann":                                 "anna",
		"q=ruiz&type=person&type=law":           "anna hanna",
		"q=Anita":                               "anna",
		"q=jorgen":                              "jo",
		"q=Jorgan Lund":                         "jo",
		"q=maju jaya":                           "pt pt2",
		"q=PT":                                  "pt pt2",
		"q=m":                                   "pt pt2",
		"q=q":                                   "q",
		"q=москва":                              "moscow",
		"q=Мосьва":                              "moscow",
		"q=北京":                                  "beijing",
		"q=!!!":                                 "",
		"q=\u200b":                              "",
		"q=A\u200bnita":                         "anna",
		"q=%25_'\\:*&|!()":                      "",
		"q=nobody of this name":                 "",
		"q=" + strings.Repeat("ab ", 66) + "zz": "",
		"q=" + strings.Repeat("北", 200):         "",
		"q=Anna Ruiz " + strings.Repeat("x ", 90): "anna hanna", // repeated words count once
	} {
		path := knowledge + "/entities?" + strings.NewReplacer(" ", "+", "\u200b", "%E2%80%8B", `\`, "%5C", "|", "%7C", ":*&", ":*%26").Replace(query)
		for _, limit := range []int{1, 200} {
			if got := a.pagesOf(path, "entities", "entity_id", limit); got != want {
				t.Errorf("%q by %d: %q, want %q", query, limit, got, want)
			}
		}
	}
	r := a.send("GET", knowledge+"/entities?q=ANITA", "")
	first := r.field(t, "entities").([]any)[0].(map[string]any)
	if first["alias"] != "Anita" || first["score"] != 1. {
		t.Errorf("%v", first)
	}
}

func TestAnEntityThatIsPartOfAnother(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for i, short := range []string{"a", "b", "c", "d", "x", "y", "lone"} {
		a.entity(short, "person", "Anna "+short, i+1, 1)
	}
	a.edge("cd", "c", "relates_to", "d", .5)
	a.merged("a", "b")
	a.merged("b", "c")
	a.merged("x", "y")
	a.merged("y", "x") // it can't be, and must not hang
	a.exec(`UPDATE ciclo.entities SET mentions = 0, conversations = 0, first_at = NULL, last_at = NULL, expired_at = now() WHERE id = $1`, graphID("entity", "lone"))
	a.read("m", 1)
	a.exec(`INSERT INTO ciclo.mentions VALUES ('m', 0, 4, 'Anna', 'person', $1, 'gazetteer', '1', .9)`, graphID("record", "a"))
	c := a.send("GET", knowledge+"/entities/"+graphID("entity", "c"), "")
	if c.status != http.StatusOK || c.field(t, "merged_from") != nil || c.shorts(t, "merges", "from_id") != "b" || c.shorts(t, "merges", "to_id") != "c" {
		t.Errorf("%d %s", c.status, c.body)
	}
	if got := c.field(t, "aliases").([]any); len(got) != 1 || got[0].(map[string]any)["alias"] != "Anna c" {
		t.Errorf("its names: %v", got)
	}
	for path, field := range map[string]string{"": "entity_id", "/mentions": "entity_id", "/neighbours": "merged_from"} {
		r := a.send("GET", knowledge+"/entities/"+graphID("entity", "a")+path, "")
		want := map[string]any{"entity_id": graphID("entity", "c"), "merged_from": graphID("entity", "a")}[field]
		if r.status != http.StatusOK || r.field(t, field) != want || r.field(t, "merged_from") != graphID("entity", "a") {
			t.Errorf("%q: %d %s", path, r.status, r.body)
		}
	}
	if r := a.send("GET", knowledge+"/entities/"+graphID("entity", "a")+"/mentions", ""); !strings.Contains(string(r.body), `"surface":"Anna"`) {
		t.Errorf("what was said of it: %s", r.body)
	}
	if r := a.send("GET", knowledge+"/path?from="+graphID("entity", "a")+"&to="+graphID("entity", "c"), ""); r.field(t, "length") != 0. {
		t.Errorf("to itself: %s", r.body)
	}
	if r := a.send("GET", knowledge+"/path?from="+graphID("entity", "b")+"&to="+graphID("entity", "d"), ""); r.field(t, "length") != 1. || r.field(t, "from") != graphID("entity", "c") {
		t.Errorf("from what it is part of: %s", r.body)
	}
	// What was never an entity by itself is known by what it came into.
	a.exec(`INSERT INTO ciclo.entity_merges (kind, from_id, to_id, records, decided_by) VALUES ('merge', $1, $2, '{r}', 'test')`, graphID("entity", "never"), graphID("entity", "a"))
	if r := a.send("GET", knowledge+"/entities/"+graphID("entity", "never"), ""); r.status != http.StatusOK || r.field(t, "entity_id") != graphID("entity", "c") {
		t.Errorf("never by itself: %d %s", r.status, r.body)
	}
	for _, short := range []string{"x", "lone"} {
		if r := a.send("GET", knowledge+"/entities/"+graphID("entity", short), ""); r.status != http.StatusOK || r.field(t, "expired_at") == nil {
			t.Errorf("%s: %d %s", short, r.status, r.body)
		}
	}
}

func TestMentionsTheLastSentFirst(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.entity("a", "person", "Anna", 3, 1)
	for i, m := range []string{"m1", "m2", "m3", "m4"} {
		a.read(m, []int{1, 3, 3, 2}[i])
		for start := range 2 {
			a.exec(`INSERT INTO ciclo.mentions VALUES ($1, $2, $2 + 4, 'Anna', 'person', $3, 'gazetteer', '1', .9)`, m, 10*start, graphID("record", "a"))
		}
	}
	for _, limit := range []int{1, 3, 200} {
		var got []string
		for cursor := ""; ; {
			r := a.send("GET", fmt.Sprintf("%s/entities/%s/mentions?limit=%d%s", knowledge, graphID("entity", "a"), limit, cursor), "")
			for _, m := range r.field(t, "mentions").([]any) {
				one := m.(map[string]any)
				got = append(got, fmt.Sprint(one["message_id"], one["start"]))
			}
			next, more := r.field(t, "next_cursor").(string)
			if !more {
				break
			}
			cursor = "&cursor=" + next
		}
		if want := []string{"m20", "m210", "m30", "m310", "m40", "m410", "m10", "m110"}; !slices.Equal(got, want) {
			t.Errorf("by %d: %v, want %v", limit, got, want)
		}
	}
}

// The evidence of employers is that of their time; of the rest, of all records that
// the entities are made of.
func TestEvidence(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.entity("a", "person", "Anna", 3, 1)
	a.entity("a2", "person", "Anna too", 3, 1)
	a.merged("a2", "a")
	a.entity("b", "company", "Nordvik", 3, 1)
	a.entity("c", "company", "Other", 3, 1)
	a.edge("first", "a", "works_for", "b", .5)
	a.exec(`UPDATE ciclo.edges SET invalid_at = '2026-01-06', expired_at = now()`)
	a.exec(`INSERT INTO ciclo.edges (id, subject_id, relation, object_id, valid_at, confidence, evidence, conversations) VALUES ($1, $2, 'works_for', $3, '2026-01-10', .5, 1, 1)`,
		graphID("edge", "second"), graphID("entity", "a"), graphID("entity", "b"))
	a.edge("knows", "a", "relates_to", "b", .5)
	evidence := func(message, subject, relation string, day int) {
		a.read(message, day)
		a.exec(`INSERT INTO ciclo.edge_evidence VALUES ($1, $2, $3, $4, 0, 5, 'words', 'pattern', '1', .8)`, message, graphID("record", subject), relation, graphID("record", "b"))
	}
	evidence("w1", "a", "works_for", 0)
	evidence("w2", "a2", "works_for", 4)
	evidence("w3", "a", "works_for", 5) // the day it ended
	evidence("w4", "a", "works_for", 20)
	evidence("k1", "a", "relates_to", 30)
	evidence("k2", "a2", "relates_to", 2)
	for edge, want := range map[string]string{"first": "w1 w2", "second": "w4", "knows": "k2 k1"} {
		for _, limit := range []int{1, 200} {
			var got []string
			for cursor := ""; ; {
				r := a.send("GET", fmt.Sprintf("%s/edges/%s/evidence?limit=%d%s", knowledge, graphID("edge", edge), limit, cursor), "")
				for _, e := range r.field(t, "evidence").([]any) {
					got = append(got, e.(map[string]any)["message_id"].(string))
				}
				if r.field(t, "subject", "name") != "Anna" || r.field(t, "object", "name") != "Nordvik" {
					t.Errorf("%s", r.body)
				}
				next, more := r.field(t, "next_cursor").(string)
				if !more {
					break
				}
				cursor = "&cursor=" + next
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s by %d: %v, want %s", edge, limit, got, want)
			}
		}
	}
	// The view tells the same.
	var rows string
	if err := a.pool.QueryRow(t.Context(), `SELECT string_agg(right(edge_id, 5) || ' ' || message_id || ' ' || quote || ' ' || conversation_id, ', ' ORDER BY edge_id, sent_at) FROM dashboard.graph_evidence`).Scan(&rows); err != nil ||
		rows != "first w1 words c-w1, first w2 words c-w2, knows k2 words c-k2, knows k1 words c-k1, econd w4 words c-w4" {
		t.Errorf("%q, %v", rows, err)
	}
}

func TestReviewsTheLikeliestFirst(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	if r := a.send("GET", knowledge+"/reviews", ""); r.status != http.StatusOK || r.shorts(t, "reviews", "review_id") != "" {
		t.Errorf("of nothing: %d %s", r.status, r.body)
	}
	for _, short := range []string{"a", "b", "c", "d"} {
		a.entity(short, "person", "Anna "+short, 1, 1)
	}
	a.read("m", 1)
	a.exec(`INSERT INTO ciclo.record_attributes VALUES ('m', $1, 'email', 'anna@firm.example', 'contacts', '1')`, graphID("record", "a"))
	for _, r := range []struct {
		short, a, b, status string
		p                   any
	}{{"r1", "a", "b", "open", .4}, {"r2", "a", "c", "open", .8}, {"r3", "a", "d", "open", nil}, {"r4", "b", "c", "open", .4}, {"r5", "b", "d", "same", .9}, {"r6", "c", "d", "obsolete", .1}} {
		a.exec(`INSERT INTO ciclo.entity_reviews (id, record_a, record_b, probability, fields, status, decided_at, decided_by)
			VALUES ($1, $2, $3, $4, '[{"name": "surname", "level": "exact", "bits": 7.5}]', $5, CASE WHEN $5 = 'same' THEN now() END, CASE WHEN $5 = 'same' THEN 'me' END)`,
			graphID("review", r.short), graphID("record", r.a), graphID("record", r.b), r.p, r.status)
	}
	for query, want := range map[string]string{"": "r2 r1 r4 r3", "?status=open": "r2 r1 r4 r3", "?status=same": "r5", "?status=different": "", "?status=obsolete": "r6"} {
		for _, limit := range []int{1, 3, 200} {
			if got := a.pagesOf(knowledge+"/reviews"+query, "reviews", "review_id", limit); got != want {
				t.Errorf("%q by %d: %q, want %q", query, limit, got, want)
			}
		}
	}
	r := a.send("GET", knowledge+"/reviews?limit=1", "")
	first := r.field(t, "reviews").([]any)[0].(map[string]any)
	text, err := json.Marshal(first)
	for _, want := range []string{`"bits":7.5`, `"value":"anna@firm.example"`, `"entity_name":"Anna c"`, `"type":"person"`} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}

func TestTheGraphsSummary(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	if r := a.send("GET", knowledge+"/summary", ""); r.status != http.StatusOK || r.field(t, "entities") != 0. || r.field(t, "last_read_at") != nil {
		t.Errorf("of nothing: %d %s", r.status, r.body)
	}
	a.entity("a", "person", "Anna", 1, 1)
	a.entity("b", "person", "Bo", 1, 1)
	a.entity("c", "company", "Co", 1, 1)
	a.entity("gone", "person", "Anna", 1, 1)
	a.merged("gone", "a")
	a.edge("ac", "a", "works_for", "c", .5)
	a.edge("bc", "b", "works_for", "c", .5)
	a.exec(`UPDATE ciclo.edges SET expired_at = now() WHERE id = $1`, graphID("edge", "bc"))
	a.read("m", 1)
	r := a.send("GET", knowledge+"/summary", "")
	for _, want := range []string{`"entities":3`, `[{"name":"person","count":2},{"name":"company","count":1}]`, `"edges":1`, `[{"name":"works_for","count":1}]`, `"open_reviews":0`, `"messages":1`, `"execution_id":"kg_builder_test"`} {
		if !strings.Contains(string(r.body), want) {
			t.Errorf("%s is not in %s", want, r.body)
		}
	}
}

func TestWhatTheGraphRefuses(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, short := range []string{"a", "b", "c"} {
		a.entity(short, "person", "Anna "+short, 1, 1)
		a.read(short, 1)
		a.exec(`INSERT INTO ciclo.mentions VALUES ($1, 0, 4, 'Anna', 'person', $2, 'gazetteer', '1', .9)`, short, graphID("record", "a"))
	}
	a.edge("ab", "a", "relates_to", "b", .5)
	one, two := graphID("entity", "a"), graphID("entity", "b")
	list := a.send("GET", knowledge+"/entities?limit=1", "").field(t, "next_cursor").(string)
	found := a.send("GET", knowledge+"/entities?limit=1&q=anna", "").field(t, "next_cursor").(string)
	mentions := a.send("GET", knowledge+"/entities/"+one+"/mentions?limit=1", "").field(t, "next_cursor").(string)
	for path, field := range map[string]string{
		"/entities?q=": "q", "/entities?q=%00": "q", "/entities?q=a%00b": "q", "/entities?q=%ff": "q", "/entities?q=a&q=b": "q", "/entities?q=" + strings.Repeat("a", 201): "q",
		"/entities?q=" + strings.Repeat("a", 10_000): "q", "/entities?q=a&sort=degree": "sort", "/entities?sort=name": "sort", "/entities?sort=": "sort", "/entities?type=animal": "type", "/entities?type=": "type",
		"/entities?limit=0": "limit", "/entities?limit=201": "limit", "/entities?limit=x": "limit", "/entities?x=1": "x",
		"/entities?cursor=": "cursor", "/entities?cursor=x": "cursor", "/entities?cursor=e30": "cursor", "/entities?cursor=" + found: "cursor", "/entities?cursor=" + mentions: "cursor",
		"/entities?sort=degree&cursor=" + list: "cursor", "/entities?type=person&cursor=" + list: "cursor", "/entities?q=anna&cursor=" + list: "cursor", "/entities?q=other&cursor=" + found: "cursor",
		"/entities?cursor=" + forged("entities conversations ", `{"k":"99999999999","i":"x"}`): "cursor", "/entities?cursor=" + forged("entities conversations ", `{"k":"1; x","i":"x"}`): "cursor",
		"/entities?cursor=" + forged("entities conversations ", `{"k":"1","i":"\u0000"}`): "cursor", "/entities?sort=last_seen&cursor=" + forged("entities last_seen ", `{"k":"never","i":"x"}`): "cursor",
		"/entities/" + one + "?x=1": "x", "/entities/" + one + "/mentions?cursor=" + list: "cursor", "/entities/" + two + "/mentions?cursor=" + mentions: "cursor", "/entities/" + one + "/mentions?limit=0": "limit",
		"/entities/" + one + "/mentions?cursor=" + forged("mentions "+one, `{"t":"2026-01-01T00:00:00Z","m":"a","s":99999999999,"e":1,"x":""}`): "cursor",
		"/entities/" + one + "/neighbours?depth=0": "depth", "/entities/" + one + "/neighbours?depth=4": "depth", "/entities/" + one + "/neighbours?depth=abc": "depth", "/entities/" + one + "/neighbours?depth=": "depth", "/entities/" + one + "/neighbours?depth=1&depth=2": "depth",
		"/entities/" + one + "/neighbours?relation=owns": "relation", "/entities/" + one + "/neighbours?type=animal": "type", "/entities/" + one + "/neighbours?min_confidence=NaN": "min_confidence", "/entities/" + one + "/neighbours?min_confidence=2": "min_confidence",
		"/entities/" + one + "/neighbours?limit=501": "limit", "/entities/" + one + "/neighbours?per_node=0": "per_node", "/entities/" + one + "/neighbours?cursor=x": "cursor",
		"/entities/" + one + "/neighbours?as_of=yesterday": "as_of", "/entities/" + one + "/neighbours?as_of=2026-02-30": "as_of", "/entities/" + one + "/neighbours?as_of=10000-01-01": "as_of", "/entities/" + one + "/neighbours?as_of=0000-01-01": "as_of",
		"/entities/" + one + "/neighbours?as_of=9999-12-31T23:59:59-23:59": "as_of", "/entities/" + one + "/neighbours?as_of=0001-01-01T00:00:00%2B23:00": "as_of", "/entities/" + one + "/neighbours?as_of=%00": "as_of",
		"/path": "from", "/path?from=" + one: "to", "/path?to=" + one: "from", "/path?from=x&to=" + one: "from", "/path?from=" + one + "&to=" + graphID("edge", "ab"): "to", "/path?from=" + one + "&to=" + two + "&max_length=7": "max_length",
		"/path?from=" + one + "&to=" + two + "&max_length=0": "max_length", "/path?from=" + one + "&from=" + two + "&to=" + two: "from", "/path?from=" + one + "&to=" + two + "&depth=2": "depth", "/path?from=" + one + "&to=" + two + "&as_of=": "as_of",
		"/edges/" + graphID("edge", "ab") + "/evidence?limit=x": "limit", "/edges/" + graphID("edge", "ab") + "/evidence?cursor=" + mentions: "cursor",
		"/summary?x=1": "x", "/reviews?status=closed": "status", "/reviews?status=": "status", "/reviews?cursor=" + list: "cursor", "/reviews?cursor=" + forged("reviews open", `{"p":1,"i":"x","z":1}`): "cursor",
		"/export?format=xml": "format", "/export?format=": "format", "/export?part=all": "part", "/export?format=csv&part=all": "part", "/export?format=csv&as_of=x": "as_of", "/export?limit=1": "limit",
	} {
		r := a.send("GET", knowledge+path, "")
		if r.status != http.StatusUnprocessableEntity || !strings.Contains(string(r.body), `"field":"`+field+`"`) {
			t.Errorf("%.200s: %d %.300s", path, r.status, r.body)
		}
	}
	for path, kind := range map[string]string{
		"/entities/x": "entity", "/entities/%00": "entity", "/entities/%FF": "entity", "/entities/entity_": "entity", "/entities/" + graphID("entity", "nobody"): "entity", "/entities/" + graphID("edge", "ab"): "entity", "/entities/" + strings.ToUpper(one): "entity",
		"/entities/" + graphID("entity", "nobody") + "/mentions": "entity", "/entities/x/neighbours": "entity", "/entities/" + graphID("entity", "nobody") + "/neighbours": "entity",
		"/path?from=" + one + "&to=" + graphID("entity", "nobody"): "entity", "/path?to=" + one + "&from=" + graphID("entity", "nobody"): "entity",
		"/edges/x/evidence": "edge", "/edges/" + graphID("edge", "none") + "/evidence": "edge", "/edges/" + one + "/evidence": "edge",
	} {
		if r := a.send("GET", knowledge+path, ""); r.status != http.StatusNotFound || r.field(t, "type") != "urn:ciclo:"+kind+"-unknown" {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	for _, asOf := range []string{"9999-12-31", "0001-01-01", "2027-01-01T00:00:00.123456789%2B07:00"} {
		if r := a.send("GET", knowledge+"/entities/"+one+"/neighbours?as_of="+asOf, ""); r.status != http.StatusOK {
			t.Errorf("as of %s: %d %s", asOf, r.status, r.body)
		}
	}
	if r := a.send("GET", knowledge+"/path?from="+one+"&to="+graphID("entity", "c"), ""); r.status != http.StatusOK || r.field(t, "found") != false || r.field(t, "length") != nil {
		t.Errorf("no path: %d %s", r.status, r.body)
	}
}

// forged is a cursor that no list gave.
func forged(list, place string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `[%q,%s]`, list, place))
}

func TestNeighboursByTheAPI(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, short := range []string{"a", "b", "c", "d"} {
		a.entity(short, "topic", "topic "+short, 1, 1)
	}
	a.edge("ab", "a", "requires", "b", .9)
	a.edge("ac", "a", "requires", "c", .5)
	a.edge("bd", "b", "relates_to", "d", .5)
	for query, want := range map[string]string{
		"": "b c|ab ac|false", "?depth=2": "b c d|ab ac bd|false", "?depth=2&per_node=1": "b|ab|true", "?limit=1": "b|ab|true", "?relation=relates_to": "||false",
		"?depth=3&relation=requires&relation=relates_to&type=topic&min_confidence=0.6": "b|ab|false", "?as_of=2025-12-31": "||false", "?as_of=2026-01-01": "b c|ab ac|false", "?as_of=2026-01-01T00:00:00Z": "b c|ab ac|false",
	} {
		r := a.send("GET", knowledge+"/entities/"+graphID("entity", "a")+"/neighbours"+query, "")
		if got := r.shorts(t, "nodes", "entity_id") + "|" + r.shorts(t, "edges", "edge_id") + "|" + fmt.Sprint(r.field(t, "truncated")); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}
