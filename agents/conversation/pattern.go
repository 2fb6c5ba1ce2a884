package conversation

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"
)

// Counts are conversations with a feature and without, and how many of them were won.
type Counts struct {
	With       int `json:"with"`
	WithWon    int `json:"with_won"`
	Without    int `json:"without"`
	WithoutWon int `json:"without_won"`
}

// Pattern is a feature that won conversations have more often than lost ones, or less
// often.
type Pattern struct {
	Kind  Kind     `json:"kind"`
	Name  string   `json:"feature"`
	Above *float64 `json:"above"`
	Z     *float64 `json:"z"`
	// Of the earlier conversations.
	Counts         Counts    `json:"counts"`
	RiskDifference Interval  `json:"risk_difference"`
	OddsRatio      *Interval `json:"odds_ratio"`
	P              float64   `json:"p"`
	Q              float64   `json:"q"`
	// Same are weaker features that say the same: nearly the same conversations have
	// them, or they are n-grams that share a word with it, or with another of these,
	// and have nothing to do with winning beyond it.
	Same []string `json:"same_as"`
	// Examples are conversations that have it, the latest: won ones where it goes
	// with winning, else lost ones.
	Examples []string `json:"examples"`

	// Of the later conversations, by Confirm.
	Confirmed   bool      `json:"confirmed"`
	LaterCounts Counts    `json:"later_counts"`
	Later       *Interval `json:"later_risk_difference"`

	feature *Feature
	// words are those of its n-gram and of all that it stands for.
	words map[string]bool
}

// strata number the conversations' channel, segment and month.
func (c *Corpus) strata() (of []uint32, n int) {
	type key struct {
		channel, segment string
		month            int
	}
	numbers := map[key]uint32{}
	of = make([]uint32, len(c.Conversations))
	for i, one := range c.Conversations {
		k := key{one.Channel, one.Segment, month(one.StartedAt)}
		number, known := numbers[k]
		if !known {
			number = uint32(len(numbers))
			numbers[k] = number
		}
		of[i] = number
	}
	return of, len(numbers)
}

// sample is conversations from one on up to another, by strata.
type sample struct {
	from, to int
	stratum  []uint32
	won      []bool
	all      []table // of a feature that none has
}

func newSample(stratum []uint32, strata int, won []bool, from, to int) *sample {
	s := &sample{from: from, to: to, stratum: stratum, won: won, all: make([]table, strata)}
	for i := from; i < to; i++ {
		s.all[stratum[i]].add(won[i])
	}
	return s
}

// within is the same sample with each stratum parted by whether a feature is there.
func (s *sample) within(f *Feature) *sample {
	parted := make([]uint32, len(s.stratum))
	for i, stratum := range s.stratum {
		parted[i] = 2 * stratum
	}
	for _, i := range f.in {
		parted[i]++
	}
	return newSample(parted, 2*len(s.all), s.won, s.from, s.to)
}

// shares reports whether an n-gram has a word of the pattern's.
func (p *Pattern) shares(ngram string) bool {
	return slices.ContainsFunc(strings.Fields(ngram), func(w string) bool { return p.words[w] })
}

// standsFor adds an n-gram's words.
func (p *Pattern) standsFor(f *Feature) {
	if f.Kind != Ngram {
		return
	}
	for _, w := range strings.Fields(f.Name) {
		p.words[w] = true
	}
}

func (t *table) add(won bool) {
	t.without++
	if won {
		t.withoutWon++
	}
}

// tables are a feature's tables in the strata of a sample where some have it.
// scratch has a table for each stratum, empty before and after.
func (s *sample) tables(f *Feature, scratch []table) (tables []table, counts Counts) {
	totals := s.all
	if f.of != nil {
		totals = make([]table, len(s.all))
		for _, i := range f.of[below(f.of, s.from):below(f.of, s.to)] {
			totals[s.stratum[i]].add(s.won[i])
		}
	}
	var touched []uint32
	for _, i := range f.in[below(f.in, s.from):below(f.in, s.to)] {
		t := &scratch[s.stratum[i]]
		if t.with == 0 {
			touched = append(touched, s.stratum[i])
		}
		t.with++
		if s.won[i] {
			t.withWon++
		}
	}
	slices.Sort(touched) // sums of floats in one order
	for _, stratum := range touched {
		t := scratch[stratum]
		scratch[stratum] = table{}
		t.without = totals[stratum].without - t.with
		t.withoutWon = totals[stratum].withoutWon - t.withWon
		tables = append(tables, t)
		counts.With += t.with
		counts.WithWon += t.withWon
	}
	for _, t := range totals {
		counts.Without += t.without
		counts.WithoutWon += t.withoutWon
	}
	counts.Without -= counts.With
	counts.WithoutWon -= counts.WithWon
	return tables, counts
}

// Outcomes are the conversations' outcomes, in their order.
func (c *Corpus) Outcomes() []bool {
	won := make([]bool, len(c.Conversations))
	for i, one := range c.Conversations {
		won[i] = one.Won
	}
	return won
}

// Test asks each feature in the first split conversations and returns the patterns at
// the false-discovery rate q, the strongest first. Of features that say the same, one
// is a pattern, the strongest; it names the others.
func (c *Corpus) Test(features []Feature, split int, q float64) []Pattern {
	return c.test(features, c.Outcomes(), split, q)
}

// TestAs is Test with other outcomes than the conversations had: it shows what the
// test finds where there is nothing.
func (c *Corpus) TestAs(won []bool, features []Feature, split int, q float64) ([]Pattern, error) {
	if len(won) != len(c.Conversations) {
		return nil, fmt.Errorf("%d outcomes of %d conversations", len(won), len(c.Conversations))
	}
	return c.test(features, won, split, q), nil
}

func (c *Corpus) test(features []Feature, won []bool, split int, q float64) []Pattern {
	stratum, strata := c.strata()
	early := newSample(stratum, strata, won, 0, split)
	p := make([]float64, len(features))
	share(len(features), func(_, from, to int) {
		scratch := make([]table, strata)
		for i := from; i < to; i++ {
			tables, _ := early.tables(&features[i], scratch)
			p[i] = pValue(tables)
		}
	})
	adjusted := benjaminiHochberg(p)
	var found []Pattern
	scratch := make([]table, strata)
	for i := range features {
		if adjusted[i] > q {
			continue
		}
		f := &features[i]
		tables, counts := early.tables(f, scratch)
		difference := riskDifference(tables)
		if difference == nil || difference.Estimate == 0 {
			continue // a difference that can't be told is no pattern
		}
		found = append(found, Pattern{
			Kind: f.Kind, Name: f.Name, Above: f.Above, Z: f.Z, Counts: counts, RiskDifference: *difference, OddsRatio: oddsRatio(tables),
			P: p[i], Q: adjusted[i], Same: []string{}, Examples: []string{}, feature: f,
		})
	}
	slices.SortFunc(found, func(a, b Pattern) int {
		return cmp.Or(cmp.Compare(a.P, b.P), cmp.Compare(math.Abs(b.RiskDifference.Estimate), math.Abs(a.RiskDifference.Estimate)),
			order(b.Kind == Ngram, a.Kind == Ngram), cmp.Compare(len(b.Name), len(a.Name)), strings.Compare(a.Name, b.Name))
	})
	found = c.distinct(found, early)
	for i := range found {
		found[i].Examples = c.examples(found[i], won)
	}
	return found
}

// order puts true after false.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// benjaminiHochberg are the q-values of p-values.
func benjaminiHochberg(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(p[a], p[b]), cmp.Compare(a, b)) })
	q := make([]float64, len(p))
	least := 1.
	for rank := len(order); rank > 0; rank-- {
		i := order[rank-1]
		least = math.Min(least, p[i]*float64(len(p))/float64(rank))
		q[i] = least
	}
	return q
}

// alike is how much of their conversations two features share (Jaccard) where they
// are the same pattern.
const alike = .9

// maxSame bounds how many others a pattern names.
const maxSame = 8

// explained is the p-value above which an n-gram has nothing left to say beside a
// stronger one that shares a word with it.
const explained = .05

// distinct keeps of patterns that say the same the first.
func (c *Corpus) distinct(found []Pattern, early *sample) []Pattern {
	var kept []Pattern
	beside := map[*Feature]*sample{} // the sample, stratified by a kept feature too
	for _, p := range found {
		mine := p.feature.in[:below(p.feature.in, early.to)]
		same := slices.IndexFunc(kept, func(k Pattern) bool {
			if (k.RiskDifference.Estimate > 0) != (p.RiskDifference.Estimate > 0) {
				return false
			}
			if jaccard(k.feature.in[:k.Counts.With], mine) >= alike {
				return true
			}
			if k.Kind != Ngram || p.Kind != Ngram || !k.shares(p.Name) {
				return false
			}
			if beside[k.feature] == nil {
				beside[k.feature] = early.within(k.feature)
			}
			tables, _ := beside[k.feature].tables(p.feature, make([]table, len(beside[k.feature].all)))
			return pValue(tables) > explained
		})
		if same < 0 {
			p.words = map[string]bool{}
			p.standsFor(p.feature)
			kept = append(kept, p)
			continue
		}
		kept[same].standsFor(p.feature)
		if len(kept[same].Same) < maxSame {
			kept[same].Same = append(kept[same].Same, p.Name)
		}
	}
	return kept
}

func jaccard(a, b []uint32) float64 {
	if float64(min(len(a), len(b))) < alike*float64(max(len(a), len(b))) {
		return 0 // whatever they share
	}
	both := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			i, j, both = i+1, j+1, both+1
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

const (
	maxExamples = 5
	// maxExampleID bounds the ids that are shown, in bytes.
	maxExampleID = 200
)

func (c *Corpus) examples(p Pattern, won []bool) []string {
	ids := []string{}
	for _, i := range slices.Backward(p.feature.in) {
		if id := c.Conversations[i].ID; won[i] == (p.RiskDifference.Estimate > 0) && len(id) <= maxExampleID {
			if ids = append(ids, id); len(ids) == maxExamples {
				break
			}
		}
	}
	return ids
}

// leastLater is how many of the later conversations must have a feature, and have it
// not, for them to say anything: an interval of fewer is no interval.
const leastLater = 5

// Confirm asks patterns in the conversations from split on: confirmed are those whose
// difference there has the same sign and an interval that excludes 0.
func (c *Corpus) Confirm(patterns []Pattern, features []Feature, split int) {
	stratum, strata := c.strata()
	later := newSample(stratum, strata, c.Outcomes(), split, len(c.Conversations))
	scratch := make([]table, strata)
	type name struct {
		kind Kind
		name string
	}
	known := map[name]*Feature{}
	for i := range features {
		known[name{features[i].Kind, features[i].Name}] = &features[i]
	}
	for i := range patterns {
		p := &patterns[i]
		f := known[name{p.Kind, p.Name}]
		if f == nil {
			continue // it is no feature any more
		}
		tables, counts := later.tables(f, scratch)
		p.LaterCounts = counts
		if counts.With >= leastLater && counts.Without >= leastLater {
			p.Later = riskDifference(tables)
		}
		p.Confirmed = p.Later != nil && (p.Later.Low > 0 && p.RiskDifference.Estimate > 0 || p.Later.High < 0 && p.RiskDifference.Estimate < 0)
	}
}

// Detectable is the smallest effect that a sample could have shown.
type Detectable struct {
	// RiskDifference is of a feature that half of the conversations have, the best
	// case; Rare of one that a tenth have. Above 1 nothing could have been shown.
	RiskDifference float64 `json:"risk_difference"`
	Rare           float64 `json:"risk_difference_of_a_tenth"`
	// Power is with what probability it is found; Level is the two-sided level that a
	// pattern must reach which is the only one: q by the number of features.
	Power float64 `json:"power"`
	Level float64 `json:"level"`
}

// SmallestDetectable is for so many conversations, of which a part were won, and so
// many features tested at once.
func SmallestDetectable(conversations, won, features int, q float64) *Detectable {
	if won == 0 || won == conversations || features == 0 {
		return nil
	}
	const power = .8
	d := &Detectable{Power: power, Level: q / float64(features)}
	rate := float64(won) / float64(conversations)
	z := -distuv.UnitNormal.Quantile(d.Level/2) + distuv.UnitNormal.Quantile(power)
	effect := func(part float64) float64 {
		return z * math.Sqrt(rate*(1-rate)/(float64(conversations)*part*(1-part)))
	}
	d.RiskDifference, d.Rare = effect(.5), effect(.1)
	return d
}
