package resolution_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/resolution"
)

func near(a, b float64) bool { return math.Abs(a-b) < 5e-4 }

// Values of Winkler's own tables (1994) and of the definition by hand.
func TestJaroAndWinkler(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b          string
		jaro, winkler float64
	}{
		{"MARTHA", "MARHTA", .944, .961},
		{"DIXON", "DICKSONX", .767, .813},
		{"DWAYNE", "DUANE", .822, .840},
		{"JONES", "JOHNSON", .790, .832},
		{"ABROMS", "ABRAMS", .889, .922},
		{"JELLYFISH", "SMELLYFISH", .896, .896},
		{"CRATE", "TRACE", .733, .733},
		{"a", "b", 0, 0},
		{"", "a", 0, 0},
		{"", "", 1, 1},
		{"Łukasz", "Łuksaz", .944, .961},
		{"ВЛАДИМИР", "ВЛАДИМИР", 1, 1},
	} {
		if got := resolution.Jaro(c.a, c.b); !near(got, c.jaro) {
			t.Errorf("Jaro(%q, %q) = %.4f, want %.3f", c.a, c.b, got, c.jaro)
		}
		if got := resolution.JaroWinkler(c.a, c.b); !near(got, c.winkler) {
			t.Errorf("JaroWinkler(%q, %q) = %.4f, want %.3f", c.a, c.b, got, c.winkler)
		}
	}
}

func TestEdits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"kitten", "sitting", 3},
		{"saturday", "sunday", 3},
		{"ca", "ac", 1},
		{"ca", "abc", 3}, // 2 if a swapped pair could be edited again
		{"a cat", "an act", 2},
		{"", "abc", 3},
		{"abc", "", 3},
		{"", "", 0},
		{"müller", "muller", 1},
		{"日本語", "日語本", 1},
		{strings.Repeat("a", 64), strings.Repeat("a", 63) + "b", 1},
		{strings.Repeat("a", 64), "", 64},
	} {
		if got := resolution.Edits(c.a, c.b); got != c.want {
			t.Errorf("Edits(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
	if got := resolution.EditSimilarity("müller", "muller"); !near(got, 5./6) {
		t.Errorf("EditSimilarity counts characters: %v, want 5/6", got)
	}
}

// The words of bits must agree with the plain table, which letters beyond ASCII go to.
func TestWordsAgreeWithTable(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	greek := strings.NewReplacer("a", "α", "b", "β", "c", "γ")
	for range 3_000 {
		a, b := random(r, 70), random(r, 70)
		if plain, wide := resolution.Edits(a, b), resolution.Edits(greek.Replace(a), greek.Replace(b)); plain != wide {
			t.Fatalf("Edits(%q, %q) is %d in words, %d in a table", a, b, plain, wide)
		}
		if plain, wide := resolution.JaroWinkler(a, b), resolution.JaroWinkler(greek.Replace(a), greek.Replace(b)); plain != wide {
			t.Fatalf("JaroWinkler(%q, %q) is %v in words, %v in a table", a, b, plain, wide)
		}
	}
}

func random(r *rand.Rand, most int) string {
	s := make([]byte, r.IntN(most))
	for i := range s {
		s[i] = "abc"[r.IntN(3)]
	}
	return string(s)
}

var corpus = resolution.NewCorpus([][]string{{"the", "rare"}, {"the", "other"}, {"the"}, {"the", "a", "b", "c"}})

func TestSimilaritiesAreSymmetricAndWithinOne(t *testing.T) {
	t.Parallel()
	tokens := func(s string) []string { return strings.FieldsFunc(s, func(r rune) bool { return r == 'c' }) }
	similarities := map[string]func(a, b string) float64{
		"Jaro":           resolution.Jaro,
		"JaroWinkler":    resolution.JaroWinkler,
		"EditSimilarity": resolution.EditSimilarity,
		"QGrams 1":       func(a, b string) float64 { return resolution.QGrams(a, b, 1) },
		"QGrams 3":       func(a, b string) float64 { return resolution.QGrams(a, b, 3) },
		"Jaccard":        func(a, b string) float64 { return resolution.Jaccard(tokens(a), tokens(b)) },
		"Overlap":        func(a, b string) float64 { return resolution.Overlap(tokens(a), tokens(b)) },
		"MongeElkan": func(a, b string) float64 {
			return resolution.MongeElkan(tokens(a), tokens(b), resolution.JaroWinkler)
		},
		"Cosine": func(a, b string) float64 { return corpus.Cosine(tokens(a), tokens(b)) },
		"SoftCosine": func(a, b string) float64 {
			return corpus.SoftCosine(tokens(a), tokens(b), resolution.JaroWinkler, .7)
		},
		"Nearness": func(a, b string) float64 {
			return resolution.Nearness(float64(len(a)), float64(len(b)), 30)
		},
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 600 {
		a, b := random(r, 30), random(r, 30)
		for name, similarity := range similarities {
			there, back := similarity(a, b), similarity(b, a)
			if there != back {
				t.Fatalf("%s(%q, %q) = %v, the other way %v", name, a, b, there, back)
			}
			if !(there >= 0 && there <= 1+1e-12) {
				t.Fatalf("%s(%q, %q) = %v", name, a, b, there)
			}
			if self := similarity(a, a); len(tokens(a)) > 0 && !(math.Abs(self-1) < 1e-12) {
				t.Fatalf("%s(%q, itself) = %v", name, a, self)
			}
		}
	}
}

func TestLongAndInvalidInputIsBounded(t *testing.T) {
	t.Parallel()
	long, other := strings.Repeat("ab", 1<<16), strings.Repeat("ba", 1<<16)+"\xff"
	if got := resolution.Edits(long, other); got > 256 {
		t.Errorf("Edits read on after 256 characters: %d", got)
	}
	for name, got := range map[string]float64{
		"Jaro":           resolution.Jaro(long, other),
		"JaroWinkler":    resolution.JaroWinkler("\xff\xfe", other),
		"EditSimilarity": resolution.EditSimilarity(long, other),
		"short and long": resolution.EditSimilarity("ab", long),
		"QGrams":         resolution.QGrams(long, other, 1000),
		"QGrams invalid": resolution.QGrams("\xff\xff", "\xfe", 2),
		"MongeElkan":     resolution.MongeElkan(strings.Split(long, "b"), strings.Split(other, "b"), resolution.Jaro),
		"SoftCosine":     corpus.SoftCosine(strings.Split(long, "a"), strings.Split(other, "a"), resolution.Jaro, .5),
	} {
		if !(got >= 0 && got <= 1) {
			t.Errorf("%s = %v", name, got)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	ab, bc := []string{"a", "b", "b"}, []string{"b", "c"}
	if got := resolution.Jaccard(ab, bc); !near(got, 1./3) {
		t.Errorf("Jaccard = %v, want 1/3", got)
	}
	if got := resolution.Overlap(ab, bc); got != .5 {
		t.Errorf("Overlap = %v, want 1/2", got)
	}
	// Padded: ␀n ni ig gh ht t␀ and ␀n na ac ch ht t␀, three of nine.
	if got := resolution.QGrams("night", "nacht", 2); !near(got, 3./9) {
		t.Errorf("QGrams = %v, want 3/9", got)
	}
	// (1 + .9 of the closest)/2 and the same back.
	like := func(a, b string) float64 {
		if a == b {
			return 1
		}
		return .9
	}
	if got := resolution.MongeElkan([]string{"x", "y"}, []string{"x", "z"}, like); !near(got, .95) {
		t.Errorf("MongeElkan = %v, want .95", got)
	}
	// "the" is in all four documents and says less than the words beside it.
	rare, common := corpus.Cosine([]string{"the", "rare"}, []string{"a", "rare"}), corpus.Cosine([]string{"the", "rare"}, []string{"the", "a"})
	if !(rare > .6 && common < .1) {
		t.Errorf("a rare word in common gives %v, a common one %v", rare, common)
	}
	if strict, soft := corpus.Cosine([]string{"martha"}, []string{"marhta"}), corpus.SoftCosine([]string{"martha"}, []string{"marhta"}, resolution.JaroWinkler, .9); strict != 0 || !near(soft, .961) {
		t.Errorf("cosine %v, soft %v, want 0 and .961", strict, soft)
	}
}

func TestNumbersAndDates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, scale, want float64 }{
		{10, 10, 5, 1}, {10, 12, 5, .6}, {10, 20, 5, 0}, {1, 1, 0, 0}, {math.NaN(), 1, 1, 0}, {math.Inf(1), math.Inf(1), 1, 0},
	} {
		if got := resolution.Nearness(c.a, c.b, c.scale); !near(got, c.want) {
			t.Errorf("Nearness(%v, %v, %v) = %v, want %v", c.a, c.b, c.scale, got, c.want)
		}
	}
	for _, c := range []struct {
		a, b string
		want resolution.DateLikeness
	}{
		{"19810412", "19810412", resolution.SameDate},
		{"19810412", "19811204", resolution.DayForMonth},
		{"19810412", "19810413", resolution.OneDigit},
		{"19810412", "19180412", resolution.OneDigit},
		{"19810412", "1981041", resolution.OneDigit},
		{"19810412", "19810930", resolution.SameYear},
		{"19810412", "19230412", resolution.SameYear},
		{"19810412", "19230930", resolution.OtherDate},
		{"", "19230930", resolution.OtherDate},
	} {
		if there, back := resolution.Dates(c.a, c.b), resolution.Dates(c.b, c.a); there != c.want || back != c.want {
			t.Errorf("Dates(%s, %s) = %d and %d back, want %d", c.a, c.b, there, back, c.want)
		}
	}
}

func BenchmarkSimilarity(b *testing.B) {
	x, y := "maribyrnong avenue", "northbourne avenue"
	for _, c := range []struct {
		name       string
		similarity func(a, b string) float64
	}{
		{"EditSimilarity", resolution.EditSimilarity},
		{"JaroWinkler", resolution.JaroWinkler},
		{"QGrams", func(a, b string) float64 { return resolution.QGrams(a, b, 3) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				c.similarity(x, y)
			}
		})
	}
}
