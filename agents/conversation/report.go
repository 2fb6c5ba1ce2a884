package conversation

import (
	"fmt"
	"strings"
	"unicode"
)

// plotLine shows the plot in the report.
const plotLine = "\n![Differences with their intervals](%s)"

// title is the pull request's.
func (e Evidence) title(lines int) string {
	name := []rune(strings.Join(strings.FieldsFunc(e.Prompt, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }), " "))
	patterns := fmt.Sprintf("%d patterns that go", lines)
	if lines == 1 {
		patterns = "1 pattern that goes"
	}
	return fmt.Sprintf("%s: %s with won or lost conversations, %s to %s", string(name[:min(len(name), 100)]), patterns, e.From, e.AsOf)
}

// Report is what a person reads before merging, in Markdown. plot is the forest plot's
// file beside it; empty leaves it out.
func (e Evidence) Report(lines []Line, leftOut []Omission, plot string) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("# What won and lost conversations differed in\n")
	say("This is a proposal to change the prompt **%s**: the lines between `%s` and `%s`, and nothing else. Merge it if the lines make sense to you; close it if they don't. A proposal that was closed is not made again from the same conversations.\n",
		plain(e.Prompt), blockBegin, blockEnd)

	say("## What was looked at\n")
	say("%d conversations that began from %s to %s: %d won, %d lost. Of each, what the agent said and did before the outcome; what clients wrote was not looked for patterns.", e.Conversations, e.From, e.AsOf, e.Won, e.Conversations-e.Won)
	say("Patterns were looked for in the earlier %d conversations (%d won) and asked for once more in the later %d (%d won), which had no part in finding them.", e.Earlier.Conversations, e.Earlier.Won, e.Later.Conversations, e.Later.Won)
	for _, o := range e.Omitted {
		say("- left out: %d conversations, %s", o.Rows, plain(o.Reason))
	}

	say("\n## What was found\n")
	say("Of %d features, %d tell won from lost in the earlier conversations (at most %.0f %% of them are expected to be chance), and %d of these did so again in the later ones. %s in the prompt:\n",
		e.Features, e.Found, 100*e.Q, len(e.Patterns), stand(len(lines)))
	say("| | pattern | goes with | difference, points (95 %%) | later difference (95 %%) | q | n, with it | later n, with it | examples |")
	say("|---|---|---|---|---|---|---|---|---|")
	for i, line := range lines {
		p := e.Patterns[line.Pattern]
		what, _ := p.inWords()
		say("| %d | %s | %s | %s | %s | %s | %d, %d | %d, %d | %s |", i+1, plain(what), p.goesWith(), interval(p.RiskDifference), interval(*p.Later), figure(p.Q),
			p.Counts.With+p.Counts.Without, p.Counts.With, p.LaterCounts.With+p.LaterCounts.Without, p.LaterCounts.With, plain(strings.Join(p.Examples, ", ")))
	}
	say("\nA difference of +10 points: of a hundred conversations with it, ten more were won than of a hundred without, compared within the same channel, segment and month. The interval is where the true difference lies, in 95 of 100 such intervals.")
	if plot != "" {
		say(plotLine, plot)
	}
	if len(leftOut) > 0 {
		say("\nConfirmed, and left out of the prompt:\n")
		for _, o := range leftOut {
			say("- %d: %s", o.Rows, o.Reason)
		}
	}

	say("\n## What it does not say\n")
	say("- **Association, not cause.** What goes with winning need not bring it about: an agent may say it because the client has already decided.")
	say("- %s%s. What is not in the table was not shown to matter, nor shown not to.", strings.ToUpper(smallest(e.Detectable, e.Earlier.Conversations)[:1]), smallest(e.Detectable, e.Earlier.Conversations)[1:])
	say("- Whether the changed prompt wins more conversations. That is seen afterwards, with `GET prompts/{id}/effect`, and even then only as an association in time.")

	say("\n## How to check it\n")
	say("1. Read some of the examples in your own system; their ids are in the table.")
	say("2. `ciclo patterns --confirmed` shows the patterns with their odds ratios and p-values, `ciclo patterns history` whether earlier runs found them too.")
	say("3. Compare the prompt before and after: only the block may differ.")
	say("4. Once the merged prompt is in use under a version of its own, `ciclo prompts effect` compares the versions.")
	return b.String()
}

func stand(lines int) string {
	if lines == 1 {
		return "One stands"
	}
	return fmt.Sprintf("%d stand", lines)
}

func interval(i Interval) string {
	return fmt.Sprintf("%s (%s to %s)", points(i.Estimate), points(i.Low), points(i.High))
}

// plain is text that Markdown takes for text, on one line.
var markdown = strings.NewReplacer("\\", "\\\\", "|", "\\|", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "<", "&lt;", ">", "&gt;", "\n", " ", "\r", " ")

func plain(text string) string { return markdown.Replace(text) }
