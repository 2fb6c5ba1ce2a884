package tagger

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestLearnsWhatContextTells(t *testing.T) {
	t.Parallel()
	m, err := Train(newGrammar(1).sentences(300), Defaults())
	if err != nil {
		t.Fatal(err)
	}
	r := m.NewReader()
	wrong := 0
	for _, s := range newGrammar(2).sentences(200) { // names that were never seen
		var got []Span
		for _, g := range r.Read(s.Tokens, nil) {
			got = append(got, g.Span)
			if !(g.Confidence > 0 && g.Confidence < 1) {
				t.Errorf("confidence %v", g.Confidence)
			}
		}
		if !slices.Equal(got, s.Spans) {
			wrong++
			t.Logf("%q: %q, want %q", s.Tokens, spansText(s, got), spansText(s, s.Spans))
		}
	}
	if wrong > 2 {
		t.Errorf("%d of 200 sentences are read wrongly", wrong)
	}
}

func TestOrderOfTrainingIsOfNoMatter(t *testing.T) {
	t.Parallel()
	all := newGrammar(3).sentences(80)
	first, err := Train(all, quick)
	if err != nil {
		t.Fatal(err)
	}
	want := first.Encode()
	random := rand.New(rand.NewPCG(1, 1))
	for range 5 {
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		again, err := Train(append(all, all[0]), quick) // one twice counts once
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Encode(), want) {
			t.Fatal("another order gives another model")
		}
	}
}

func TestUnknownTokensTeachNothing(t *testing.T) {
	t.Parallel()
	// Half of the people are unknown; taken for no names they would teach that what
	// says something is none.
	all := newGrammar(4).sentences(300)
	for i, s := range all {
		if i%2 == 0 {
			all[i] = Sentence{Tokens: s.Tokens, Unknown: make([]bool, len(s.Tokens))}.hideAll(s.Spans)
		}
	}
	m, err := Train(all, Defaults())
	if err != nil {
		t.Fatal(err)
	}
	r := m.NewReader()
	found, names := 0, 0
	for _, s := range newGrammar(5).sentences(200) {
		names += len(s.Spans)
		for _, span := range r.decode(s.Tokens, nil) {
			if s.has(span) {
				found++
			}
		}
	}
	if found < names*95/100 {
		t.Errorf("%d of %d names are found", found, names)
	}
}

// hideAll makes the tokens of spans unknown.
func (s Sentence) hideAll(spans []Span) Sentence {
	for _, span := range spans {
		for i := span.Start; i < span.End; i++ {
			s.Unknown[i] = true
		}
	}
	return s
}

func TestTrainRefuses(t *testing.T) {
	t.Parallel()
	good := Sentence{Tokens: []string{"Ann", "sleeps"}, Spans: []Span{{0, 1, "person"}}}
	many := Sentence{}
	for i := range maxTypes + 1 {
		many.Tokens = append(many.Tokens, "A")
		many.Spans = append(many.Spans, Span{i, i + 1, string(rune('a' + i))})
	}
	for name, sentences := range map[string][]Sentence{
		"spans beyond the tokens":   {{Tokens: []string{"Ann"}, Spans: []Span{{0, 2, "person"}}}},
		"spans that overlap":        {{Tokens: []string{"Ann", "Lee"}, Spans: []Span{{0, 2, "person"}, {1, 2, "person"}}}},
		"empty spans":               {{Tokens: []string{"Ann"}, Spans: []Span{{0, 0, "person"}}}},
		"spans that begin before":   {{Tokens: []string{"Ann"}, Spans: []Span{{-1, 1, "person"}}}},
		"names without type":        {{Tokens: []string{"Ann"}, Spans: []Span{{0, 1, ""}}}},
		"too many types":            {many},
		"unknown of another length": {{Tokens: []string{"Ann", "Lee"}, Unknown: []bool{true}}},
	} {
		if _, err := Train(append(sentences, good), quick); err == nil || errors.Is(err, ErrTooLittle) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, sentences := range map[string][]Sentence{"no sentence": nil, "no name": {{Tokens: []string{"It", "rains"}}}, "no token": {{}}} {
		if _, err := Train(sentences, quick); !errors.Is(err, ErrTooLittle) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Settings){
		"no epoch":           func(s *Settings) { s.Epochs = 0 },
		"no run":             func(s *Settings) { s.Runs = 0 },
		"no count":           func(s *Settings) { s.MinCount = 0 },
		"a share above one":  func(s *Settings) { s.Mask = 1.1 },
		"a share of NaN":     func(s *Settings) { s.Mask = math.NaN() },
		"a margin below 0":   func(s *Settings) { s.Margin = -1 },
		"an infinite margin": func(s *Settings) { s.Margin = math.Inf(1) },
	} {
		s := quick
		change(&s)
		if _, err := Train([]Sentence{good}, s); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
