package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// PromptProposal is a change of a prompt that the trainer proposes.
type PromptProposal struct {
	ID           string    `json:"id"`
	ExecutionID  string    `json:"execution_id"`
	Prompt       string    `json:"prompt"`
	BaseVersion  *string   `json:"base_version"`
	WindowFrom   string    `json:"window_from"`
	WindowTo     string    `json:"window_to"`
	Title        string    `json:"title"`
	Lines        int       `json:"lines"`
	Status       string    `json:"status"`
	Reason       *string   `json:"reason"`
	Branch       *string   `json:"branch"`
	Commit       *string   `json:"commit"`
	PullRequest  *int      `json:"pull_request"`
	URL          *string   `json:"url"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
	PatternsHash string    `json:"patterns_hash"`
	BaseHash     string    `json:"base_hash"`
	Path         *string   `json:"path"`
	BaseCommit   *string   `json:"base_commit"`
}

// LeftOut counts confirmed patterns that have no line, and why.
type LeftOut struct {
	Reason string `json:"reason"`
	Rows   int    `json:"rows"`
}

// PromptChange is a proposal with all that it holds.
type PromptChange struct {
	PromptProposal
	Body    string    `json:"body"`
	Block   []string  `json:"block"`
	LeftOut []LeftOut `json:"left_out"`
	Report  string    `json:"report"`
	Plot    string    `json:"plot"`
	// Base is the whole prompt that it changes; nil where it isn't there any more.
	Base *string `json:"base"`
}

// PromptPage is a page of proposals, the newest first.
type PromptPage struct {
	Proposals  []PromptProposal `json:"proposals"`
	NextCursor *string          `json:"next_cursor"`
}

// PromptUse is how conversations ended under one version of a prompt.
type PromptUse struct {
	Version       *string    `json:"version"`
	Conversations int        `json:"conversations"`
	Won           int        `json:"won"`
	Rate          *float64   `json:"rate"`
	From          *time.Time `json:"from"`
	To            *time.Time `json:"to"`
}

// PromptEffect compares the versions before and after a proposal: an association in
// time. Difference is nil where nothing can be said.
type PromptEffect struct {
	ProposalID    string    `json:"proposal_id"`
	Prompt        string    `json:"prompt"`
	Before        PromptUse `json:"before"`
	After         PromptUse `json:"after"`
	Strata        int       `json:"strata"`
	Difference    *Estimate `json:"difference"`
	SmallestShown *float64  `json:"smallest_shown"`
	Verdict       string    `json:"verdict"`
	Says          string    `json:"says"`
}

// Prompts returns a page of proposals. The query is the API's: cursor, limit.
func (c *Client) Prompts(ctx context.Context, query url.Values) (PromptPage, error) {
	return answer[PromptPage](ctx, c, http.MethodGet, "/prompts", query, nil)
}

// Prompt returns one proposal with all that it holds.
func (c *Client) Prompt(ctx context.Context, id string) (PromptChange, error) {
	return answer[PromptChange](ctx, c, http.MethodGet, "/prompts/"+url.PathEscape(id), nil, nil)
}

// PromptEffect compares the conversations before and after a proposal. The query is
// the API's: before, after (versions).
func (c *Client) PromptEffect(ctx context.Context, id string, query url.Values) (PromptEffect, error) {
	return answer[PromptEffect](ctx, c, http.MethodGet, "/prompts/"+url.PathEscape(id)+"/effect", query, nil)
}
