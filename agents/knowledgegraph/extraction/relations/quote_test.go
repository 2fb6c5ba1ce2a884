package relations

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

func TestQuoteIsTheClause(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"Hello! [Anna:P] works for [Acme:C]. Bye.", "Anna works for Acme"},
		{"Good morning, [Anna:P] works for [Acme:C] since 2019, I hear", "Anna works for Acme since 2019"},
		{"For a [KITAS:pt] you need a [passport:d], a [photo:d] and a [sponsor letter:d]; send them", "For a KITAS you need a passport, a photo and a sponsor letter"},
		{"Ciao 👋🏽 — [José Peña:P] lavora per l’[Açaí S.p.A.:C]!", "José Peña lavora per l’Açaí S.p.A."},
		{"My name is [Anna:P]. I work for [Acme:C].", "My name is Anna. I work for Acme"},
		// A clause that goes on is left at the words that say it.
		{strings.Repeat("word ", 90) + "[Anna:P] works for [Acme:C]", "Anna works for Acme"},
	} {
		read := mark(t, c.text)
		found, err := New(nil).Extract(context.Background(), read.Message, read.Found)
		if err != nil {
			t.Fatal(err)
		}
		if len(found.Relations) == 0 {
			t.Errorf("%s: nothing found", c.text)
		}
		for _, r := range found.Relations {
			if got := read.Message.Body[r.Start:r.End]; got != c.want {
				t.Errorf("quote %q, not %q", got, c.want)
			}
		}
	}
}

func TestAlternativesAreLessSure(t *testing.T) {
	t.Parallel()
	confidence := func(text string) float64 {
		read := mark(t, text)
		found, err := New(nil).Extract(context.Background(), read.Message, read.Found)
		if err != nil {
			t.Fatal(err)
		}
		if len(found.Relations) != 2 {
			t.Fatalf("%d relations of %q", len(found.Relations), text)
		}
		return found.Relations[0].Confidence
	}
	all, one := confidence("A [KITAS:pt] requires a [passport:d] and a [photo:d]"), confidence("A [KITAS:pt] requires a [passport:d] or a [photo:d]")
	if one >= all {
		t.Errorf("one of two is required with %v, both with %v", one, all)
	}
}

func TestWhatWasFoundIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	read := mark(t, "[Anna:P] works for [Acme:C]")
	before := extraction.Relation{Subject: 0, Object: 1, Predicate: extraction.ClientOf, Extractor: "other", Version: "7", Confidence: .5}
	read.Found.Relations = append(make([]extraction.Relation, 0, 8), before)
	found, err := New(nil).Extract(context.Background(), read.Message, read.Found)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(extraction.Relation{}, read.Found.Relations[:2][1]); diff != "" {
		t.Errorf("it wrote into what it was given: %s", diff)
	}
	want := []extraction.Relation{before, {Span: extraction.Span{Start: 0, End: 19}, Subject: 0, Object: 1, Predicate: extraction.WorksFor, Extractor: "relations", Version: "3", Confidence: .95}}
	if diff := cmp.Diff(want, found.Relations); diff != "" {
		t.Error(diff)
	}
}

func TestMentionsInAnyOrder(t *testing.T) {
	t.Parallel()
	read := mark(t, "[Anna:P] works for [Acme:C]")
	read.Found.Mentions[0], read.Found.Mentions[1] = read.Found.Mentions[1], read.Found.Mentions[0]
	found, err := New(nil).Extract(context.Background(), read.Message, read.Found)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Relations) != 1 || found.Relations[0].Subject != 1 || found.Relations[0].Object != 0 {
		t.Errorf("found %+v", found.Relations)
	}
}

func TestImpossiblePlacesAreRefused(t *testing.T) {
	t.Parallel()
	for what, spans := range map[string][2]extraction.Span{
		"outside":              {{Start: 0, End: 2}, {Start: 3, End: 99}},
		"empty":                {{Start: 0, End: 2}, {Start: 3, End: 3}},
		"overlapping":          {{Start: 0, End: 4}, {Start: 3, End: 5}},
		"negative":             {{Start: -1, End: 2}, {Start: 3, End: 5}},
		"within a character":   {{Start: 0, End: 1}, {Start: 7, End: 8}},
		"ending within a rune": {{Start: 0, End: 1}, {Start: 6, End: 7}},
	} {
		m := extraction.Message{ID: "1", Body: "a b c é d"}
		found := extraction.Found{Mentions: []extraction.Mention{{Span: spans[0]}, {Span: spans[1]}}}
		if _, err := New(nil).Extract(context.Background(), m, found); err == nil {
			t.Errorf("%s: not refused", what)
		}
	}
}

// Work is counted in relations, bytes of quotes and items, not in time.
func TestLongMessages(t *testing.T) {
	t.Parallel()
	count := func(text string) (relations, quoted int) {
		read := mark(t, text)
		found, err := New(nil).Extract(context.Background(), read.Message, read.Found)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range found.Relations {
			if n := r.End - r.Start; n > maxQuote {
				t.Fatalf("a quote of %d bytes", n)
			}
			quoted += r.End - r.Start
		}
		return len(found.Relations), quoted
	}
	for what, part := range map[string]string{
		"sentences":         "For a [KITAS:pt] you need a [passport:d] and a [photo:d]. ",
		"without stops":     "for a [KITAS:pt] you need a [passport:d] and a [photo:d] ",
		"mentions in a row": "[KITAS:pt] requires [passport:d], [a:d], [b:d], [c:d], [d:d], [e:d], [f:d] and ",
		"nothing but rows":  "[KITAS:pt], [KITAP:pt] and ",
		"lists":             "[KITAS:pt] requirements:\n- [passport:d]\n- [a:d]\n",
	} {
		small, few := count(strings.Repeat(part, 100))
		large, many := count(strings.Repeat(part, 1000))
		// Sentences that are cut may end elsewhere.
		if large > 11*small || many > 11*few {
			t.Errorf("%s: %d relations and %d bytes of one size, %d and %d of ten times that", what, small, few, large, many)
		}
	}
	if n, _ := count(strings.Repeat("lorem ipsum ", 90_000) + "[Anna:P] works for [Acme:C]"); n != 1 {
		t.Errorf("%d relations at the end of a megabyte", n)
	}
}

func FuzzExtract(f *testing.F) {
	f.Add("Anna works for Acme", 0, 4, 15, 19, uint8(0))
	f.Add("For a KITAS you need a\u0301 passport,\n- photo", 6, 11, 24, 32, uint8(3))
	f.Add("My name is Anna. I work for Acme?", 11, 15, 28, 32, uint8(0))
	f.Add("I'm Anna, hi. I work for Acme S.r.l. How?", 4, 8, 25, 35, uint8(0))
	f.Add("\"Lavoro per Acme. Saluti,\nAnna\n> io", 25, 29, 12, 16, uint8(0))
	f.Add("Anna\u200b lives in \u202eUbud’s", 0, 4, 20, 24, uint8(1))
	f.Fuzz(func(t *testing.T, body string, a, b, c, d int, kind uint8) {
		if !utf8.ValidString(body) {
			return
		}
		pairs := [][2]extraction.Type{{extraction.Person, extraction.Company}, {extraction.Person, extraction.Location}, {extraction.Company, extraction.Location}, {extraction.PracticeType, extraction.Document}, {extraction.Topic, extraction.Law}}
		types := pairs[int(kind)%len(pairs)]
		found := extraction.Found{Mentions: []extraction.Mention{
			{Span: extraction.Span{Start: a, End: b}, Type: types[0], Key: "a"}, {Span: extraction.Span{Start: c, End: d}, Type: types[1], Key: "b"},
		}}
		got, err := New(nil).Extract(context.Background(), extraction.Message{Body: body, Role: "client", ClientID: "7"}, found)
		if err != nil {
			return
		}
		for _, r := range got.Relations {
			if r.Start < 0 || r.End > len(body) || r.End-r.Start > maxQuote || !utf8.ValidString(body[r.Start:r.End]) {
				t.Fatalf("the quote is %d to %d", r.Start, r.End)
			}
			subject := extraction.Person
			of := []int{r.Object}
			if r.Subject != extraction.Writer {
				subject, of = got.Mentions[r.Subject].Type, append(of, r.Subject)
			}
			for _, i := range of {
				if m := got.Mentions[i]; m.Start < r.Start || m.End > r.End {
					t.Fatalf("the quote %q is without %q", body[r.Start:r.End], body[m.Start:m.End])
				}
			}
			if !(r.Confidence > 0 && r.Confidence <= 1) || math.IsNaN(r.Confidence) {
				t.Fatalf("confidence %v", r.Confidence)
			}
			s := signatures[r.Predicate]
			if !slices.Contains(s.subjects, subject) || !slices.Contains(s.objects, got.Mentions[r.Object].Type) {
				t.Fatalf("%s of %s and %s", r.Predicate, subject, got.Mentions[r.Object].Type)
			}
		}
	})
}
