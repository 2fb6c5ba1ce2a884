package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Activity is what executions did, by period and agent, without dry runs.
type Activity struct {
	// By is minute, hour or day.
	By string `json:"by"`
	// Since is the beginning of the first period; none begins at Until or later.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// Points are by time, then agent; where nothing moved there is none.
	Points []ActivityPoint `json:"points"`
}

// ActivityPoint is one agent's executions in one period.
type ActivityPoint struct {
	At       time.Time `json:"at"`
	Agent    string    `json:"agent"`
	Accepted int64     `json:"accepted"`
	// Running counts attempts that began, Retried those after which the execution
	// waits for another one.
	Running   int64 `json:"running"`
	Retried   int64 `json:"retried"`
	Completed int64 `json:"completed"`
	Failed    int64 `json:"failed"`
	Cancelled int64 `json:"cancelled"`
	// MeanSeconds, P50Seconds and P95Seconds are from the acceptance to the end, of
	// those that completed then; nil where none did. The percentiles are within 9 %.
	MeanSeconds *float64 `json:"mean_seconds"`
	P50Seconds  *float64 `json:"p50_seconds"`
	P95Seconds  *float64 `json:"p95_seconds"`
}

// Activity returns what executions did over time. The query is the API's: by (minute,
// hour or day), since, until, agent; without one it is the last 24 hours by hour.
func (c *Client) Activity(ctx context.Context, query url.Values) (Activity, error) {
	return answer[Activity](ctx, c, http.MethodGet, "/activity", query, nil)
}
