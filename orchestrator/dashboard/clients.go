package dashboard

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/orchestrator/dashboard/chart"
)

// segments are those that clients are in, the most valuable first.
func segments() []string { return []string{"VIP", "HIGH", "MEDIUM", "LOW"} }

// clientsView is a run's clients.
type clientsView struct {
	listing
	// None says that no run is complete yet; Making that its summary is not made yet.
	None     bool
	Making   bool
	Page     client.ValuePage
	Summary  client.ValueSummary
	Currency string
	Segments []string
	// Chosen is the model that the scores are from; nil in old versions' runs.
	Chosen *client.BackTest
	// UnsureShare is the part of clients with low confidence.
	UnsureShare float64
	// Moved are the segments' changes since the run before, and New who came.
	Moved      [][]int64
	MovedTotal int64
	New        int64
	Compared   bool
	// Scatter, Values and Risks are charts.
	Scatter, Values, Risks template.HTML
	Sampled                bool
	Export                 string
}

// clientFilters are the list's parameters.
func clientFilters() []string {
	return []string{"execution", "segment", "min_churn_risk", "low_confidence", "sort"}
}

// summaryPatience is how long the page waits for a summary.
const summaryPatience = 3 * time.Second

// exportPath is where the API gives a run's scores as CSV; the session opens it too.
const exportPath = "/api/autonomous-agents/clients/values.csv"

// clientsShown is how many clients a page lists.
const clientsShown = "50"

func clients() page {
	return page{path: "/clients", section: "Clients", template: "clients.html", read: readClients}
}

func readClients(ctx context.Context, v *Visit) (any, error) {
	filters, cursor := asked(v, clientFilters()...), v.URL.Query().Get("cursor")
	c := clientsView{Segments: segments(), listing: listing{Asked: filters}}
	var err error
	c.Page, err = v.API.ClientValues(ctx, queryOf(filters, cursor, clientsShown))
	if missing(err) && !filters.Has("execution") {
		c.None = true
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	run := c.Page.Run.ExecutionID
	// The pages that follow stay with this run by their cursor.
	c.listing = listingOf("/clients", filters, cursor, c.Page.NextCursor)
	c.Currency = currencyOf(c.Page.Run)
	// A new run's summary reads all of its clients, once: the list doesn't wait for it.
	within, cancel := context.WithTimeout(ctx, summaryPatience)
	defer cancel()
	switch c.Summary, err = v.API.ValueSummary(within, run); {
	case err != nil && within.Err() != nil && ctx.Err() == nil:
		c.Making = true
	case err != nil:
		return nil, err
	}
	export := url.Values{"execution": {run}}
	for _, name := range clientFilters() {
		if values := filters[name]; len(values) > 0 {
			export[name] = values
		}
	}
	c.Export = exportPath + "?" + export.Encode()
	if c.Making {
		return c, nil
	}
	for i, m := range c.Summary.Models {
		if m.Chosen {
			c.Chosen = &c.Summary.Models[i]
		}
	}
	if c.Summary.Clients > 0 {
		c.UnsureShare = float64(c.Summary.Unsure) / float64(c.Summary.Clients)
	}
	c.move()
	c.draw()
	return c, nil
}

// missing reports whether the API says that there is no such thing.
func missing(err error) bool {
	var p *client.Problem
	return errors.As(err, &p) && p.Status == http.StatusNotFound
}

// move counts who changed segment, as a table of from (rows) and to (columns).
func (c *clientsView) move() {
	c.Moved = make([][]int64, len(c.Segments))
	for i := range c.Moved {
		c.Moved[i] = make([]int64, len(c.Segments))
	}
	for _, m := range c.Summary.Moves {
		to := slices.Index(c.Segments, m.To)
		if m.From == nil {
			c.New += m.Clients
			continue
		}
		c.Compared = true
		if from := slices.Index(c.Segments, *m.From); from >= 0 && to >= 0 {
			c.Moved[from][to] += m.Clients
			if from != to {
				c.MovedTotal += m.Clients
			}
		}
	}
}

func (c *clientsView) draw() {
	s := c.Summary
	points := make([]chart.Point, len(s.Sample))
	for i, one := range s.Sample {
		points[i] = chart.Point{X: one.CLV, Y: one.ChurnRisk90, Series: slices.Index(c.Segments, one.Segment) + 1}
	}
	c.Sampled = int64(len(points)) < s.Clients
	unit := strings.TrimSpace("value in " + c.Currency)
	if c.Currency == "" {
		unit = "value"
	}
	c.Scatter = chart.Scatter(points, chart.ScatterOptions{
		Title: "Value against churn risk", Description: fmt.Sprintf("%d clients; the value on a logarithmic axis. The segments' means are in the table below", len(points)),
		XName: unit, YName: "risk in 90 days", XText: chart.Compact, YText: chart.Percents, LogX: true, YFrom: 0, YTo: 1, Series: c.Segments,
	})
	bars := func(bins []client.Bin, text func(float64) string) (all []chart.Bin) {
		for _, b := range bins {
			label := text(b.From) + " or more"
			if b.To != nil {
				label = text(b.From) + " to " + text(*b.To)
			}
			all = append(all, chart.Bin{Label: label, Count: b.Clients})
		}
		return all
	}
	c.Values = chart.Histogram(bars(s.CLV.Histogram, chart.Compact), "How value is spread", "Clients by "+unit+", in bins that grow", "clients")
	c.Risks = chart.Histogram(bars(s.Churn90.Histogram, chart.Percents), "How churn risk is spread", "Clients by the risk that they buy nothing within 90 days", "clients")
}

// changesView are clients whose segment changed.
type changesView struct {
	listing
	Page     client.SegmentChangePage
	Segments []string
}

func segmentChanges() page {
	return page{path: "/segment-changes", section: "Clients", template: "segment-changes.html", read: readSegmentChanges}
}

func readSegmentChanges(ctx context.Context, v *Visit) (any, error) {
	filters, cursor := asked(v, "client", "to"), v.URL.Query().Get("cursor")
	found, err := v.API.SegmentChanges(ctx, queryOf(filters, cursor, clientsShown))
	return changesView{listingOf("/segment-changes", filters, cursor, found.NextCursor), found, segments()}, err
}

// clientView is one client.
type clientView struct {
	listing
	History client.History
	// Present is the newest of the shown scores.
	Present  client.PastScore
	Run      client.ValueRun
	Why      []string
	Messages client.MessagePage
	// Value and Risk are charts; empty where one run alone is known.
	Value, Risk template.HTML
	Currency    string
	// Mixed says that runs differ in currency or horizon, so that values can't be drawn as one.
	Mixed bool
}

func oneClient() page {
	return page{path: "/clients/{id}", section: "Clients", template: "client.html", read: readClient}
}

// runsShown is how many of a client's runs a page shows, messagesOfClient how many messages.
const (
	runsShown        = "30"
	messagesOfClient = "5"
)

func readClient(ctx context.Context, v *Visit) (any, error) {
	id, cursor := v.PathValue("id"), v.URL.Query().Get("cursor")
	unknown := &client.Problem{Status: http.StatusNotFound, Title: "No such client", Detail: "no complete run has scored one of this id"}
	if !utf8.ValidString(id) || strings.ContainsRune(id, 0) {
		return nil, unknown // no id of anybody's
	}
	var c clientView
	ask, ctx := errgroup.WithContext(ctx)
	ask.Go(func() error {
		var err error
		if c.History, err = v.API.ClientHistory(ctx, id, queryOf(nil, cursor, runsShown)); err != nil {
			return err
		}
		if len(c.History.Values) == 0 {
			return unknown // or no older run
		}
		c.Present = c.History.Values[0]
		one, err := v.API.ClientValues(ctx, url.Values{"execution": {c.Present.ExecutionID}, "limit": {"1"}})
		c.Run = one.Run
		return err
	})
	ask.Go(func() (err error) {
		c.Messages, err = v.API.Messages(ctx, url.Values{"client_id": {id}, "limit": {messagesOfClient}})
		return err
	})
	if err := ask.Wait(); err != nil {
		return nil, err
	}
	c.listing = listingOf(clientPath(id), nil, cursor, c.History.NextCursor)
	if c.Present.Currency != nil {
		c.Currency = *c.Present.Currency
	}
	c.Why = whyScored(c.Present, c.Run)
	c.draw(v)
	return c, nil
}

func (c *clientView) draw(v *Visit) {
	var values, risks []chart.Moment
	same := func(a, b client.PastScore) bool {
		return (a.Currency == nil) == (b.Currency == nil) && (a.Currency == nil || *a.Currency == *b.Currency) &&
			(a.HorizonDays == nil) == (b.HorizonDays == nil) && (a.HorizonDays == nil || *a.HorizonDays == *b.HorizonDays)
	}
	for _, past := range slices.Backward(c.History.Values) {
		if !same(past, c.Present) {
			c.Mixed = true
		} else {
			values = append(values, chart.Moment{At: past.EndedAt, Value: past.CLV, Low: past.CLVLow, High: past.CLVHigh})
		}
		risks = append(risks, chart.Moment{At: past.EndedAt, Value: past.ChurnRisk90})
	}
	if len(risks) < 2 {
		return
	}
	c.Value = chart.Trend(values, chart.TrendOptions{
		Title: "Value over the runs", Description: "With its interval of 90 %, in " + c.Currency, Text: chart.Compact, Zone: v.Zone, Series: 1,
	})
	c.Risk = chart.Trend(risks, chart.TrendOptions{
		Title: "Churn risk over the runs", Description: "The risk of no purchase within 90 days", Text: chart.Percents, Zone: v.Zone, Series: 2, To: 1,
	})
}
