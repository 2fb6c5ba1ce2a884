package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nuzantara/ciclo/client"
)

// schedulesView is when agents run by themselves, and which must not.
type schedulesView struct {
	Schedules []client.Schedule
	// More is how many there are beyond those that are shown.
	More   int
	Agents []pausable
	// All is why no agent is run; nil where they are.
	All        *client.Pause
	Scheduling bool
}

// pausable is an agent, and why it is paused, if it is.
type pausable struct {
	client.Agent
	Pause *client.Pause
}

// listedSchedules bounds the page.
const listedSchedules = 60

func schedules() page {
	return page{
		path: "/schedules", section: "Schedules", template: "schedules.html", read: readSchedules,
		actions: []action{
			{"/schedules/agents/{agent}/pause", pauseAgent},
			{"/schedules/agents/{agent}/resume", resumeAgent},
		},
	}
}

func readSchedules(ctx context.Context, v *Visit) (any, error) {
	if err := noQuery(v); err != nil {
		return nil, err
	}
	var x schedulesView
	var status client.Status
	ask, asking := errgroup.WithContext(ctx)
	ask.Go(func() (err error) {
		x.Schedules, err = v.API.Schedules(asking)
		return err
	})
	ask.Go(func() (err error) {
		status, err = v.API.Status(asking)
		return err
	})
	if err := ask.Wait(); err != nil {
		return nil, err
	}
	x.More = max(0, len(x.Schedules)-listedSchedules)
	x.Schedules = x.Schedules[:len(x.Schedules)-x.More]
	x.Scheduling = status.Scheduling
	for _, a := range status.Agents {
		p := pausable{Agent: a}
		for i := range status.Paused {
			if status.Paused[i].Agent == a.ID {
				p.Pause = &status.Paused[i]
			}
		}
		x.Agents = append(x.Agents, p)
	}
	for i := range status.Paused {
		if status.Paused[i].Agent == "*" {
			x.All = &status.Paused[i]
		}
	}
	return x, nil
}

// noQuery refuses what a page would not look at.
func noQuery(v *Visit) error {
	if v.URL.RawQuery == "" {
		return nil
	}
	return &client.Problem{Status: http.StatusUnprocessableEntity, Title: "The address can't be read", Detail: "this page takes no filters"}
}

// scheduleView is one schedule with what became of its slots.
type scheduleView struct {
	client.Schedule
	Slots []client.Slot
	First bool
	Pager otherPages
	Given *nested
}

func schedule() page {
	return page{
		path: "/schedules/{name}", section: "Schedules", template: "schedule.html", read: readSchedule,
		actions: []action{
			{"/schedules/{name}/pause", pauseSchedule},
			{"/schedules/{name}/resume", resumeSchedule},
			{"/schedules/{name}/run", runSchedule},
		},
	}
}

func schedulePath(name string) string { return "/schedules/" + url.PathEscape(name) }

func readSchedule(ctx context.Context, v *Visit) (any, error) {
	name, asked := v.PathValue("name"), filled(v.URL.Query())
	x := scheduleView{First: !asked.Has("cursor")}
	ask, asking := errgroup.WithContext(ctx)
	ask.Go(func() (err error) {
		x.Schedule, err = v.API.Schedule(asking, name)
		return err
	})
	ask.Go(func() error {
		found, err := v.API.Slots(asking, name, asked)
		x.Slots, x.Pager = found.Slots, otherPagesOf(schedulePath(name), asked, found.NextCursor)
		return err
	})
	if err := ask.Wait(); err != nil {
		return nil, err
	}
	if x.Given = nestedOf(x.Parameters); x.Given != nil && x.Given.Leaf() {
		x.Given = nil
	}
	return x, nil
}

// reasonOf is why a form pauses something.
func reasonOf(v *Visit) (string, error) {
	reason := clip(1000, v.PostForm.Get("reason"))
	if reason == "" {
		return "", &client.Problem{Status: http.StatusUnprocessableEntity, Title: "Say why", Detail: "the reason is shown to everyone who wonders why nothing runs"}
	}
	return reason, nil
}

func pauseSchedule(ctx context.Context, v *Visit) (next, said string, err error) {
	reason, err := reasonOf(v)
	if err != nil {
		return "", "", err
	}
	s, err := v.API.PauseSchedule(ctx, v.PathValue("name"), reason)
	if err != nil {
		return "", "", err
	}
	return schedulePath(s.Name), s.Name + " is paused: its slots are skipped until it is resumed.", nil
}

func resumeSchedule(ctx context.Context, v *Visit) (next, said string, err error) {
	s, err := v.API.ResumeSchedule(ctx, v.PathValue("name"))
	if err != nil {
		return "", "", err
	}
	said = s.Name + " goes on."
	if s.NextDueAt != nil {
		said = fmt.Sprintf("%s goes on: its next slot is at %s.", s.Name, s.NextDueAt.In(v.Zone).Format("2 Jan 15:04"))
	}
	return schedulePath(s.Name), said, nil
}

func runSchedule(ctx context.Context, v *Visit) (next, said string, err error) {
	c, err := v.API.RunSchedule(ctx, v.PathValue("name"))
	if err != nil {
		return "", "", err
	}
	return cyclePath(c.ID), "A cycle of " + v.PathValue("name") + " was opened.", nil
}

// agentWords is an agent that a form pauses, for people.
func agentWords(agent string) string {
	if agent == "all" {
		return "Every agent"
	}
	return agent
}

func pauseAgent(ctx context.Context, v *Visit) (next, said string, err error) {
	reason, err := reasonOf(v)
	if err != nil {
		return "", "", err
	}
	agent := v.PathValue("agent")
	if err := v.API.Pause(ctx, agent, reason); err != nil {
		return "", "", err
	}
	return "/schedules", agentWords(agent) + " is paused: what runs goes on, what is accepted waits.", nil
}

func resumeAgent(ctx context.Context, v *Visit) (next, said string, err error) {
	agent := v.PathValue("agent")
	if err := v.API.Resume(ctx, agent); err != nil {
		return "", "", err
	}
	return "/schedules", agentWords(agent) + " is run again.", nil
}

// inZone is an instant in a schedule's own zone where that isn't the firm's: empty
// where it is, or is unknown.
func (d *Dashboard) inZone(at time.Time, name *string) string {
	if name == nil || *name == d.cfg.Zone.String() {
		return ""
	}
	zone, err := time.LoadLocation(*name)
	if err != nil {
		return ""
	}
	return at.In(zone).Format("2 Jan 15:04 MST")
}

// slotReason says why a slot was skipped, for people.
func slotReason(reason string) string {
	said := map[string]string{
		"overlap": "the last cycle was not over", "paused": "it was paused", "late": "it was too late to make up for it", "cooldown": "it had run a short while before",
		"dependency": "what it needs did not complete", "breaker": "its breaker was open", "not_due": "nothing was behind", "business_hours": "it is heavy, and people worked",
		"restored": "the database was restored to a time before it", "unknown_agent": "its agent is not there any more", "ended": "its cycle was cancelled first", "budget": "the budget was spent",
		"proposed": "a model proposed to put it off",
	}[reason]
	if said == "" {
		return words(reason)
	}
	return said
}
