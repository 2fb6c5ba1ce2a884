package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nuzantara/ciclo/client"
)

type eraseCommand struct {
	Client eraseClient `cmd:"" help:"Erase a person's data everywhere in Ciclo, for good."`
}

type eraseClient struct {
	ID       string `arg:"" help:"The client's id, as the firm has it."`
	Payments bool   `help:"Erase the payments too; otherwise they stay, as accounting records without a name."`
	DryRun   bool   `help:"Count the rows and change nothing."`
	Yes      bool   `help:"Don't ask."`
}

func (c eraseClient) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	if !c.DryRun && !c.Yes {
		if g.JSON {
			return usageError{errors.New("--json asks nothing: add --yes, or --dry-run to see what would go")}
		}
		fmt.Fprintf(g.err, "This erases all data of client %s and can't be undone. Type the id to go on: ", c.ID)
		line, err := bufio.NewReader(g.in).ReadString('\n')
		if strings.TrimSpace(line) != c.ID {
			return usageError{errors.Join(errors.New("nothing was erased"), err)}
		}
	}
	e, err := api.EraseClient(ctx, c.ID, c.Payments, c.DryRun)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(e)
	}
	c.print(g, e)
	return nil
}

func (c eraseClient) print(g *Globals, e client.Erasure) {
	if len(e.Rows) > 0 {
		table(g.out, func(row func(...any)) {
			row("TABLE", "ROWS")
			for _, r := range e.Rows {
				row(r.Table, r.Rows)
			}
		})
	}
	switch {
	case e.DryRun:
		g.say("Nothing was changed.")
	case e.EndedAt != nil:
		g.say("All data of client %s is erased; no agent reads anything of it.", e.ClientID)
	case len(e.WaitsFor) > 0:
		g.say("No agent reads anything of client %s any more. These may still write what they read before; it is erased when they have ended: %s. `ciclo cancel` ends one, and this command says how far it is.",
			e.ClientID, strings.Join(e.WaitsFor, ", "))
	default:
		g.say("No agent reads anything of client %s any more; the erasure goes on by itself, and this command says how far it is.", e.ClientID)
	}
	for _, f := range e.Firm {
		g.say("For the firm: %s.", f)
	}
}
