package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	caller "github.com/nuzantara/ciclo/client"
)

// What a page of the web dashboard may take at a million executions: milliseconds at
// the 99th percentile, and how much longer than at ten thousand.
const (
	pageAim      = 50
	pageRatioAim = 1.3
)

// pages measures each page of the web dashboard at many executions, with all that
// lies beside them, and at ten thousand: one request of each in turn.
func (b *bench) pages(ctx context.Context) (_ []figure, err error) {
	sides, stop, err := b.bothSides(ctx, b.besidesOf)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return nil, err
	}
	var addresses [2]map[string]string
	for i, side := range sides {
		if addresses[i], err = pageAddresses(ctx, side); err != nil {
			return nil, err
		}
		if side.token, err = signIn(ctx, side); err != nil {
			return nil, err
		}
	}
	client := newClient()
	var figures []figure
	for _, name := range pageNames {
		b.say("%s …", name)
		var p50, p99 [2]series
		for range b.plan.repeats {
			times, err := alternate(ctx, client, sides, [2][]string{{addresses[0][name]}, {addresses[1][name]}}, b.plan.pages)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			for i := range sides {
				p50[i], p99[i] = append(p50[i], percentile(times[i], 50)), append(p99[i], percentile(times[i], 99))
			}
		}
		figures = append(figures,
			ratioAtMost(name+", p50", "ms", p50[0], p50[1], pageRatioAim),
			timeWithin(name+", p99", p99[0], p99[1], pageAim))
	}
	return figures, nil
}

// pageNames are the pages in the order of the navigation.
var pageNames = []string{
	"overview", "executions", "executions that failed", "one execution", "cycles", "one cycle", "schedules", "one schedule",
	"clients", "one client", "messages", "patterns", "prompts", "one prompt", "graph", "one entity", "reviews", "audit",
}

// pageAddresses are the addresses of the pages on a side.
func pageAddresses(ctx context.Context, side *api) (map[string]string, error) {
	c := &caller.Client{URL: side.url, Token: side.token}
	one := url.Values{"limit": {"1"}}
	executions, err := c.List(ctx, url.Values{"limit": {"1"}, "status": {"completed"}})
	if err != nil {
		return nil, err
	}
	cycles, err := c.Cycles(ctx, one)
	if err != nil {
		return nil, err
	}
	schedules, err := c.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	clients, err := c.ClientValues(ctx, one)
	if err != nil {
		return nil, err
	}
	prompts, err := c.Prompts(ctx, one)
	if err != nil {
		return nil, err
	}
	entities, err := c.Entities(ctx, one)
	if err != nil {
		return nil, err
	}
	if len(executions.Executions) == 0 || len(cycles.Cycles) == 0 || len(schedules) == 0 || len(clients.Values) == 0 || len(prompts.Proposals) == 0 || len(entities.Entities) == 0 {
		return nil, errors.New("the history lacks something that a page shows")
	}
	paths := map[string]string{
		"overview": "/", "executions": "/executions", "executions that failed": "/executions?status=failed",
		"one execution": "/executions/" + executions.Executions[0].ID,
		"cycles":        "/cycles", "one cycle": "/cycles/" + cycles.Cycles[0].ID,
		"schedules": "/schedules", "one schedule": "/schedules/" + url.PathEscape(schedules[0].Name),
		"clients": "/clients", "one client": "/clients/" + url.PathEscape(clients.Values[0].ClientID),
		"messages": "/messages", "patterns": "/patterns", "prompts": "/prompts", "one prompt": "/prompts/" + prompts.Proposals[0].ID,
		"graph": "/graph", "one entity": "/graph/entities/" + entities.Entities[0].ID, "reviews": "/graph/reviews", "audit": "/audit",
	}
	for name, path := range paths {
		paths[name] = side.url + path
	}
	return paths, nil
}

// signIn begins a session and returns its cookie.
func signIn(ctx context.Context, side *api) (cookie string, err error) {
	form := url.Values{"token": {side.token}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, side.url+"/sign-in", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultTransport.RoundTrip(r) // which follows no redirect
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if len(resp.Cookies()) == 0 {
		return "", fmt.Errorf("sign in: %s and no cookie", resp.Status)
	}
	return resp.Cookies()[0].Name + "=" + resp.Cookies()[0].Value, nil
}
