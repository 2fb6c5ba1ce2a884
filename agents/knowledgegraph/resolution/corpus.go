package resolution

import (
	"cmp"
	"math"
	"slices"
)

// Corpus knows in how many documents each token is, so that rare tokens weigh more.
type Corpus struct {
	documents int
	in        map[string]int
}

// NewCorpus counts the documents, each a list of tokens.
func NewCorpus(documents [][]string) *Corpus {
	c := &Corpus{documents: len(documents), in: map[string]int{}}
	for _, d := range documents {
		for _, token := range set(d) {
			c.in[token]++
		}
	}
	return c
}

// Weight is a token's inverse document frequency, above 0, the largest for a token
// that is in no document.
func (c *Corpus) Weight(token string) float64 {
	return math.Log((float64(c.documents) + 1) / (float64(c.in[token]) + .5))
}

type weighted struct {
	token  string
	weight float64
}

// vector is a document's tokens in order, its weights of length 1: log(1 + count)
// times Weight.
func (c *Corpus) vector(tokens []string) []weighted {
	sorted := slices.Clone(tokens[:min(len(tokens), mostTokens)])
	slices.Sort(sorted)
	var v []weighted
	squares := 0.
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j] == sorted[i] {
			j++
		}
		w := math.Log1p(float64(j-i)) * c.Weight(sorted[i])
		v = append(v, weighted{sorted[i], w})
		squares += w * w
		i = j
	}
	for i := range v {
		v[i].weight /= math.Sqrt(squares)
	}
	return v
}

// Cosine is the TF-IDF cosine of two lists of tokens (Salton & Buckley 1988); 0 where
// either is empty.
func (c *Corpus) Cosine(a, b []string) float64 {
	return c.SoftCosine(a, b, nil, 1)
}

// SoftCosine is Cosine where tokens that are at least as similar as the bound count as
// one, by their similarity (SoftTFIDF, Cohen, Ravikumar & Fienberg 2003). Each token
// has one partner at most, the closest pairs first, which keeps it symmetric and
// within 1.
func (c *Corpus) SoftCosine(a, b []string, similarity func(a, b string) float64, bound float64) float64 {
	x, y := c.vector(a), c.vector(b)
	type partners struct {
		i, j       int
		like, both float64
	}
	var close []partners
	for i, v := range x {
		for j, w := range y {
			like := 0.
			if v.token == w.token {
				like = 1
			} else if similarity != nil {
				like = similarity(v.token, w.token)
			}
			if like >= bound {
				close = append(close, partners{i, j, like, v.weight * w.weight})
			}
		}
	}
	// Ties are broken by the unordered pair of tokens, which is the same for (b, a).
	slices.SortFunc(close, func(p, q partners) int {
		return cmp.Or(cmp.Compare(q.like, p.like), cmp.Compare(q.both, p.both),
			cmp.Compare(min(x[p.i].token, y[p.j].token), min(x[q.i].token, y[q.j].token)),
			cmp.Compare(max(x[p.i].token, y[p.j].token), max(x[q.i].token, y[q.j].token)))
	})
	var usedX, usedY [mostTokens]bool
	sum := 0.
	for _, p := range close {
		if !usedX[p.i] && !usedY[p.j] {
			usedX[p.i], usedY[p.j] = true, true
			sum += p.like * p.both
		}
	}
	return min(sum, 1)
}
