package cli

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/nuzantara/ciclo/client"
)

type statusCommand struct {
	ID string `arg:"" optional:"" help:"The execution; without it, the whole system."`
}

func (c statusCommand) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	if c.ID != "" {
		e, err := api.Get(ctx, c.ID)
		if err != nil {
			return err
		}
		if g.JSON {
			return g.printJSON(e)
		}
		printExecution(g.out, e)
		printResult(g.out, e)
		return nil
	}
	s, err := api.Status(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(s)
	}
	printStatus(g.out, s)
	return nil
}

type listCommand struct {
	Agent  string   `help:"Of this agent alone."`
	Status []string `help:"In these statuses alone."`
	Since  string   `help:"Accepted at or after this instant (RFC 3339)."`
	Until  string   `help:"Accepted before this instant (RFC 3339)."`
	Limit  int      `default:"20" help:"How many, at most 200."`
	Cursor string   `help:"Go on where a list ended."`
}

func (c listCommand) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	query := url.Values{"limit": {strconv.Itoa(c.Limit)}, "status": c.Status}
	for name, value := range map[string]string{"agent": c.Agent, "since": c.Since, "until": c.Until, "cursor": c.Cursor} {
		if value != "" {
			query.Set(name, value)
		}
	}
	page, err := api.List(ctx, query)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(page)
	}
	printList(g.out, page.Executions)
	if page.NextCursor != nil {
		g.say("There are more: --cursor %s", *page.NextCursor)
	}
	return nil
}

type cancelCommand struct {
	ID string `arg:"" help:"The execution."`
}

func (c cancelCommand) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	e, err := api.Cancel(ctx, c.ID)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(e)
	}
	g.say("%s %s", e.ID, e.Message)
	return nil
}

func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05.000") }

func seconds(s *float64) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%.2fs", *s)
}

func workerState(w client.Worker) string {
	switch {
	case !w.Alive:
		return "lost"
	case w.StoppingAt != nil:
		return "stopping"
	default:
		return "alive"
	}
}
