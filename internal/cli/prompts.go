package cli

import (
	"context"
	"fmt"
	"net/url"

	"github.com/nuzantara/ciclo/client"
)

type promptsCommand struct {
	List   promptsList   `cmd:"" default:"withargs" help:"List changes of prompts that the trainer proposed, the newest first."`
	Show   promptsShow   `cmd:"" help:"Show a proposal's report, or the prompt as it would be."`
	Effect promptsEffect `cmd:"" help:"Compare conversations before and after a proposal was put to use."`
}

type promptsList struct {
	Limit int `default:"20" help:"How many."`
}

func (c promptsList) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	page, err := api.Prompts(ctx, url.Values{"limit": {fmt.Sprint(c.Limit)}})
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(page)
	}
	if len(page.Proposals) == 0 {
		fmt.Fprintln(g.out, "Nothing was proposed; the trainer's result says why: ciclo run conversation-trainer --wait")
		return nil
	}
	table(g.out, func(row func(...any)) {
		row("MADE", "PROMPT", "VERSION", "STATUS", "LINES", "CONVERSATIONS", "ID", "WHERE")
		for _, p := range page.Proposals {
			row(clock(p.CreatedAt), p.Prompt, known(p.BaseVersion), p.Status, p.Lines, p.WindowFrom+" to "+p.WindowTo, p.ID, whereabouts(p))
		}
	})
	return nil
}

func known(text *string) string {
	if text == nil {
		return "-"
	}
	return *text
}

// whereabouts is where a proposal is to be looked at, or why it is nowhere.
func whereabouts(p client.PromptProposal) string {
	for _, text := range []*string{p.URL, p.Branch, p.Reason} {
		if text != nil {
			return *text
		}
	}
	return "ciclo prompts show"
}

type promptsShow struct {
	ID   string `arg:"" help:"As ciclo prompts shows it."`
	Body bool   `help:"The whole prompt, as it would be."`
}

func (c promptsShow) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	p, err := api.Prompt(ctx, c.ID)
	if err != nil {
		return err
	}
	switch {
	case g.JSON:
		return g.printJSON(p)
	case c.Body:
		fmt.Fprint(g.out, p.Body)
	default:
		fmt.Fprint(g.out, p.Report)
	}
	return nil
}

type promptsEffect struct {
	ID     string `arg:"" help:"As ciclo prompts shows it."`
	Before string `help:"The version before. Default: the one that the proposal changed."`
	After  string `help:"The version after. Default: the one in source.prompts with the proposed text."`
}

func (c promptsEffect) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	query := url.Values{}
	for name, value := range map[string]string{"before": c.Before, "after": c.After} {
		if value != "" {
			query.Set(name, value)
		}
	}
	e, err := api.PromptEffect(ctx, c.ID, query)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(e)
	}
	table(g.out, func(row func(...any)) {
		row("", "VERSION", "CONVERSATIONS", "WON", "PART")
		for _, u := range []struct {
			when string
			use  client.PromptUse
		}{{"before", e.Before}, {"after", e.After}} {
			part := "-"
			if u.use.Rate != nil {
				part = fmt.Sprintf("%.1f %%", 100**u.use.Rate)
			}
			row(u.when, known(u.use.Version), u.use.Conversations, u.use.Won, part)
		}
	})
	fmt.Fprintln(g.out, e.Says)
	return nil
}
