package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nuzantara/ciclo/client"
)

// scheduled are the schedules that fire while faults are injected: each overlap
// policy, every few seconds, with whatever is missed made up for.
func scheduled(ledger string, ends time.Time) []map[string]any {
	common := map[string]any{"cooldown_seconds": 0, "catch_up": "all", "catch_up_limit": 1000, "catch_up_window_seconds": 86_400, "ends_at": ends}
	with := func(fields map[string]any) map[string]any {
		for name, value := range common {
			fields[name] = value
		}
		return fields
	}
	return []map[string]any{
		with(map[string]any{"name": "queueing", "interval_seconds": 3, "overlap": "queue", "agents": []string{"test-noop"}}),
		with(map[string]any{"name": "skipping", "interval_seconds": 4, "overlap": "skip", "agents": []string{"test-steps"}, "parameters": map[string]any{"steps": 4, "millis": 100, "ledger": ledger}}),
		with(map[string]any{"name": "cancelling", "interval_seconds": 7, "overlap": "cancel", "agents": []string{"test-slow"}, "parameters": map[string]any{"millis": 4000}}),
		with(map[string]any{"name": "several", "interval_seconds": 10, "overlap": "skip", "agents": []string{"test-noop", "test-slow", "test-fail"}, "max_parallel": 2}),
	}
}

// schedule makes the schedules, before anything is broken.
func schedule(ctx context.Context, api *client.Client, ledger string, ends time.Time) error {
	for _, fields := range scheduled(ledger, ends) {
		if _, err := api.CreateSchedule(ctx, fields); err != nil {
			return fmt.Errorf("make schedule %s: %w", fields["name"], err)
		}
	}
	return nil
}

// timed is a schedule as the database knows it.
type timed struct {
	Name            string
	Interval        int64
	Anchor, Ends    time.Time
	CreatedAt       time.Time
	Overlap, Broken string
}

// slot is one of its slots.
type slot struct {
	Schedule        string
	Due             time.Time
	Outcome, Reason string
	Cycle           string
}

// cycled is a cycle, and how many of its decisions to run have an execution.
type cycled struct {
	ID, Schedule, Status string
	Run, Executed, Alive int
}

// scheduleRules are what the history must show of schedules.
var scheduleRules = []rule{
	{"each slot of a schedule is decided once, whoever died", func(h *history, found func(string, ...any)) {
		decided := map[string]map[int64]slot{}
		for _, s := range h.slots {
			if decided[s.Schedule] == nil {
				decided[s.Schedule] = map[int64]slot{}
			}
			decided[s.Schedule][s.Due.UnixMicro()] = s
			if s.Outcome == "queued" {
				found("slot %s of %s was never fired", clock(s.Due), s.Schedule)
			}
		}
		for _, n := range h.schedules {
			if n.Broken != "" {
				found("%s is broken: %s", n.Name, n.Broken)
			}
			want := 0
			for due := n.Anchor; !due.After(n.Ends); due = due.Add(time.Duration(n.Interval) * time.Second) {
				if !due.After(n.CreatedAt) {
					continue
				}
				want++
				if _, there := decided[n.Name][due.UnixMicro()]; !there {
					found("slot %s of %s is not decided", clock(due), n.Name)
				}
			}
			if got := len(decided[n.Name]); got != want {
				found("%s has %d slots, its rule names %d", n.Name, got, want)
			}
			if want == 0 {
				found("%s names no slot", n.Name)
			}
		}
	}},
	{"a fired slot has one cycle, which is over, with one execution for each agent that it ran", func(h *history, found func(string, ...any)) {
		cycles := map[string]cycled{}
		for _, c := range h.cycles {
			cycles[c.ID] = c
			if c.Status == "running" || c.Run != c.Executed || c.Alive > 0 {
				found("%s of %s is %s: %d agents to run, %d executions, %d alive", c.ID, c.Schedule, c.Status, c.Run, c.Executed, c.Alive)
			}
		}
		used := map[string]bool{}
		for _, s := range h.slots {
			if s.Outcome != "fired" && s.Outcome != "caught_up" {
				continue
			}
			if c, there := cycles[s.Cycle]; !there || c.Schedule != s.Schedule || used[s.Cycle] {
				found("slot %s of %s names the cycle %q", clock(s.Due), s.Schedule, s.Cycle)
			}
			used[s.Cycle] = true
		}
	}},
	{"a slot is skipped for a reason that its schedule has", func(h *history, found func(string, ...any)) {
		overlap := map[string]string{}
		for _, n := range h.schedules {
			overlap[n.Name] = n.Overlap
		}
		for _, s := range h.slots {
			if s.Reason != "" && (s.Reason != "overlap" || overlap[s.Schedule] == "cancel") {
				found("slot %s of %s was skipped: %s", clock(s.Due), s.Schedule, s.Reason)
			}
		}
	}},
}
