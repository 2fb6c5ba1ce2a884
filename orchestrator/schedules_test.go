package orchestrator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestSchedulesByAPI(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	all := prefix + "/schedules"
	r := a.send("POST", all, `{"name": "nightly", "agents": ["test-slow"], "cron": "0 4 * * *", "zone": "Asia/Makassar", "parameters": {"millis": 5}, "description": "x"}`)
	next, _ := r.field(t, "next_slots").([]any)
	if r.status != http.StatusCreated || len(next) != 5 || !strings.HasSuffix(next[0].(string), "T20:00:00Z") || r.field(t, "overlap") != "skip" || r.field(t, "created_by") != "CICLO_TOKEN" {
		t.Errorf("made: %d %s", r.status, r.body)
	}
	if r := a.send("POST", all, `{"name": "nightly", "cron": "0 4 * * *"}`); r.status != http.StatusConflict {
		t.Errorf("made again: %d %s", r.status, r.body)
	}
	if r := a.send("POST", all, `{"name": "often", "interval_seconds": 60}`); r.status != http.StatusCreated || r.field(t, "zone") != nil || r.field(t, "anchor_at") == nil {
		t.Errorf("an interval: %d %s", r.status, r.body)
	}
	if r := a.send("GET", all, ""); len(r.field(t, "schedules").([]any)) != 2 {
		t.Errorf("listed: %s", r.body)
	}
	one := all + "/nightly"
	r = a.send("PATCH", one, `{"cron": "30 5 * * *", "overlap": "queue"}`)
	if next, _ := r.field(t, "next_slots").([]any); r.status != http.StatusOK || !strings.HasSuffix(next[0].(string), "T21:30:00Z") || r.field(t, "description") != "x" || r.field(t, "overlap") != "queue" {
		t.Errorf("changed: %d %s", r.status, r.body)
	}
	if r := a.send("PATCH", one, `{"cron": null, "interval_seconds": 3600}`); r.status != http.StatusOK || r.field(t, "zone") != nil || r.field(t, "interval_seconds") != 3600. {
		t.Errorf("changed into an interval: %d %s", r.status, r.body)
	}
	for i, step := range []string{"pause", "pause", "resume", "resume"} {
		want := []int{200, 200, 200, 409}[i]
		if r := a.send("POST", one+"/"+step, ""); r.status != want || want == 200 && (r.field(t, "paused_at") != nil) != (step == "pause") {
			t.Errorf("%s: %d %s", step, r.status, r.body)
		}
	}
	if r := a.send("GET", one, ""); r.status != http.StatusOK || r.field(t, "paused_at") != nil {
		t.Errorf("shown: %d %s", r.status, r.body)
	}
	a.exec(`INSERT INTO ciclo.slots (schedule, due_at, outcome, reason, opened_by) VALUES ('nightly', '2026-01-01Z', 'queued', NULL, 'slot'), ('nightly', '2026-01-02Z', 'skipped', 'paused', 'slot')`)
	if r := a.send("GET", one, ""); r.field(t, "last_slot", "reason") != "paused" || r.field(t, "last_slot", "due_at") != "2026-01-02T00:00:00Z" {
		t.Errorf("its last slot is %s", r.body)
	}
	list, _ := a.send("GET", all, "").field(t, "schedules").([]any)
	for _, one := range list {
		s, _ := one.(map[string]any)
		if last, _ := s["last_slot"].(map[string]any); (last != nil) != (s["name"] == "nightly") || last != nil && last["outcome"] != "skipped" {
			t.Errorf("the last slot of %v in the list is %v", s["name"], last)
		}
	}
	for path, status := range map[string]int{
		"GET /schedules/nobody": 404, "PATCH /schedules/nobody": 404, "POST /schedules/nobody/pause": 404, "POST /schedules/nobody/resume": 404,
		"POST /schedules/nobody/run": 404, "GET /schedules/nobody/slots": 404, "GET /schedules/nightly/slots?limit=0": 422, "GET /schedules/nightly/slots?cursor=x": 422,
		"POST /schedules/nobody/backfill": 404, "GET /schedules?x=1": 422, "GET /cycles/nobody": 404, "POST /cycles/nobody/cancel": 404,
		"GET /cycles?status=done": 422, "GET /cycles?cursor=x": 422, "GET /cycles?schedule=": 422, "GET /executions?cycle=%00": 422,
	} {
		method, path, _ := strings.Cut(path, " ")
		if r := a.send(method, prefix+path, ""); r.status != status {
			t.Errorf("%s %s: %d %s", method, path, r.status, r.body)
		}
	}
}

func TestSchedulesThatAreRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for body, field := range map[string]string{
		`{}`:                                "name",
		`{"name": "A B", "cron": "@daily"}`: "name",
		`{"name": "a"}`:                     "cron",
		`{"name": "a", "cron": "@daily", "interval_seconds": 5}`:                                                  "cron",
		`{"name": "a", "cron": "whenever"}`:                                                                       "cron",
		`{"name": "a", "cron": "0 0 30 2 *"}`:                                                                     "never comes",
		`{"name": "a", "cron": "@daily", "zone": "Nowhere"}`:                                                      "zone",
		`{"name": "a", "interval_seconds": 0}`:                                                                    "interval",
		`{"name": "a", "interval_seconds": 9223372036854775807}`:                                                  "interval",
		`{"name": "a", "interval_seconds": 9223372036}`:                                                           "interval",
		`{"name": "a", "cron": "@daily", "agents": ["nobody"]}`:                                                   "agents",
		`{"name": "a", "cron": "@daily", "agents": ["test-noop", "test-noop"]}`:                                   "agents",
		`{"name": "a", "cron": "@daily", "parameters": {"millis": 1}}`:                                            "parameters",
		`{"name": "a", "cron": "@daily", "agents": ["test-slow"], "parameters": {"millis": -1}}`:                  "parameters",
		`{"name": "a", "cron": "@daily", "agents": ["test-slow"], "parameters": []}`:                              "parameters",
		`{"name": "a", "cron": "@daily", "overlap": "maybe"}`:                                                     "overlap",
		`{"name": "a", "cron": "@daily", "catch_up": "some"}`:                                                     "catch_up",
		`{"name": "a", "cron": "@daily", "jitter_seconds": -1}`:                                                   "jitter_seconds",
		`{"name": "a", "cron": "@daily", "catch_up_limit": 1001}`:                                                 "catch_up_limit",
		`{"name": "a", "cron": "@daily", "catch_up_window_seconds": -1}`:                                          "catch_up_window_seconds",
		`{"name": "a", "cron": "@daily", "cooldown_seconds": -1}`:                                                 "cooldown_seconds",
		`{"name": "a", "cron": "@daily", "max_parallel": 101}`:                                                    "max_parallel",
		`{"name": "a", "cron": "@daily", "deadline_seconds": -1}`:                                                 "deadline_seconds",
		`{"name": "a", "cron": "@daily", "starts_at": "2026-01-02T00:00:00Z", "ends_at": "2026-01-01T00:00:00Z"}`: "ends_at",
		`{"name": "a", "cron": "@daily", "starts_at": "0001-01-01T00:00:00Z"}`:                                    "starts_at",
		`{"name": "a", "cron": "@daily", "starts_at": "tomorrow"}`:                                                "",
		`{"name": "a", "cron": "@daily", "decided_until": "2026-01-02T00:00:00Z"}`:                                "unknown field",
		`{"name": "a", "cron": 5}`:                                                                                "cron",
	} {
		if r := a.send("POST", prefix+"/schedules", body); r.status != http.StatusUnprocessableEntity || !strings.Contains(string(r.body), field) {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
	a.send("POST", prefix+"/schedules", `{"name": "a", "cron": "@daily"}`)
	for body, field := range map[string]string{`{"name": "b"}`: "name", `{"cron": "whenever"}`: "cron", `{"zone": null, "cron": null}`: "cron", `[]`: "object"} {
		if r := a.send("PATCH", prefix+"/schedules/a", body); r.status != http.StatusUnprocessableEntity || !strings.Contains(string(r.body), field) {
			t.Errorf("changed by %s: %d %s", body, r.status, r.body)
		}
	}
	now := time.Now().UTC()
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339) }
	for body, status := range map[string]int{
		`{"from": "` + at(-72*time.Hour) + `", "to": "` + at(-time.Hour) + `"}`: 202,
		`{"from": "` + at(-time.Hour) + `", "to": "` + at(-2*time.Hour) + `"}`:  422,
		`{"from": "` + at(-time.Hour) + `", "to": "` + at(time.Hour) + `"}`:     422,
		`{"from": "1970-01-01T00:00:00Z", "to": "` + at(-time.Hour) + `"}`:      422, // too many
		`{}`: 422, `{"from": "yesterday"}`: 422,
	} {
		if r := a.send("POST", prefix+"/schedules/a/backfill", body); r.status != status {
			t.Errorf("backfill %s: %d %s", body, r.status, r.body)
		}
	}
}

func TestCyclesByHand(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	r := a.send("POST", prefix+"/cycles", `{"agents": ["test-slow", "test-noop"], "max_parallel": 1}`)
	id, _ := r.field(t, "cycle_id").(string)
	lines, _ := r.field(t, "agents").([]any)
	if r.status != http.StatusAccepted || r.header.Get("Location") != prefix+"/cycles/"+id || len(lines) != 2 || r.field(t, "opened_by") != "hand" || r.field(t, "requested_by") != "CICLO_TOKEN" {
		t.Fatalf("opened: %d %s", r.status, r.body)
	}
	first, _ := lines[0].(map[string]any)
	if first["agent_name"] != "test-noop" || first["execution_id"] == nil || first["status"] != "started" {
		t.Errorf("the first one is %v", first)
	}
	if r := a.send("GET", prefix+"/executions?cycle="+id, ""); len(r.field(t, "executions").([]any)) != 1 {
		t.Errorf("its executions are %s", r.body)
	}
	if r := a.send("POST", prefix+"/cycles/"+id+"/cancel", ""); r.status != http.StatusAccepted || r.field(t, "cancel_requested_at") == nil {
		t.Errorf("cancelled: %d %s", r.status, r.body)
	}
	a.send("POST", prefix+"/schedules", `{"name": "nightly", "agents": ["test-slow"], "cron": "@daily", "parameters": {"millis": 5}}`)
	r = a.send("POST", prefix+"/schedules/nightly/run", "")
	if r.status != http.StatusAccepted || r.field(t, "schedule") != "nightly" || r.field(t, "parameters", "millis") != 5. {
		t.Errorf("run now: %d %s", r.status, r.body)
	}
	if r := a.send("POST", prefix+"/cycles", `{"agents": ["test-slow"], "parameters": {"millis": 7}}`); r.status != http.StatusAccepted {
		t.Errorf("with parameters: %d %s", r.status, r.body)
	}
	seen := map[string]bool{}
	for cursor := ""; ; {
		r := a.send("GET", prefix+"/cycles?limit=1&status=running"+cursor, "")
		list, _ := r.field(t, "cycles").([]any)
		for _, c := range list {
			seen[fmt.Sprint(c.(map[string]any)["cycle_id"])] = true
		}
		next, _ := r.field(t, "next_cursor").(string)
		if next == "" {
			break
		}
		cursor = "&cursor=" + next
	}
	if len(seen) != 3 {
		t.Errorf("the pages have %d cycles", len(seen))
	}
	if r := a.send("GET", prefix+"/cycles?schedule=nightly", ""); len(r.field(t, "cycles").([]any)) != 1 {
		t.Errorf("of the schedule: %s", r.body)
	}
	for _, body := range []string{`{"agents": ["nobody"]}`, `{"parameters": {"x": 1}}`, `{"max_parallel": -1}`, `{"deadline_seconds": 0}`, `{"x": 1}`, `[]`} {
		if r := a.send("POST", prefix+"/cycles", body); r.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
}
