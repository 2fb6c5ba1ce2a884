package tagger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

// matched are messages of the grammar, with what a gazetteer would find of them.
func matched(g grammar, n int) (messages []extraction.Message, found []extraction.Found) {
	for i := range n {
		s := g.sentence()
		m := extraction.Message{ID: fmt.Sprint(i), Body: strings.Join(s.Tokens, " ")}
		var f extraction.Found
		for _, span := range s.Spans {
			start := len(strings.Join(s.Tokens[:span.Start], " "))
			if start > 0 {
				start++
			}
			name := strings.Join(s.Tokens[span.Start:span.End], " ")
			f.Mentions = append(f.Mentions, extraction.Mention{
				Span: extraction.Span{Start: start, End: start + len(name)}, Type: extraction.Type(span.Type),
				Key: strings.ToLower(name), Name: name, Extractor: "list", Version: "1", Confidence: 1,
			})
		}
		messages, found = append(messages, m), append(found, f)
	}
	return messages, found
}

func trained(tb testing.TB) *Model {
	tb.Helper()
	m, err := TrainMatches(matched(newGrammar(8), 400))
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func TestFindsNamesThatNoListHas(t *testing.T) {
	t.Parallel()
	tagger := New(trained(t))
	messages, found := matched(newGrammar(9), 200)
	right, guessed, names := 0, 0, 0
	for i, m := range messages {
		names += len(found[i].Mentions)
		got, err := tagger.Extract(context.Background(), m, extraction.Found{})
		if err != nil {
			t.Fatal(err)
		}
		for _, mention := range got.Mentions {
			guessed++
			if mention.Extractor != Name || mention.Version != tagger.Version() || mention.Confidence < Threshold || mention.Confidence > 1 {
				t.Errorf("%+v", mention)
			}
			if m.Body[mention.Start:mention.End] != mention.Name || mention.Key != extraction.Normal(mention.Type, mention.Name) {
				t.Errorf("%+v is at %q", mention, m.Body[mention.Start:mention.End])
			}
			if slices.ContainsFunc(found[i].Mentions, func(o extraction.Mention) bool { return o.Span == mention.Span && o.Type == mention.Type }) {
				right++
			}
		}
	}
	if right < names*9/10 || right < guessed*95/100 {
		t.Errorf("%d of %d names are found, and %d that are none", right, names, guessed-right)
	}
}

func TestLeavesWhatWasFound(t *testing.T) {
	t.Parallel()
	tagger := New(trained(t))
	body := "Mr Bakoten lives in Rivi . Mr Dargo lives in Salo ."
	given := extraction.Found{
		// Known as a topic, and half a word: both stay as they are, and nothing is added there.
		Mentions: []extraction.Mention{
			{Span: extraction.Span{Start: 3, End: 10}, Type: extraction.Topic, Key: "bakoten", Name: "Bakoten", Extractor: "list", Version: "1", Confidence: 1},
			{Span: extraction.Span{Start: 20, End: 22}, Type: extraction.Location, Key: "ri", Name: "Ri", Extractor: "list", Version: "1", Confidence: 1},
		},
		Contacts: []extraction.Contact{{Span: extraction.Span{Start: 30, End: 35}, Kind: extraction.Email, Value: "x", Of: 0, Extractor: "exact", Version: "1"}},
	}
	before := fmt.Sprintf("%+v", given)
	got, err := tagger.Extract(context.Background(), extraction.Message{Body: body}, given)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%+v", given) != before {
		t.Error("what was given is changed")
	}
	if !reflect.DeepEqual(got.Mentions[:2], given.Mentions) || !reflect.DeepEqual(got.Contacts, given.Contacts) {
		t.Errorf("what was given is not kept: %+v", got)
	}
	var names []string
	for _, m := range got.Mentions[2:] {
		names = append(names, string(m.Type)+" "+m.Name)
	}
	if want := []string{"location Salo"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

func TestOddMessages(t *testing.T) {
	t.Parallel()
	tagger := New(trained(t))
	long := strings.Repeat("Bakoten ", 1<<17)
	for name, body := range map[string]string{
		"empty":                    "",
		"blanks":                   " \n\t\u00a0\u2028",
		"signs":                    "?!…—«»\"'...,,,",
		"zero-width and combining": "Mr Ba\u200bko\u0301ten lives in \u200bRi\u200dvi\ufeff .",
		"right to left":            "Mr \u202eבקוטן lives in ריוי .",
		"without blanks":           "雅加达是印度尼西亚的首都。",
		"emoji":                    "Mr 👩‍👩‍👧 lives in 🏝️ .",
		"capitals alone":           "MR BAKOTEN LIVES IN RIVI .",
		"one long word":            strings.Repeat("A", 1<<20),
		"one long sentence":        long,
		"quotes":                   strings.Repeat("'", 100_000),
	} {
		got, err := tagger.Extract(context.Background(), extraction.Message{Body: body}, extraction.Found{})
		if err != nil {
			t.Fatal(err)
		}
		end := 0
		for _, m := range got.Mentions {
			if m.Start < end || m.End <= m.Start || body[m.Start:m.End] != m.Name || !utf8.ValidString(m.Name) || m.Key == "" {
				t.Fatalf("%s: %+v", name, m)
			}
			end = m.End
		}
	}
}

func TestExtractEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := New(trained(t)).Extract(ctx, extraction.Message{Body: "Mr Bakoten ."}, extraction.Found{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestMatchesInAnyOrderGiveTheSameModel(t *testing.T) {
	t.Parallel()
	messages, found := matched(newGrammar(10), 300)
	first, err := TrainMatches(messages, found)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(2, 2))
	random.Shuffle(len(messages), func(i, j int) {
		messages[i], messages[j] = messages[j], messages[i]
		found[i], found[j] = found[j], found[i]
	})
	again, err := TrainMatches(messages, found)
	if err != nil {
		t.Fatal(err)
	}
	if first.Version() != again.Version() {
		t.Error("another order gives another model")
	}
}

func TestTooFewMatches(t *testing.T) {
	t.Parallel()
	messages, found := matched(newGrammar(11), 60)
	if _, err := TrainMatches(messages, found); !errors.Is(err, ErrTooLittle) {
		t.Errorf("few sentences: %v", err)
	}
	if _, err := TrainMatches(nil, nil); !errors.Is(err, ErrTooLittle) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := TrainMatches(messages, found[1:]); err == nil || errors.Is(err, ErrTooLittle) {
		t.Errorf("messages that were not read: %v", err)
	}
	// One name in many sentences is one name.
	var same []extraction.Message
	var mentions []extraction.Found
	for i := range 300 {
		same = append(same, extraction.Message{Body: fmt.Sprintf("Bako asked about file %d .", i)})
		mentions = append(mentions, extraction.Found{Mentions: []extraction.Mention{{Span: extraction.Span{Start: 0, End: 4}, Type: extraction.Person}}})
	}
	if _, err := TrainMatches(same, mentions); !errors.Is(err, ErrTooLittle) {
		t.Errorf("one name: %v", err)
	}
}

func TestFromMatches(t *testing.T) {
	t.Parallel()
	var messages []extraction.Message
	var found []extraction.Found
	for i := range minTypeNames {
		name := fmt.Sprintf("Name%c", 'a'+i)
		messages = append(messages, extraction.Message{Body: name + " met Somebody in May. Please call the office."})
		found = append(found, extraction.Found{Mentions: []extraction.Mention{
			{Span: extraction.Span{Start: 0, End: 5}, Type: extraction.Person},
			{Span: extraction.Span{Start: 10, End: 18}, Type: extraction.Company}, // one alone: too few to learn
		}})
	}
	messages = append(messages, extraction.Message{Body: "they please us"})
	found = append(found, extraction.Found{})
	all := FromMatches(messages, found)
	slices.SortFunc(all, Sentence.compare)
	want := []Sentence{
		{Tokens: []string{"Namea", "met", "Somebody", "in", "May", "."}, Spans: []Span{{0, 1, "person"}}, Unknown: []bool{false, false, true, false, false, false}},
		{Tokens: []string{"Please", "call", "the", "office", "."}, Unknown: make([]bool, 5)},
	}
	for _, w := range want {
		if !slices.ContainsFunc(all, func(s Sentence) bool { return s.compare(w) == 0 }) {
			t.Errorf("%+v is not in %+v", w, all)
		}
	}
	if len(all) != minTypeNames+2 {
		t.Errorf("%d sentences, want each once: %d", len(all), minTypeNames+2)
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"":                                       "",
		"Hi Ann! How are you?":                   "Hi|Ann|! # How|are|you|?",
		"Mr. Lee of Acme, Inc. said no.":         "Mr|.|Lee|of|Acme|,|Inc|.|said|no|.",
		"J. F. Kennedy of the U.S. is O'Brien's": "J.|F.|Kennedy|of|the|U.S.|is|O'Brien's",
		"it costs 1,000.50 now. ok":              "it|costs|1,000.50|now|.|ok",
		"first\nSecond line":                     "first # Second|line",
		"Jean-Luc (Bali)":                        "Jean-Luc|(|Bali|)",
		"a\u200bb  \u200b c":                     "a|b|c",
		"end.Next":                               "end|.|Next",
	} {
		var all []string
		sentences(body, func(tokens []extraction.Span) {
			var words []string
			for _, token := range tokens {
				words = append(words, body[token.Start:token.End])
			}
			all = append(all, strings.Join(words, "|"))
		})
		if got := strings.Join(all, " # "); got != want {
			t.Errorf("%q: %q, want %q", body, got, want)
		}
	}
	longest := 0
	sentences(strings.Repeat("a ", 10*maxSentence), func(tokens []extraction.Span) { longest = max(longest, len(tokens)) })
	if longest != maxSentence {
		t.Errorf("a sentence of %d tokens", longest)
	}
}

func FuzzExtract(f *testing.F) {
	tagger := New(trained(f))
	f.Add("Mr Bakoten lives in Rivi Salo. PT Dar Go pays.", 3, 10)
	f.Add("é\u0301ó.\u200bMr 雅加达", 0, 2)
	f.Fuzz(func(t *testing.T, body string, start, end int) {
		if !utf8.ValidString(body) {
			return
		}
		var given extraction.Found
		if 0 <= start && start < end && end <= len(body) && utf8.RuneStart(body[start]) && (end == len(body) || utf8.RuneStart(body[end])) {
			given.Mentions = []extraction.Mention{{Span: extraction.Span{Start: start, End: end}, Type: extraction.Person, Key: "x", Name: "x", Extractor: "list", Version: "1", Confidence: 1}}
		}
		got, err := tagger.Extract(context.Background(), extraction.Message{Body: body}, given)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range got.Mentions[len(given.Mentions):] {
			if body[m.Start:m.End] != m.Name || !utf8.ValidString(m.Name) {
				t.Errorf("%+v", m)
			}
			for _, o := range got.Mentions[:len(given.Mentions)+i] {
				if m.Start < o.End && o.Start < m.End {
					t.Errorf("%+v overlaps %+v", m, o)
				}
			}
		}
	})
}

// BenchmarkExtract reads messages of some 40 tokens; tokens/s is its speed.
func BenchmarkExtract(b *testing.B) {
	tagger := New(trained(b))
	g := newGrammar(12)
	var body []string
	tokens := 0
	for tokens < 40 {
		s := g.sentence()
		tokens += len(s.Tokens)
		body = append(body, strings.Join(s.Tokens, " "))
	}
	m := extraction.Message{Body: strings.Join(body, " ")}
	for b.Loop() {
		if _, err := tagger.Extract(context.Background(), m, extraction.Found{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(tokens*b.N)/b.Elapsed().Seconds(), "tokens/s")
}
