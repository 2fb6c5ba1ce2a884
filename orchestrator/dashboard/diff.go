package dashboard

import (
	"strings"
	"unicode"

	"github.com/sergi/go-diff/diffmatchpatch"
)

// diffLine is a line of a diff, or lines that are left out between others.
type diffLine struct {
	// Kind is same, added, removed or skipped.
	Kind  string
	Parts []diffPart
	// Skipped counts the lines that are left out.
	Skipped int
}

// diffPart is a stretch of a line; Changed ones are not in the line's counterpart.
type diffPart struct {
	Text    string
	Changed bool
}

const (
	// diffContext is how many lines around a change are shown.
	diffContext = 3
	// maxDiffLines and maxDiffLine bound what is shown, in lines and characters a line.
	maxDiffLines = 400
	maxDiffLine  = 2000
)

// diffOf compares two texts line by line, and changed lines word by word. whole is
// false where it is cut.
func diffOf(before, after string) (lines []diffLine, whole bool) {
	a, b := splitLines(before), splitLines(after)
	for _, run := range compare(a, b) {
		switch {
		case run.same != nil:
			for _, text := range run.same {
				lines = append(lines, diffLine{Kind: "same", Parts: []diffPart{{Text: clipLines(maxDiffLine, text)}}})
			}
		case len(run.removed) == len(run.added):
			for i := range run.removed {
				removed, added := diffWords(clipLines(maxDiffLine, run.removed[i]), clipLines(maxDiffLine, run.added[i]))
				lines = append(lines, diffLine{Kind: "removed", Parts: removed}, diffLine{Kind: "added", Parts: added})
			}
		default:
			lines = append(append(lines, changedLines("removed", run.removed)...), changedLines("added", run.added)...)
		}
	}
	lines = leaveOut(lines)
	if len(lines) > maxDiffLines {
		return lines[:maxDiffLines], false
	}
	return lines, true
}

func changedLines(kind string, texts []string) (lines []diffLine) {
	for _, text := range texts {
		lines = append(lines, diffLine{Kind: kind, Parts: []diffPart{{Text: clipLines(maxDiffLine, text), Changed: true}}})
	}
	return lines
}

// splitLines takes a text apart; a last line without an end is told from one with it.
func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	}
	return lines
}

// splitWords takes a line apart so that joining gives it again.
func splitWords(line string) (words []string) {
	from, wasWord := 0, false
	for i, r := range line {
		isWord := unicode.IsLetter(r) || unicode.IsDigit(r)
		if i > from && (isWord != wasWord || !isWord) {
			words, from = append(words, line[from:i]), i
		}
		wasWord = isWord
	}
	if from < len(line) {
		words = append(words, line[from:])
	}
	return words
}

// stretch are tokens in a row that are in both, or that one was replaced by.
type stretch struct {
	same, removed, added []string
}

// compare finds the fewest tokens that differ. The library compares runes: each
// token that differs from others is one.
func compare(a, b []string) (all []stretch) {
	known := map[string]rune{}
	tokens := map[rune]string{}
	next := rune(1)
	runes := func(texts []string) []rune {
		out := make([]rune, len(texts))
		for i, text := range texts {
			r, ok := known[text]
			if !ok {
				if next == 0xd800 {
					next = 0xe000 // surrogates are no characters
				}
				r = next
				known[text], tokens[r] = r, text
				next++
			}
			out[i] = r
		}
		return out
	}
	var now stretch
	flush := func() {
		if now.removed != nil || now.added != nil {
			all = append(all, now)
		}
		now = stretch{}
	}
	for _, d := range diffmatchpatch.New().DiffMainRunes(runes(a), runes(b), false) {
		var texts []string
		for _, r := range d.Text {
			texts = append(texts, tokens[r])
		}
		switch d.Type {
		case diffmatchpatch.DiffEqual:
			flush()
			all = append(all, stretch{same: texts})
		case diffmatchpatch.DiffDelete:
			now.removed = append(now.removed, texts...)
		case diffmatchpatch.DiffInsert:
			now.added = append(now.added, texts...)
		}
	}
	flush()
	return all
}

// diffWords marks what differs between a line and what it became.
func diffWords(before, after string) (removed, added []diffPart) {
	for _, s := range compare(splitWords(before), splitWords(after)) {
		if s.same != nil {
			text := strings.Join(s.same, "")
			removed, added = append(removed, diffPart{Text: text}), append(added, diffPart{Text: text})
			continue
		}
		if s.removed != nil {
			removed = append(removed, diffPart{strings.Join(s.removed, ""), true})
		}
		if s.added != nil {
			added = append(added, diffPart{strings.Join(s.added, ""), true})
		}
	}
	return removed, added
}

// leaveOut keeps the changes and some lines around them.
func leaveOut(lines []diffLine) (kept []diffLine) {
	near := make([]bool, len(lines))
	for i, l := range lines {
		if l.Kind != "same" {
			for at := max(0, i-diffContext); at <= min(len(lines)-1, i+diffContext); at++ {
				near[at] = true
			}
		}
	}
	for i, l := range lines {
		switch {
		case near[i]:
			kept = append(kept, l)
		case i > 0 && !near[i-1]:
			kept[len(kept)-1].Skipped++
		default:
			kept = append(kept, diffLine{Kind: "skipped", Skipped: 1})
		}
	}
	return kept
}
