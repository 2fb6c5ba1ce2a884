package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// client is the load generator's HTTP, the same for the floor and for ours.
type client struct{ http http.Client }

func newClient() *client {
	return &client{http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024, DisableCompression: true,
		},
	}}
}

// request is what is sent, and the only status that is not an error.
type request struct {
	// token is an API token, or the cookie of a session of the dashboard.
	method, url, token string
	want               int
}

// do sends the request and reads the whole answer, into body where that is given.
func (c *client) do(ctx context.Context, r request, body io.Writer) error {
	_, err := c.ask(ctx, r, "", body)
	return err
}

// ask does so, shows the ETag that it has seen, if any, and returns the answer's.
func (c *client) ask(ctx context.Context, r request, seen string, body io.Writer) (etag string, err error) {
	var parameters io.Reader
	if r.method == http.MethodPost {
		parameters = strings.NewReader("{}")
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, parameters)
	if err != nil {
		return "", err
	}
	if strings.Contains(r.token, "=") {
		req.Header.Set("Cookie", r.token)
	} else {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	req.Header.Set("Content-Type", "application/json")
	if seen != "" {
		req.Header.Set("If-None-Match", seen)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if body == nil {
		body = io.Discard
	}
	if _, err := io.Copy(body, resp.Body); err != nil {
		return "", err
	}
	if resp.StatusCode != r.want {
		return "", fmt.Errorf("%s %s answered %s", r.method, r.url, resp.Status)
	}
	return resp.Header.Get("ETag"), nil
}

// closedLoop calls do from n goroutines, each as soon as its last call has
// ended, and returns the calls per second that ended after the warm-up. The
// first error ends it.
func closedLoop(ctx context.Context, n int, warm, duration time.Duration, do func(ctx context.Context, i int) error) (float64, error) {
	times, err := closedTimes(ctx, n, warm, duration, do)
	return float64(len(times)) / duration.Seconds(), err
}

// closedTimes does so and returns how long those calls took, sorted.
func closedTimes(ctx context.Context, n int, warm, duration time.Duration, do func(ctx context.Context, i int) error) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	from := time.Now().Add(warm)
	to := from.Add(duration)
	times := make([][]time.Duration, n)
	var callers sync.WaitGroup
	for g := range n {
		callers.Go(func() {
			for i := g; ctx.Err() == nil; i += n {
				began := time.Now()
				if err := do(ctx, i); err != nil {
					cancel(err)
					return
				}
				now := time.Now()
				if now.After(to) {
					return
				}
				if now.After(from) {
					times[g] = append(times[g], now.Sub(began))
				}
			}
		})
	}
	callers.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	all := slices.Concat(times...)
	slices.Sort(all)
	return all, nil
}

// each calls do once for each of 0..n-1 from 16 goroutines. The first error ends it.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var callers sync.WaitGroup
	for g := range connections {
		callers.Go(func() {
			for i := g; i < n && ctx.Err() == nil; i += connections {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	callers.Wait()
	return context.Cause(ctx)
}

// openLoop calls do every period, whether or not earlier calls have ended, and
// returns the sorted times from the instant at which each call was due to its
// end: a server that stalls is charged for everyone who had to wait. The first
// calls, of the warm-up, don't count.
func openLoop(ctx context.Context, period, warm, duration time.Duration, do func(ctx context.Context, i int) error) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	skip := int(warm / period)
	times := make([]time.Duration, skip+int(duration/period))
	start := time.Now()
	var calls sync.WaitGroup
	for i := range times {
		due := start.Add(time.Duration(i) * period)
		time.Sleep(time.Until(due))
		if ctx.Err() != nil {
			break
		}
		calls.Go(func() {
			if err := do(ctx, i); err != nil {
				cancel(err)
			}
			times[i] = time.Since(due)
		})
	}
	calls.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	times = times[skip:]
	slices.Sort(times)
	return times, nil
}
