package cli

import (
	"context"
	"fmt"

	"github.com/nuzantara/ciclo/client"
)

type pauseCommand struct {
	Agent  string `arg:"" help:"The agent, or all."`
	Reason string `default:"paused by hand" help:"Shown to everyone who asks for the status."`
}

func (c pauseCommand) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	if err := api.Pause(ctx, c.Agent, c.Reason); err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]any{"agent_name": c.Agent, "paused": true, "reason": c.Reason})
	}
	g.say("%s is paused: what runs goes on, what is accepted waits. `ciclo resume %s` ends it.", c.Agent, c.Agent)
	return nil
}

type resumeCommand struct {
	Agent string `arg:"" help:"The agent, or all."`
}

func (c resumeCommand) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	if err := api.Resume(ctx, c.Agent); err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]any{"agent_name": c.Agent, "paused": false})
	}
	g.say("%s is resumed: what waits is enqueued within a second or two.", c.Agent)
	return nil
}

type auditCommand struct{}

// Run exits with 1 where an invariant is broken.
func (auditCommand) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	report, err := api.Audit(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		if err := g.printJSON(report); err != nil {
			return err
		}
	} else {
		table(g.out, func(row func(...any)) {
			row("BROKEN BY", "INVARIANT", "SAMPLES")
			for _, f := range report.Findings {
				count := fmt.Sprint(f.Count)
				if !f.Checked {
					count = "not yet" // the database has just started
				}
				row(count, f.Invariant, f.Samples)
			}
		})
	}
	if report.Violations > 0 {
		return exit{ExitFailed}
	}
	return nil
}

type effectsCommand struct {
	ID string `arg:"" help:"The execution."`
}

func (c effectsCommand) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	effects, err := api.Effects(ctx, c.ID)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(effects)
	}
	table(g.out, func(row func(...any)) {
		row("INTENDED", "EFFECT", "STATE", "POLICY", "ATTEMPT", "OUTCOME")
		for _, e := range effects {
			row(clock(e.IntendedAt), e.Name, e.State, e.Policy, e.Attempt, string(e.Outcome))
		}
	})
	return nil
}

type retryCommand struct {
	ID       string `arg:"" help:"The execution, which has ended."`
	FromStep string `xor:"reuse" help:"Take over the finished steps before this one."`
	Resume   bool   `xor:"reuse" help:"Take over all that is finished."`
	Follow   bool   `help:"Follow the new execution to its end."`
}

func (c retryCommand) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	e, err := api.Retry(ctx, c.ID, c.FromStep, c.Resume)
	if err != nil {
		return err
	}
	if c.Follow {
		g.say("%s", e.ID)
		return watchCommand{ID: e.ID}.Run(ctx, g)
	}
	if g.JSON {
		return g.printJSON(e)
	}
	g.say("%s is accepted; `ciclo watch %s` follows it.", e.ID, e.ID)
	return nil
}

type stepsCommand struct {
	ID string `arg:"" help:"The execution."`
}

func (c stepsCommand) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	steps, err := api.Steps(ctx, c.ID)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(steps)
	}
	table(g.out, func(row func(...any)) {
		row("ENDED", "STEP", "SECONDS", "ATTEMPT", "OUTPUT")
		for _, s := range steps {
			row(clock(s.EndedAt), s.Name, fmt.Sprintf("%.3f", s.DurationSeconds), s.Attempt, fmt.Sprintf("%d bytes", s.OutputBytes))
		}
	})
	return nil
}

type drainCommand struct {
	Worker string `arg:"" help:"The worker's id, as ciclo status shows it."`
	Plan   bool   `help:"Only say what stopping it now would lose."`
}

func (c drainCommand) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	plan, err := api.DrainPlan(ctx, c.Worker)
	if err != nil {
		return err
	}
	if !g.JSON {
		table(g.out, func(row func(...any)) {
			row("EXECUTION", "ATTEMPT", "RUNNING", "LOST IF STOPPED NOW", "LIKELY NEEDS")
			for _, e := range plan.Executions {
				row(e.ExecutionID, e.Attempt, seconds(&e.RunningSeconds), seconds(&e.LostSeconds), seconds(e.NeedsSeconds))
			}
		})
	}
	if !c.Plan {
		if err := api.Drain(ctx, c.Worker); err != nil {
			return err
		}
	}
	if g.JSON {
		return g.printJSON(struct {
			client.DrainPlan
			Draining bool `json:"draining"`
		}{plan, !c.Plan})
	}
	if !c.Plan {
		g.say("%s was asked to stop; it learns so by its next beat.", c.Worker)
	}
	return nil
}
