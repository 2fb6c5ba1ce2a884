package conversation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
)

// template is how results name the lines that no model wrote.
const template = "template"

// try has the model write what the draft says in other words, and takes that where it
// passes the gate. The draft stays what it is otherwise, and says why.
func (m *mining) try(ctx context.Context, base string, d draft) (draft, error) {
	if _, err := m.task.Calls(); errors.Is(err, agents.ErrNoLedger) {
		return d, nil // a dry run is as without a model
	}
	if d.inForce(base) {
		d.Lines, d.Reason = []Line{}, "the prompt holds lines of these patterns already"
		return d, nil
	}
	trial := &Trial{Engine: m.trainer.Model.Engine(), LeftOut: []Omission{}, Dev: []Tally{}}
	d.Trial = trial
	var err error
	if trial.Known, err = m.known(ctx, base, d); err != nil {
		return d, err
	}
	if trial.Known {
		trial.Reason = "nobody was asked: these patterns were proposed already"
		return d, nil
	}
	dev, heldOut, err := m.scenes(ctx, d.Evidence)
	if err != nil {
		return d, err
	}
	if len(heldOut) < leastPairs {
		trial.Reason = fmt.Sprintf("nobody was asked: %d of the later conversations can be judged, and fewer than %d show nothing", len(heldOut), leastPairs)
		return d, nil
	}
	author := &ModelAuthor{Model: m.trainer.Model, Task: m.task, Lines: d.Lines, MaxLines: m.p.MaxLines, dev: dev, heldOut: heldOut, trial: trial}
	if author.labels, err = m.labels(ctx, heldOut, d.Evidence); err != nil {
		return d, err
	}
	by, err := m.written(ctx, author, base, d.Evidence)
	if err != nil {
		return d, err
	}
	trial.LeftOut = omissions(by.refused)
	if len(by.Lines) == 0 {
		trial.Reason = by.Reason
		return d, nil
	}
	trial.Taken = true
	by.Trial, by.Of, by.LeftOut = trial, d.Lines, d.LeftOut
	if n := len(d.Lines) - len(by.Lines); n > 0 {
		by.LeftOut = append(by.LeftOut, Omission{"not taken up by the model", n})
	}
	return by, nil
}

// inForce says whether a prompt has one of the lines with these very figures, as one has
// that took the proposal of the same conversations, in whoever's words.
func (d draft) inForce(base string) bool {
	return slices.ContainsFunc(d.Lines, func(line Line) bool { return strings.Contains(base, strings.TrimPrefix(line.Text, "- ")) })
}

// known says whether these patterns were proposed already. That is done once, whoever
// would write the lines this time.
func (m *mining) known(ctx context.Context, base string, d draft) (proposed bool, err error) {
	id, _, err := d.id(base)
	if err != nil {
		return false, err
	}
	err = m.task.Read(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM ciclo.prompt_proposals WHERE id = $1)`, id).Scan(&proposed)
	})
	if err != nil {
		return false, fmt.Errorf("look for an earlier proposal: %w", err)
	}
	return proposed, nil
}

// labels are what segments are called in results and reports.
func (m *mining) labels(ctx context.Context, scenes []scene, e Evidence) (map[string]string, error) {
	labels := map[string]string{"": "without a segment"}
	var names []string
	for _, s := range scenes {
		names = append(names, plainSegment(s.segment))
	}
	lint, err := m.lint(ctx, names, e)
	if err != nil {
		return nil, err
	}
	for _, s := range scenes {
		if s.segment == "" {
			continue
		}
		labels[s.segment] = s.segment
		if utf8.RuneCountInString(s.segment) > 80 || lint.Refuse(Line{Text: s.segment, Foreign: []string{plainSegment(s.segment)}}) != withoutAnyReason {
			labels[s.segment] = "a segment whose name may not be shown"
		}
	}
	return labels, nil
}

// plainSegment is a segment's name without the sign that markup is told by.
func plainSegment(name string) string { return strings.ReplaceAll(name, "_", "-") }

// engine is who wrote the draft; empty where no model is configured, or where an
// earlier run's is taken.
func (d draft) engine() string {
	switch {
	case d.Trial == nil || d.Trial.Known:
		return ""
	case d.Trial.Taken:
		return d.Trial.Engine
	default:
		return template
	}
}

// report is the part of the report that says who wrote the lines; none without a model.
func (t *Trial) report(lines []Line) string {
	if t == nil {
		return ""
	}
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("\n## Who wrote the lines\n")
	if t.Taken {
		say("The first sentence of each was written by the language model **%s**; what follows, figures and examples, by a program:\n", plain(t.Engine))
		for i, line := range lines {
			say("%d. %s", i+1, plain(line.Advice))
		}
		say("")
	} else {
		say("A program, in fixed words. The language model **%s** was asked for better ones, and they are not proposed: %s.\n", plain(t.Engine), plain(t.Reason))
	}
	say("Candidates of the model that passed the lint: %d.", t.Candidates)
	for _, o := range t.LeftOut {
		say("- left out: %d of its lines, %s", o.Rows, o.Reason)
	}
	for i, d := range t.Dev {
		say("- candidate %d, on the conversations that choose among them: %s", i+1, d)
	}
	if t.HeldOut == nil {
		return b.String()
	}
	say("\nThe chosen one was judged once, on later conversations that had no part in finding the patterns nor in choosing. In each the model wrote the agent's next reply by the prompt as it is and by the changed one, and was asked twice, in both orders, which is better, without being told whose they are; where the two answers differ, neither is.\n")
	say("| | better | worse | alike | not judged | p |")
	say("|---|---|---|---|---|---|")
	say("| all | %d | %d | %d | %d | %s (of being better; at most %.2f passes) |", t.HeldOut.Wins, t.HeldOut.Losses, t.HeldOut.Ties, t.HeldOut.Unjudged, figure(t.HeldOut.P), gateP)
	for _, s := range t.HeldOut.Segments {
		say("| %s | %d | %d | %d | %d | %s (of being worse) |", plain(s.Segment), s.Wins, s.Losses, s.Ties, s.Unjudged, figure(s.P))
	}
	say("\nThat is what a model thinks of replies that no client has read. It is no evidence that more conversations are won.")
	return b.String()
}
