package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/client"
)

type schedulesCommand struct {
	List     schedulesList     `cmd:"" default:"1" help:"List the schedules with their next slots."`
	Create   schedulesCreate   `cmd:"" help:"Make a schedule."`
	Change   schedulesChange   `cmd:"" help:"Change a schedule by a JSON file of the API's fields."`
	Pause    schedulesPause    `cmd:"" help:"Skip a schedule's slots for now."`
	Resume   schedulesResume   `cmd:"" help:"End a schedule's pause."`
	Run      schedulesRun      `cmd:"" help:"Open a cycle of a schedule now."`
	Backfill schedulesBackfill `cmd:"" help:"Run a schedule's slots of a past window that were not run."`
	Slots    schedulesSlots    `cmd:"" help:"Show what became of a schedule's slots."`
}

type schedulesList struct{}

func (schedulesList) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	list, err := api.Schedules(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]any{"schedules": list})
	}
	table(g.out, func(row func(...any)) {
		row("SCHEDULE", "AGENTS", "RULE", "NEXT SLOTS")
		for _, s := range list {
			row(s.Name, cmp.Or(strings.Join(s.Agents, " "), "all"), ruleText(s), nextText(s))
		}
	})
	return nil
}

// ruleText is a schedule's rule in words.
func ruleText(s client.Schedule) string {
	if s.IntervalSeconds != nil {
		return "every " + (time.Duration(*s.IntervalSeconds) * time.Second).String()
	}
	if s.Cron == nil || s.Zone == nil {
		return ""
	}
	return *s.Cron + " " + *s.Zone
}

// nextText says when a schedule fires next, in its own zone, or why not.
func nextText(s client.Schedule) string {
	switch {
	case s.Broken != nil:
		return "none, it is broken: " + *s.Broken
	case s.PausedAt != nil && s.PausedReason != nil:
		return "skipped, it is paused: " + *s.PausedReason
	}
	zone := time.UTC
	if s.Zone != nil {
		if known, err := time.LoadLocation(*s.Zone); err == nil { // else in UTC
			zone = known
		}
	}
	var next []string
	for _, due := range s.NextSlots[:min(3, len(s.NextSlots))] {
		next = append(next, due.In(zone).Format("Mon 02 Jan 15:04"))
	}
	return cmp.Or(strings.Join(next, ", "), "none")
}

type schedulesCreate struct {
	Name     string        `arg:"" help:"Its name, such as nightly."`
	Cron     string        `xor:"rule" help:"A cron expression, such as '0 4 * * *'."`
	Every    time.Duration `xor:"rule" help:"Instead: an interval, such as 15m."`
	Zone     string        `help:"The zone of the expression. Default: the firm's."`
	Agent    []string      `help:"Whom it runs; more than one by repeating the flag. Default: all."`
	Overlap  string        `enum:"skip,queue,cancel" default:"skip" help:"What a slot does while the last cycle is not over: skip, queue or cancel."`
	CatchUp  string        `enum:"latest,all,none" default:"latest" help:"Which missed slots are made up for: latest, all or none."`
	Cooldown time.Duration `default:"1h" help:"Skip an agent that was started less than so long ago."`
	FromFile string        `type:"existingfile" help:"A JSON file with more of the API's fields."`
}

func (c schedulesCreate) Run(ctx context.Context, g *Globals) error {
	fields, err := readFields(c.FromFile)
	if err != nil {
		return err
	}
	fields["name"], fields["overlap"], fields["catch_up"], fields["cooldown_seconds"] = c.Name, c.Overlap, c.CatchUp, int64(c.Cooldown.Seconds())
	if c.Cron != "" {
		fields["cron"] = c.Cron
	}
	if c.Every != 0 {
		fields["interval_seconds"] = int64(c.Every.Seconds())
	}
	if c.Zone != "" {
		fields["zone"] = c.Zone
	}
	if len(c.Agent) > 0 {
		fields["agents"] = c.Agent
	}
	return g.onSchedules(func(api *client.Client) (client.Schedule, error) { return api.CreateSchedule(ctx, fields) })
}

// readFields reads a JSON object; none where there is no file.
func readFields(path string) (map[string]any, error) {
	fields := map[string]any{}
	if path == "" {
		return fields, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usageError{fmt.Errorf("read fields: %w", err)}
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, usageError{fmt.Errorf("%s is no JSON object: %w", path, err)}
	}
	if fields == nil { // null
		return nil, usageError{fmt.Errorf("%s is no JSON object", path)}
	}
	return fields, nil
}

// onSchedules does something with a schedule and shows it.
func (g *Globals) onSchedules(do func(*client.Client) (client.Schedule, error)) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	s, err := do(api)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(s)
	}
	g.say("%s: %s; next: %s", s.Name, ruleText(s), nextText(s))
	return nil
}

type schedulesChange struct {
	Name     string `arg:"" help:"The schedule."`
	FromFile string `required:"" type:"existingfile" help:"A JSON file with the fields to change."`
}

func (c schedulesChange) Run(ctx context.Context, g *Globals) error {
	fields, err := readFields(c.FromFile)
	if err != nil {
		return err
	}
	return g.onSchedules(func(api *client.Client) (client.Schedule, error) { return api.ChangeSchedule(ctx, c.Name, fields) })
}

type schedulesPause struct {
	Name   string `arg:"" help:"The schedule."`
	Reason string `default:"paused by hand" help:"Shown to everyone who lists the schedules."`
}

func (c schedulesPause) Run(ctx context.Context, g *Globals) error {
	return g.onSchedules(func(api *client.Client) (client.Schedule, error) { return api.PauseSchedule(ctx, c.Name, c.Reason) })
}

type schedulesResume struct {
	Name string `arg:"" help:"The schedule."`
}

func (c schedulesResume) Run(ctx context.Context, g *Globals) error {
	return g.onSchedules(func(api *client.Client) (client.Schedule, error) { return api.ResumeSchedule(ctx, c.Name) })
}

type schedulesRun struct {
	Name string `arg:"" help:"The schedule."`
}

func (c schedulesRun) Run(ctx context.Context, g *Globals) error {
	return g.onCycles(func(api *client.Client) (client.Cycle, error) { return api.RunSchedule(ctx, c.Name) })
}

type schedulesBackfill struct {
	Name string    `arg:"" help:"The schedule."`
	From time.Time `required:"" help:"The slots from then on, such as 2026-01-31T00:00:00Z."`
	To   time.Time `help:"Up to and with then. Default: now."`
}

func (c schedulesBackfill) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	if c.To.IsZero() {
		c.To = time.Now().Add(-time.Second)
	}
	b, err := api.Backfill(ctx, c.Name, c.From, c.To)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(b)
	}
	g.say("%d slots lie in the window, %d of them are run now, one after another; `ciclo schedules slots %s` shows how far it is.", b.Slots, b.Queued, c.Name)
	return nil
}

type schedulesSlots struct {
	Name  string `arg:"" help:"The schedule."`
	Limit int    `default:"20" help:"How many, newest first."`
}

func (c schedulesSlots) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	page, err := api.Slots(ctx, c.Name, map[string][]string{"limit": {fmt.Sprint(c.Limit)}})
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(page)
	}
	table(g.out, func(row func(...any)) {
		row("DUE", "OUTCOME", "REASON", "DECIDED", "CYCLE")
		for _, s := range page.Slots {
			row(s.DueAt.UTC().Format(time.RFC3339), s.Outcome, text(s.Reason), clock(s.DecidedAt), text(s.CycleID))
		}
	})
	return nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
