package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Estimate is a figure with its interval of 95 %.
type Estimate struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

// PatternCounts are conversations with a feature and without, and how many of them
// were won.
type PatternCounts struct {
	With       int `json:"with"`
	WithWon    int `json:"with_won"`
	Without    int `json:"without"`
	WithoutWon int `json:"without_won"`
}

// Pattern is what won conversations had more often than lost ones, or less often:
// association, not cause.
type Pattern struct {
	Rank           int           `json:"rank"`
	Kind           string        `json:"kind"`
	Feature        string        `json:"feature"`
	Above          *float64      `json:"above"`
	Counts         PatternCounts `json:"counts"`
	RiskDifference Estimate      `json:"risk_difference"`
	OddsRatio      *Estimate     `json:"odds_ratio"`
	P              float64       `json:"p"`
	Q              float64       `json:"q"`
	Z              *float64      `json:"z"`
	Confirmed      bool          `json:"confirmed"`
	LaterCounts    PatternCounts `json:"later_counts"`
	Later          *Estimate     `json:"later_risk_difference"`
	SameAs         []string      `json:"same_as"`
	Examples       []string      `json:"examples"`
	FirstSeenAt    *time.Time    `json:"first_seen_at"`
	Runs           int           `json:"runs"`
}

// PatternPage is a page of one run's patterns.
type PatternPage struct {
	ExecutionID *string   `json:"execution_id"`
	Patterns    []Pattern `json:"patterns"`
	NextCursor  *string   `json:"next_cursor"`
}

// PatternRun is a complete run, with a pattern where it found it.
type PatternRun struct {
	ExecutionID string    `json:"execution_id"`
	EndedAt     time.Time `json:"ended_at"`
	Found       bool      `json:"found"`
	Pattern     *Pattern  `json:"pattern"`
}

// PatternHistory is a page of the trainer's complete runs, by one feature.
type PatternHistory struct {
	Feature    string       `json:"feature"`
	Runs       []PatternRun `json:"runs"`
	NextCursor *string      `json:"next_cursor"`
}

// Rating is what a conversation was rated, from 1 (worst) to 5.
type Rating struct {
	ConversationID string    `json:"conversation_id"`
	Rating         int       `json:"rating"`
	RatedAt        time.Time `json:"rated_at"`
}

// Patterns returns a page of a run's patterns, the strongest first. The query is the
// API's: execution (default: the last complete run), confirmed, kind, cursor, limit.
func (c *Client) Patterns(ctx context.Context, query url.Values) (PatternPage, error) {
	return answer[PatternPage](ctx, c, http.MethodGet, "/patterns", query, nil)
}

// PatternHistory returns what the trainer's complete runs found of a feature, the
// last run first. The query is the API's: cursor, limit.
func (c *Client) PatternHistory(ctx context.Context, feature string, query url.Values) (PatternHistory, error) {
	whole := url.Values{"feature": {feature}}
	for name, values := range query {
		whole[name] = values
	}
	return answer[PatternHistory](ctx, c, http.MethodGet, "/patterns/history", whole, nil)
}

// Rate rates a conversation from 1 (worst) to 5; the last rating counts.
func (c *Client) Rate(ctx context.Context, conversation string, rating int) (Rating, error) {
	return answer[Rating](ctx, c, http.MethodPost, "/conversations/"+url.PathEscape(conversation)+"/rating", nil, map[string]int{"rating": rating})
}
