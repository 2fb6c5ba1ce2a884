package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// PromptProposal is a change of a prompt that the trainer proposes.
type PromptProposal struct{ ProposalHead }

// ProposalHead is what lists and the whole show of a proposal.
type ProposalHead struct {
	ID           string    `json:"id" jsonschema:"Made of its content: the window, the base prompt and the patterns."`
	ExecutionID  string    `json:"execution_id" jsonschema:"The run that came to it first."`
	Prompt       string    `json:"prompt"`
	BaseVersion  *string   `json:"base_version" jsonschema:"The version that it changes; null where source.prompts has none of these bytes."`
	WindowFrom   string    `json:"window_from" jsonschema:"The first day (UTC) of the conversations that it rests on."`
	WindowTo     string    `json:"window_to"`
	Title        string    `json:"title"`
	Lines        int       `json:"lines" jsonschema:"How many patterns stand in the prompt's managed block."`
	Status       string    `json:"status" jsonschema:"One of written (here alone), proposed (a branch, on GitHub an open pull request), closed, merged and refused; as far as a run has seen."`
	Reason       *string   `json:"reason" jsonschema:"Why it was refused; else null."`
	Branch       *string   `json:"branch"`
	Commit       *string   `json:"commit"`
	PullRequest  *int      `json:"pull_request"`
	URL          *string   `json:"url"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
	Number       int64     `json:"-"`
	PatternsHash string    `json:"patterns_hash" jsonschema:"SHA-256 of all that the proposal was made from."`
	BaseHash     string    `json:"base_hash" jsonschema:"SHA-256 of the base prompt."`
	Path         *string   `json:"path" jsonschema:"The prompt's file in the repository; null without one."`
	BaseCommit   *string   `json:"base_commit"`
}

// LeftOut counts confirmed patterns that have no line, and why.
type LeftOut struct {
	Reason string `json:"reason"`
	Rows   int    `json:"rows"`
}

// PromptChange is a proposal with all that it holds.
type PromptChange struct {
	ProposalHead
	Body    string    `json:"body" jsonschema:"The whole prompt, as it would be."`
	Block   []string  `json:"block" jsonschema:"The lines of the managed block, one a pattern, the strongest first."`
	LeftOut []LeftOut `json:"left_out" jsonschema:"Confirmed patterns that have no line, and why."`
	Report  string    `json:"report" jsonschema:"What a person reads before merging, in Markdown."`
	Plot    string    `json:"plot" jsonschema:"A forest plot of the differences, as SVG."`
	// Base is not kept with the proposal: it is looked for by its hash.
	Base *string `json:"base" jsonschema:"The whole prompt that it changes; null where neither source.prompts nor one of the fifty proposals before has these bytes any more."`
}

const proposalColumns = `p.id, p.execution_id, p.prompt, p.base_version, p.window_from::text, p.window_to::text, p.title, cardinality(p.lines),
	p.status, p.reason, p.branch, p.commit, p.pull_request, p.url, p.created_at, p.updated_at, p.number, p.patterns_hash, p.base_hash, p.path, p.base_commit`

func (p *ProposalHead) columns() []any {
	return []any{
		&p.ID, &p.ExecutionID, &p.Prompt, &p.BaseVersion, &p.WindowFrom, &p.WindowTo, &p.Title, &p.Lines,
		&p.Status, &p.Reason, &p.Branch, &p.Commit, &p.PullRequest, &p.URL, &p.CreatedAt, &p.UpdatedAt, &p.Number, &p.PatternsHash, &p.BaseHash, &p.Path, &p.BaseCommit,
	}
}

// ErrNoProposal says that there is no such proposal.
var ErrNoProposal = errors.New("no such proposal of a prompt")

// PromptProposals returns a page of proposals, the newest first; before is the number
// of the one that the page begins after, 0 is from the newest.
func (s *Store) PromptProposals(ctx context.Context, before int64, limit int) ([]PromptProposal, error) {
	rows, err := s.reading(ctx).Query(ctx, `
		SELECT `+proposalColumns+` FROM ciclo.prompt_proposals p
		WHERE $1 = 0 OR p.number < $1 ORDER BY p.number DESC LIMIT `+strconv.Itoa(limit), before)
	if err != nil {
		return nil, fmt.Errorf("list proposals of prompts: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p PromptProposal, err error) {
		return p, row.Scan(p.columns()...)
	})
	if err != nil {
		return nil, fmt.Errorf("list proposals of prompts: %w", err)
	}
	return list, nil
}

// PromptChange returns one proposal; ErrNoProposal where there is none.
func (s *Store) PromptChange(ctx context.Context, id string) (c PromptChange, err error) {
	err = s.reading(ctx).QueryRow(ctx, `SELECT `+proposalColumns+`, p.body, p.lines, p.left_out, p.report, p.plot FROM ciclo.prompt_proposals p WHERE p.id = $1`, id).
		Scan(append(c.columns(), &c.Body, &c.Block, &c.LeftOut, &c.Report, &c.Plot)...)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return c, ErrNoProposal
	case err != nil:
		return c, fmt.Errorf("read proposal %s: %w", id, err)
	}
	return c, nil
}

// PromptBase is the text that a proposal changes, where it is still there: a version
// that the firm's view shows, or what an earlier proposal became when it was merged.
// Nil where it isn't.
func (s *Store) PromptBase(ctx context.Context, p ProposalHead) (*string, error) {
	texts, args := `SELECT body::text AS text FROM source.prompts WHERE name = $1 AND version::text = $2`, []any{p.Prompt, p.BaseVersion, p.BaseHash}
	if p.BaseVersion == nil {
		texts = `SELECT text FROM (SELECT body AS text, prompt FROM ciclo.prompt_proposals WHERE number < $2 ORDER BY number DESC LIMIT 50) earlier WHERE prompt = $1`
		args[1] = p.Number
	}
	var text string
	err := s.reading(ctx).QueryRow(ctx, `SELECT text FROM (`+texts+`) texts WHERE encode(sha256(convert_to(text, 'UTF8')), 'hex') = $3 LIMIT 1`, args...).Scan(&text)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil //nolint:nilnil // none is an answer
	case err != nil:
		return nil, fmt.Errorf("look for the text that proposal %s changes: %w", p.ID, err)
	}
	return &text, nil
}

// VersionOf is the version of a prompt in source.prompts that has this text; empty
// where none has.
func (s *Store) VersionOf(ctx context.Context, prompt, body string) (version string, err error) {
	err = s.reading(ctx).QueryRow(ctx, `SELECT version::text FROM source.prompts WHERE name = $1 AND body = $2 ORDER BY version DESC LIMIT 1`, prompt, body).Scan(&version)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("look for the version of a prompt: %w", err)
	}
	return version, nil
}

// VersionStratum counts a version's won and lost conversations of one channel and
// segment.
type VersionStratum struct {
	Version          string
	Channel, Segment string
	Conversations    int
	Won              int
	From, To         time.Time
}

// VersionStrata counts the conversations that were led by each of two versions, by
// channel and segment. A conversation that a view gives twice counts once.
func (s *Store) VersionStrata(ctx context.Context, before, after string) ([]VersionStratum, error) {
	rows, err := s.reading(ctx).Query(ctx, `
		SELECT c.agent_version::text, coalesce(c.channel::text, ''), coalesce(c.segment::text, ''),
		       count(DISTINCT c.id)::int, (count(DISTINCT c.id) FILTER (WHERE c.outcome = 'won'))::int, min(c.started_at), max(c.started_at)
		FROM source.conversations c
		WHERE c.agent_version::text IN ($1, $2) AND c.outcome IN ('won', 'lost') AND isfinite(c.started_at)
		GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`, before, after)
	if err != nil {
		return nil, fmt.Errorf("count conversations by version: %w", err)
	}
	strata, err := pgx.CollectRows(rows, pgx.RowToStructByPos[VersionStratum])
	if err != nil {
		return nil, fmt.Errorf("count conversations by version: %w", err)
	}
	return strata, nil
}
