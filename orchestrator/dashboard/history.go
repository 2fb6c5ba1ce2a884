package dashboard

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/orchestrator/dashboard/chart"
)

// history is an execution drawn: what came when by the clock, and what each of its
// attempts did since it began.
type history struct {
	Clock, Attempts template.HTML
	// Drawn is how many attempts the second one has, of all.
	Drawn, Of int
}

const (
	// drawnAttempts bounds those whose steps are drawn, and drawnBars what is drawn of one kind.
	drawnAttempts = 12
	drawnBars     = 200
	// drawnLevels is how many steps are drawn above each other where they overlap.
	drawnLevels = 4
)

// outcomes are the classes of how attempts end.
var outcomeClass = map[string]string{
	"completed": "completed", "failed": "failed", "lost": "failed", "cancelled": "cancelled", "interrupted": "interrupted", "given_back": "interrupted", "": "running",
}

func historyOf(e client.Execution, steps []client.Step, now time.Time, zone *time.Location) history {
	end := now
	if e.EndedAt != nil {
		end = *e.EndedAt
	}
	at := func(t time.Time) float64 { return max(0, t.Sub(e.StartedAt).Seconds()) }
	tries := e.Attempts[max(0, len(e.Attempts)-drawnBars):]
	var attempts, moves chart.Lane
	attempts.Label, moves.Label = "Waits and attempts", "Moves"
	waited := e.StartedAt
	if len(tries) < len(e.Attempts) {
		waited = tries[0].StartedAt
	}
	wait := func(until time.Time) {
		if until.After(waited) {
			attempts.Bars = append(attempts.Bars, chart.Span{From: at(waited), To: at(until), Class: "wait", Thin: true, Title: "waited " + seconds(until.Sub(waited).Seconds())})
		}
	}
	h := history{Of: len(e.Attempts)}
	var said []string
	for _, a := range tries {
		wait(a.StartedAt)
		ended := end
		if a.EndedAt != nil {
			ended = *a.EndedAt
		}
		title := attemptTitle(a, ended)
		said = append(said, title)
		attempts.Bars = append(attempts.Bars, chart.Span{From: at(a.StartedAt), To: at(ended), Class: outcomeClass[textOf(a.Outcome)], Text: fmt.Sprint(a.Attempt), Title: title})
		waited = ended
	}
	if !e.Final() || len(tries) == 0 {
		wait(end)
	}
	for _, t := range e.Transitions[max(0, len(e.Transitions)-drawnBars):] {
		moves.Marks = append(moves.Marks, chart.Mark{At: at(t.At), Class: t.To, Title: moveTitle(t, zone)})
	}
	if len(said) == 0 {
		said = []string{"no attempt yet"}
	}
	h.Clock = chart.Clock("Waits and attempts over time", clip(600, strings.Join(said, "; ")), e.StartedAt, end, zone, []chart.Lane{attempts, moves})
	h.Attempts, h.Drawn = attemptsChart(tries, steps, end)
	return h
}

func attemptTitle(a client.Attempt, ended time.Time) string {
	outcome := words(textOf(a.Outcome))
	if outcome == "" {
		outcome = "running"
	}
	return fmt.Sprintf("attempt %d: %s, %s", a.Attempt, outcome, seconds(ended.Sub(a.StartedAt).Seconds()))
}

func moveTitle(t client.Transition, zone *time.Location) string {
	from := t.From
	if from == "" {
		from = "new"
	}
	return fmt.Sprintf("%s: %s to %s: %s", t.At.In(zone).Format("2 Jan 15:04:05"), from, t.To, clip(200, t.Reason))
}

// attemptsChart draws the last attempts beneath each other, each from its own begin,
// with the steps that it finished.
func attemptsChart(tries []client.Attempt, steps []client.Step, end time.Time) (drawn template.HTML, n int) {
	tries = tries[max(0, len(tries)-drawnAttempts):]
	var lanes []chart.Lane
	longest, left := 0., drawnBars
	for _, a := range tries {
		ended := end
		if a.EndedAt != nil {
			ended = *a.EndedAt
		}
		took := ended.Sub(a.StartedAt).Seconds()
		longest = max(longest, took)
		title := attemptTitle(a, ended)
		name, _, _ := strings.Cut(title, ",")
		lane := chart.Lane{Label: name, Bars: []chart.Span{{To: took, Class: outcomeClass[textOf(a.Outcome)], Title: title, Text: seconds(took)}}}
		var spans [][2]float64
		for _, s := range steps {
			if s.Attempt != a.Attempt || s.CopiedFrom != nil || left == 0 {
				continue
			}
			left--
			from, to := max(0, s.StartedAt.Sub(a.StartedAt).Seconds()), max(0, s.EndedAt.Sub(a.StartedAt).Seconds())
			spans = append(spans, [2]float64{from, to})
			lane.Bars = append(lane.Bars, chart.Span{From: from, To: to, Class: "step", Text: s.Name, Title: fmt.Sprintf("step %s, %s", s.Name, seconds(to-from))})
		}
		for i, level := range chart.Packed(spans, drawnLevels) {
			lane.Bars[i+1].Level = level + 1
		}
		lanes = append(lanes, lane)
	}
	if len(lanes) == 0 {
		return "", 0
	}
	return chart.Elapsed("Attempts and their steps", fmt.Sprintf("%d attempts, each from its begin, and the steps that they finished", len(lanes)), longest, lanes), len(lanes)
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
