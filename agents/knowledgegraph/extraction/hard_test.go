package extraction

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// hardNames are names that texts made at random come upon.
var hardNames = []FirmName{
	{Person, "c1", "Anna María Ruiz", true}, {Person, "c2", "Budi Santoso", true}, {Person, "c3", "Budi Santoso", true}, {Person, "c4", "王小明", true},
	{Company, "n1", "PT Bali Jaya Tbk", false}, {Company, "n2", "Acme S.r.l.", false}, {Company, "n3", "D'Angelo", false},
	{Location, "l1", "Bali", false}, {Location, "l2", "Nusa Dua, Bali", false}, {Location, "l3", "東京", false}, {Topic, "t1", "work permit", false},
	{Law, "w1", "UU No. 6 Tahun 2011", false}, {Topic, "a", "a", false}, {Topic, "aa", "aa aa", false},
}

func hardPipeline(tb testing.TB, names []FirmName) *Pipeline {
	tb.Helper()
	p, err := NewPipeline(newExact(tb, "ID"), must(NewGazetteer(names)), Addresses{}, Introductions{}, Contacts{})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// checkPlaces checks what holds of whatever is found in whatever text.
func checkPlaces(t *testing.T, body string, found Found) {
	t.Helper()
	var all []Span
	for _, m := range found.Mentions {
		all = append(all, m.Span)
	}
	for _, c := range found.Contacts {
		all = append(all, c.Span)
	}
	characters, err := Characters(body, all)
	if err != nil {
		t.Fatal(err)
	}
	runes := []rune(body)
	for i, s := range all {
		surface := body[s.Start:s.End]
		if surface == "" || !utf8.ValidString(surface) || string(runes[characters[i].Start:characters[i].End]) != surface {
			t.Errorf("%v, characters %v, is %q and %q", s, characters[i], surface, string(runes[characters[i].Start:characters[i].End]))
		}
	}
	back, err := Bytes(body, characters)
	if err != nil || !slices.Equal(back, all) {
		t.Errorf("bytes %v become characters and then %v, %v", all, back, err)
	}
	slices.SortFunc(all, func(a, b Span) int { return a.Start - b.Start })
	for i := 1; i < len(all); i++ {
		if all[i].Start < all[i-1].End {
			t.Errorf("%v and %v overlap", all[i-1], all[i])
		}
	}
	for _, m := range found.Mentions { // a key is a normal form: its own
		if m.Extractor == "gazetteer" && m.Type != Law && Normal(m.Type, m.Key) != m.Key {
			t.Errorf("the key %q has the normal form %q", m.Key, Normal(m.Type, m.Key))
		}
	}
}

var hardTexts = []string{
	"Anna Ruiz <anna@acme.com>, +62 812 3456 7890, Rp 15.000.000 by 12 March 2026 (UU No. 6 Tahun 2011), www.acme.com",
	"ＡＮＮＡ\u200b Mari\u0301a\u00a0Ruiz ﬁ 👩‍⚖️ 王小明東京 D’Angelo",
	"\u200b\u0301\u0301", "ß", "ﬁ.ﬁ.", "İ.ı", "\u1112\u1161\u11ab", "a\u0000b", "\ufffd", "Rp 1\u200b5", "１２/０３/２０２６", "@.@", "((((", "1/1/1/1", "+-+-", "$$$1,1,1",
	"aa aa aa aa", "S.r.l.S.r.l.", "http://http://", "x@y.zz@y.zz", "next Tuesday besok", "my email is a@b.it", "00000000000000", "law law law 6", "É́É́.e\u0301.",
	"Søren van den Berg <sren.berg@y.zz>, s.berg@y.zz", "My colleague Søren O’Connor-Ruiz, Sig.ra Bianchi, pak Budi", "I'm Maeve Quispe, I work. Maeve Quispe works for PT Bali Jaya Tbk", "Mi chiamo Ｊosé Ruiz\u200bÅ", "dell'Avv. D'Angelo", "İ. Ruiz i.ruiz@y.zz",
}

func FuzzRead(f *testing.F) {
	for _, text := range hardTexts {
		f.Add(text, "client")
	}
	p := hardPipeline(f, hardNames)
	reversed := slices.Clone(hardNames)
	slices.Reverse(reversed)
	other := hardPipeline(f, reversed)
	f.Fuzz(func(t *testing.T, body, role string) {
		m := Message{ID: "m", ClientID: "c1", Role: role, Body: body, SentAt: wednesday}
		found, err := p.Read(context.Background(), m)
		if !utf8.ValidString(body) {
			if err == nil {
				t.Fatal("a body that is not UTF-8 was read")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		checkPlaces(t, body, found)
		if again, err := other.Read(context.Background(), m); err != nil || !reflect.DeepEqual(again, found) {
			t.Errorf("found %+v, with the names in another order %+v, %v", found, again, err)
		}
		if once := Fold(body); Fold(once) != once {
			t.Errorf("folded once %q, twice %q", once, Fold(once))
		}
	})
}

// Pieces of the hard texts put together anyhow: what the fuzzer does, in every run
// of the tests.
func TestPlacesHoldInTextsMadeAtRandom(t *testing.T) {
	t.Parallel()
	p := hardPipeline(t, hardNames)
	var pieces []string
	for _, text := range hardTexts {
		for len(text) > 0 {
			n := min(len(text), 6)
			for n < len(text) && !utf8.RuneStart(text[n]) {
				n++
			}
			pieces = append(pieces, text[:n])
			text = text[n:]
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	mentions := 0
	for range 3000 {
		var b strings.Builder
		for range 1 + rng.IntN(12) {
			b.WriteString(pieces[rng.IntN(len(pieces))])
		}
		found, err := p.Read(context.Background(), Message{ID: "m", ClientID: "c1", Role: "client", Body: b.String(), SentAt: wednesday})
		if err != nil {
			t.Fatalf("%q: %v", b.String(), err)
		}
		checkPlaces(t, b.String(), found)
		mentions += len(found.Mentions)
	}
	if mentions < 300 {
		t.Errorf("the texts hold %d mentions: too few to tell anything", mentions)
	}
}

// Texts that make recognisers slow, each at length; work that grew with the square
// of the text would not end in a test's time.
func TestTextsThatRepeatThemselves(t *testing.T) {
	t.Parallel()
	p := hardPipeline(t, hardNames)
	for _, piece := range append([]string{"1", "0 ", "0812 345 ", "@", "a@", "a@a.", "(", ")(", "a.", "1.", "http://,", "rp 1 ", "rp 1.000.000", "law no. ", "law of ", "1/", "12 march ", "\u200b", "\u0301", "a", "08 1234 567\n",
		"aa ", "Bali ", "Anna Ruiz, ", "Anna Ruiz, anna@acme.com ", "my email is ", "Hello Anna ", "1,1", "$", "+", "-", "a-", "'", "a'", "\n", "Ruiz, ", "Maeve Quispe ", "Maeve Quispe maeve.quispe@y.zz ", "Maeve van ", "van ", "Pak ", "pak Budi ", "my colleague ", "Maeve Quispe works for ", "O'", "A-", "Sig.", "mquispe@y.zz Maeve Quispe, "}, hardTexts...) {
		body := strings.Repeat(piece, 1<<13/len(piece))
		found, err := p.Read(context.Background(), Message{ID: "m", ClientID: "c1", Role: "client", Body: body, SentAt: wednesday})
		if err != nil {
			t.Errorf("%q many times: %v", piece, err)
		}
		for _, m := range found.Mentions {
			if m.End-m.Start > longestForm {
				t.Errorf("%q many times has a mention of %d bytes", piece, m.End-m.Start)
			}
		}
	}
}

func TestAMegabyteWithoutAName(t *testing.T) {
	t.Parallel()
	p := hardPipeline(t, hardNames)
	for _, piece := range []string{"1", "(", "a.", "O'", "A-", "Pak ", "so what do you think of it? "} {
		found, err := p.Read(context.Background(), Message{ID: "m", Body: strings.Repeat(piece, 1<<20/len(piece)), SentAt: wednesday})
		if err != nil || len(found.Mentions)+len(found.Contacts) > 0 {
			t.Errorf("%q many times: %d mentions, %d contacts, %v", piece, len(found.Mentions), len(found.Contacts), err)
		}
	}
}

func TestPiecesAreFoundAsOftenAsTheyStandThere(t *testing.T) {
	t.Parallel()
	const times = 2_000
	body := strings.Repeat("Anna Ruiz <anna@acme.com> pays Rp 15.000.000 by 12 March 2026.\n", times)
	found, err := hardPipeline(t, hardNames).Read(context.Background(), Message{ID: "m", ClientID: "c1", Body: body, SentAt: wednesday})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Mentions) != 3*times || len(found.Contacts) != times {
		t.Errorf("%d mentions and %d contacts, want %d and %d", len(found.Mentions), len(found.Contacts), 3*times, times)
	}
	for i, c := range found.Contacts {
		if c.Of != 3*i {
			t.Fatalf("contact %d is of mention %d, want %d", i, c.Of, 3*i)
		}
	}
}
