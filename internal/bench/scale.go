package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// fewExecutions is the size of the history that a larger one is measured beside, and
// scaleAim how much longer the larger one's pages may take, at the 99th percentile.
const (
	fewExecutions = 10_000
	scaleAim      = 1.2
)

// listPath is where lists of executions are asked for.
const listPath = "/api/autonomous-agents/executions"

// scalePage is one kind of page that people look at.
type scalePage struct {
	name, path string
	query      url.Values
	// within begins the page somewhere in the history: by its cursor, or by a window
	// of time that holds a full page of either size.
	cursor, window bool
	told           bool // it has no aim
}

var scalePages = []scalePage{
	{name: "first page"},
	{name: "deep page by cursor", cursor: true},
	{name: "of a common agent", query: url.Values{"agent": {"test-noop"}}},
	{name: "of a rare agent", query: url.Values{"agent": {"test-single"}}},
	{name: "of a rare agent, deep", query: url.Values{"agent": {"test-single"}}, cursor: true},
	{name: "of a common status", query: url.Values{"status": {"completed"}}},
	{name: "of a rare status", query: url.Values{"status": {"cancelled"}}},
	{name: "of a rare status, deep", query: url.Values{"status": {"cancelled"}}, cursor: true},
	{name: "of statuses that few have", query: url.Values{"status": {"started", "running"}}},
	{name: "of an agent and a common status", query: url.Values{"agent": {"test-slow"}, "status": {"completed"}}},
	{name: "of an agent and a rare status", query: url.Values{"agent": {"test-noop"}, "status": {"cancelled"}}},
	{name: "of an agent and a status that few have", query: url.Values{"agent": {"test-noop"}, "status": {"running"}}},
	{name: "since and until, deep", window: true},
	{name: "since, until, agent and status, deep", query: url.Values{"agent": {"test-noop"}, "status": {"completed"}}, window: true},
	{name: "the whole system's status", path: "/api/autonomous-agents/status", told: true},
}

// scale measures the pages of lists at many executions and at ten thousand,
// one request of each in turn, so that whatever the machine does meanwhile meets
// both alike.
func (b *bench) scale(ctx context.Context) (_ []figure, err error) {
	sides, stop, err := b.bothSides(ctx, b.besidesOf)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return nil, err
	}
	client := newClient()
	var figures []figure
	for _, page := range scalePages {
		b.say("%s …", page.name)
		var addresses [2][]string
		for i, side := range sides {
			if addresses[i], err = page.addresses(ctx, client, side); err != nil {
				return nil, fmt.Errorf("%s: %w", page.name, err)
			}
		}
		var p50, p99 [2]series
		for range b.plan.repeats {
			times, err := alternate(ctx, client, sides, addresses, b.plan.pages)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", page.name, err)
			}
			for i := range sides {
				p50[i], p99[i] = append(p50[i], percentile(times[i], 50)), append(p99[i], percentile(times[i], 99))
			}
		}
		figures = append(figures, beside(page.name+", p50", "ms", p50[0], p50[1]))
		if page.told {
			figures = append(figures, beside(page.name+", p99", "ms", p99[0], p99[1]))
			continue
		}
		figures = append(figures, ratioAtMost(page.name+", p99", "ms", p99[0], p99[1], scaleAim))
	}
	return figures, nil
}

// bothSides starts the orchestrator on a database of few executions and on one of
// many. stop, never nil, stops those that were started.
func (b *bench) bothSides(ctx context.Context, fill func(ctx context.Context, n int) (url string, err error)) (sides [2]*api, stop func() error, err error) {
	stop = func() (err error) {
		for _, side := range sides {
			if side != nil {
				err = errors.Join(err, side.Stop())
			}
		}
		return err
	}
	for i, n := range []int{fewExecutions, b.many} {
		b.say("filling a database with %d executions …", n)
		database, err := fill(ctx, n)
		if err != nil {
			return sides, stop, err
		}
		if sides[i], err = b.startOrchestrator(ctx, database); err != nil {
			return sides, stop, err
		}
	}
	return sides, stop, nil
}

// places is how many different places of the history are looked at.
const places = 40

// addresses are the requests for the page, at different places where it has one.
// All answer a full page, but those for what there are few of.
func (p scalePage) addresses(ctx context.Context, client *client, side *api) ([]string, error) {
	base := side.url + listPath
	if p.path != "" {
		base = side.url + p.path
	}
	if !p.cursor && !p.window {
		return []string{base + "?" + p.query.Encode()}, nil
	}
	addresses := make([]string, places)
	for i := range addresses {
		query := url.Values{}
		for name, values := range p.query {
			query[name] = values
		}
		// Before it lies a full page of all kinds, of the rare ones too.
		at := time.Now().Add(-time.Duration((0.1 + 0.35*rand.Float64()) * float64(365*24*time.Hour)))
		if p.window {
			query.Set("until", at.Format(time.RFC3339))
			query.Set("since", at.AddDate(0, 0, -60).Format(time.RFC3339))
		} else {
			query.Set("until", at.Format(time.RFC3339))
			query.Set("limit", "1")
			cursor, err := nextCursor(ctx, client, side, base+"?"+query.Encode())
			if err != nil {
				return nil, err
			}
			query.Del("until")
			query.Del("limit")
			query.Set("cursor", cursor)
		}
		addresses[i] = base + "?" + query.Encode()
	}
	return addresses, nil
}

func nextCursor(ctx context.Context, client *client, side *api, address string) (string, error) {
	var body bytes.Buffer
	if err := client.do(ctx, request{http.MethodGet, address, side.token, http.StatusOK}, &body); err != nil {
		return "", err
	}
	var page struct {
		NextCursor string `json:"next_cursor"`
	}
	err := json.Unmarshal(body.Bytes(), &page)
	if err == nil && page.NextCursor == "" {
		err = errors.New("there is no next page")
	}
	return page.NextCursor, err
}

// alternate asks each side n times, in turns, and returns each one's sorted times.
// What comes before them, a tenth as often, doesn't count.
func alternate(ctx context.Context, client *client, sides [2]*api, addresses [2][]string, n int) ([2][]time.Duration, error) {
	var times [2][]time.Duration
	for k := -n / 10; k < n; k++ {
		for turn := range sides {
			i := (turn + k&1) % 2 // neither is always the first
			list := addresses[i]
			began := time.Now()
			err := client.do(ctx, request{http.MethodGet, list[rand.N(len(list))], sides[i].token, http.StatusOK}, nil)
			if err != nil {
				return times, err
			}
			if k >= 0 {
				times[i] = append(times[i], time.Since(began))
			}
		}
	}
	for i := range times {
		slices.Sort(times[i])
	}
	return times, nil
}
