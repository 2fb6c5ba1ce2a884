package resolution

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Candidate is a pair of rows by their places in the table, A below B.
type Candidate struct{ A, B int }

// Limits bound what blocking may give.
type Limits struct {
	// Rows is the most that a block may have for all its pairs to be candidates. In a
	// larger one each row meets its Window next ones alone (see Block).
	Rows int
	// Window is the number of neighbours within a block that is too large.
	Window int
	// Pairs is the most candidates there may be, those that several blocks give counted
	// for each.
	Pairs int
}

// DefaultLimits keep 100,000 rows within some seconds.
func DefaultLimits() Limits { return Limits{Rows: 60, Window: 8, Pairs: 5_000_000} }

// Cut is a block whose pairs aren't all candidates.
type Cut struct {
	Key string
	// Rows is the block's, Left the number of its pairs that it did not give; another
	// block may have given them.
	Rows, Left int
}

// Blocks is what blocking found.
type Blocks struct {
	// Candidates are in order, each once.
	Candidates []Candidate
	// Cuts are in order of keys.
	Cuts []Cut
}

// Block finds the pairs of rows that share a key. A block of more than limits.Rows
// says little, so it is read as a sorted neighbourhood (Hernández & Stolfo 1995): its
// rows in order of their values, then ids, each with the limits.Window next. Equal
// rows so stay connected, and the number of pairs is linear. Small blocks go first,
// and once limits.Pairs is reached the rest is left out. What was left out is in Cuts.
func Block(t *Table, keys func(*Row) []string, limits Limits) (Blocks, error) {
	if limits.Rows < 2 || limits.Window < 1 || limits.Pairs < 1 {
		return Blocks{}, errors.New("the limits of a block are 2 rows, a window of 1 and 1 pair, or more")
	}
	rows := map[string][]int{}
	for i := range t.rows {
		of := slices.Clone(keys(&t.rows[i]))
		slices.Sort(of)
		for _, key := range slices.Compact(of) {
			if key == "" {
				return Blocks{}, fmt.Errorf("row %s has an empty key", t.rows[i].ID)
			}
			rows[key] = append(rows[key], i)
		}
	}
	type block struct {
		key  string
		rows []int
	}
	var blocks []block
	for key, of := range rows {
		if len(of) > 1 {
			blocks = append(blocks, block{key, of})
		}
	}
	slices.SortFunc(blocks, func(a, b block) int {
		return cmp.Or(cmp.Compare(len(a.rows), len(b.rows)), cmp.Compare(a.key, b.key))
	})
	var found Blocks
	for _, b := range blocks {
		n, window := len(b.rows), len(b.rows)-1
		if n > limits.Rows {
			window = limits.Window
			slices.SortStableFunc(b.rows, func(i, j int) int { return compareColumns(t.rows[i].Columns, t.rows[j].Columns) })
		}
		given := 0
		for i := range b.rows {
			for j := i + 1; j <= min(i+window, n-1) && len(found.Candidates) < limits.Pairs; j++ {
				found.Candidates = append(found.Candidates, Candidate{min(b.rows[i], b.rows[j]), max(b.rows[i], b.rows[j])})
				given++
			}
		}
		if left := n*(n-1)/2 - given; left > 0 {
			found.Cuts = append(found.Cuts, Cut{b.key, n, left})
		}
	}
	slices.SortFunc(found.Candidates, compareCandidates)
	found.Candidates = slices.Compact(found.Candidates)
	slices.SortFunc(found.Cuts, func(a, b Cut) int { return cmp.Compare(a.Key, b.Key) })
	return found, nil
}

func compareCandidates(a, b Candidate) int {
	return cmp.Or(cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B))
}

func compareColumns(a, b [][]string) int {
	return slices.CompareFunc(a, b, slices.Compare[[]string])
}
