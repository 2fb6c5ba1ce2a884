package cli

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/nuzantara/ciclo/client"
)

type patternsCommand struct {
	List    patternsList    `cmd:"" default:"withargs" help:"List a run's patterns, the strongest first."`
	History patternsHistory `cmd:"" help:"Show whether a pattern persists: what each run found of it."`
}

type patternsList struct {
	Execution string `help:"Those of one run of the trainer. Default: the last complete one."`
	Confirmed bool   `help:"Those alone that the later conversations confirm."`
	Kind      string `help:"Those of one kind, such as ngram."`
	Limit     int    `default:"20" help:"How many."`
}

func (c patternsList) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	query := url.Values{"limit": {fmt.Sprint(c.Limit)}}
	for name, value := range map[string]string{"execution": c.Execution, "kind": c.Kind} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if c.Confirmed {
		query.Set("confirmed", "true")
	}
	page, err := api.Patterns(ctx, query)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(page)
	}
	switch {
	case page.ExecutionID == nil:
		fmt.Fprintln(g.out, "No run of the trainer is complete: ciclo run conversation-trainer --wait")
		return nil
	case len(page.Patterns) == 0:
		fmt.Fprintf(g.out, "No such pattern was found; ciclo status %s says what could have been.\n", *page.ExecutionID)
		return nil
	}
	table(g.out, func(row func(...any)) {
		row("RANK", "FEATURE", "KIND", "DIFFERENCE", "95 %", "Q", "WITH", "CONFIRMED", "RUNS", "SAME AS")
		for _, p := range page.Patterns {
			row(p.Rank, p.Feature, p.Kind, points(p.RiskDifference.Estimate), points(p.RiskDifference.Low)+" to "+points(p.RiskDifference.High),
				fmt.Sprintf("%.3g", p.Q), fmt.Sprintf("%d of %d", p.Counts.With, p.Counts.With+p.Counts.Without), confirmation(p), p.Runs, strings.Join(p.SameAs, ", "))
		}
	})
	fmt.Fprintln(g.out, "Differences are in points of the part that is won: association, not cause.")
	return nil
}

// points are a difference of parts in points.
func points(part float64) string { return fmt.Sprintf("%+.1f", 100*part) }

func confirmation(p client.Pattern) string {
	switch {
	case p.Later == nil:
		return "no: can't tell"
	case p.Confirmed:
		return "yes: " + points(p.Later.Estimate)
	default:
		return "no: " + points(p.Later.Estimate)
	}
}

type patternsHistory struct {
	Feature string `arg:"" help:"As ciclo patterns shows it."`
	Limit   int    `default:"20" help:"How many runs."`
}

func (c patternsHistory) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	history, err := api.PatternHistory(ctx, c.Feature, url.Values{"limit": {fmt.Sprint(c.Limit)}})
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(history)
	}
	table(g.out, func(row func(...any)) {
		row("RUN ENDED", "EXECUTION", "DIFFERENCE", "Q", "CONFIRMED")
		for _, run := range history.Runs {
			if run.Pattern == nil {
				row(clock(run.EndedAt), run.ExecutionID, "not found", "", "")
				continue
			}
			row(clock(run.EndedAt), run.ExecutionID, points(run.Pattern.RiskDifference.Estimate), fmt.Sprintf("%.3g", run.Pattern.Q), confirmation(*run.Pattern))
		}
	})
	return nil
}
