package orchestrator

import (
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

func TestETA(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	half, most, fourth := 60., 300., 4
	usual := postgres.Typical{HalfSeconds: &half, MostSeconds: &most, Slots: 3}
	running := func(ago time.Duration) execution.Execution {
		at := now.Add(-ago)
		return execution.Execution{Status: execution.Running, RunningAt: &at}
	}
	later := now.Add(time.Hour)
	for name, c := range map[string]struct {
		e        execution.Execution
		position *int
		usual    postgres.Typical
		want     time.Duration // from now; negative where nothing is known
	}{
		"running":                    {running(20 * time.Second), nil, usual, 40 * time.Second},
		"running for long":           {running(100 * time.Second), nil, usual, 200 * time.Second},
		"running for ever":           {running(time.Hour), nil, usual, -1},
		"fourth of three at a time":  {execution.Execution{Status: execution.Started}, &fourth, usual, 2 * time.Minute},
		"no worker lives":            {execution.Execution{Status: execution.Started}, &fourth, postgres.Typical{HalfSeconds: &half, MostSeconds: &most}, -1},
		"waits for its next attempt": {execution.Execution{Status: execution.Started, NextAttemptAt: &later}, nil, usual, time.Hour + time.Minute},
		"nothing was ever completed": {running(time.Second), nil, postgres.Typical{Slots: 1}, -1},
		"was fetched just now":       {execution.Execution{Status: execution.Started}, nil, usual, -1},
	} {
		got := eta(c.e, c.position, c.usual, now)
		if (got == nil) != (c.want < 0) || got != nil && got.Sub(now) != c.want {
			t.Errorf("%s: %v, want %s from now", name, got, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	l := &limits{perSecond: 2, tokens: map[string]*rate.Limiter{}}
	ask := func(token string, after time.Duration) time.Duration { return l.wait(token, now.Add(after)) }
	for i, c := range []struct {
		token       string
		after, want time.Duration
	}{
		{"a", 0, 0}, {"a", 0, 0}, {"a", 0, 500 * time.Millisecond},
		{"a", 100 * time.Millisecond, 400 * time.Millisecond}, // being refused costs nothing
		{"b", 100 * time.Millisecond, 0},                      // another's is its own
		{"a", 500 * time.Millisecond, 0}, {"a", 500 * time.Millisecond, 500 * time.Millisecond},
	} {
		if got := ask(c.token, c.after); got != c.want {
			t.Errorf("%d: %s after %s: wait %s, want %s", i, c.token, c.after, got, c.want)
		}
	}
	l.perSecond = 0
	if got := ask("a", 0); got != 0 {
		t.Errorf("without a limit: wait %s", got)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	if got := retryAfter(nil); got != 2 {
		t.Errorf("of what is unknown: %d", got)
	}
	for left, want := range map[time.Duration]int{-time.Hour: 1, 0: 1, time.Minute: 20, time.Hour: 30} {
		at := time.Now().Add(left)
		if got := retryAfter(&at); got != want {
			t.Errorf("with %s left: %d, want %d", left, got, want)
		}
	}
}
