package relations

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Example is a pair of mentions, by their indexes, and the relation that it is
// known to have, empty where it is known to have none.
type Example struct {
	Sentence        Sentence
	Subject, Object int
	Relation        string
}

const (
	// penalty is the weight of half the squared norm of the parameters beside the
	// negative log likelihood; by cross-validation on CoNLL04's train part, where
	// anything from 1 to 3 does.
	penalty = 3.0
	// seenIn is how many pairs have a feature that counts: what one alone has is as
	// a rule somebody's name.
	seenIn = 2
)

// ErrNothingToLearn is of examples without any relation.
var ErrNothingToLearn = errors.New("no example has a relation")

// Train fits a model by penalised maximum likelihood. The same examples in another
// order give the same model, to the byte.
func Train(examples []Example) (*Model, error) {
	m := &Model{allowed: map[types][]int{}, weights: map[uint64][]weight{}}
	for _, e := range examples {
		if e.Relation != "" {
			m.relations = append(m.relations, e.Relation)
		}
	}
	if len(m.relations) == 0 {
		return nil, ErrNothingToLearn
	}
	slices.Sort(m.relations)
	m.relations = slices.Compact(m.relations)
	for _, e := range examples {
		if r, known := slices.BinarySearch(m.relations, e.Relation); known {
			allowed := m.allowed[e.types()]
			if at, there := slices.BinarySearch(allowed, r); !there {
				m.allowed[e.types()] = slices.Insert(allowed, at, r)
			}
		}
	}
	f := m.prepare(examples)
	x, err := minimum(len(f.parameters), f.loss)
	if err != nil {
		return nil, fmt.Errorf("fit relations: %w", err)
	}
	for i, p := range f.parameters {
		if value := float32(x[i]); value != 0 {
			m.weights[p.key] = append(m.weights[p.key], weight{p.relation, value})
		}
	}
	for _, weights := range m.weights {
		slices.SortFunc(weights, func(a, b weight) int { return cmp.Compare(a.relation, b.relation) })
	}
	return m, nil
}

func (e Example) types() types {
	return types{e.Sentence.Mentions[e.Subject].Type, e.Sentence.Mentions[e.Object].Type}
}

// fit is what likelihood is computed from.
type fit struct {
	parameters []parameter
	rows       []row
}

// parameter is the weight of a feature for a relation.
type parameter struct {
	key      uint64
	relation int
}

// row is a pair: its features, the relations it may have, which of them it has, or
// -1, and, by relation, the parameters that are summed.
type row struct {
	keys    []uint64
	allowed []int
	has     int
	terms   [][]int32
}

func (m *Model) prepare(examples []Example) fit {
	var f fit
	count := map[uint64]int{}
	// Pairs of one sentence come after one another as a rule.
	var v *view
	for _, e := range examples {
		allowed := m.allowed[e.types()]
		if len(allowed) == 0 {
			continue
		}
		if v == nil || !v.is(e.Sentence) {
			v = look(e.Sentence)
		}
		r := row{keys: v.features(e.Subject, e.Object), allowed: allowed, has: -1}
		if relation, known := slices.BinarySearch(m.relations, e.Relation); known {
			r.has = slices.Index(allowed, relation)
		}
		for _, key := range r.keys {
			count[key]++
		}
		f.rows = append(f.rows, r)
	}
	maps.DeleteFunc(count, func(_ uint64, n int) bool { return n < seenIn })
	// In order of content, so that sums don't depend on the order of examples.
	slices.SortFunc(f.rows, func(a, b row) int {
		return cmp.Or(slices.Compare(a.keys, b.keys), slices.Compare(a.allowed, b.allowed), cmp.Compare(a.has, b.has))
	})
	index := map[parameter]int32{}
	for i := range f.rows {
		r := &f.rows[i]
		r.keys = slices.DeleteFunc(r.keys, func(key uint64) bool { return count[key] == 0 })
		for _, relation := range r.allowed {
			terms := make([]int32, len(r.keys))
			for k, key := range r.keys {
				p := parameter{key, relation}
				at, there := index[p]
				if !there {
					at = int32(len(f.parameters))
					index[p] = at
					f.parameters = append(f.parameters, p)
				}
				terms[k] = at
			}
			r.terms = append(r.terms, terms)
		}
	}
	return f
}

// loss is the penalised negative log likelihood; it sets the gradient.
func (f fit) loss(x, gradient []float64) float64 {
	loss := penalty / 2 * floats.Dot(x, x)
	floats.ScaleTo(gradient, penalty, x)
	var p []float64
	for _, r := range f.rows {
		p = p[:0]
		for _, terms := range r.terms {
			score := 0.0
			for _, term := range terms {
				score += x[term]
			}
			p = append(p, score)
		}
		if r.has >= 0 {
			loss -= p[r.has]
		}
		loss += softmax(p)
		for i, terms := range r.terms {
			slope := p[i]
			if i == r.has {
				slope--
			}
			for _, term := range terms {
				gradient[term] += slope
			}
		}
	}
	return loss
}
