package resolution

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Missing is the level of a pair of which one has nothing to compare. It weighs
// nothing.
const Missing = -1

// Level is one way for a pair to be alike in a field.
type Level struct {
	Name string
	// M and U are how often a pair of one thing, and a pair of two, is at this level
	// as far as one knows before seeing data. Each is above 0, and each sums to 1
	// over the levels.
	M, U float64
	// Shared is whether a pair at this level has a value of the comparison's column in
	// common: to agree on a rare one then says more.
	Shared bool
}

// Comparison is how a field of two rows is compared.
type Comparison struct {
	Name string
	// Column is that whose values' frequency weighs, at levels that are Shared.
	Column int
	// Levels are the closest first; the last is for all that is at no other.
	Levels []Level
	// At is a pair's index in Levels, or Missing. It is the same for (a, b) and (b, a),
	// and safe to call from several goroutines.
	At func(a, b *Row) int
}

// The sizes for which a pair's levels fit one word.
const (
	mostComparisons = 16
	mostLevels      = 14
)

// check refuses what no model could be fitted to.
func check(comparisons []Comparison, t *Table) error {
	if len(comparisons) == 0 || len(comparisons) > mostComparisons {
		return fmt.Errorf("%d comparisons: there must be 1 to %d", len(comparisons), mostComparisons)
	}
	var names []string
	for _, c := range comparisons {
		if err := c.check(t); err != nil {
			return fmt.Errorf("comparison %q: %w", c.Name, err)
		}
		if slices.Contains(names, c.Name) {
			return fmt.Errorf("comparison %q is there twice", c.Name)
		}
		names = append(names, c.Name)
	}
	return nil
}

func (c *Comparison) check(t *Table) error {
	if c.Name == "" || c.At == nil {
		return errors.New("it has no name or compares nothing")
	}
	if c.Column < 0 || t.Len() > 0 && c.Column >= len(t.have) {
		return fmt.Errorf("there is no column %d", c.Column)
	}
	if len(c.Levels) < 2 || len(c.Levels) > mostLevels {
		return fmt.Errorf("%d levels: there must be 2 to %d", len(c.Levels), mostLevels)
	}
	var m, u float64
	for _, l := range c.Levels {
		// Written so that NaN is refused too.
		if !(l.M > 0) || !(l.U > 0) {
			return fmt.Errorf("level %q: m %v and u %v must be above 0", l.Name, l.M, l.U)
		}
		m, u = m+l.M, u+l.U
	}
	if !(math.Abs(m-1) < 1e-9) || !(math.Abs(u-1) < 1e-9) {
		return fmt.Errorf("m sums to %v and u to %v, not to 1", m, u)
	}
	return nil
}

// Equal compares a column by a shared value: it is for what has no small mistakes,
// such as e-mail addresses in normal form. m and u are how often a pair of one
// thing, and of two, shares a value.
func Equal(name string, column int, m, u float64) Comparison {
	return Comparison{
		Name:   name,
		Column: column,
		Levels: []Level{{Name: "equal", M: m, U: u, Shared: true}, {Name: "different", M: 1 - m, U: 1 - u}},
		At: func(a, b *Row) int {
			x, y := a.Columns[column], b.Columns[column]
			if len(x) == 0 || len(y) == 0 {
				return Missing
			}
			if shared(x, y) {
				return 0
			}
			return 1
		},
	}
}

// Close compares a column by the closest two values. Levels are "equal", then one for
// each bound, which must fall, named by it, then "different"; similarity is symmetric,
// within [0, 1]. Before data, one thing is equal in 4 of 5 cases.
func Close(name string, column int, similarity func(a, b string) float64, bounds ...float64) Comparison {
	levels := []Level{{Name: "equal", M: .8, U: .01, Shared: true}}
	for _, b := range bounds {
		levels = append(levels, Level{Name: fmt.Sprintf("%.2g or closer", b), M: .1 / float64(len(bounds)), U: .02 / float64(len(bounds))})
	}
	rest := Level{Name: "different", M: 1, U: 1}
	for _, l := range levels {
		rest.M, rest.U = rest.M-l.M, rest.U-l.U
	}
	return Comparison{
		Name:   name,
		Column: column,
		Levels: append(levels, rest),
		At: func(a, b *Row) int {
			x, y := a.Columns[column], b.Columns[column]
			if len(x) == 0 || len(y) == 0 {
				return Missing
			}
			if shared(x, y) {
				return 0
			}
			best := 0.
			for _, v := range x {
				for _, w := range y {
					best = max(best, similarity(v, w))
				}
			}
			for i, bound := range bounds {
				if best >= bound {
					return i + 1
				}
			}
			return len(bounds) + 1
		},
	}
}

func shared(x, y []string) bool {
	for _, v := range x {
		if slices.Contains(y, v) {
			return true
		}
	}
	return false
}

// pattern packs the levels of a pair, four bits each, 0 for Missing.
type pattern uint64

func (p pattern) level(comparison int) int { return int(p>>(4*comparison)&15) - 1 }

func compare(comparisons []Comparison, a, b *Row) (pattern, error) {
	var p pattern
	for i := range comparisons {
		at := comparisons[i].At(a, b)
		if at < Missing || at >= len(comparisons[i].Levels) {
			return 0, fmt.Errorf("comparison %q puts %s at level %d of %d", comparisons[i].Name, strings.Join([]string{a.ID, b.ID}, " and "), at, len(comparisons[i].Levels))
		}
		p |= pattern(at+1) << (4 * i)
	}
	return p, nil
}
