package cli

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/client"
)

const (
	// waitsLong is how long what is accepted may wait for a worker: so many times what
	// its agent typically takes, and at least waitsLeast.
	waitsLong  = 3
	waitsLeast = time.Minute
	// wellAbove is the success rate of an agent that nobody needs to look at.
	wellAbove = 0.9
	// stalledPages bounds how many running executions are looked through: so many
	// pages of 200.
	stalledPages = 10
)

// startWorker starts a worker, on any machine that reaches the database.
const startWorker = "worker # with the orchestrator's DATABASE_URL"

// statusChecks looks for workers, pauses and waits in a status.
func statusChecks(s client.Status) []finding {
	alive := 0
	runners := map[string]int{} // live workers that run the agent
	for _, w := range s.Workers {
		if !w.Alive || w.StoppingAt != nil {
			continue
		}
		alive++
		for agent, n := range w.Concurrency {
			if n > 0 {
				runners[agent]++
			}
		}
	}
	reasons := map[string]client.Pause{}
	for _, p := range s.Paused {
		reasons[p.Agent] = p
	}
	all := []finding{{checkWorkers, ok, fmt.Sprintf("%d of %d workers are alive", alive, len(s.Workers)), ""}}
	if alive == 0 {
		all[0] = finding{checkWorkers, problem, fmt.Sprintf("no worker is alive, of %d: nothing takes work", len(s.Workers)), startWorker}
	}
	var orphans, waits []finding
	for _, a := range s.Agents {
		if runners[a.ID] == 0 {
			next := startWorker
			if alive > 0 {
				next = "ciclo workers # none of them runs it: start one whose version and CICLO_CONCURRENCY do"
			}
			orphans = append(orphans, finding{checkAgents, problem, "no live worker runs " + a.ID, next})
		}
		if wait, limit := waited(a); wait > limit {
			next := startWorker + "; or raise its CICLO_CONCURRENCY"
			if runners[a.ID] == 0 {
				next = startWorker
			}
			waits = append(waits, finding{checkWaiting, problem, fmt.Sprintf("of %s, the oldest of %d that wait does so for %s, more than %s", a.ID, a.Started, wait.Round(time.Second), limit.Round(time.Second)), next})
		}
	}
	for _, u := range s.UnservedAgents {
		orphans = append(orphans, finding{checkAgents, problem,
			fmt.Sprintf("%d executions of %s are alive, and this version has no such agent", u.Started+u.Running, u.Agent),
			"ciclo list --agent " + u.Agent + " --status started # then cancel each, or start workers of the version that has it"})
	}
	all = append(all, orOK(orphans, checkAgents, "each of %d agents has a live worker", len(s.Agents))...)
	var pauses []finding
	for _, p := range s.Paused {
		pauses = append(pauses, pauseFinding(p))
	}
	all = append(all, orOK(pauses, checkPaused, "no agent is paused")...)
	return append(all, orOK(waits, checkWaiting, "nothing waits for longer than it should")...)
}

// waited is for how long an agent's oldest waits, and for how long it may.
func waited(a client.Agent) (wait, limit time.Duration) {
	limit = waitsLeast
	if a.TypicalDurationSeconds != nil {
		limit = max(limit, inSeconds(waitsLong**a.TypicalDurationSeconds))
	}
	if a.QueueAgeSeconds != nil {
		wait = inSeconds(*a.QueueAgeSeconds)
	}
	return wait, limit
}

func inSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func pauseFinding(p client.Pause) finding {
	agent, name := p.Agent, p.Agent
	if agent == "*" {
		agent, name = "all", "every agent"
	}
	next := "ciclo resume " + agent
	if p.Kind == "breaker" {
		next = "ciclo list --status failed --agent " + agent + " # a probe ends the pause once it works; or ciclo resume " + agent
	}
	return finding{checkPaused, problem, fmt.Sprintf("%s is paused (%s) since %s: %s", name, p.Kind, p.PausedAt.UTC().Format(time.RFC3339), p.Reason), next}
}

// failures are the agents that fail too often.
func failures(agents []client.Agent) []finding {
	var all []finding
	for _, a := range agents {
		if a.SuccessRate != nil && *a.SuccessRate < wellAbove {
			all = append(all, finding{checkFailures, problem, fmt.Sprintf("of %s, %s of the last hundred completed", a.ID, percent(a.SuccessRate)), "ciclo list --status failed --agent " + a.ID})
		}
	}
	return orOK(all, checkFailures, "of each agent's last hundred executions, at least %s completed", percent(new(wellAbove)))
}

// orOK are the findings, or one that says that all is well.
func orOK(found []finding, check, format string, args ...any) []finding {
	if len(found) > 0 {
		return found
	}
	return []finding{{check, ok, fmt.Sprintf(format, args...), ""}}
}

// schedules looks for those that fire nothing. opens is whether this orchestrator
// opens cycles; another one may.
func (d *doctor) schedules(ctx context.Context, api *client.Client, opens bool) {
	var all []client.Schedule
	err := d.ask(ctx, func(ctx context.Context) (err error) {
		all, err = api.Schedules(ctx)
		return err
	})
	if err != nil {
		d.problem(checkSchedules, "ciclo schedules", "the schedules can't be had: %s", why(err))
		return
	}
	var found []finding
	for _, s := range all {
		switch {
		case s.Broken != nil:
			found = append(found, finding{checkSchedules, problem, fmt.Sprintf("%s is broken: %s", s.Name, *s.Broken), "ciclo schedules change " + s.Name + " --from-file FILE"})
		case s.PausedAt != nil:
			found = append(found, finding{checkSchedules, problem, fmt.Sprintf("%s is paused since %s: %s", s.Name, s.PausedAt.UTC().Format(time.RFC3339), text(s.PausedReason)), "ciclo schedules resume " + s.Name})
		}
	}
	by := ""
	if !opens {
		by = "; this orchestrator opens no cycles"
	}
	for _, f := range orOK(found, checkSchedules, "none of %d schedules is broken or paused%s", len(all), by) {
		d.add(f)
	}
}

// messages looks for those that wait for a person who doesn't know: whose fate is
// unknown, and that were approved for a channel that is off.
func (d *doctor) messages(ctx context.Context, api *client.Client) {
	var policy client.ContactPolicy
	var lost, failed, approved client.MessagePage
	err := d.ask(ctx, func(ctx context.Context) (err error) {
		if policy, err = api.ContactPolicy(ctx); err != nil {
			return err
		}
		if lost, err = api.Messages(ctx, url.Values{"status": {"unknown"}, "limit": {"200"}}); err != nil {
			return err
		}
		if failed, err = api.Messages(ctx, url.Values{"status": {"failed"}, "limit": {"200"}}); err != nil {
			return err
		}
		approved, err = api.Messages(ctx, url.Values{"status": {"approved"}, "limit": {"200"}})
		return err
	})
	if err != nil {
		d.problem(checkMessages, "ciclo messages", "the messages can't be had: %s", why(err))
		return
	}
	var found []finding
	for _, m := range lost.Messages {
		found = append(found, finding{checkMessages, problem, fmt.Sprintf("%s to %s may have left: look whether the client has it", m.ID, m.ClientID), "ciclo messages resolve " + m.ID + " sent|send_again|dropped"})
	}
	today, because := 0, ""
	for _, m := range failed.Messages {
		if time.Since(m.StatusAt) < 24*time.Hour {
			today, because = today+1, text(m.Reason)
		}
	}
	if today > 0 {
		found = append(found, finding{checkMessages, problem, fmt.Sprintf("%d messages failed within a day, such as: %s", today, because), "ciclo messages --status failed"})
	}
	off := map[string]int{}
	for _, m := range approved.Messages {
		if !slices.Contains(policy.Channels, m.Channel) {
			off[m.Channel]++
		}
	}
	for _, channel := range slices.Sorted(maps.Keys(off)) {
		found = append(found, finding{checkMessages, problem, fmt.Sprintf("%d approved messages wait for the channel %s, which is off", off[channel], channel), "ciclo messages policy --channels " + strings.Join(append(slices.Clone(policy.Channels), channel), ",")})
	}
	for _, f := range orOK(found, checkMessages, "no message waits for somebody to look") {
		d.add(f)
	}
}

// stalled looks for running executions that don't move.
func (d *doctor) stalled(ctx context.Context, api *client.Client) {
	query := url.Values{"status": {"running"}, "limit": {"200"}}
	var ids []string
	running := 0
	for range stalledPages {
		var page client.Page
		err := d.ask(ctx, func(ctx context.Context) (err error) {
			page, err = api.List(ctx, query)
			return err
		})
		if err != nil {
			d.problem(checkStalled, "ciclo list --status running", "the running executions can't be had: %s", why(err))
			return
		}
		for _, e := range page.Executions {
			running++
			if e.Stalled {
				ids = append(ids, e.ID)
			}
		}
		if page.NextCursor == nil {
			break
		}
		query.Set("cursor", *page.NextCursor)
	}
	if len(ids) > 0 {
		d.problem(checkStalled, "ciclo status "+ids[0]+" # its worker's log says more; ciclo cancel ends it", "%d of %d running executions are stalled: %s", len(ids), running, few(ids))
		return
	}
	d.ok(checkStalled, "none of %d running executions is stalled", running)
}

// few is a list that stays short.
func few(ids []string) string {
	if len(ids) > 3 {
		return strings.Join(ids[:3], ", ") + ", …"
	}
	return strings.Join(ids, ", ")
}

func (d *doctor) audit(ctx context.Context, api *client.Client) {
	var report client.Audit
	err := d.ask(ctx, func(ctx context.Context) (err error) {
		report, err = api.Audit(ctx)
		return err
	})
	switch {
	case err != nil:
		d.problem(checkAudit, "ciclo audit", "the audit can't be had: %s", why(err))
	case report.Violations > 0:
		var broken []string
		for _, f := range report.Findings {
			if f.Count > 0 {
				broken = append(broken, fmt.Sprintf("%s (%d)", f.Invariant, f.Count))
			}
		}
		d.problem(checkAudit, "ciclo audit", "%d violations: %s", report.Violations, strings.Join(broken, ", "))
	case len(report.Findings) == 0:
		d.problem(checkAudit, "ciclo audit", "the answer is not an audit's")
	default:
		d.ok(checkAudit, "none of %d invariants is broken", len(report.Findings))
	}
}
