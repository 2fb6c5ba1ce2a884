package resolution

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Model weighs pairs after Fellegi & Sunter (1969): a field's level is worth
// log2(m/u) bits, where m and u are how often pairs of one thing, and of two, are at
// it. It is fitted without labels.
type Model struct {
	Comparisons []Comparison
	// Lambda is the probability that two rows, any two, are one thing.
	Lambda float64
	// M and U are by comparison and level, each row summing to 1.
	M, U [][]float64
	// Matches is how many of the candidates are expected to be of one thing.
	Matches float64
	// Iterations is how many EM took; Converged says whether it came to rest within them.
	Iterations int
	Converged  bool

	table *Table
	bits  [][]float64
	prior float64
}

// FitOptions are those of EM; the zero value is all defaults.
type FitOptions struct {
	// Sample is the number of pairs from which u is estimated, default 100,000; where
	// the table has no more than these, all are.
	Sample int
	// Iterations is the most that EM may take, default 500.
	Iterations int
	// Weight is how many pairs the levels' own m and u count for, default 10.
	Weight float64
	// Seed chooses the sample.
	Seed uint64
}

// tolerance is the change of a probability below which EM has come to rest.
const tolerance = 1e-7

// count is how many pairs have a pattern.
type count struct {
	pattern pattern
	pairs   float64
}

// Fit estimates the model from candidates, which must hold nearly all pairs of one
// thing; the pairs that are none are taken to be of two. Matches at the levels, and so
// m and lambda, are by EM over the candidates (Winkler 1988, Jaro 1989); u is by the
// same EM from pairs drawn at random, since candidates agree more than others do.
// The levels' own m and u are Dirichlet priors, so that few rows, or none, give a
// model too. The same rows in another order give the same model to the last bit.
func Fit(t *Table, comparisons []Comparison, candidates []Candidate, o FitOptions) (*Model, error) {
	if err := check(comparisons, t); err != nil {
		return nil, err
	}
	o.Sample, o.Iterations, o.Weight = cmp.Or(o.Sample, 100_000), cmp.Or(o.Iterations, 500), cmp.Or(o.Weight, 10)
	if o.Sample < 0 || o.Iterations < 0 || !(o.Weight > 0) || math.IsInf(o.Weight, 0) {
		return nil, errors.New("the options of a fit are above 0")
	}
	candidates = slices.Clone(candidates)
	slices.SortFunc(candidates, compareCandidates)
	for i, c := range candidates {
		if c.A < 0 || c.A >= c.B || c.B >= t.Len() {
			return nil, fmt.Errorf("candidate %d, %d: no pair of the table's %d rows", c.A, c.B, t.Len())
		}
		if i > 0 && c == candidates[i-1] {
			return nil, fmt.Errorf("candidate %d, %d is there twice", c.A, c.B)
		}
	}
	blocked, err := histogram(t, comparisons, candidates)
	if err != nil {
		return nil, err
	}
	random, err := histogram(t, comparisons, sample(t.Len(), o.Sample, o.Seed))
	if err != nil {
		return nil, err
	}
	m := &Model{Comparisons: comparisons, table: t}
	m.start()
	for m.Iterations < o.Iterations && !m.Converged {
		m.Iterations++
		m.Converged = m.step(blocked, random, o.Weight) < tolerance
	}
	m.weigh()
	return m, nil
}

// histogram counts patterns and puts them in order, so that every sum over them is
// the same whatever the order of the pairs.
func histogram(t *Table, comparisons []Comparison, pairs []Candidate) ([]count, error) {
	patterns := make([]pattern, len(pairs))
	err := halves(len(pairs), func(i int) (err error) {
		patterns[i], err = compare(comparisons, t.Row(pairs[i].A), t.Row(pairs[i].B))
		return err
	})
	if err != nil {
		return nil, err
	}
	of := map[pattern]float64{}
	for _, p := range patterns {
		of[p]++
	}
	counts := make([]count, 0, len(of))
	for p, n := range of {
		counts = append(counts, count{p, n})
	}
	slices.SortFunc(counts, func(a, b count) int { return cmp.Compare(a.pattern, b.pattern) })
	return counts, nil
}

// halves does n things, half of them in another goroutine, and waits for both.
func halves(n int, do func(i int) error) error {
	var g errgroup.Group
	for _, half := range [][2]int{{0, n / 2}, {n / 2, n}} {
		g.Go(func() error {
			for i := half[0]; i < half[1]; i++ {
				if err := do(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// sample draws size pairs of n rows, with repetition, or gives all where they are no
// more than that. Rows are in order of ids, so that it depends on nothing but the set
// of them and the seed.
func sample(n, size int, seed uint64) []Candidate {
	var pairs []Candidate
	if float64(n)*float64(n-1)/2 <= float64(size) {
		for a := range n {
			for b := a + 1; b < n; b++ {
				pairs = append(pairs, Candidate{a, b})
			}
		}
		return pairs
	}
	pairs = make([]Candidate, size)
	for i := range pairs {
		a := int(mix(seed+2*uint64(i)) % uint64(n))
		b := int(mix(seed+2*uint64(i)+1) % uint64(n-1))
		if b >= a {
			b++
		}
		pairs[i] = Candidate{min(a, b), max(a, b)}
	}
	return pairs
}

// mix is SplitMix64 (Steele, Lea & Flood 2014).
func mix(x uint64) uint64 {
	x = (x + 1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// start is what one knows without data. EM ends at what is likely near it, so that the
// roles of m and u can't be swapped.
func (m *Model) start() {
	for _, c := range m.Comparisons {
		of, two := make([]float64, len(c.Levels)), make([]float64, len(c.Levels))
		for l, level := range c.Levels {
			of[l], two[l] = level.M, level.U
		}
		m.M, m.U = append(m.M, of), append(m.U, two)
	}
	m.Lambda = m.before()
	m.weigh()
}

// before is lambda as far as one knows without data: as if one row in ten were of a
// thing that another row is of.
func (m *Model) before() float64 {
	return min(.1*float64(max(m.table.Len(), 2))/max(m.table.pairs(), 1), .1)
}

// step is one of EM; it returns the largest change of a probability.
func (m *Model) step(blocked, random []count, weight float64) (change float64) {
	same, sampled := m.probabilities(blocked), m.probabilities(random)
	matches := 0.
	for i, c := range blocked {
		matches += c.pairs * same[i]
	}
	was, old := m.Lambda, m.M
	// The prior of lambda counts as one pair of one thing.
	before := m.before()
	m.Lambda = (matches + 1) / (m.table.pairs() + 1/before)
	m.Matches = matches
	change = math.Abs(math.Log(m.Lambda / was))
	m.M = make([][]float64, len(old))
	for f, c := range m.Comparisons {
		m.M[f] = make([]float64, len(c.Levels))
		total := weight
		for l, level := range c.Levels {
			m.M[f][l] = weight * level.M
		}
		for i, b := range blocked {
			if l := b.pattern.level(f); l != Missing {
				m.M[f][l] += b.pairs * same[i]
				total += b.pairs * same[i]
			}
		}
		for l := range m.M[f] {
			m.M[f][l] /= total
			change = max(change, math.Abs(m.M[f][l]-old[f][l]))
		}
		change = max(change, m.u(f, random, sampled, weight))
	}
	m.weigh()
	return change
}

// u estimates a comparison's u from random pairs that are of two things as far as
// the model knows.
func (m *Model) u(f int, random []count, same []float64, weight float64) (change float64) {
	levels := m.Comparisons[f].Levels
	next, total := make([]float64, len(levels)), weight
	for l, level := range levels {
		next[l] = weight * level.U
	}
	for i, r := range random {
		if l := r.pattern.level(f); l != Missing {
			next[l] += r.pairs * (1 - same[i])
			total += r.pairs * (1 - same[i])
		}
	}
	for l := range next {
		next[l] /= total
		change = max(change, math.Abs(next[l]-m.U[f][l]))
	}
	m.U[f] = next
	return change
}

// weigh turns the probabilities into bits. The priors keep m and u above 0.
func (m *Model) weigh() {
	m.prior = math.Log2(m.Lambda) - math.Log2(1-m.Lambda)
	m.bits = make([][]float64, len(m.M))
	for f := range m.M {
		m.bits[f] = make([]float64, len(m.M[f]))
		for l := range m.M[f] {
			m.bits[f][l] = math.Log2(m.M[f][l]) - math.Log2(m.U[f][l])
		}
	}
}

func (m *Model) probabilities(counts []count) []float64 {
	p := make([]float64, len(counts))
	for i, c := range counts {
		bits := m.prior
		for f := range m.bits {
			if l := c.pattern.level(f); l != Missing {
				bits += m.bits[f][l]
			}
		}
		p[i] = probability(bits)
	}
	return p
}

func probability(bits float64) float64 { return 1 / (1 + math.Exp2(-bits)) }

// Probability is that of a pair of the model's table to be one thing.
func (m *Model) Probability(c Candidate) (float64, error) {
	p, err := m.pattern(c)
	if err != nil {
		return 0, err
	}
	bits := m.prior
	for f := range m.bits {
		if l := p.level(f); l != Missing {
			bits += m.bits[f][l] + m.frequency(f, l, c)
		}
	}
	return probability(bits), nil
}

// Probabilities are those of many pairs, in their order.
func (m *Model) Probabilities(candidates []Candidate) ([]float64, error) {
	p := make([]float64, len(candidates))
	err := halves(len(candidates), func(i int) (err error) {
		p[i], err = m.Probability(candidates[i])
		return err
	})
	return p, err
}

// Score is Probability with what each field weighs, in the order of the comparisons;
// the last field, "prior", is what holds of any two rows. The bits of all sum to the
// log2 of the odds.
func (m *Model) Score(c Candidate) (Pair, error) {
	p, err := m.pattern(c)
	if err != nil {
		return Pair{}, err
	}
	pair := Pair{A: m.table.Row(c.A).ID, B: m.table.Row(c.B).ID}
	bits := m.prior
	for f := range m.bits {
		l := p.level(f)
		if l == Missing {
			pair.Fields = append(pair.Fields, Field{Name: m.Comparisons[f].Name, Level: "missing"})
			continue
		}
		b := m.bits[f][l] + m.frequency(f, l, c)
		bits += b
		pair.Fields = append(pair.Fields, Field{m.Comparisons[f].Name, m.Comparisons[f].Levels[l].Name, b})
	}
	pair.Fields = append(pair.Fields, Field{"prior", "any two", m.prior})
	pair.Probability = probability(bits)
	return pair, nil
}

func (m *Model) pattern(c Candidate) (pattern, error) {
	if c.A < 0 || c.A >= c.B || c.B >= m.table.Len() {
		return 0, fmt.Errorf("candidate %d, %d: no pair of the table's %d rows", c.A, c.B, m.table.Len())
	}
	return compare(m.Comparisons, m.table.Row(c.A), m.table.Row(c.B))
}

// frequency is what a level's bits change by for the value that the pair shares: u is
// how often two things agree on any value, so that agreeing on this one has its
// frequency in place of u (Winkler 1989). The frequency is that among the other rows,
// with one more row as if by u: a value nobody else has isn't infinitely rare.
func (m *Model) frequency(f, l int, c Candidate) float64 {
	if !m.Comparisons[f].Levels[l].Shared {
		return 0
	}
	have := m.table.rarest(m.table.Row(c.A), m.table.Row(c.B), m.Comparisons[f].Column)
	if have == 0 {
		return 0
	}
	u := m.U[f][l]
	others := float64(have-2) + 1
	return math.Log2(u) - math.Log2(others/(float64(m.table.Len()-2)+1/u))
}
