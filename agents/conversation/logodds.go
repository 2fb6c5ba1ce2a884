package conversation

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// WordCount is how often a word is said in won and in lost conversations.
type WordCount struct {
	Word      string
	Won, Lost int
}

// Ranked is a word with its z-score: positive where won conversations have more of it.
type Ranked struct {
	Word string  `json:"word"`
	Z    float64 `json:"z"`
}

// Rank orders words by log-odds with an informative Dirichlet prior (Monroe, Colaresi
// & Quinn 2008, eq. 16 and 22), the most typical of won conversations first. The
// prior is the words' own distribution with the weight of prior tokens; totals are of
// all the words given. The z is for ranking: words come in bursts, so that it says
// nothing of significance.
func Rank(counts []WordCount, prior float64) []Ranked {
	z := logOdds(counts, prior)
	ranked := make([]Ranked, len(counts))
	for i, c := range counts {
		ranked[i] = Ranked{c.Word, z[i]}
	}
	slices.SortFunc(ranked, func(a, b Ranked) int { return cmp.Or(cmp.Compare(b.Z, a.Z), strings.Compare(a.Word, b.Word)) })
	return ranked
}

func logOdds(counts []WordCount, prior float64) []float64 {
	var won, lost float64
	for _, c := range counts {
		won, lost = won+float64(c.Won), lost+float64(c.Lost)
	}
	z := make([]float64, len(counts))
	for i, c := range counts {
		a := prior * float64(c.Won+c.Lost) / (won + lost)
		w, l := float64(c.Won)+a, float64(c.Lost)+a
		if w == 0 || won+prior == w || lost+prior == l {
			continue // never said, or nothing else is: there are no odds
		}
		delta := math.Log(w/(won+prior-w)) - math.Log(l/(lost+prior-l))
		z[i] = delta / math.Sqrt(1/w+1/l)
	}
	return z
}

// zOfGrams ranks n-grams among those of their length.
func zOfGrams(grams []gram, prior float64) []float64 {
	z := make([]float64, 0, len(grams))
	for start := 0; start < len(grams); {
		end := start
		var counts []WordCount
		for ; end < len(grams) && grams[end].order == grams[start].order; end++ {
			counts = append(counts, WordCount{grams[end].text, int(grams[end].won), int(grams[end].lost)})
		}
		z = append(z, logOdds(counts, prior)...)
		start = end
	}
	return z
}

// RankNgrams orders the n-grams among features by their z.
func RankNgrams(features []Feature) []Ranked {
	var ranked []Ranked
	for _, f := range features {
		if f.Z != nil {
			ranked = append(ranked, Ranked{f.Name, *f.Z})
		}
	}
	slices.SortFunc(ranked, func(a, b Ranked) int { return cmp.Or(cmp.Compare(b.Z, a.Z), strings.Compare(a.Word, b.Word)) })
	return ranked
}
