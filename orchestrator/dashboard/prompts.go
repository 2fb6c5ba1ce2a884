package dashboard

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nuzantara/ciclo/client"
)

// promptsView are the trainer's proposals.
type promptsView struct {
	listing
	Page client.PromptPage
}

func prompts() page {
	return page{path: "/prompts", section: "Prompts", template: "prompts.html", read: readPrompts}
}

func readPrompts(ctx context.Context, v *Visit) (any, error) {
	cursor := v.URL.Query().Get("cursor")
	found, err := v.API.Prompts(ctx, queryOf(nil, cursor, patternsShown))
	return promptsView{listingOf("/prompts", nil, cursor, found.NextCursor), found}, err
}

// promptView is one proposal.
type promptView struct {
	client.PromptChange
	Diff []diffLine
	// Whole is false where the diff is cut.
	Whole bool
	// Effect is nil where it was not measured in time.
	Effect *client.PromptEffect
	Report string
	Cut    bool
	// Reasons are the block's lines without their dashes.
	Reasons []string
}

const (
	// effectPatience is how long a page waits for the effect, which counts the firm's
	// own conversations, unless the visitor asks to wait.
	effectPatience = 2 * time.Second
	// maxReport bounds what is shown of the report, in characters.
	maxReport = 12_000
	// maxBlockLine bounds a line of the managed block, in characters.
	maxBlockLine = 1000
)

func onePrompt() page {
	return page{path: "/prompts/{id}", section: "Prompts", template: "prompt.html", read: readPrompt}
}

func readPrompt(ctx context.Context, v *Visit) (any, error) {
	id := v.PathValue("id")
	var p promptView
	ask, asking := errgroup.WithContext(ctx)
	ask.Go(func() (err error) {
		p.PromptChange, err = v.API.Prompt(asking, id)
		return err
	})
	ask.Go(func() error {
		query := url.Values{}
		for _, name := range []string{"before", "after"} {
			if version := v.URL.Query().Get(name); version != "" {
				query.Set(name, version)
			}
		}
		within := asking
		if v.URL.Query().Get("effect") != "wait" {
			var cancel context.CancelFunc
			within, cancel = context.WithTimeout(asking, effectPatience)
			defer cancel()
		}
		effect, err := v.API.PromptEffect(within, id, query)
		switch {
		case err == nil:
			p.Effect = &effect
		case errors.Is(err, context.DeadlineExceeded) && asking.Err() == nil:
			return nil // the page says so
		}
		return err
	})
	if err := ask.Wait(); err != nil {
		return nil, err
	}
	p.Report = clipLines(maxReport, p.PromptChange.Report)
	p.Cut = p.Report != p.PromptChange.Report
	for i, line := range p.Block {
		p.Block[i] = clipLines(maxBlockLine, line)
		p.Reasons = append(p.Reasons, strings.TrimPrefix(p.Block[i], "- "))
	}
	if p.Base != nil {
		p.Diff, p.Whole = diffOf(*p.Base, p.Body)
	}
	return p, nil
}
