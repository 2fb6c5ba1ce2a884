// Package eval measures package conversation against published and computed figures:
// the z-scores of PersuasionForGood (Wang et al. 2019), and what is found on sets
// whose truth is known: planted, shuffled, confounded, leaking. It imports
// conversation, and nothing of the product imports it.
package eval

import (
	"fmt"
	"math"
	"slices"

	"github.com/nuzantara/ciclo/agents/conversation"
)

// Figure is one measured figure beside its target.
type Figure struct {
	Name     string
	Target   string
	Measured string
	Pass     bool
}

func exactly(name string, measured, want int) Figure {
	return Figure{name, fmt.Sprint(want), fmt.Sprint(measured), measured == want}
}

func atMost(name string, measured, limit float64) Figure {
	return Figure{name, fmt.Sprintf("≤ %g", limit), fmt.Sprintf("%.3f", measured), measured <= limit}
}

func atLeast(name string, measured, limit float64) Figure {
	return Figure{name, fmt.Sprintf("≥ %g", limit), fmt.Sprintf("%.3f", measured), measured >= limit}
}

// wantZ are z-scores at a prior of 1000 tokens, to two decimals.
var wantZ = []struct {
	word string
	z    float64
}{
	{"will", 4.21}, {"thank", 3.96}, {"amazing", 3.41}, {"excellent", 3.24}, {"glad", 3.06},
	{"not", -4.82}, {"them", -3.53}, {"could", -3.50}, {"understand", -3.41},
}

// Ranking measures the ranking over all turns of PersuasionForGood's persuaders.
func Ranking(dataDir string) ([]Figure, error) {
	dialogues, err := ReadPersuasion(dataDir)
	if err != nil {
		return nil, err
	}
	counts, won := CountWords(dialogues)
	tokensWon, tokensLost := 0, 0
	for _, c := range counts {
		tokensWon, tokensLost = tokensWon+c.Won, tokensLost+c.Lost
	}
	figures := []Figure{
		exactly("PersuasionForGood dialogues", len(dialogues), 1017),
		exactly("PersuasionForGood dialogues won", won, 545),
		exactly("PersuasionForGood tokens, won", tokensWon, 119_220),
		exactly("PersuasionForGood tokens, lost", tokensLost, 100_411),
	}
	z := map[string]float64{}
	for _, r := range conversation.Rank(counts, 1000) {
		z[r.Word] = r.Z
	}
	for _, want := range wantZ {
		figures = append(figures, Figure{
			"z of " + want.word, fmt.Sprintf("%.2f", want.z), fmt.Sprintf("%.2f", z[want.word]),
			math.Abs(math.Round(100*z[want.word])-math.Round(100*want.z)) < .5,
		})
	}
	return figures, nil
}

// Planted measures how many of what is found is false, and how many of what was
// planted is found, over so many seeds.
func Planted(seeds int) ([]Figure, error) {
	var wrong, recall, confirmed float64
	for seed := range seeds {
		set := DefaultPlanted(uint64(seed + 1))
		corpus, err := Collect(set.Draw())
		if err != nil {
			return nil, fmt.Errorf("planted sets: %w", err)
		}
		s := conversation.DefaultSettings()
		split := corpus.Split(s.Later)
		features := corpus.Features(split, s)
		found := corpus.Test(features, split, s.Q)
		corpus.Confirm(found, features, split)
		right, sure := 0, 0
		for _, p := range found {
			if set.IsPlanted(p.Name) {
				right++
				if p.Confirmed {
					sure++
				}
			}
		}
		if len(found) > 0 {
			wrong += float64(len(found)-right) / float64(len(found))
		}
		recall += float64(right) / float64(set.Planted)
		confirmed += float64(sure) / float64(set.Planted)
	}
	n := float64(seeds)
	return []Figure{
		atMost(fmt.Sprintf("planted sets (%d): mean false-discovery proportion", seeds), wrong/n, .12),
		atLeast(fmt.Sprintf("planted sets (%d): mean recall", seeds), recall/n, .65),
		{fmt.Sprintf("planted sets (%d): mean recall of confirmed ones", seeds), "-", fmt.Sprintf("%.3f", confirmed/n), true},
	}, nil
}

// Shuffled measures in how many sets a pattern is found where the outcomes of
// PersuasionForGood were dealt out at random.
func Shuffled(dataDir string, sets int) ([]Figure, error) {
	corpus, err := persuasionCorpus(dataDir)
	if err != nil {
		return nil, err
	}
	s := conversation.DefaultSettings()
	split := corpus.Split(s.Later)
	features := corpus.Features(split, s)
	won := corpus.Outcomes()
	some := 0
	for seed := range sets {
		shuffle(won, uint64(seed+1))
		found, err := corpus.TestAs(won, features, split, s.Q)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			some++
		}
	}
	return []Figure{atMost(fmt.Sprintf("label-shuffled sets (%d): part with a pattern", sets), float64(some)/float64(sets), .1)}, nil
}

// Nothing measures in how many sets without any effect a pattern is confirmed, so that
// a change of the prompt would be proposed.
func Nothing(sets int) ([]Figure, error) {
	some := 0
	for seed := range sets {
		set := DefaultPlanted(uint64(seed + 1001))
		set.OddsRatio = 1
		corpus, err := Collect(set.Draw())
		if err != nil {
			return nil, fmt.Errorf("sets without effect: %w", err)
		}
		s := conversation.DefaultSettings()
		split := corpus.Split(s.Later)
		features := corpus.Features(split, s)
		found := corpus.Test(features, split, s.Q)
		corpus.Confirm(found, features, split)
		if slices.ContainsFunc(found, func(p conversation.Pattern) bool { return p.Confirmed }) {
			some++
		}
	}
	return []Figure{atMost(fmt.Sprintf("sets without effect (%d): part with a proposal", sets), float64(some)/float64(sets), .02)}, nil
}

// Confounded measures that a feature which goes with the channel, and the channel
// with winning, is no pattern (Simpson), over so many seeds.
func Confounded(seeds int) ([]Figure, error) {
	some, pooled := 0, 0
	for seed := range seeds {
		for _, hidden := range []bool{false, true} {
			corpus, err := Collect(Simpson(uint64(seed+1), hidden))
			if err != nil {
				return nil, fmt.Errorf("Simpson: %w", err)
			}
			s := conversation.DefaultSettings()
			split := corpus.Split(s.Later)
			found := corpus.Test(corpus.Features(split, s), split, s.Q)
			switch {
			case len(found) > 0 && hidden:
				pooled++
			case len(found) > 0:
				some++
			}
		}
	}
	return []Figure{
		exactly(fmt.Sprintf("Simpson sets (%d): with a pattern", seeds), some, 0),
		exactly(fmt.Sprintf("Simpson sets (%d): the same, channels hidden", seeds), pooled, seeds),
	}, nil
}

// Leakage measures that thanks for the donation don't lead where the outcome's time
// cuts them off.
func Leakage(dataDir string) ([]Figure, error) {
	corpus, err := persuasionCorpus(dataDir)
	if err != nil {
		return nil, err
	}
	s := conversation.DefaultSettings()
	split := corpus.Split(s.Later)
	features := corpus.Features(split, s)
	ranked := conversation.RankNgrams(slices.DeleteFunc(slices.Clone(features), func(f conversation.Feature) bool { return slices.Contains([]byte(f.Name), ' ') }))
	place := 1 + slices.IndexFunc(ranked, func(r conversation.Ranked) bool { return r.Word == "thank" })
	found := corpus.Test(features, split, s.Q)
	corpus.Confirm(found, features, split)
	confirmed := 0
	for _, p := range found {
		if p.Confirmed {
			confirmed++
		}
	}
	return []Figure{
		{"leakage: rank of thank, first half of the turns", "> 10, or none", fmt.Sprint(place), place == 0 || place > 10},
		{"PersuasionForGood, first half: patterns found", "-", fmt.Sprint(len(found)), true},
		{"PersuasionForGood, first half: confirmed", "-", fmt.Sprint(confirmed), true},
	}, nil
}
