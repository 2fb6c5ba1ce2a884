package orchestrator

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/rates"
)

// prompts is a page of proposals.
type prompts struct {
	Proposals  []postgres.PromptProposal `json:"proposals" jsonschema:"The newest first."`
	NextCursor *string                   `json:"next_cursor" jsonschema:"For the next page's cursor; null on the last one."`
}

func (o *Orchestrator) listPrompts(c echo.Context) (prompts, error) {
	limit, cursor, err := readPage(c.QueryParams())
	if err != nil {
		return prompts{}, err
	}
	var before int64
	if cursor != "" {
		if before, err = strconv.ParseInt(cursor, 10, 64); err != nil || before < 1 {
			return prompts{}, invalid(agents.FieldError{Field: "cursor", Detail: "is not one that this list gave"})
		}
	}
	list, err := o.store.PromptProposals(c.Request().Context(), before, limit+1)
	if err != nil {
		return prompts{}, err
	}
	page := prompts{Proposals: list}
	if len(list) > limit {
		page.Proposals = list[:limit]
		page.NextCursor = new(strconv.FormatInt(list[limit-1].Number, 10))
	}
	return page, nil
}

func (o *Orchestrator) getPrompt(c echo.Context) (postgres.PromptChange, error) {
	if err := noQuery(c); err != nil {
		return postgres.PromptChange{}, err
	}
	change, err := o.readPrompt(c)
	if err != nil {
		return change, err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), baseTimeout)
	defer cancel()
	if change.Base, err = o.store.PromptBase(ctx, change.ProposalHead); err != nil {
		o.cfg.Log.Warn("a proposal is shown without the text that it changes", "error", err)
	}
	return change, nil
}

// baseTimeout bounds how long the firm's view of prompts may take.
const baseTimeout = 2 * time.Second

func (o *Orchestrator) readPrompt(c echo.Context) (postgres.PromptChange, error) {
	id := c.Param("id")
	if !storableID(id) {
		return postgres.PromptChange{}, postgres.ErrNoProposal
	}
	return o.store.PromptChange(c.Request().Context(), id)
}

// promptUse is how conversations ended under one version of a prompt.
type promptUse struct {
	Version       *string    `json:"version" jsonschema:"As conversations name it in agent_version; null where it is not known."`
	Conversations int        `json:"conversations" jsonschema:"Won and lost ones."`
	Won           int        `json:"won"`
	Rate          *float64   `json:"rate" jsonschema:"The part that was won; null where there are none."`
	From          *time.Time `json:"from" jsonschema:"When the first of them began."`
	To            *time.Time `json:"to"`
}

// promptEffect compares two versions of a prompt.
type promptEffect struct {
	ProposalID string    `json:"proposal_id"`
	Prompt     string    `json:"prompt"`
	Before     promptUse `json:"before"`
	After      promptUse `json:"after"`
	Strata     int       `json:"strata" jsonschema:"Channels and segments that have conversations of both versions: the difference is within them."`
	// Difference and SmallestShown are null where nothing can be said.
	Difference    *postgres.Estimate `json:"difference" jsonschema:"The part won after less that before, with its interval of 95 %; null where it can't be told."`
	SmallestShown *float64           `json:"smallest_shown" jsonschema:"The difference that so many conversations would show in 80 of 100 cases; null where they would show none."`
	Verdict       string             `json:"verdict" jsonschema:"One of not_in_use, too_few, no_difference_shown, more_won and fewer_won."`
	Says          string             `json:"says" jsonschema:"The verdict in words."`
}

// leastOfVersion is how many conversations each version needs for an interval to say
// anything.
const leastOfVersion = 30

func readVersions(query url.Values) (before, after string, err error) {
	var wrong []agents.FieldError
	read := func(name string) string {
		text, ok := once(query, name)
		if !ok || !storable(text) {
			wrong = append(wrong, agents.FieldError{Field: name, Detail: "must be one version, as conversations name it in agent_version"})
		}
		return text
	}
	before, after = read("before"), read("after")
	if before != "" && before == after {
		wrong = append(wrong, agents.FieldError{Field: "after", Detail: "must be another version than before"})
	}
	if len(wrong) > 0 {
		return "", "", invalid(wrong...)
	}
	return before, after, nil
}

func (o *Orchestrator) getPromptEffect(c echo.Context) (promptEffect, error) {
	query := c.QueryParams()
	if err := onlyQuery(query, "before", "after"); err != nil {
		return promptEffect{}, err
	}
	before, after, err := readVersions(query)
	if err != nil {
		return promptEffect{}, err
	}
	proposal, err := o.readPrompt(c)
	if err != nil {
		return promptEffect{}, err
	}
	ctx := c.Request().Context()
	if before == "" && proposal.BaseVersion != nil {
		before = *proposal.BaseVersion
	}
	if after == "" {
		if after, err = o.store.VersionOf(ctx, proposal.Prompt, proposal.Body); err != nil {
			return promptEffect{}, err
		}
	}
	e := promptEffect{ProposalID: proposal.ID, Prompt: proposal.Prompt}
	var strata []postgres.VersionStratum
	if before != "" || after != "" {
		if strata, err = o.store.VersionStrata(ctx, before, after); err != nil {
			return promptEffect{}, err
		}
	}
	e.compare(before, after, strata)
	return e, nil
}

// compare counts the versions' conversations and says what can be said of them.
func (e *promptEffect) compare(before, after string, all []postgres.VersionStratum) {
	type stratum struct{ channel, segment string }
	var order []stratum
	both := map[stratum]rates.Stratum{}
	name := func(u *promptUse, version string) {
		if version != "" {
			u.Version = &version
		}
	}
	name(&e.Before, before)
	name(&e.After, after)
	for _, s := range all {
		key := stratum{s.Channel, s.Segment}
		counts, known := both[key]
		if !known {
			order = append(order, key)
		}
		use := &e.Before
		if s.Version == after {
			use = &e.After
			counts.After, counts.AfterWon = counts.After+s.Conversations, counts.AfterWon+s.Won
		} else {
			counts.Before, counts.BeforeWon = counts.Before+s.Conversations, counts.BeforeWon+s.Won
		}
		use.add(s)
		both[key] = counts
	}
	// Strata that have one version alone say nothing about the difference.
	var strata []rates.Stratum
	var compared rates.Stratum
	for _, key := range order {
		if s := both[key]; s.Before > 0 && s.After > 0 {
			strata = append(strata, s)
			compared.Before, compared.BeforeWon = compared.Before+s.Before, compared.BeforeWon+s.BeforeWon
			compared.After, compared.AfterWon = compared.After+s.After, compared.AfterWon+s.AfterWon
		}
	}
	e.Strata = len(strata)
	if smallest, ok := rates.SmallestShown(compared.Before, compared.After, compared.BeforeWon+compared.AfterWon); ok && smallest < 1 {
		e.SmallestShown = &smallest
	}
	e.conclude(strata, compared)
}

func (u *promptUse) add(s postgres.VersionStratum) {
	u.Conversations += s.Conversations
	u.Won += s.Won
	u.Rate = new(float64(u.Won) / float64(u.Conversations))
	if u.From == nil || s.From.Before(*u.From) {
		u.From = &s.From
	}
	if u.To == nil || s.To.After(*u.To) {
		u.To = &s.To
	}
}

func (e *promptEffect) conclude(strata []rates.Stratum, compared rates.Stratum) {
	could := "so many conversations could not have shown any difference"
	if e.SmallestShown != nil {
		could = fmt.Sprintf("the smallest difference that so many conversations would have shown reliably is %.1f points", 100**e.SmallestShown)
	}
	switch {
	case e.After.Version == nil:
		e.Verdict, e.Says = "not_in_use", "No version of the prompt in source.prompts has the proposed text: name the version that it became with after."
		return
	case e.Before.Version == nil:
		e.Verdict, e.Says = "not_in_use", "No version of the prompt in source.prompts had the text that was changed: name it with before."
		return
	case compared.Before < leastOfVersion || compared.After < leastOfVersion:
		e.Verdict = "too_few"
		e.Says = fmt.Sprintf("Too few to say anything: %d conversations before and %d after can be compared within a channel and segment, %d of each are needed.", compared.Before, compared.After, leastOfVersion)
		return
	}
	estimate, low, high, ok := rates.Difference(strata)
	if !ok {
		e.Verdict, e.Says = "too_few", "Nothing can be said: all conversations that can be compared ended alike."
		return
	}
	e.Difference = &postgres.Estimate{Estimate: estimate, Low: low, High: high}
	interval := fmt.Sprintf("%+.1f points (95 %%: %+.1f to %+.1f)", 100*estimate, 100*low, 100*high)
	switch {
	case low > 0:
		e.Verdict, e.Says = "more_won", fmt.Sprintf("More were won after: %s. An association in time, not proof: what else changed meanwhile counts too; %s.", interval, could)
	case high < 0:
		e.Verdict, e.Says = "fewer_won", fmt.Sprintf("Fewer were won after: %s. An association in time, not proof: what else changed meanwhile counts too; %s.", interval, could)
	default:
		e.Verdict, e.Says = "no_difference_shown", fmt.Sprintf("No difference is shown: %s; %s.", interval, could)
	}
}
