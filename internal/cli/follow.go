package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/client"
)

type watchCommand struct {
	ID string `arg:"" help:"The execution."`
}

func (c watchCommand) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	e, err := follow(ctx, g, api, c.ID)
	if err != nil {
		return err
	}
	if g.JSON {
		err = g.printJSON(e)
	} else {
		printResult(g.out, e)
	}
	return errors.Join(err, outcome(e))
}

type eventsCommand struct {
	ID    string `arg:"" help:"The execution."`
	After string `help:"Go on after the event with this id."`
}

func (c eventsCommand) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	return api.Events(ctx, c.ID, c.After, func(e client.Event) error {
		if g.JSON {
			return json.NewEncoder(g.out).Encode(e) // one line each
		}
		_, err := fmt.Fprintln(g.out, eventLine(e))
		return err
	})
}

// eventLine is an event in one line.
func eventLine(e client.Event) string {
	var t client.Transition
	var s client.Step
	var p client.Progress
	switch {
	case e.Kind == "transition" && json.Unmarshal(e.Data, &t) == nil:
		return fmt.Sprintf("%s  %-10s attempt %d: %s", clock(t.At), t.To, t.Attempt, t.Reason)
	case e.Kind == "step" && json.Unmarshal(e.Data, &s) == nil:
		return fmt.Sprintf("%s  %-10s %s, %.3f s", clock(s.EndedAt), e.Kind, s.Name, s.DurationSeconds)
	case e.Kind == "progress" && json.Unmarshal(e.Data, &p) == nil:
		return fmt.Sprintf("%s  %-10s %s (%d of %d)", clock(p.At), e.Kind, p.Text, p.Done, p.Total)
	default:
		return e.Kind + " " + string(e.Data)
	}
}

// follow shows an execution until it is final: on a terminal in one line that
// moves, elsewhere a line for each change.
func follow(ctx context.Context, g *Globals, api *client.Client, id string) (client.Execution, error) {
	if g.JSON || !terminal(g.err) {
		return api.Wait(ctx, id, func(e client.Execution) { g.say("  %s", line(e)) })
	}
	e, err := api.Wait(ctx, id, func(e client.Execution) { fmt.Fprintf(g.err, "\r\x1b[K  %s", bar(e, time.Now())) })
	fmt.Fprintln(g.err)
	return e, err
}

// barWidth is of the bar alone, in characters.
const barWidth = 24

// bar is a moment of an execution as a bar.
func bar(e client.Execution, now time.Time) string {
	if e.Status != "running" || e.Progress == nil || e.Progress.Total <= 0 {
		return line(e)
	}
	full := int(max(0, min(e.Progress.Total, e.Progress.Done)) * barWidth / e.Progress.Total)
	text := fmt.Sprintf("%-9s [%s%s] %d/%d %s", e.Status, strings.Repeat("#", full), strings.Repeat(".", barWidth-full), e.Progress.Done, e.Progress.Total, e.Progress.Text)
	if e.ETAAt != nil && e.ETAAt.After(now) {
		text += fmt.Sprintf(", about %s left", e.ETAAt.Sub(now).Round(time.Second))
	}
	return text
}

func terminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
