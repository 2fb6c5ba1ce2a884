package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Call is a call to a language model, without what was said.
type Call struct {
	Step     string `json:"step"`
	Hash     string `json:"hash"`
	Provider string `json:"provider"`
	Model    string `json:"model"`
	// State is reserved, answered, not_done or unknown.
	State        string     `json:"state"`
	Attempt      int        `json:"attempt"`
	Sends        int        `json:"sends"`
	ReservedAt   time.Time  `json:"reserved_at"`
	SettledAt    *time.Time `json:"settled_at"`
	ProviderID   *string    `json:"provider_id"`
	InputTokens  *int64     `json:"input_tokens"`
	OutputTokens *int64     `json:"output_tokens"`
	Dollars      float64    `json:"dollars"`
	Error        *string    `json:"error"`
}

// Calls lists what an execution asked of language models.
func (c *Client) Calls(ctx context.Context, id string) ([]Call, error) {
	all, err := answer[struct{ Calls []Call }](ctx, c, http.MethodGet, "/executions/"+url.PathEscape(id)+"/calls", nil, nil)
	return all.Calls, err
}

// Costs is what language models took, in tokens and US dollars by the firm's prices.
type Costs struct {
	Since time.Time  `json:"since"`
	Days  []CostDay  `json:"days"`
	Waste []CostLost `json:"waste"`
}

// CostDay is what one agent's calls took on one day (UTC).
type CostDay struct {
	Day     string  `json:"day"`
	Agent   string  `json:"agent_name"`
	Tokens  int64   `json:"tokens"`
	Dollars float64 `json:"dollars"`
}

// CostLost is what one agent paid for nothing.
type CostLost struct {
	Agent   string  `json:"agent_name"`
	Why     string  `json:"why"`
	Calls   int64   `json:"calls"`
	Tokens  int64   `json:"tokens"`
	Dollars float64 `json:"dollars"`
}

// Costs sums up the last days, today included.
func (c *Client) Costs(ctx context.Context, days int) (Costs, error) {
	return answer[Costs](ctx, c, http.MethodGet, "/costs", url.Values{"days": {strconv.Itoa(days)}}, nil)
}
