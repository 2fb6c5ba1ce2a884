package resolution

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Row is a record as it is compared: the values of each column in normal form, of
// which there may be none or several. A value is never empty.
type Row struct {
	ID      string
	Columns [][]string
}

// Table is rows in order of their ids, whatever order they came in, with how many
// of them have each value. It keeps the rows it is given; nobody may change them
// afterwards.
type Table struct {
	rows []Row
	// have counts rows by column and value.
	have []map[string]int
}

// NewTable refuses an id that is empty or there twice, rows of unequal numbers of
// columns, and empty values.
func NewTable(rows []Row) (*Table, error) {
	t := &Table{rows: slices.Clone(rows)}
	slices.SortFunc(t.rows, func(a, b Row) int { return cmp.Compare(a.ID, b.ID) })
	for i := range t.rows {
		r := &t.rows[i]
		if r.ID == "" {
			return nil, errors.New("a row has no id")
		}
		if i > 0 && t.rows[i-1].ID == r.ID {
			return nil, fmt.Errorf("two rows have the id %s", r.ID)
		}
		if len(r.Columns) != len(t.rows[0].Columns) {
			return nil, fmt.Errorf("row %s has %d columns, row %s has %d", r.ID, len(r.Columns), t.rows[0].ID, len(t.rows[0].Columns))
		}
		if i == 0 {
			t.have = make([]map[string]int, len(r.Columns))
		}
		for c, values := range r.Columns {
			if t.have[c] == nil {
				t.have[c] = map[string]int{}
			}
			for k, v := range values {
				if v == "" {
					return nil, fmt.Errorf("row %s has an empty value in column %d", r.ID, c)
				}
				if !slices.Contains(values[:k], v) {
					t.have[c][v]++
				}
			}
		}
	}
	return t, nil
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Row is the i-th in order of ids.
func (t *Table) Row(i int) *Row { return &t.rows[i] }

// Index is the place of a row.
func (t *Table) Index(id string) (int, bool) {
	return slices.BinarySearchFunc(t.rows, id, func(r Row, id string) int { return strings.Compare(r.ID, id) })
}

// pairs is the number of pairs of rows.
func (t *Table) pairs() float64 {
	n := float64(len(t.rows))
	return n * (n - 1) / 2
}

// rarest is the least common of the values that both rows have in a column, as the
// number of rows that have it; 0 where they share none.
func (t *Table) rarest(a, b *Row, column int) int {
	least := 0
	for _, v := range a.Columns[column] {
		if slices.Contains(b.Columns[column], v) {
			if n := t.have[column][v]; least == 0 || n < least {
				least = n
			}
		}
	}
	return least
}
