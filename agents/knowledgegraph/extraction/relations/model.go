package relations

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Model is a logistic model of the relation of two mentions in one sentence. A pair
// of types can have the relations that it had in training alone. It is never
// changed and may be used by many goroutines.
type Model struct {
	// relations are in order.
	relations []string
	// allowed are indexes of relations, in order, by the types of subject and object.
	allowed map[types][]int
	// weights are those of features, in order of relations.
	weights map[uint64][]weight
}

type types struct{ subject, object string }

type weight struct {
	relation int
	value    float32
}

// Likely is a relation and the probability that a pair has it.
type Likely struct {
	Relation    string
	Probability float64
}

// Relations are those that a pair of mentions, by their indexes, may have, the
// likeliest first. What their probabilities lack to 1 is the chance of none.
func (m *Model) Relations(s Sentence, subject, object int) []Likely {
	return m.likely(look(s), subject, object)
}

func (m *Model) likely(v *view, subject, object int) []Likely {
	allowed := m.allowed[types{v.Mentions[subject].Type, v.Mentions[object].Type}]
	if len(allowed) == 0 {
		return nil
	}
	scores := make([]float64, len(allowed))
	for _, key := range v.features(subject, object) {
		for _, w := range m.weights[key] {
			if i := slices.Index(allowed, w.relation); i >= 0 {
				scores[i] += float64(w.value)
			}
		}
	}
	softmax(scores)
	likely := make([]Likely, len(allowed))
	for i, relation := range allowed {
		likely[i] = Likely{m.relations[relation], scores[i]}
	}
	slices.SortFunc(likely, func(a, b Likely) int {
		return cmp.Or(cmp.Compare(b.Probability, a.Probability), strings.Compare(a.Relation, b.Relation))
	})
	return likely
}

// softmax makes probabilities of scores beside one of 0, which is left out, and
// returns the logarithm of the sum of all their exponentials.
func softmax(scores []float64) float64 {
	top := 0.0
	for _, s := range scores {
		top = max(top, s)
	}
	sum := math.Exp(-top)
	for _, s := range scores {
		sum += math.Exp(s - top)
	}
	all := top + math.Log(sum)
	for i, s := range scores {
		scores[i] = math.Exp(s - all)
	}
	return all
}
