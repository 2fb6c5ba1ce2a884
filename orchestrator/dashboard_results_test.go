package orchestrator_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// Results of each kind, as their agents write them, and what nobody foresaw.
func TestResultsOnThePage(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	l := a.visitors("read")[0]
	hostile := `<script>alert(1)</script>` + strings.Repeat("\u202eab\u200b ", 2500)
	text, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		result string
		says   []string
		leads  string
	}{
		"values": {`{"as_of": "2026-01-02", "horizon_days": 365, "currency": "USD", "clients": 8, "payments": 40, "model": "bg_nbd", "total_clv": 1234.5, "segments": {"VIP": 2, "LOW": 6},
			"fits": [{"model": "bg_nbd", "params": {"r": 0.25, "alpha": 4.5}, "standard_errors": {"r": 0.1}, "converged": true, "identified": true}], "purchases": {"expected": 10, "low": 8, "high": 13}, "notes": ["few"],
			"top_clients": [{"client_id": "c1", "name": ` + string(text) + `, "segment": "VIP", "clv": 700, "expected_purchases": 3, "churn_risk_90": 0.5}]}`, []string{"USD 1 234.50", "25 %", "0.25", "few", "10 (8 to 13)", "alert(1)"}, "/clients"},
		"patterns": {`{"from": "2026-01-01", "as_of": "2026-01-08", "conversations": 90, "won": 30, "features_tested": 12, "patterns_found": 2, "patterns_confirmed": 1,
			"top_patterns": [{"feature": "asks first", "confirmed": true, "risk_difference": {"low": 0.05, "high": 0.2, "estimate": 0.12}, "later_risk_difference": null}], "notes": [], "proposal": {"status": "written", "id": "prompt_1", "lines": 3}}`,
			[]string{"asks first", "12.0 (5.0 to 20.0)", "1 confirmed", "3 lines"}, "/prompts/prompt_1"},
		"graph": {`{"from": "2026-01-01", "messages": {"due": 5, "gone": 1, "omitted": 0, "in_graph": 50}, "entities": {"person": 7, "company": 9}, "edges": {"works_at": 3}, "resolution": {"merges": 2, "splits": 0, "reviews": 4}, "changes": {"new_entities": 6}, "top": [], "notes": null}`,
			[]string{"company 9", "works at", "4 wait for a person", "6 new"}, "/graph"},
		"message":                {`{"message_id": "message_gone", "sent": false, "reason": "no consent"}`, []string{"not sent", "no consent", "is not there any more"}, "/messages"},
		"nested":                 {`{"rows": [{"a": 1, "b": "x"}, {"a": 2000, "b": "y"}], "deep": {"list": [1, 2, 3], "none": null, "text": ` + string(text) + `}, "big": 12345678901234567890}`, []string{"2 000", "1 , 2 , 3", "12345678901234567890"}, ""},
		"a text":                 {`"done"`, []string{"done"}, ""},
		"a list":                 {`[]`, []string{"Result as JSON"}, ""},
		"too much of everything": {`{"all": [` + strings.Repeat(`{"k": [[[[[[[[1]]]]]]]], "v": `+string(text)+`},`, 20) + `1]}`, []string{"and 1 more", "This is its begin"}, ""},
		// It looks like one of a kind, and is none.
		"half a kind": {`{"segments": {"VIP": "many"}, "fits": 5, "features_tested": "x"}`, []string{"VIP many"}, ""},
	} {
		p := l.get("/executions/" + a.ended("test-noop", c.result))
		p.says(t, append(c.says, "Result as JSON", "completed")...)
		if c.leads != "" && !p.leadsTo(c.leads) {
			t.Errorf("%s: it doesn't lead to %s", name, c.leads)
		}
		if len(p.shows()) > 120_000 {
			t.Errorf("%s: %d bytes of text", name, len(p.shows()))
		}
		for _, n := range elements(p.doc, "script") {
			if n.FirstChild != nil {
				t.Errorf("%s: a script of somebody else's", name)
			}
		}
	}
	dry := a.endedAs("test-noop", `{"dry_run": {"effects": ["a", "b"], "more_effects": 3}}`, true)
	l.get("/executions/"+dry).says(t, "5 effects were left out", "A dry run has none")
}
