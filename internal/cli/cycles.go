package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/client"
)

type cyclesCommand struct {
	List   cyclesList   `cmd:"" default:"withargs" help:"List cycles, newest first."`
	Show   cyclesShow   `cmd:"" help:"Show a cycle: each agent's decision and reason, and when it ran."`
	Open   cyclesOpen   `cmd:"" help:"Open a cycle now."`
	Cancel cyclesCancel `cmd:"" help:"Cancel a cycle with what runs of it."`
}

type cyclesList struct {
	Schedule string   `help:"Those of one schedule."`
	Status   []string `help:"Those with one of these statuses."`
	Limit    int      `default:"20" help:"How many."`
}

func (c cyclesList) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	query := url.Values{"limit": {fmt.Sprint(c.Limit)}, "status": c.Status}
	if c.Schedule != "" {
		query.Set("schedule", c.Schedule)
	}
	page, err := api.Cycles(ctx, query)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(page)
	}
	table(g.out, func(row func(...any)) {
		row("OPENED", "CYCLE", "SCHEDULE", "OPENED BY", "STATUS")
		for _, one := range page.Cycles {
			row(clock(one.OpenedAt), one.ID, text(one.Schedule), one.OpenedBy, one.Status)
		}
	})
	return nil
}

type cyclesShow struct {
	ID string `arg:"" help:"The cycle."`
}

func (c cyclesShow) Run(ctx context.Context, g *Globals) error {
	return g.onCycles(func(api *client.Client) (client.Cycle, error) { return api.Cycle(ctx, c.ID) })
}

type cyclesOpen struct {
	Agents  []string      `arg:"" optional:"" help:"Whom to run. Default: all."`
	Wait    bool          `help:"Wait for its end; the exit code is 0 only where it completed."`
	Timeout time.Duration `default:"1h" help:"Wait no longer than this, such as 10m."`
}

func (c cyclesOpen) Run(ctx context.Context, g *Globals) error {
	var opened client.Cycle
	err := g.onCycles(func(api *client.Client) (_ client.Cycle, err error) {
		if opened, err = api.OpenCycle(ctx, c.Agents); err == nil && c.Wait {
			opened, err = c.await(ctx, api, opened)
		}
		return opened, err
	})
	switch {
	case err != nil || !c.Wait:
		return err
	case opened.EndedAt == nil:
		return exit{ExitTimedOut}
	case opened.Status == "cancelled":
		return exit{ExitCancelled}
	case opened.Status != "completed":
		return exit{ExitFailed}
	}
	return nil
}

// await looks every second until the cycle has ended or the time is up.
func (c cyclesOpen) await(ctx context.Context, api *client.Client, opened client.Cycle) (client.Cycle, error) {
	up := time.After(c.Timeout)
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for opened.EndedAt == nil {
		select {
		case <-ctx.Done():
			return opened, ctx.Err()
		case <-up:
			return opened, nil
		case <-look.C:
		}
		seen, err := api.Cycle(ctx, opened.ID)
		switch {
		case err == nil:
			opened = seen
		case !client.Temporary(err):
			return opened, err
		}
	}
	return opened, nil
}

type cyclesCancel struct {
	ID string `arg:"" help:"The cycle."`
}

func (c cyclesCancel) Run(ctx context.Context, g *Globals) error {
	return g.onCycles(func(api *client.Client) (client.Cycle, error) { return api.CancelCycle(ctx, c.ID) })
}

// onCycles does something with a cycle and shows it.
func (g *Globals) onCycles(do func(*client.Client) (client.Cycle, error)) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	c, err := do(api)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(c)
	}
	printCycle(g.out, c, time.Now())
	return nil
}

// ganttWidth is of the bars, in characters.
const ganttWidth = 40

// printCycle shows a cycle's decisions, and when each agent waited (.) and ran (#).
func printCycle(w io.Writer, c client.Cycle, now time.Time) {
	end := now
	if c.EndedAt != nil {
		end = *c.EndedAt
	}
	fmt.Fprintf(w, "%s  %s, opened at %s by %s", c.ID, c.Status, c.OpenedAt.UTC().Format(time.RFC3339), c.OpenedBy)
	if c.Schedule != nil && c.DueAt != nil {
		fmt.Fprintf(w, " of %s, due %s", *c.Schedule, c.DueAt.UTC().Format(time.RFC3339))
	}
	fmt.Fprintln(w)
	if c.PlannerError != nil {
		fmt.Fprintf(w, "planned by %s, since the planner failed: %s\n", c.Planner, *c.PlannerError)
	} else {
		fmt.Fprintf(w, "planned by %s\n", c.Planner)
	}
	table(w, func(row func(...any)) {
		row("AGENT", "DECISION", "STATUS", fmt.Sprintf("%-*s", ganttWidth, "0 s to "+end.Sub(c.OpenedAt).Round(100*time.Millisecond).String()), "WHY")
		for _, a := range c.Agents {
			row(a.Agent, a.Decision, text(a.Status), gantt(a, c.OpenedAt, end), a.Detail)
		}
	})
}

// gantt is an agent's execution between two instants.
func gantt(a client.CycleAgent, from, to time.Time) string {
	if a.StartedAt == nil || !to.After(from) {
		return ""
	}
	place := func(at time.Time) int {
		return max(0, min(ganttWidth, int(float64(ganttWidth)*at.Sub(from).Seconds()/to.Sub(from).Seconds())))
	}
	end, running := to, to
	if a.EndedAt != nil {
		end, running = *a.EndedAt, *a.EndedAt
	}
	if a.RunningAt != nil {
		running = *a.RunningAt
	}
	first, second, third := place(*a.StartedAt), place(running), place(end)
	if second == third && a.RunningAt != nil && third < ganttWidth { // too short to be seen otherwise
		third++
	}
	return strings.Repeat(" ", first) + strings.Repeat(".", max(0, second-first)) + strings.Repeat("#", max(0, third-second))
}
