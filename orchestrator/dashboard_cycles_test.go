package orchestrator_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestCyclesOnThePages(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	of := a.visitors("read", "run")
	l, runner := of[0], of[1]
	p := l.get("/cycles")
	p.says(t, "None yet")
	if len(p.forms()) != 0 {
		t.Errorf("who may only read is offered %v", p.forms())
	}
	if p := l.press("/cycles", "agent", "test-noop"); p.status != http.StatusForbidden {
		t.Errorf("and may do it: %d", p.status)
	}
	if p := runner.press("/cycles", "agent", "nobody"); p.status != http.StatusUnprocessableEntity {
		t.Errorf("a cycle of nobody: %d", p.status)
	}
	a.send("POST", prefix+"/test-slow/pause", `{"reason": "x"}`)
	opened := runner.press("/cycles", "agent", "test-noop", "agent", "test-slow")
	if opened.status != http.StatusSeeOther || !strings.HasPrefix(opened.location, "/cycles/cycle_") {
		t.Fatalf("opened: %d %s", opened.status, opened.location)
	}
	p = runner.get(opened.location)
	p.says(t, "1 to run, 1 left out", "paused", "it is paused by hand", "due", "What the planner saw", "by hand of-run", "The cycle was opened")
	if len(elements(p.doc, "svg")) != 1 || p.forms()[0] != opened.location+"/cancel" {
		t.Errorf("%d drawings, forms %v", len(elements(p.doc, "svg")), p.forms())
	}
	if p := runner.press("/cycles"); p.status != http.StatusSeeOther {
		t.Errorf("a cycle of all: %d", p.status)
	}
	p = l.get("/cycles?status=running&schedule=")
	p.says(t, "by hand", "of-run", "When they were open")
	if !p.leadsTo(opened.location) {
		t.Error("it is not in the list")
	}
	l.get("/cycles?status=cancelled").says(t, "No cycle is like that")
	if p := l.press(opened.location + "/cancel"); p.status != http.StatusForbidden {
		t.Errorf("cancelled by who may only read: %d", p.status)
	}
	if p := runner.press(opened.location + "/cancel"); p.status != http.StatusSeeOther || p.location != opened.location {
		t.Errorf("cancelled: %d %s", p.status, p.location)
	}
	runner.get(opened.location).says(t, "It is being cancelled")
	id := strings.TrimPrefix(opened.location, "/cycles/")
	if log := a.logged(); !strings.Contains(log, "of-run POST /cycles 202\n") || !strings.HasSuffix(log, "of-run POST /cycles/"+id+"/cancel 202") {
		t.Errorf("the log is\n%s", log)
	}
}

func TestSchedulesOnThePages(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	of := a.visitors("read", "run", "admin")
	l, runner, admin := of[0], of[1], of[2]
	l.get("/schedules").says(t, "There is none: nothing runs by itself", "free")
	a.send("POST", prefix+"/schedules", `{"name": "nightly", "agents": ["test-slow"], "cron": "0 4 * * *", "zone": "Asia/Makassar", "parameters": {"millis": 5}, "description": "<b>all</b>"}`)
	a.send("POST", prefix+"/schedules", `{"name": "often", "interval_seconds": 900}`)
	for i := range 53 {
		outcome, reason := "skipped", "'overlap'"
		if i == 52 {
			outcome, reason = "queued", "NULL"
		}
		a.exec(`INSERT INTO ciclo.slots (schedule, due_at, outcome, reason, opened_by) VALUES ('nightly', $1, '`+outcome+`', `+reason+`, 'slot')`, time.Date(2026, 1, 1, i, 0, 0, 0, time.UTC))
	}
	a.exec(`UPDATE ciclo.schedules SET broken = 'no such zone', next_due_at = NULL, next_fire_at = NULL WHERE name = 'often'`)
	l.get("/schedules").says(t, "every day at 04:00", "every 15 minutes", "broken", "no such zone", "queued", "test-slow")
	p := l.get("/schedules/nightly")
	p.says(t, "every day at 04:00", "Asia/Makassar", "the last cycle was not over", "Next page", "millis 5", "<b>all</b>")
	if len(p.forms()) != 0 {
		t.Errorf("who may only read is offered %v", p.forms())
	}
	for _, n := range elements(p.doc, "a") {
		if attribute(n, "rel") == "next" {
			second := l.get(attribute(n, "href"))
			second.says(t, "First page", "earlier ones")
			if rows := len(elements(second.doc, "tr")); rows != 4 {
				t.Errorf("%d rows on the second page", rows)
			}
		}
	}
	if p := l.get("/schedules/nightly?cursor=x"); p.status != http.StatusUnprocessableEntity {
		t.Errorf("a cursor of nobody's: %d", p.status)
	}
	for _, c := range []struct {
		who    *visitor
		path   string
		reason string
		status int
	}{
		{l, "/schedules/nightly/run", "", 403}, {l, "/schedules/nightly/pause", "x", 403}, {l, "/schedules/agents/test-slow/pause", "x", 403},
		{runner, "/schedules/nightly/pause", "x", 403}, {runner, "/schedules/agents/all/pause", "x", 403}, {runner, "/schedules/nobody/run", "", 404},
		{admin, "/schedules/nightly/pause", "", 422}, {admin, "/schedules/nightly/resume", "", 409}, {admin, "/schedules/nobody/pause", "x", 404},
		{admin, "/schedules/agents/nobody/pause", "x", 404}, {admin, "/schedules/agents/test-slow/pause", "  ", 422}, {admin, "/schedules/agents/test-slow/resume", "", 409},
		{admin, "/schedules/nightly/pause", "we <b>move</b>", 303}, {admin, "/schedules/agents/test-slow/pause", "it is ill", 303}, {admin, "/schedules/agents/all/pause", "a long night", 303},
	} {
		if p := c.who.press(c.path, "reason", c.reason); p.status != c.status {
			t.Errorf("%s with %q: %d, want %d", c.path, c.reason, p.status, c.status)
		}
	}
	admin.get("/schedules/nightly").says(t, "It is paused", "we <b>move</b>", "Resume")
	admin.get("/schedules").says(t, "All agents are paused", "a long night", "it is ill", "Resume all agents", "skipped while it is paused")
	var paused int
	if err := a.pool.QueryRow(t.Context(), `SELECT count(*) FROM ciclo.pauses`).Scan(&paused); err != nil || paused != 2 {
		t.Errorf("%d pauses are stored, %v", paused, err)
	}
	for _, path := range []string{"/schedules/nightly/resume", "/schedules/agents/test-slow/resume", "/schedules/agents/all/resume"} {
		if p := admin.press(path); p.status != http.StatusSeeOther {
			t.Errorf("%s: %d", path, p.status)
		}
	}
	ran := runner.press("/schedules/nightly/run")
	if ran.status != http.StatusSeeOther || !strings.HasPrefix(ran.location, "/cycles/cycle_") {
		t.Fatalf("run now: %d %s", ran.status, ran.location)
	}
	runner.get(ran.location).says(t, "nightly", "1 to run", "millis 5")
	if log := a.logged(); !strings.Contains(log, "of-admin POST /schedules/nightly/pause 200") || !strings.Contains(log, "of-admin POST /all/resume 200") || !strings.HasSuffix(log, "of-run POST /schedules/nightly/run 202") {
		t.Errorf("the log is\n%s", log)
	}
}
