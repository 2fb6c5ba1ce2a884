package tagger

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Settings of training.
type Settings struct {
	// Epochs over the sentences, for each of Runs perceptrons, which see them in
	// other orders; the model is the mean of all.
	Epochs, Runs int
	// MinCount is in how many tokens a feature must be seen.
	MinCount int
	// Mask is the share of tokens that are shown without what tells which name they
	// are, so that context and shape must do.
	Mask float64
	// Margin by which the true tags must win, for each tag that is wrong.
	Margin float64
	// Folds for the calibration of confidences; fewer than two leave it out.
	Folds int
	Seed  uint64
}

// Defaults are the settings that did best in cross-validation on CoNLL04's train part.
func Defaults() Settings {
	return Settings{Epochs: 15, Runs: 5, MinCount: 2, Mask: .2, Margin: 3, Folds: 3, Seed: 1}
}

func (s Settings) check() error {
	if s.Epochs < 1 || s.Runs < 1 || s.MinCount < 1 || !(s.Mask >= 0 && s.Mask <= 1) || !(s.Margin >= 0 && s.Margin <= 1000) {
		return fmt.Errorf("settings %+v: epochs, runs and counts are at least 1, shares from 0 to 1, the margin from 0 to 1000", s)
	}
	return nil
}

// ErrTooLittle is that there are too few names or sentences to learn from.
var ErrTooLittle = errors.New("too few names to learn from")

// Train learns from sentences; equal ones count once, and their order is of no
// matter. ErrTooLittle where they have no name.
func Train(sentences []Sentence, s Settings) (*Model, error) {
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("train tagger: %w", err)
	}
	sorted, types, err := arrange(sentences)
	if err != nil {
		return nil, fmt.Errorf("train tagger: %w", err)
	}
	m := fit(sorted, types, s)
	if s.Folds >= 2 {
		m.calibration = calibrate(bySentence(sorted, types, s))
	}
	return m, nil
}

// arrange puts sentences in order, equal ones once, and finds their types.
func arrange(sentences []Sentence) (sorted []Sentence, types []string, err error) {
	sorted = slices.SortedFunc(slices.Values(sentences), Sentence.compare)
	sorted = slices.CompactFunc(sorted, func(a, b Sentence) bool { return a.compare(b) == 0 })
	for i, sentence := range sorted {
		if err := sentence.check(); err != nil {
			return nil, nil, fmt.Errorf("sentence %d in order: %w", i, err)
		}
		for _, span := range sentence.Spans {
			types = append(types, span.Type)
		}
	}
	slices.Sort(types)
	types = slices.Compact(types)
	switch {
	case len(types) > maxTypes:
		return nil, nil, fmt.Errorf("%d types, and %d are possible", len(types), maxTypes)
	case len(types) == 0:
		return nil, nil, ErrTooLittle
	}
	return sorted, types, nil
}

// fit makes a model of sentences in order, not calibrated.
func fit(sentences []Sentence, types []string, s Settings) *Model {
	m := &Model{set: newTagset(types), calibration: uncalibrated}
	keys, examples := m.prepare(sentences, s.MinCount)
	size := m.set.size
	weights, transitions := make([]float64, len(keys)*size), make([]float64, size*size)
	for run := range s.Runs {
		p := newPerceptron(&m.set, len(keys))
		p.run(examples, s, rand.New(rand.NewPCG(s.Seed, uint64(run))))
		p.weights.addMean(weights, p.steps)
		p.transitions.addMean(transitions, p.steps)
	}
	m.take(keys, weights, transitions, float64(s.Runs))
	return m
}

// prepare learns the lexicon, and makes examples, and the features that their rows
// are of.
func (m *Model) prepare(sentences []Sentence, minCount int) (keys []uint32, examples []example) {
	m.lexicon = newLexicon(len(m.set.types))
	words := make([][]word, len(sentences))
	examples = make([]example, len(sentences))
	for i, sentence := range sentences {
		words[i] = readWords(nil, sentence.Tokens)
		examples[i].tags = m.set.tags(sentence.Spans, len(sentence.Tokens))
		examples[i].unknown = sentence.Unknown
		m.lexicon.learn(words[i], &examples[i])
	}
	var f features
	numbers := map[uint32]int32{}
	var counts []int
	for i := range examples {
		own := newLexicon(len(m.set.types))
		own.learn(words[i], &examples[i])
		f.read(words[i], &m.lexicon, &own)
		var hashes []uint32
		for j := range words[i] {
			var identity int
			hashes, identity = f.emit(hashes[:0], j)
			rows := make([]int32, len(hashes))
			for k, h := range hashes {
				number, found := numbers[h]
				if !found {
					number = int32(len(keys))
					numbers[h] = number
					keys, counts = append(keys, h), append(counts, 0)
				}
				counts[number]++
				rows[k] = number
			}
			examples[i].rows = append(examples[i].rows, rows)
			examples[i].identity = append(examples[i].identity, identity)
		}
	}
	return keep(keys, counts, minCount, examples)
}

// keep leaves out of examples the features that were seen too seldom.
func keep(keys []uint32, counts []int, minCount int, examples []example) ([]uint32, []example) {
	numbers := make([]int32, len(keys))
	kept := keys[:0]
	for i, key := range keys {
		numbers[i] = -1
		if counts[i] >= minCount {
			numbers[i] = int32(len(kept))
			kept = append(kept, key)
		}
	}
	for e := range examples {
		for i, rows := range examples[e].rows {
			left, identity := rows[:0], 0
			for k, row := range rows {
				if numbers[row] < 0 {
					continue
				}
				left = append(left, numbers[row])
				if k < examples[e].identity[i] {
					identity++
				}
			}
			examples[e].rows[i], examples[e].identity[i] = left, identity
		}
	}
	return kept, examples
}

// take puts sums of weights over runs into the model: in order of keys, in steps of
// the 32767th part of the largest, without rows that are all nought.
func (m *Model) take(keys []uint32, weights, transitions []float64, runs float64) {
	size := m.set.size
	largest := 0.
	for i := range weights {
		weights[i] /= runs
		largest = max(largest, math.Abs(weights[i]))
	}
	m.scale = float32(largest / maxWeight)
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(keys[a], keys[b]) })
	row := make([]int16, size)
	for _, i := range order {
		some := false
		for tag := range row {
			row[tag] = 0
			if m.scale > 0 {
				row[tag] = int16(math.Round(weights[i*size+tag] / largest * maxWeight))
			}
			some = some || row[tag] != 0
		}
		if some {
			m.keys = append(m.keys, keys[i])
			m.steps = append(m.steps, row...)
		}
	}
	m.transitions = make([]float32, size*size)
	for i := range transitions {
		m.transitions[i] = float32(transitions[i] / runs)
	}
	m.index()
}
