package tagger

import (
	"fmt"
	"slices"
	"testing"
)

func TestAlternatives(t *testing.T) {
	t.Parallel()
	var sentences []Sentence
	for i := range 40 {
		place, firm := fmt.Sprintf("Place%d", i%7), fmt.Sprintf("Firm%d", i%5)
		sentences = append(sentences,
			Sentence{Tokens: []string{"she", "lives", "in", place, "now", fmt.Sprint(i)}, Spans: []Span{{3, 4, "Loc"}}},
			Sentence{Tokens: []string{"he", "works", "for", firm, "Ltd", fmt.Sprint(i)}, Spans: []Span{{3, 5, "Org"}}})
	}
	m, err := Train(sentences, Defaults())
	if err != nil {
		t.Fatal(err)
	}
	r := m.NewReader()
	tokens := []string{"she", "works", "in", "Elsewhere", "Ltd", "now"}
	best := slices.Clone(r.Read(tokens, nil))
	all := r.Alternatives(tokens, 0)
	// Of each place of six tokens and each of two types.
	if len(all) != 21*2 {
		t.Errorf("%d alternatives", len(all))
	}
	for _, g := range best {
		if !slices.Contains(all, g) {
			t.Errorf("%v, the best, is not among them", g)
		}
	}
	for _, g := range all {
		if !(g.Confidence > 0 && g.Confidence < 1) {
			t.Errorf("%v has no chance", g)
		}
	}
	likely := r.Alternatives(tokens, .1)
	want := slices.DeleteFunc(all, func(g Guess) bool { return g.Confidence < .1 })
	if !slices.Equal(likely, want) {
		t.Errorf("with a chance of .1: %v, not %v", likely, want)
	}
	if got := r.Alternatives(nil, 0); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}
