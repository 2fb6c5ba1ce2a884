package resolution_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/resolution"
)

func table(tb testing.TB, rows ...resolution.Row) *resolution.Table {
	tb.Helper()
	table, err := resolution.NewTable(rows)
	if err != nil {
		tb.Fatal(err)
	}
	return table
}

// row has one value in each column that isn't empty.
func row(id string, values ...string) resolution.Row {
	r := resolution.Row{ID: id, Columns: make([][]string, len(values))}
	for c, v := range values {
		if v != "" {
			r.Columns[c] = []string{v}
		}
	}
	return r
}

func TestTableRefuses(t *testing.T) {
	t.Parallel()
	for name, rows := range map[string][]resolution.Row{
		"no id":           {row("", "x")},
		"an id twice":     {row("a", "x"), row("b", "x"), row("a", "y")},
		"unequal columns": {row("a", "x"), row("b", "x", "y")},
		"an empty value":  {{ID: "a", Columns: [][]string{{""}}}},
	} {
		if _, err := resolution.NewTable(rows); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestTableIsInOrderOfIds(t *testing.T) {
	t.Parallel()
	given := []resolution.Row{row("b", "x"), row("a", "y")}
	tab := table(t, given...)
	if at, ok := tab.Index("b"); !ok || at != 1 || tab.Row(1).ID != "b" || tab.Len() != 2 {
		t.Errorf("b is at %d, %v of %d", at, ok, tab.Len())
	}
	if _, ok := tab.Index("c"); ok {
		t.Error("a row that isn't there was found")
	}
	if given[0].ID != "b" {
		t.Error("the caller's rows were put into another order")
	}
}

// all columns' values are keys.
func values(r *resolution.Row) []string {
	var keys []string
	for c, of := range r.Columns {
		for _, v := range of {
			keys = append(keys, fmt.Sprint(c, v))
		}
	}
	return keys
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	roomy := resolution.Limits{Rows: 10, Window: 1, Pairs: 100}
	crowd := []resolution.Row{row("a", "x", "3"), row("b", "x", "1"), row("c", "x", "2"), row("d", "x", "1")}
	for _, c := range []struct {
		name   string
		rows   []resolution.Row
		limits resolution.Limits
		want   resolution.Blocks
	}{
		{"nothing", nil, roomy, resolution.Blocks{}},
		{"one row", []resolution.Row{row("a", "x")}, roomy, resolution.Blocks{}},
		{"rows without keys", []resolution.Row{row("a", ""), row("b", "")}, roomy, resolution.Blocks{}},
		{
			"two keys, one pair",
			[]resolution.Row{row("a", "x", "y"), row("b", "x", "y"), row("c", "z", "w")},
			roomy,
			resolution.Blocks{Candidates: []resolution.Candidate{{A: 0, B: 1}}},
		},
		{
			"any shared key",
			[]resolution.Row{row("a", "x", "1"), row("b", "x", "2"), row("c", "w", "2")},
			roomy,
			resolution.Blocks{Candidates: []resolution.Candidate{{A: 0, B: 1}, {A: 1, B: 2}}},
		},
		{
			"a block too large has neighbours alone: b, d, c, a in order of values",
			crowd,
			resolution.Limits{Rows: 3, Window: 1, Pairs: 100},
			resolution.Blocks{
				Candidates: []resolution.Candidate{{A: 0, B: 2}, {A: 1, B: 3}, {A: 2, B: 3}},
				Cuts:       []resolution.Cut{{Key: "0x", Rows: 4, Left: 3}},
			},
		},
		{
			"no more pairs than allowed, the smaller block first",
			crowd,
			resolution.Limits{Rows: 10, Window: 1, Pairs: 2},
			resolution.Blocks{
				Candidates: []resolution.Candidate{{A: 0, B: 1}, {A: 1, B: 3}},
				Cuts:       []resolution.Cut{{Key: "0x", Rows: 4, Left: 5}},
			},
		},
	} {
		got, err := resolution.Block(table(t, c.rows...), values, c.limits)
		if err != nil || !slices.Equal(got.Candidates, c.want.Candidates) || !slices.Equal(got.Cuts, c.want.Cuts) {
			t.Errorf("%s: %+v, %v, want %+v", c.name, got, err, c.want)
		}
	}
}

func TestBlockRefuses(t *testing.T) {
	t.Parallel()
	tab := table(t, row("a", "x"), row("b", "x"))
	for _, limits := range []resolution.Limits{{}, {Rows: 1, Window: 1, Pairs: 1}, {Rows: 2, Pairs: 1}, {Rows: 2, Window: 1}} {
		if _, err := resolution.Block(tab, values, limits); err == nil {
			t.Errorf("%+v was taken", limits)
		}
	}
	if _, err := resolution.Block(tab, func(*resolution.Row) []string { return []string{""} }, resolution.DefaultLimits()); err == nil {
		t.Error("an empty key was taken")
	}
}

// A million rows of one key would be 5·10¹¹ pairs.
func TestBlocksGrowLinearly(t *testing.T) {
	t.Parallel()
	limits := resolution.DefaultLimits()
	var rows []resolution.Row
	for i := range 20_000 {
		rows = append(rows, row(fmt.Sprint(i), "same"))
	}
	blocks, err := resolution.Block(table(t, rows...), values, limits)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(blocks.Candidates); n > limits.Window*len(rows) || n < len(rows)-1 {
		t.Errorf("%d pairs of %d equal rows", n, len(rows))
	}
	pairs := len(rows) * (len(rows) - 1) / 2
	if want := []resolution.Cut{{Key: "0same", Rows: len(rows), Left: pairs - len(blocks.Candidates)}}; !slices.Equal(blocks.Cuts, want) {
		t.Errorf("cuts %+v, want %+v", blocks.Cuts, want)
	}
}

func TestBlocksDontDependOnOrder(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	var rows []resolution.Row
	for i := range 500 {
		rows = append(rows, row(fmt.Sprint(i), fmt.Sprint(r.IntN(5)), fmt.Sprint(r.IntN(100))))
	}
	var first resolution.Blocks
	for i := range 20 {
		blocks, err := resolution.Block(table(t, rows...), values, resolution.Limits{Rows: 50, Window: 3, Pairs: 2000})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = blocks
			if len(first.Cuts) == 0 || len(first.Candidates) < 1000 {
				t.Fatalf("%d candidates, %d cuts: this shows nothing", len(first.Candidates), len(first.Cuts))
			}
		}
		if !slices.Equal(blocks.Candidates, first.Candidates) || !slices.Equal(blocks.Cuts, first.Cuts) {
			t.Fatal("another order gave other blocks")
		}
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	}
}
