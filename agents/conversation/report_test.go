package conversation

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// evidenceOf is evidence of patterns of every kind.
func evidenceOf(names ...string) Evidence {
	from, to := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC), time.Date(2026, 1, 30, 9, 0, 0, 0, time.UTC)
	e := Evidence{
		Prompt: "sales", From: "2026-01-01", AsOf: "2026-01-30", Conversations: 400, Won: 200,
		Earlier: Part{280, 140, &from, &to}, Later: Part{120, 60, &to, &to}, Omitted: []Omission{{"open", 3}},
		Features: 40, Found: len(names) + 1, MinSupport: 30, Q: .1, Detectable: SmallestDetectable(280, 140, 40, .1),
	}
	for i, name := range names {
		p := Pattern{
			Kind: Ngram, Name: name, Counts: Counts{140, 98, 140, 42}, RiskDifference: Interval{.4, .29, .51}, Q: 1e-9, Confirmed: true,
			LaterCounts: Counts{60, 40, 60, 20}, Later: &Interval{.33, .16, .5}, Examples: []string{"c/1", "c/2"}, Same: []string{},
		}
		if i%2 == 1 {
			p.RiskDifference, p.Later, p.Examples = Interval{-.2, -.3, -.1}, &Interval{-.2, -.35, -.05}, nil
		}
		e.Patterns = append(e.Patterns, p)
	}
	return e
}

func linesOf(t *testing.T, e Evidence) []Line {
	t.Helper()
	candidates, err := Template{}.Propose(t.Context(), "", e)
	if err != nil || len(candidates) != 1 {
		t.Fatalf("%v, %v", candidates, err)
	}
	chosen, _, err := Template{}.Judge(t.Context(), "", e, candidates)
	if err != nil || chosen != 0 {
		t.Fatalf("%d, %v", chosen, err)
	}
	return candidates[0]
}

func TestTheTemplate(t *testing.T) {
	t.Parallel()
	lines := linesOf(t, evidenceOf("shall we begin", "only <money> ?"))
	want := []string{
		"- Goes with winning: the agent says “shall we begin”. Won 40.0 points more often (95 % CI +29.0 to +51.0; q < 0.0001; n 280, 140 of them with it); later conversations: +33.0 (+16.0 to +50.0; n 120, 60 with it). Examples: c/1, c/2.",
		"- Goes with losing: the agent says “only (an amount) ?”. Won 20.0 points less often (95 % CI -30.0 to -10.0; q < 0.0001; n 280, 140 of them with it); later conversations: -20.0 (-35.0 to -5.0; n 120, 60 with it). No example has an id that may be shown.",
	}
	for i, line := range lines {
		if line.Text != want[i] {
			t.Errorf("%s, want\n%s", line.Text, want[i])
		}
		if reason := NewLint(line.Foreign).Refuse(line); reason != "" {
			t.Errorf("%s: %s", line.Text, reason)
		}
	}
	if index, reason, err := (Template{}).Judge(t.Context(), "", Evidence{}, nil); index != -1 || reason == "" || err != nil {
		t.Errorf("of nothing it takes %d, %q, %v", index, reason, err)
	}
}

// Every feature that the miner knows has words of its own.
func TestEveryFeatureHasWords(t *testing.T) {
	t.Parallel()
	above := 90.
	for _, kind := range Kinds {
		if text, _ := (Pattern{Kind: kind, Name: "x", Above: &above}).inWords(); text == "" {
			t.Errorf("%s has none", kind)
		}
	}
	for _, one := range markers {
		if text, foreign := (Pattern{Kind: one.kind, Name: one.feature}).inWords(); strings.Contains(text, "the feature") || foreign != nil {
			t.Errorf("%s is %q", one.feature, text)
		}
	}
	if text, _ := (Pattern{Kind: Money, Name: "money_mentioned"}).inWords(); strings.Contains(text, "the feature") {
		t.Errorf("money_mentioned is %q", text)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	e := evidenceOf("shall we begin", "b", "c")
	report := e.Report(linesOf(t, e), []Omission{{holdsName, 2}}, "plot.svg")
	for _, text := range []string{
		"400 conversations that began from 2026-01-01 to 2026-01-30: 200 won, 200 lost", "left out: 3 conversations, open", "Of 40 features, 4 tell won from lost",
		"Association, not cause", "- 2: holds a word of a client's name", "![Differences with their intervals](plot.svg)", "| 1 | the agent says “shall we begin” | winning | +40.0 (+29.0 to +51.0) |",
		"The smallest difference that 280 conversations could have shown reliably is 23 points",
	} {
		if !strings.Contains(report, text) {
			t.Errorf("%q is not in %s", text, report)
		}
	}
	e.Prompt = "a\nb " + strings.Repeat("x", 200)
	if title := e.title(1); !strings.HasPrefix(title, "a b xxx") || len(title) > 200 || !strings.Contains(title, "1 pattern that goes with") {
		t.Errorf("the title is %q", title)
	}
	if got := plain("a|b`c*d_e[f]<g>\nh\\"); got != "a\\|b\\`c\\*d\\_e\\[f\\]&lt;g&gt; h\\\\" {
		t.Errorf("plain text is %s", got)
	}
}

// The plot is whole XML without anything that runs, and the same bytes each time.
func TestForest(t *testing.T) {
	t.Parallel()
	names := []string{"shall we begin", "b", "שלום & <b>", "謝謝", strings.Repeat("long ", 30)}
	for n := 1; n <= len(names); n++ {
		e := evidenceOf(names[:n]...)
		first, err := e.Forest(linesOf(t, e))
		if err != nil {
			t.Fatal(err)
		}
		second, err := e.Forest(linesOf(t, e))
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("a second time it differs, %v", err)
		}
		texts := 0
		for dec := xml.NewDecoder(bytes.NewReader(first)); ; {
			token, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if start, is := token.(xml.StartElement); is {
				if start.Name.Local == "script" || start.Name.Local == "b" {
					t.Errorf("it holds <%s>", start.Name.Local)
				}
				if start.Name.Local == "text" {
					texts++
				}
			}
		}
		if texts < n+2 {
			t.Errorf("%d texts for %d patterns", texts, n)
		}
		if at := os.Getenv("CICLO_FOREST"); at != "" && n == len(names) { // to look at it
			if err := os.WriteFile(at, first, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The same evidence and base are the same key; anything else is another one.
func TestKey(t *testing.T) {
	t.Parallel()
	e := evidenceOf("a")
	hash := func(e Evidence, lines ...string) string {
		h, err := e.hash(lines)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	key := e.key("base", hash(e, "x"))
	later := evidenceOf("a")
	later.AsOf = "2026-01-31"
	won := evidenceOf("a")
	won.Patterns[0].Counts.WithWon++
	for name, other := range map[string]string{
		"another base":    e.key("other", hash(e, "x")),
		"another line":    e.key("base", hash(e, "y")),
		"another pattern": e.key("base", hash(evidenceOf("b"), "x")),
		"another count":   e.key("base", hash(won, "x")),
		"another window":  later.key("base", hash(later, "x")),
	} {
		if other == key {
			t.Errorf("%s has the same key", name)
		}
	}
	if again := evidenceOf("a"); again.key("base", hash(again, "x")) != key {
		t.Error("the same evidence has another key")
	}
}
