package eval

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction/tagger"
)

func TestCoNLL04Relations(t *testing.T) {
	t.Parallel()
	reached(t, CoNLL04Relations)
}

func TestMeasured(t *testing.T) {
	t.Parallel()
	m := relationsFound{there: 5, pairs: []pair{{probability: .9, right: true}, {probability: 1, right: true}, {probability: .3, right: true}, {probability: .34}}}
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }
	if !near(m.precision(), .75) || !near(m.recall(), .6) || !near(m.f1(), 2*.75*.6/1.35) {
		t.Errorf("precision %v, recall %v, F1 %v", m.precision(), m.recall(), m.f1())
	}
	// The bin of .9 is .1 too low of 2, that of .3 is .36 of 2 too low.
	if got := m.calibrationError(); !near(got, (.1+.36)/4) {
		t.Errorf("calibration error %v", got)
	}
	if none := (relationsFound{}); none.f1() != 0 || none.calibrationError() != 0 {
		t.Errorf("of nothing: %v, %v", none.f1(), none.calibrationError())
	}
}

func TestEntitiesThatMayBe(t *testing.T) {
	t.Parallel()
	guess := func(start, end int, kind string, chance float64) tagger.Guess {
		return tagger.Guess{Span: tagger.Span{Start: start, End: end, Type: kind}, Confidence: chance}
	}
	s := CoNLLSentence{
		Tokens: []string{"Ann", "Lee", "left", "New", "Oslo"}, Spans: []CoNLLSpan{{0, 2, "Peop"}, {3, 5, "Loc"}},
		Relations: []CoNLLRelation{{0, 1, "Live_In"}},
	}
	n := tagged{s, []tagger.Guess{guess(0, 2, "Peop", .9), guess(4, 5, "Loc", .5)}, []tagger.Guess{guess(3, 5, "Loc", .4)}}
	var got []string
	for _, e := range n.examples() {
		a, b := e.Sentence.Mentions[e.Subject], e.Sentence.Mentions[e.Object]
		got = append(got, fmt.Sprint(a.Start, a.End, " ", b.Start, b.End, " of ", len(e.Sentence.Mentions), " ", e.Relation))
	}
	// What overlaps is in no sentence together.
	want := []string{"0 2 4 5 of 2 ", "4 5 0 2 of 2 ", "3 5 0 2 of 2 ", "0 2 3 5 of 2 Live_In"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}
