package orchestrator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
)

// proposal writes a proposal for the prompt sales, of version v1.
func (a *api) proposal(execution, id, body string) {
	a.t.Helper()
	a.exec(`
		INSERT INTO ciclo.prompt_proposals (id, execution_id, prompt, base_version, base_hash, patterns_hash, window_from, window_to, title, body, lines, left_out, report, plot, data_until)
		VALUES ($1, $2, 'sales', 'v1', repeat('0', 64), md5($1) || md5($1), '2026-01-01', '2026-01-30', 'a title', $3, '{"- one","- two"}', '[{"reason": "is too long", "rows": 2}]', '# Report', '<svg/>', now())`,
		id, execution, body)
}

// versioned writes conversations of one version, so many of them won.
func (a *api) versioned(version, channel string, n, won int) {
	a.t.Helper()
	a.exec(`
		INSERT INTO crm.conversations (id, agent_version, channel, started_at, outcome, outcome_at)
		SELECT $1 || '/' || $2 || '/' || n, $1, $2, '2026-01-01'::timestamptz + n * interval '1 hour', CASE WHEN n <= $4 THEN 'won' ELSE 'lost' END, '2026-06-01'
		FROM generate_series(1, $3::int) n`, version, channel, n, won)
}

func TestPrompts(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	if r := a.send("GET", prefix+"/prompts", ""); r.status != http.StatusOK || !strings.Contains(string(r.body), `"proposals":[]`) {
		t.Errorf("before any: %d %s", r.status, r.body)
	}
	run := a.trained(time.Now().UTC(), false, "+a")
	for i := range 5 {
		a.proposal(run, fmt.Sprintf("p-%d", i), "the text\r\n")
	}
	var seen []string
	cursor := ""
	for range 5 {
		var page client.PromptPage
		r := a.send("GET", prefix+"/prompts?limit=2"+cursor, "")
		if err := json.Unmarshal(r.body, &page); err != nil || r.status != http.StatusOK {
			t.Fatalf("%d %s", r.status, r.body)
		}
		for _, p := range page.Proposals {
			seen = append(seen, p.ID)
		}
		if page.NextCursor == nil {
			break
		}
		cursor = "&cursor=" + *page.NextCursor
	}
	if got := strings.Join(seen, " "); got != "p-4 p-3 p-2 p-1 p-0" {
		t.Errorf("the pages hold %s", got)
	}
	var p client.PromptChange
	r := a.send("GET", prefix+"/prompts/p-0", "")
	if err := json.Unmarshal(r.body, &p); err != nil || p.Body != "the text\r\n" || len(p.Block) != 2 || p.Lines != 2 || len(p.LeftOut) != 1 || p.LeftOut[0].Rows != 2 || p.Status != "written" || p.WindowTo != "2026-01-30" || *p.BaseVersion != "v1" {
		t.Errorf("%d %s, %v", r.status, r.body, err)
	}
	for path, want := range map[string]int{
		"/prompts?limit=0": 422, "/prompts?cursor=x": 422, "/prompts?cursor=-1": 422, "/prompts?before=1": 422,
		"/prompts/nobody": 404, "/prompts/nobody/effect": 404, "/prompts/%00": 404, "/prompts/p-0?x=1": 422,
		"/prompts/p-0/effect?x=1": 422, "/prompts/p-0/effect?before=": 422, "/prompts/p-0/effect?before=v1&after=v1": 422, "/prompts/p-0/effect?after=a&after=b": 422, "/prompts/p-0/effect?after=%00": 422,
	} {
		if r := a.send("GET", prefix+path, ""); r.status != want {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}

func TestPromptEffect(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body    string // of the version v2
		query   string
		fill    func(a *api)
		verdict string
		says    string
		// difference is 0 where there is none.
		difference float64
	}{
		"not in use":       {body: "another text", verdict: "not_in_use", says: "name the version that it became", fill: func(*api) {}},
		"no conversations": {body: "new", verdict: "too_few", says: "0 conversations before and 0 after", fill: func(*api) {}},
		"too few after": {body: "new", verdict: "too_few", says: "100 conversations before and 29 after", fill: func(a *api) {
			a.versioned("v1", "chat", 100, 40)
			a.versioned("v2", "chat", 29, 29)
		}},
		"channels that never meet": {body: "new", verdict: "too_few", says: "0 conversations before and 0 after", fill: func(a *api) {
			a.versioned("v1", "chat", 100, 40)
			a.versioned("v2", "mail", 100, 80)
		}},
		"all alike": {body: "new", verdict: "too_few", says: "ended alike", fill: func(a *api) {
			a.versioned("v1", "chat", 100, 100)
			a.versioned("v2", "chat", 100, 100)
		}},
		"more": {body: "new", verdict: "more_won", says: "association in time", difference: .2, fill: func(a *api) {
			a.versioned("v1", "chat", 100, 40)
			a.versioned("v2", "chat", 100, 60)
		}},
		"fewer": {body: "new", verdict: "fewer_won", says: "Fewer were won after: -20.0 points (95 %: -33.6 to -6.4)", difference: -.2, fill: func(a *api) {
			a.versioned("v1", "chat", 100, 60)
			a.versioned("v2", "chat", 100, 40)
		}},
		"no difference": {body: "new", verdict: "no_difference_shown", says: "the smallest difference that so many conversations would have shown reliably is 19.8 points", difference: .05, fill: func(a *api) {
			a.versioned("v1", "chat", 100, 48)
			a.versioned("v2", "chat", 100, 53)
		}},
		// By mail more are won, and the new version came with more mail.
		"Simpson": {body: "new", verdict: "no_difference_shown", says: "No difference is shown: +0.0 points", fill: func(a *api) {
			a.versioned("v1", "chat", 200, 40)
			a.versioned("v1", "mail", 50, 40)
			a.versioned("v2", "chat", 50, 10)
			a.versioned("v2", "mail", 200, 160)
		}},
		"versions by name": {body: "another text", query: "?before=v2&after=v3", verdict: "more_won", difference: .2, fill: func(a *api) {
			a.versioned("v2", "chat", 100, 40)
			a.versioned("v3", "chat", 100, 60)
			a.versioned("v1", "chat", 100, 0)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			a.proposal(a.trained(time.Now().UTC(), false, "+a"), "p", "new")
			a.exec(`INSERT INTO crm.prompts (name, version, body) VALUES ('sales', 'v1', 'old'), ('sales', 'v2', $1), ('other', 'v9', 'new')`, c.body)
			c.fill(a)
			a.exec(`INSERT INTO crm.conversations (id, agent_version, channel, started_at) VALUES ('open', 'v2', 'chat', now())`)
			r := a.send("GET", prefix+"/prompts/p/effect"+c.query, "")
			var e client.PromptEffect
			if err := json.Unmarshal(r.body, &e); err != nil || r.status != http.StatusOK {
				t.Fatalf("%d %s", r.status, r.body)
			}
			if e.Verdict != c.verdict || !strings.Contains(e.Says, c.says) {
				t.Errorf("%s", r.body)
			}
			claims := e.Verdict == "more_won" || e.Verdict == "fewer_won" || e.Verdict == "no_difference_shown"
			if claims != (e.Difference != nil) || claims && (e.SmallestShown == nil || e.Difference.Estimate-c.difference > 1e-9 || c.difference-e.Difference.Estimate > 1e-9) {
				t.Errorf("%s", r.body)
			}
		})
	}
}
