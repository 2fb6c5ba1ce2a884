package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/retention"
)

// pruneRest has the command work half of the time, so that the services come to the
// database too.
const pruneRest = 1

type pruneCommand struct {
	OlderThan string `placeholder:"AGE" help:"What ended longer ago goes: 48h, 90d or 12w, at least a day."`
	Agent     string `help:"Prune this agent's executions alone, and nothing else."`
	DryRun    bool   `help:"Count what would go, and change nothing."`
}

func (c pruneCommand) Run(ctx context.Context, g *Globals) error {
	if c.OlderThan == "" {
		return usageError{errors.New("--older-than is missing: ciclo prune --older-than 90d --dry-run counts what would go")}
	}
	age, err := retention.ParseAge(c.OlderThan)
	if err != nil {
		return usageError{fmt.Errorf("--older-than: %w", err)}
	}
	url, err := g.database()
	if err != nil {
		return err
	}
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: "ciclo prune", MaxConns: 1, Pooled: true})
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := postgres.CheckSchema(ctx, pool); err != nil {
		return err
	}
	progress, clear := showPrune(g.err)
	report, err := retention.Prune(ctx, pool, retention.Policy{OlderThan: age, Agent: c.Agent, DryRun: c.DryRun, Rest: pruneRest, Progress: progress})
	clear()
	if report.Before.IsZero() {
		return err // it came to nothing
	}
	if g.JSON {
		if printed := g.printJSON(report); printed != nil {
			return printed
		}
		return err
	}
	g.printPruned(report)
	return err
}

// keptBecause is for people.
var keptBecause = map[string]string{
	"effect":   "executions stay: a person must look at one of their effects (`ciclo effects ID`)",
	"retry":    "executions stay: a younger one is another try of them",
	"cycle":    "cycles, or executions of cycles, stay: the cycle is younger, is its schedule's last, or has executions that stay",
	"delivery": "executions stay: a webhook is still to be told of them",
	"notice":   "executions stay: the operator is still to be told of them",
	"newest":   "executions stay: they are their agents' last ones",
	"result":   "executions stay without their history: results name them",
}

// printPruned says what was pruned, also where it was interrupted.
func (g *Globals) printPruned(r retention.Report) {
	did := "Pruned what ended before "
	if r.DryRun {
		did = "Nothing was changed. This would go of what ended before "
	}
	g.say("%s%s:", did, r.Before.Format(time.RFC3339))
	if r.Nothing() {
		g.say("  nothing")
	}
	table(g.out, func(row func(...any)) {
		for _, rows := range r.Rows {
			row("  "+rows.Table, rows.Rows)
		}
	})
	for _, kept := range r.Kept {
		g.say("%d %s.", kept.Count, keptBecause[kept.Reason])
	}
	if !r.DryRun {
		g.say("It took %.1f s; no transaction was longer than %.2f s.", r.Seconds, r.LongestSeconds)
	}
}

// showPrune says how far it is: at a terminal in one line that is written over,
// elsewhere in a line each ten seconds.
func showPrune(w io.Writer) (show func(retention.Report), clear func()) {
	atTerminal, said, width := terminal(w), time.Now(), 0
	show = func(r retention.Report) {
		every := 10 * time.Second
		if atTerminal {
			every = time.Second
		}
		if time.Since(said) < every {
			return
		}
		said = time.Now()
		text := fmt.Sprintf("%d executions and %d transitions in %d batches", r.Gone("ciclo.executions"), r.Gone("ciclo.transitions"), r.Batches)
		if !atTerminal {
			fmt.Fprintln(w, text)
			return
		}
		fmt.Fprintf(w, "\r%-*s", width, text)
		width = max(width, len(text))
	}
	return show, func() {
		if width > 0 {
			fmt.Fprintf(w, "\r%s\r", strings.Repeat(" ", width))
		}
	}
}
