package cli

import (
	"context"
	"fmt"
)

type callsCommand struct {
	ID string `arg:"" help:"The execution."`
}

func (c callsCommand) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	calls, err := api.Calls(ctx, c.ID)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(calls)
	}
	if len(calls) == 0 {
		fmt.Fprintln(g.out, "It asked no language model")
		return nil
	}
	table(g.out, func(row func(...any)) {
		row("RESERVED", "STEP", "MODEL", "STATE", "SENT", "INPUT", "OUTPUT", "DOLLARS", "ERROR")
		for _, one := range calls {
			row(clock(one.ReservedAt), one.Step, one.Provider+"/"+one.Model, one.State, one.Sends, count(one.InputTokens), count(one.OutputTokens), dollars(one.Dollars), orDash(deref(one.Error)))
		}
	})
	return nil
}

type costsCommand struct {
	Days int `default:"30" help:"How many days (UTC), today included."`
}

func (c costsCommand) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	costs, err := api.Costs(ctx, c.Days)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(costs)
	}
	if len(costs.Days) == 0 {
		fmt.Fprintln(g.out, "No agent asked a language model")
		return nil
	}
	var tokens int64
	var sum float64
	table(g.out, func(row func(...any)) {
		row("DAY", "AGENT", "TOKENS", "DOLLARS")
		for _, d := range costs.Days {
			row(d.Day, d.Agent, d.Tokens, dollars(d.Dollars))
			tokens, sum = tokens+d.Tokens, sum+d.Dollars
		}
		row("all", "", tokens, dollars(sum))
	})
	if len(costs.Waste) > 0 {
		fmt.Fprintln(g.out, "\nPaid for nothing:")
		table(g.out, func(row func(...any)) {
			row("AGENT", "WHY", "CALLS", "TOKENS", "DOLLARS")
			for _, w := range costs.Waste {
				row(w.Agent, w.Why, w.Calls, w.Tokens, dollars(w.Dollars))
			}
		})
	}
	return nil
}

// dollars are shown to a hundredth of a cent.
func dollars(v float64) string { return fmt.Sprintf("%.4f", v) }

func count(n *int64) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
