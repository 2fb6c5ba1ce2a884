package eval

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/resolution"
)

// publicationTrees are the trees to choose among by cross-validation.
var publicationTrees = []resolution.Boosting{
	{Rounds: 200, Depth: 2, Rate: .1, Leaf: 1, Ridge: 1},
	{Rounds: 100, Depth: 3, Rate: .1, Leaf: 1, Ridge: 1},
	{Rounds: 200, Depth: 3, Rate: .1, Leaf: 1, Ridge: 1},
	{Rounds: 100, Depth: 4, Rate: .1, Leaf: 1, Ridge: 1},
}

// DBLPACM tells publications of DBLP and ACM that are one (Köpcke, Thor & Rahm 2010,
// pairs by DeepMatcher) with trees trained on train.txt alone, chosen by
// cross-validation within it, and measures F1 at probability .5 on valid.txt, and on
// test.txt where there is one.
func DBLPACM(data string) ([]Figure, error) {
	folder := filepath.Join(data, "dblp-acm")
	train, err := readPublications(filepath.Join(folder, "train.txt"))
	if err != nil {
		return nil, err
	}
	m, err := trainPublications(train)
	if err != nil {
		return nil, fmt.Errorf("train on DBLP-ACM: %w", err)
	}
	var figures []Figure
	for _, part := range []string{"valid", "test"} {
		pairs, err := readPublications(filepath.Join(folder, part+".txt"))
		if part == "test" && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found, calibration, err := m.measure(pairs)
		if err != nil {
			return nil, fmt.Errorf("measure DBLP-ACM: %w", err)
		}
		figures = append(figures,
			atLeast("DBLP-ACM "+part+": F1, trained on train", .975, found.f1()),
			atMost("DBLP-ACM "+part+": calibration error", .02, calibration))
	}
	return figures, nil
}

// publicationMatcher tells whether two publications are one.
type publicationMatcher struct {
	describer *describer
	trees     *resolution.Trees
}

func trainPublications(pairs []labelledPair) (*publicationMatcher, error) {
	m := &publicationMatcher{describer: newDescriber(pairs)}
	examples := m.describer.examples(pairs)
	way, _, err := resolution.Choose(examples, 4, publicationTrees)
	if err != nil {
		return nil, err
	}
	m.trees, err = resolution.Train(examples, way)
	return m, err
}

func (m *publicationMatcher) measure(pairs []labelledPair) (found tally, calibration float64, err error) {
	probabilities, truth := make([]float64, len(pairs)), make([]bool, len(pairs))
	for i, e := range m.describer.examples(pairs) {
		if probabilities[i], err = m.trees.Probability(e.Features); err != nil {
			return found, 0, err
		}
		truth[i] = e.Match
		if e.Match {
			found.matches++
		}
		if probabilities[i] >= likely {
			found.add(e.Match)
		}
	}
	return found, calibrationError(probabilities, truth), nil
}

func (d *describer) examples(pairs []labelledPair) []resolution.Example {
	examples := make([]resolution.Example, len(pairs))
	for i, p := range pairs {
		examples[i] = resolution.Example{Features: d.features(p), Match: p.match}
	}
	return examples
}
