package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/orchestrator/dashboard/chart"
)

// cycleView is one cycle with its decisions.
type cycleView struct {
	client.Cycle
	Chart    template.HTML
	Given    *nested
	Snapshot *raw
	// Runs are how many agents it runs, Skips how many it leaves out.
	Runs, Skips int
}

func cycle() page {
	return page{
		path: "/cycles/{id}", section: "Cycles", template: "cycle.html", read: readCycle,
		actions: []action{{"/cycles/{id}/cancel", cancelCycle}},
	}
}

func readCycle(ctx context.Context, v *Visit) (any, error) {
	c, err := v.API.Cycle(ctx, v.PathValue("id"))
	if err != nil {
		return nil, err
	}
	x := cycleView{Cycle: c, Given: nestedOf(c.Parameters), Snapshot: rawOf(c.Snapshot), Chart: cycleChart(c, v.Now, v.Zone)}
	if x.Given != nil && x.Given.Leaf() {
		x.Given = nil
	}
	for _, a := range c.Agents {
		if a.Decision == "run" {
			x.Runs++
		} else {
			x.Skips++
		}
	}
	return x, nil
}

// Settled reports that nothing of the page changes any more: it has ended, and what
// it ran, too.
func (x cycleView) Settled() bool {
	for _, a := range x.Agents {
		if a.StartedAt != nil && a.EndedAt == nil {
			return false
		}
	}
	return x.EndedAt != nil
}

// cycleChart draws what a cycle runs, a lane for each agent.
func cycleChart(c client.Cycle, now time.Time, zone *time.Location) template.HTML {
	end := endOf(c.EndedAt, now)
	var lanes []chart.Lane
	at := func(t time.Time) float64 { return max(0, t.Sub(c.OpenedAt).Seconds()) }
	for _, a := range c.Agents {
		if a.StartedAt == nil || a.ExecutionID == nil {
			continue
		}
		ended, status := endOf(a.EndedAt, latestOf(now, end)), textOf(a.Status)
		end = latestOf(end, ended)
		lane, running := chart.Lane{Label: a.Agent}, ended
		if a.RunningAt != nil {
			running = *a.RunningAt
		}
		if running.After(*a.StartedAt) {
			lane.Bars = append(lane.Bars, chart.Span{From: at(*a.StartedAt), To: at(running), Class: "wait", Thin: true, Title: "waited " + seconds(running.Sub(*a.StartedAt).Seconds())})
		}
		if a.RunningAt != nil {
			took := seconds(ended.Sub(running).Seconds())
			lane.Bars = append(lane.Bars, chart.Span{From: at(running), To: at(ended), Class: status, Text: took, Href: executionPath(*a.ExecutionID), Title: fmt.Sprintf("%s: %s, %s", a.Agent, status, took)})
		}
		lanes = append(lanes, lane)
	}
	if len(lanes) == 0 {
		return ""
	}
	return chart.Clock("The cycle's executions over time", fmt.Sprintf("%d executions, a lane for each agent; the table has the same", len(lanes)), c.OpenedAt, end, zone, lanes)
}

// need is what must be over before an agent begins.
type need struct {
	Agent    string `json:"agent"`
	IfFailed string `json:"if_failed"`
}

// Does says what it does where what it needs fails.
func (n need) Does() string {
	switch n.IfFailed {
	case "run":
		return "runs even if it fails"
	case "wait":
		return "waits for a later run if it fails"
	default:
		return "left out if it fails"
	}
}

// needs reads an agent's; none where they are no list.
func needs(text json.RawMessage) []need {
	var all []need
	if json.Unmarshal(text, &all) != nil {
		return nil
	}
	return all
}

func cancelCycle(ctx context.Context, v *Visit) (next, said string, err error) {
	c, err := v.API.CancelCycle(ctx, v.PathValue("id"))
	if err != nil {
		return "", "", err
	}
	return cyclePath(c.ID), "The cycle is being cancelled, with what runs of it.", nil
}
