package dashboard

import (
	"context"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/orchestrator/dashboard/chart"
)

// overviewView is how everything stands.
type overviewView struct {
	Status   client.Status
	Running  []client.Execution
	Failures []client.Execution
	Cycles   []client.Cycle
	// Chart is what ended in each hour of the last day, Hours the same as numbers.
	Chart template.HTML
	Hours []overviewHour
	// Drafts says how many messages wait for a person, Reviews how many pairs; empty is none.
	Drafts, Reviews string
}

// overviewHour is what all agents' executions did in an hour.
type overviewHour struct {
	At                                     time.Time
	Accepted, Completed, Failed, Cancelled int64
}

// waitingCounted is how many of what waits are waitingCounted at most.
const waitingCounted = "20"

// upTo says how many were found, of at most waitingCounted; empty where none.
func upTo(n int) string {
	switch text := strconv.Itoa(n); {
	case n == 0:
		return ""
	case text == waitingCounted:
		return text + " or more"
	default:
		return text
	}
}

// listed is how many rows each of the overview's lists has.
const listed = "8"

func overview() page {
	return page{path: "/{$}", section: "Overview", template: "overview.html", read: readOverview}
}

func readOverview(ctx context.Context, v *Visit) (any, error) {
	var o overviewView
	ask, ctx := errgroup.WithContext(ctx)
	ask.Go(func() (err error) {
		o.Status, err = v.API.Status(ctx)
		return err
	})
	ask.Go(func() error {
		found, err := v.API.List(ctx, url.Values{"status": {"running"}, "limit": {listed}})
		o.Running = found.Executions
		return err
	})
	ask.Go(func() error {
		day := v.Now.Add(-24 * time.Hour).UTC().Format(time.RFC3339)
		found, err := v.API.List(ctx, url.Values{"status": {"failed"}, "since": {day}, "limit": {listed}})
		o.Failures = found.Executions
		return err
	})
	ask.Go(func() error {
		found, err := v.API.Cycles(ctx, url.Values{"limit": {listed}})
		o.Cycles = found.Cycles
		return err
	})
	ask.Go(func() error {
		found, err := v.API.Activity(ctx, nil)
		if err == nil {
			o.Hours = byHour(found)
			o.Chart = endings(o.Hours, found, v.Zone)
		}
		return err
	})
	ask.Go(func() error {
		found, err := v.API.Messages(ctx, url.Values{"status": {"draft"}, "limit": {waitingCounted}})
		o.Drafts = upTo(len(found.Messages))
		return err
	})
	ask.Go(func() error {
		found, err := v.API.Reviews(ctx, url.Values{"status": {"open"}, "limit": {waitingCounted}})
		o.Reviews = upTo(len(found.Reviews))
		return err
	})
	err := ask.Wait()
	return o, err
}

// byHour adds all agents' points, an hour each, by time.
func byHour(a client.Activity) []overviewHour {
	var hours []overviewHour
	for _, p := range a.Points {
		if len(hours) == 0 || !hours[len(hours)-1].At.Equal(p.At) {
			hours = append(hours, overviewHour{At: p.At})
		}
		h := &hours[len(hours)-1]
		h.Accepted += p.Accepted
		h.Completed += p.Completed
		h.Failed += p.Failed
		h.Cancelled += p.Cancelled
	}
	return slices.DeleteFunc(hours, func(h overviewHour) bool { return h.Accepted+h.Completed+h.Failed+h.Cancelled == 0 })
}

// endings draws how what ended in each hour did.
func endings(hours []overviewHour, a client.Activity, zone *time.Location) template.HTML {
	bars := make([]chart.Bar, len(hours))
	for i, h := range hours {
		bars[i] = chart.Bar{At: h.At, Counts: []float64{float64(h.Completed), float64(h.Failed), float64(h.Cancelled)}}
	}
	series := []chart.Series{{Class: "completed", Name: "completed"}, {Class: "failed", Name: "failed"}, {Class: "cancelled", Name: "cancelled"}}
	return chart.Stack("Executions that ended, by hour", series, bars, a.Since, a.Until, time.Hour, zone)
}
