package dashboard

import (
	"context"
	"fmt"
	"html/template"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/orchestrator/dashboard/chart"
)

// cyclesView is a page of the list of cycles.
type cyclesView struct {
	Cycles    []client.Cycle
	Schedules []client.Schedule
	Agents    []client.Agent
	// Schedule and Status are the filters.
	Schedule        string
	Status          map[string]bool
	Filtered, First bool
	Chart           template.HTML
	Pager           otherPages
}

// Statuses are what a cycle may be filtered by.
func (cyclesView) Statuses() []string {
	return []string{"running", "completed", "partial", "failed", "skipped", "cancelled"}
}

func cycles() page {
	return page{path: "/cycles", section: "Cycles", template: "cycles.html", read: readCycles, actions: []action{{"/cycles", openCycle}}}
}

// pageOfCycles is how many cycles a page shows.
const pageOfCycles = "30"

func readCycles(ctx context.Context, v *Visit) (any, error) {
	asked := filled(v.URL.Query())
	x := cyclesView{Schedule: asked.Get("schedule"), Status: map[string]bool{}, First: !asked.Has("cursor")}
	for _, s := range asked["status"] {
		x.Status[s] = true
	}
	query := url.Values{"limit": {pageOfCycles}}
	for name, values := range asked {
		query[name] = values
		x.Filtered = x.Filtered || name == "status" || name == "schedule"
	}
	ask, asking := errgroup.WithContext(ctx)
	ask.Go(func() error {
		found, err := v.API.Cycles(asking, query)
		x.Cycles, x.Pager = found.Cycles, otherPagesOf("/cycles", asked, found.NextCursor)
		return err
	})
	ask.Go(func() (err error) {
		x.Schedules, err = v.API.Schedules(asking)
		return err
	})
	ask.Go(func() error {
		status, err := v.API.Status(asking)
		x.Agents = status.Agents
		return err
	})
	if err := ask.Wait(); err != nil {
		return nil, err
	}
	x.Chart = cyclesChart(x.Cycles, v.Now, v.Zone)
	return x, nil
}

// byHand is the lane of cycles that no schedule opened.
const byHand = "by hand"

// cyclesChart draws the cycles of a page over time, a lane for each schedule.
func cyclesChart(cycles []client.Cycle, now time.Time, zone *time.Location) template.HTML {
	if len(cycles) == 0 {
		return ""
	}
	from, to := cycles[len(cycles)-1].OpenedAt, cycles[0].OpenedAt
	for _, c := range cycles {
		to = latestOf(to, endOf(c.EndedAt, now))
	}
	var lanes []chart.Lane
	places := map[string]int{}
	for i := range cycles { // the earliest first, so that the later lie above
		c := cycles[len(cycles)-1-i]
		name := byHand
		if c.Schedule != nil {
			name = *c.Schedule
		}
		if _, known := places[name]; !known {
			places[name] = len(lanes)
			lanes = append(lanes, chart.Lane{Label: name})
		}
		end := endOf(c.EndedAt, now)
		lane := &lanes[places[name]]
		lane.Bars = append(lane.Bars, chart.Span{
			From: c.OpenedAt.Sub(from).Seconds(), To: end.Sub(from).Seconds(), Class: cycleClass(c.Status), Href: "/cycles/" + url.PathEscape(c.ID),
			Title: fmt.Sprintf("%s, %s: %s, %s", name, c.OpenedAt.In(zone).Format("2 Jan 15:04:05"), words(c.Status), seconds(end.Sub(c.OpenedAt).Seconds())),
		})
	}
	return chart.Clock("Cycles over time", fmt.Sprintf("%d cycles, a lane for each schedule; the table has the same", len(cycles)), from, to, zone, lanes)
}

func endOf(t *time.Time, now time.Time) time.Time {
	if t == nil {
		return now
	}
	return *t
}

func latestOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// cycleClass is the colour of a cycle's status: that of an execution's.
func cycleClass(status string) string {
	switch status {
	case "partial":
		return "started"
	case "skipped":
		return "cancelled"
	default:
		return status
	}
}

// openCycle opens a cycle of the agents that were chosen; none is every agent.
func openCycle(ctx context.Context, v *Visit) (next, said string, err error) {
	c, err := v.API.OpenCycle(ctx, v.PostForm["agent"])
	if err != nil {
		return "", "", err
	}
	return cyclePath(c.ID), "The cycle was opened.", nil
}

func cyclePath(id string) string { return "/cycles/" + url.PathEscape(id) }
