package resolution_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/resolution"
)

// planted has things of which a part is there twice, and knows which. A field of the
// second row is wrong, or missing, with known probability; a wrong value is one of two
// things. Values of field f are one of values[f], all as likely.
type planted struct {
	rows []resolution.Row
	// person is by id.
	person map[string]int
}

const (
	plantedWrong   = .15
	plantedMissing = .1
)

var plantedValues = []int{400, 150, 60, 20}

func plant(things, twice int, seed uint64) planted {
	r := rand.New(rand.NewPCG(seed, 0))
	p := planted{person: map[string]int{}}
	add := func(thing int, values []string) {
		id := fmt.Sprintf("%08x", r.Uint32())
		p.rows = append(p.rows, row(id, values...))
		p.person[id] = thing
	}
	for thing := range things {
		values := make([]string, len(plantedValues))
		for f, n := range plantedValues {
			values[f] = fmt.Sprint(r.IntN(n))
		}
		add(thing, values)
		if thing < twice {
			for f, n := range plantedValues {
				switch u := r.Float64(); {
				case u < plantedMissing:
					values[f] = ""
				case u < plantedMissing+plantedWrong:
					values[f] = fmt.Sprint(r.IntN(n))
				}
			}
			add(thing, values)
		}
	}
	return p
}

// plain are priors that know little of what was planted.
func plain() []resolution.Comparison {
	var all []resolution.Comparison
	for f := range plantedValues {
		all = append(all, resolution.Equal(fmt.Sprint("field ", f), f, .7, .1))
	}
	return all
}

func everyPair(n int) []resolution.Candidate {
	var all []resolution.Candidate
	for a := range n {
		for b := a + 1; b < n; b++ {
			all = append(all, resolution.Candidate{A: a, B: b})
		}
	}
	return all
}

func fit(tb testing.TB, tab *resolution.Table, comparisons []resolution.Comparison, candidates []resolution.Candidate) *resolution.Model {
	tb.Helper()
	m, err := resolution.Fit(tab, comparisons, candidates, resolution.FitOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func TestEMFindsWhatWasPlanted(t *testing.T) {
	t.Parallel()
	const things, twice = 450, 300
	p := plant(things, twice, 1)
	tab := table(t, p.rows...)
	candidates := everyPair(tab.Len())
	m, err := resolution.Fit(tab, plain(), candidates, resolution.FitOptions{Sample: len(candidates)})
	if err != nil {
		t.Fatal(err)
	}
	if !m.Converged {
		t.Errorf("no rest after %d iterations", m.Iterations)
	}
	if math.Abs(m.Matches-twice) > .08*twice {
		t.Errorf("%.1f matches, planted %d", m.Matches, twice)
	}
	for f, n := range plantedValues {
		var equal, compared float64
		for _, c := range candidates {
			a, b := tab.Row(c.A), tab.Row(c.B)
			if p.person[a.ID] == p.person[b.ID] && len(a.Columns[f])*len(b.Columns[f]) > 0 {
				compared++
				if a.Columns[f][0] == b.Columns[f][0] {
					equal++
				}
			}
		}
		if want := equal / compared; math.Abs(m.M[f][0]-want) > .04 {
			t.Errorf("field %d: m %.4f, planted %.4f", f, m.M[f][0], want)
		}
		if want := 1 / float64(n); math.Abs(m.U[f][0]-want) > .1*want {
			t.Errorf("field %d: u %.5f, planted %.5f", f, m.U[f][0], want)
		}
	}
	n := float64(tab.Len())
	if want := twice / (n * (n - 1) / 2); math.Abs(m.Lambda/want-1) > .1 {
		t.Errorf("lambda %v, planted %v", m.Lambda, want)
	}
	// What is said to be so in p of the cases is so in p of them.
	probabilities, err := m.Probabilities(candidates)
	if err != nil {
		t.Fatal(err)
	}
	var said, so, grey float64
	for i, c := range candidates {
		if q := probabilities[i]; q > .1 && q < .9 {
			grey++
			said += q
			if p.person[tab.Row(c.A).ID] == p.person[tab.Row(c.B).ID] {
				so++
			}
		}
	}
	if grey < 50 || math.Abs(said-so) > 3*math.Sqrt(grey)/2 {
		t.Errorf("of %.0f uncertain pairs %.1f were expected to be one, %.0f are", grey, said, so)
	}
}

func TestModelDoesntDependOnOrder(t *testing.T) {
	t.Parallel()
	p := plant(150, 60, 2)
	r := rand.New(rand.NewPCG(7, 8))
	var first *resolution.Model
	var probabilities []float64
	for i := range 20 {
		tab := table(t, p.rows...)
		candidates := everyPair(tab.Len())[:5_000]
		shuffled := slices.Clone(candidates)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		// Fewer than there are pairs, so that they are drawn.
		m, err := resolution.Fit(tab, plain(), shuffled, resolution.FitOptions{Sample: 8_000})
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Probabilities(candidates)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first, probabilities = m, got
		}
		same := func(a, b [][]float64) bool { return slices.EqualFunc(a, b, slices.Equal[[]float64]) }
		if m.Lambda != first.Lambda || !same(m.M, first.M) || !same(m.U, first.U) || !slices.Equal(got, probabilities) {
			t.Fatal("another order gave another model")
		}
		r.Shuffle(len(p.rows), func(i, j int) { p.rows[i], p.rows[j] = p.rows[j], p.rows[i] })
	}
}

func TestFitOfLittleOrNothing(t *testing.T) {
	t.Parallel()
	var same, empty []resolution.Row
	for i := range 30 {
		same = append(same, row(fmt.Sprint(i), "a", "b", "c", "d"))
		empty = append(empty, row(fmt.Sprint(i), "", "", "", ""))
	}
	for _, c := range []struct {
		name     string
		rows     []resolution.Row
		at       []string // level names of the first pair
		from, to float64  // its probability
	}{
		{"no row", nil, nil, 0, 0},
		{"one row", same[:1], nil, 0, 0},
		{"two rows that are equal", same[:2], []string{"equal", "equal", "equal", "equal"}, .99, 1},
		{"two rows that differ", []resolution.Row{row("a", "a", "b", "c", "d"), row("b", "w", "x", "y", "z")}, []string{"different", "different", "different", "different"}, 0, .01},
		// Nothing says whether they are one or everything is common.
		{"all the same", same, []string{"equal", "equal", "equal", "equal"}, 0, 1},
		{"nothing to compare", empty, []string{"missing", "missing", "missing", "missing"}, 0, .1},
	} {
		tab := table(t, c.rows...)
		candidates := everyPair(tab.Len())
		m := fit(t, tab, plain(), candidates)
		for _, row := range append(slices.Concat(m.M, m.U), []float64{m.Lambda, 1 - m.Lambda}) {
			sum := 0.
			for _, p := range row {
				if !(p > 0 && p < 1) {
					t.Errorf("%s: a probability is %v", c.name, p)
				}
				sum += p
			}
			if math.Abs(sum-1) > 1e-9 {
				t.Errorf("%s: probabilities sum to %v", c.name, sum)
			}
		}
		if !m.Converged {
			t.Errorf("%s: no rest", c.name)
		}
		if len(candidates) == 0 {
			continue
		}
		pair, err := m.Score(candidates[0])
		if err != nil {
			t.Fatal(err)
		}
		for i, level := range c.at {
			if pair.Fields[i].Level != level {
				t.Errorf("%s: field %d is %s, want %s", c.name, i, pair.Fields[i].Level, level)
			}
		}
		if !(pair.Probability >= c.from && pair.Probability <= c.to) {
			t.Errorf("%s: probability %v, want %v to %v", c.name, pair.Probability, c.from, c.to)
		}
	}
}

func TestBitsExplainTheProbability(t *testing.T) {
	t.Parallel()
	p := plant(200, 80, 3)
	tab := table(t, p.rows...)
	candidates := everyPair(tab.Len())
	m := fit(t, tab, plain(), candidates)
	for _, c := range candidates[:5000] {
		pair, err := m.Score(c)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.
		for _, f := range pair.Fields {
			sum += f.Bits
			if f.Level == "missing" && f.Bits != 0 {
				t.Fatalf("a missing field weighs %v", f.Bits)
			}
		}
		if want := 1 / (1 + math.Exp2(-sum)); math.Abs(pair.Probability-want) > 1e-12 {
			t.Fatalf("bits sum to %v, which is %v, not %v", sum, want, pair.Probability)
		}
		if lone, err := m.Probability(c); err != nil || lone != pair.Probability {
			t.Fatalf("alone it is %v, %v, explained %v", lone, err, pair.Probability)
		}
		if pair.A >= pair.B {
			t.Fatalf("%s before %s", pair.A, pair.B)
		}
	}
}

// To agree on a name that others have says less than on one that nobody else has.
func TestCommonValuesWeighLess(t *testing.T) {
	t.Parallel()
	var rows []resolution.Row
	for i := range 400 {
		name := fmt.Sprint("name ", i)
		switch {
		case i < 100:
			name = "common"
		case i < 102:
			name = "rare"
		case i < 104:
			name = "seldom"
		case i < 120:
			name = "known"
		}
		rows = append(rows, row(fmt.Sprintf("%03d", i), name))
	}
	tab := table(t, rows...)
	m := fit(t, tab, []resolution.Comparison{resolution.Equal("name", 0, .9, .05)}, everyPair(tab.Len()))
	bits := func(a, b int) float64 {
		p, err := m.Score(resolution.Candidate{A: a, B: b})
		if err != nil {
			t.Fatal(err)
		}
		return p.Fields[0].Bits
	}
	common, known, seldom, rare := bits(0, 1), bits(104, 105), bits(102, 103), bits(100, 101)
	if !(common < known && known < rare) || seldom != rare {
		t.Errorf("common %.2f, known %.2f, seldom %.2f and rare %.2f bits", common, known, seldom, rare)
	}
}

func TestFitRefuses(t *testing.T) {
	t.Parallel()
	tab := table(t, row("a", "x"), row("b", "x"), row("c", "y"))
	good := resolution.Equal("name", 0, .9, .1)
	change := func(by func(*resolution.Comparison)) []resolution.Comparison {
		c := good
		c.Levels = slices.Clone(c.Levels)
		by(&c)
		return []resolution.Comparison{c}
	}
	for _, c := range []struct {
		name        string
		comparisons []resolution.Comparison
		candidates  []resolution.Candidate
		options     resolution.FitOptions
	}{
		{name: "nothing compared"},
		{name: "a comparison twice", comparisons: []resolution.Comparison{good, good}},
		{name: "no name", comparisons: change(func(c *resolution.Comparison) { c.Name = "" })},
		{name: "no comparing", comparisons: change(func(c *resolution.Comparison) { c.At = nil })},
		{name: "one level", comparisons: change(func(c *resolution.Comparison) { c.Levels = c.Levels[:1] })},
		{name: "m of 0", comparisons: change(func(c *resolution.Comparison) { c.Levels[0].M, c.Levels[1].M = 0, 1 })},
		{name: "m that isn't a number", comparisons: change(func(c *resolution.Comparison) { c.Levels[0].M = math.NaN() })},
		{name: "u beyond 1", comparisons: change(func(c *resolution.Comparison) { c.Levels[0].U = 2 })},
		{name: "a column that isn't there", comparisons: change(func(c *resolution.Comparison) { c.Column = 1 })},
		{name: "a level that isn't there", comparisons: change(func(c *resolution.Comparison) { c.At = func(_, _ *resolution.Row) int { return 2 } })},
		{name: "a pair backwards", comparisons: []resolution.Comparison{good}, candidates: []resolution.Candidate{{A: 1, B: 0}}},
		{name: "a row with itself", comparisons: []resolution.Comparison{good}, candidates: []resolution.Candidate{{A: 1, B: 1}}},
		{name: "a row that isn't there", comparisons: []resolution.Comparison{good}, candidates: []resolution.Candidate{{A: 1, B: 3}}},
		{name: "a pair twice", comparisons: []resolution.Comparison{good}, candidates: []resolution.Candidate{{A: 0, B: 1}, {A: 1, B: 2}, {A: 0, B: 1}}},
		{name: "a negative weight", comparisons: []resolution.Comparison{good}, options: resolution.FitOptions{Weight: -1}},
		{name: "a negative sample", comparisons: []resolution.Comparison{good}, options: resolution.FitOptions{Sample: -1}},
	} {
		if _, err := resolution.Fit(tab, c.comparisons, c.candidates, c.options); err == nil {
			t.Errorf("%s was taken", c.name)
		}
	}
	m := fit(t, tab, []resolution.Comparison{good}, nil)
	for _, c := range []resolution.Candidate{{A: 1, B: 0}, {A: -1, B: 0}, {A: 0, B: 3}} {
		if _, err := m.Score(c); err == nil {
			t.Errorf("Score of %+v was given", c)
		}
		if _, err := m.Probabilities([]resolution.Candidate{c}); err == nil {
			t.Errorf("Probabilities of %+v were given", c)
		}
	}
}

func TestFitSaysThatItDidntRest(t *testing.T) {
	t.Parallel()
	tab := table(t, plant(200, 80, 4).rows...)
	m, err := resolution.Fit(tab, plain(), everyPair(tab.Len()), resolution.FitOptions{Iterations: 2})
	if err != nil || m.Converged || m.Iterations != 2 {
		t.Errorf("converged %v after %d, %v", m.Converged, m.Iterations, err)
	}
}

func TestCloseTakesTheClosestValues(t *testing.T) {
	t.Parallel()
	c := resolution.Close("name", 0, resolution.JaroWinkler, .95, .8)
	of := func(values ...string) *resolution.Row {
		return &resolution.Row{ID: "x", Columns: [][]string{values}}
	}
	for _, p := range []struct {
		name string
		a, b *resolution.Row
		want int
	}{
		{"a value in common", of("x", "martha"), of("martha", "y"), 0},
		{"close", of("martha"), of("zzz", "marhta"), 1},
		{"not so close", of("dixon"), of("dicksonx"), 2},
		{"different", of("martha"), of("zzz"), 3},
		{"missing", of(), of("martha"), resolution.Missing},
	} {
		if there, back := c.At(p.a, p.b), c.At(p.b, p.a); there != p.want || back != p.want {
			t.Errorf("%s: %d, and %d back, want %d", p.name, there, back, p.want)
		}
	}
}

// BenchmarkPairs scores pairs of ten columns of text.
func BenchmarkPairs(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	var rows []resolution.Row
	for i := range 2000 {
		values := make([]string, 10)
		for c := range values {
			values[c] = random(r, 16)
		}
		rows = append(rows, row(fmt.Sprint(i), values...))
	}
	tab := table(b, rows...)
	var comparisons []resolution.Comparison
	for c := range 10 {
		comparisons = append(comparisons, resolution.Close(fmt.Sprint(c), c, resolution.JaroWinkler, .9, .8))
	}
	m := fit(b, tab, comparisons, nil)
	candidates := everyPair(tab.Len())[:100_000]
	for b.Loop() {
		if _, err := m.Probabilities(candidates); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(candidates))*float64(b.N)/b.Elapsed().Seconds(), "pairs/s")
}

// BenchmarkFit fits a model of four fields to 3,000 rows.
func BenchmarkFit(b *testing.B) {
	tab := table(b, plant(2000, 1000, 5).rows...)
	blocks, err := resolution.Block(tab, values, resolution.DefaultLimits())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		fit(b, tab, plain(), blocks.Candidates)
	}
	b.ReportMetric(float64(len(blocks.Candidates)), "candidates")
}

// BenchmarkBlock finds the pairs of 30,000 rows by four keys each.
func BenchmarkBlock(b *testing.B) {
	tab := table(b, plant(20_000, 10_000, 6).rows...)
	for b.Loop() {
		if _, err := resolution.Block(tab, values, resolution.DefaultLimits()); err != nil {
			b.Fatal(err)
		}
	}
}
