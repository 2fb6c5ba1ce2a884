package eval

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction/relations"
)

// leastProbability is that of a relation that is held: where F1 is best on the train
// part's folds, which is flat from .2 to .3.
const leastProbability = .25

// pair is two entities and the relation they have, by what is known or by a model.
type pair struct {
	head, tail  CoNLLSpan
	relation    string
	probability float64
	right       bool
}

// CoNLL04Relations measures the relations that a tagger and a relation model find on
// CoNLL04's dev part when both have seen the train part alone. A relation is right
// where its type and direction and the places and types of both entities are.
func CoNLL04Relations(data string) ([]Figure, error) {
	train, err := ReadCoNLL(filepath.Join(data, "conll04", "conll04_train.json"))
	if err != nil {
		return nil, err
	}
	dev, err := ReadCoNLL(filepath.Join(data, "conll04", "conll04_dev.json"))
	if err != nil {
		return nil, err
	}
	seen, err := crossTagged(train)
	if err != nil {
		return nil, err
	}
	names, err := trainNames(train)
	if err != nil {
		return nil, err
	}
	reader := names.NewReader()
	unseen := make([]tagged, len(dev))
	for i, s := range dev {
		unseen[i] = readNames(reader, s)
	}
	found, err := measure(seen, unseen, trainRelations)
	if err != nil {
		return nil, err
	}
	told, err := measure(toldAll(train), toldAll(dev), trainTold)
	if err != nil {
		return nil, err
	}
	said, err := readPatterns(dev)
	if err != nil {
		return nil, err
	}
	return []Figure{
		{"relations with their entities, CoNLL04 dev: F1", "≥ .50 (aim .56)", fmt.Sprintf("%.4f (precision %.3f, recall %.3f)", found.f1(), found.precision(), found.recall()), found.f1() >= .5},
		{"relations of entities that are told, CoNLL04 dev: F1", "≥ .70 (aim .75)", fmt.Sprintf("%.4f (precision %.3f, recall %.3f)", told.f1(), told.precision(), told.recall()), told.f1() >= .7},
		{"calibration error of relations' confidences, CoNLL04 dev", "≤ .12", fmt.Sprintf("%.3f of %d", found.calibrationError(), len(found.pairs)), found.calibrationError() <= .12},
		{"patterns for works_for and located_in, CoNLL04 dev: precision", "≥ .85", fmt.Sprintf("%.3f of %d, recall %.3f", said.precision(), len(said.pairs), said.recall()), said.precision() >= .85},
	}, nil
}

// relationsFound is the relations that were found, and how many there are.
type relationsFound struct {
	pairs []pair
	there int
}

func (m relationsFound) right() float64 {
	right := 0
	for _, p := range m.pairs {
		if p.right {
			right++
		}
	}
	return float64(right)
}

func (m relationsFound) precision() float64 { return m.right() / float64(max(len(m.pairs), 1)) }
func (m relationsFound) recall() float64    { return m.right() / float64(max(m.there, 1)) }
func (m relationsFound) f1() float64        { return 2 * m.right() / float64(max(len(m.pairs)+m.there, 1)) }

// calibrationError is the mean distance of confidence and share of right ones over
// ten bins, weighed by their sizes (Naeini, Cooper and Hauskrecht 2015).
func (m relationsFound) calibrationError() float64 {
	var bins [10]struct{ confidence, right float64 }
	for _, p := range m.pairs {
		bin := &bins[min(int(10*p.probability), 9)]
		bin.confidence += p.probability
		if p.right {
			bin.right++
		}
	}
	sum := 0.
	for _, bin := range bins {
		sum += math.Abs(bin.confidence - bin.right)
	}
	return sum / float64(max(len(m.pairs), 1))
}

// measure trains on what was seen and reads what was not.
func measure(seen, unseen []tagged, train func([]tagged) (*relations.Model, error)) (relationsFound, error) {
	model, err := train(seen)
	if err != nil {
		return relationsFound{}, err
	}
	var m relationsFound
	for _, n := range unseen {
		m.there += len(n.Relations)
		for _, p := range n.read(model) {
			if p.probability >= leastProbability {
				m.pairs = append(m.pairs, p)
			}
		}
	}
	return m, nil
}

// trainRelations learns from the entities as they are, and as a tagger finds them.
func trainRelations(seen []tagged) (*relations.Model, error) {
	var examples []relations.Example
	for _, n := range seen {
		examples = append(examples, n.known().examples()...)
		examples = append(examples, n.examples()...)
	}
	return relations.Train(examples)
}

func trainTold(seen []tagged) (*relations.Model, error) {
	var examples []relations.Example
	for _, n := range seen {
		examples = append(examples, n.examples()...)
	}
	return relations.Train(examples)
}

// read is what the model makes of a sentence's pairs, the likeliest first, without
// those with an entity that overlaps another of a likelier pair.
func (n tagged) read(m *relations.Model) []pair {
	var all []pair
	for _, e := range n.examples() {
		likely := m.Relations(e.Sentence, e.Subject, e.Object)
		if len(likely) == 0 {
			continue
		}
		h, t := e.Sentence.Mentions[e.Subject], e.Sentence.Mentions[e.Object]
		p := pair{head: CoNLLSpan{h.Start, h.End, h.Type}, tail: CoNLLSpan{t.Start, t.End, t.Type}, relation: likely[0].Relation, probability: likely[0].Probability}
		p.right = p.relation == e.Relation
		all = append(all, p)
	}
	slices.SortStableFunc(all, func(a, b pair) int { return cmp.Compare(b.probability, a.probability) })
	var kept []pair
	var taken []CoNLLSpan
	for _, p := range all {
		if !slices.ContainsFunc(taken, func(s CoNLLSpan) bool { return clash(s, p.head) || clash(s, p.tail) }) {
			kept, taken = append(kept, p), append(taken, p.head, p.tail)
		}
	}
	return kept
}

// clash tells whether two can't both be entities.
func clash(a, b CoNLLSpan) bool { return a != b && a.Start < b.End && b.Start < a.End }
