package orchestrator_test

import (
	"fmt"
	"net/http"
	"testing"
)

func TestDecisionsAboutTheGraph(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for i, short := range []string{"a", "b", "c"} {
		a.entity(short, "person", "Anna Ruiz "+short, 1, i)
		a.read("m"+short, i)
		a.exec(`INSERT INTO ciclo.mentions (message_id, start_char, end_char, surface, type, record_id, extractor, version, confidence)
			VALUES ($1, 0, 11, $2, 'person', $3, 'test', '1', .9)`, "m"+short, "Anna Ruiz "+short, graphID("record", short))
	}
	a.entity("co", "company", "Nordvik AS", 1, 2)
	a.exec(`INSERT INTO ciclo.entity_reviews (id, record_a, record_b, probability) VALUES ($1, $2, $3, .6)`, graphID("review", "ab"), graphID("record", "a"), graphID("record", "b"))
	decide := func(path, body string, status int, want string) {
		t.Helper()
		r := a.send("POST", knowledge+path, body)
		field := "type"
		if r.status == http.StatusOK {
			field = "entity_ids"
		}
		got := fmt.Sprint(r.field(t, field))
		if r.status != status || got != want {
			t.Errorf("%s %s: %d %s, want %d %s", path, body, r.status, r.body, status, want)
		}
	}
	id := func(short string) string { return graphID("entity", short) }
	review := "/reviews/" + graphID("review", "ab")

	decide(review, `{}`, http.StatusUnprocessableEntity, "urn:ciclo:invalid")
	decide(review, `{"same": "yes"}`, http.StatusUnprocessableEntity, "urn:ciclo:invalid")
	decide("/reviews/"+graphID("review", "zz"), `{"same": true}`, http.StatusNotFound, "urn:ciclo:review-unknown")
	decide("/reviews/x", `{"same": true}`, http.StatusNotFound, "urn:ciclo:review-unknown")
	decide(review, `{"same": true}`, http.StatusOK, "["+id("a")+"]")
	decide(review, `{"same": true}`, http.StatusOK, "["+id("a")+"]") // once more changes nothing
	decide(review, `{"same": false}`, http.StatusConflict, "urn:ciclo:decided-otherwise")
	if r := a.send("GET", knowledge+"/entities/"+id("b"), ""); r.field(t, "entity_id") != id("a") {
		t.Errorf("what was merged is answered by %s", r.body)
	}

	decide("/merges", `{"entities": ["`+id("a")+`"]}`, http.StatusUnprocessableEntity, "urn:ciclo:invalid")
	decide("/merges", `{"entities": ["`+id("a")+`", "`+id("a")+`"]}`, http.StatusUnprocessableEntity, "urn:ciclo:invalid")
	decide("/merges", `{"entities": ["`+id("a")+`", "`+id("zz")+`"]}`, http.StatusNotFound, "urn:ciclo:entity-unknown")
	decide("/merges", `{"entities": ["`+id("a")+`", "`+id("co")+`"]}`, http.StatusConflict, "urn:ciclo:entities-unlike")
	decide("/merges", `{"entities": ["`+id("c")+`", "`+id("a")+`"]}`, http.StatusOK, "["+id("a")+"]")

	var merge int64
	if err := a.pool.QueryRow(t.Context(), `SELECT id FROM ciclo.entity_merges WHERE from_id = $1`, id("c")).Scan(&merge); err != nil {
		t.Fatal(err)
	}
	undo := fmt.Sprintf("/merges/%d/undo", merge)
	decide("/merges/0/undo", "", http.StatusNotFound, "urn:ciclo:merge-unknown")
	decide("/merges/x/undo", "", http.StatusNotFound, "urn:ciclo:merge-unknown")
	decide("/merges/999999/undo", "", http.StatusNotFound, "urn:ciclo:merge-unknown")
	decide(undo, "", http.StatusOK, "["+id("a")+" "+id("c")+"]")
	decide(undo, "", http.StatusConflict, "urn:ciclo:records-moved")
	decide("/merges", `{"entities": ["`+id("c")+`", "`+id("a")+`"]}`, http.StatusOK, "["+id("a")+"]") // the last word counts
	var audited int
	if err := a.pool.QueryRow(t.Context(), `SELECT count(*) FROM ciclo.audit_log WHERE path LIKE '%graph%' AND status = 200`).Scan(&audited); err != nil || audited != 5 {
		t.Errorf("%d decisions are in the audit log, %v", audited, err)
	}
}
