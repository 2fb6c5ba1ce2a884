package clientvalue

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// grouped is a population as its likelihood sees it: clients with the same
// (x, t_x, T) are one row with a weight, and the logs of the few distinct times
// are taken once an evaluation. Rows are sorted, so that sums don't depend on
// the order of the clients.
type grouped struct {
	rows    []groupRow
	times   []float64 // distinct recencies and ages, in weeks, ascending
	maxX    int
	clients int
	repeats int     // clients with a repeat purchase
	sumX    float64 // repeat purchases
	sumAge  float64 // weeks
}

// groupRow is the number of clients with x repeat purchases, recency
// times[recency] and age times[age].
type groupRow struct {
	x, recency, age int32
	clients         float64
}

// group groups histories, which must have passed their Check.
func group(histories []History) grouped {
	type key struct {
		x            int32
		recency, age float64
	}
	g := grouped{clients: len(histories)}
	counts := make(map[key]int32)
	for i := range histories {
		h := &histories[i]
		counts[key{int32(h.X), h.Recency, h.Age}]++
		g.maxX = max(g.maxX, h.X)
		if h.X > 0 {
			g.repeats++
		}
	}
	places := make(map[float64]int32)
	for k := range counts {
		places[k.recency], places[k.age] = 0, 0
	}
	for t := range places {
		g.times = append(g.times, t)
	}
	slices.Sort(g.times)
	for i, t := range g.times {
		places[t] = int32(i)
	}
	g.rows = make([]groupRow, 0, len(counts))
	for k, n := range counts {
		g.rows = append(g.rows, groupRow{k.x, places[k.recency], places[k.age], float64(n)})
	}
	slices.SortFunc(g.rows, func(a, b groupRow) int {
		if a.x != b.x {
			return cmp.Compare(a.x, b.x)
		}
		if a.age != b.age {
			return cmp.Compare(a.age, b.age)
		}
		return cmp.Compare(a.recency, b.recency)
	})
	for _, row := range g.rows {
		g.sumX += row.clients * float64(row.x)
		g.sumAge += row.clients * g.times[row.age]
	}
	return g
}

// chunkRows is the number of rows that are summed as one: chunks depend on the
// rows alone and their sums are added in order, so that any number of
// processors gives the same bytes.
const chunkRows = 4096

// total is a log-likelihood and its gradient in the logs of R, Alpha, A, B.
type total [5]float64

// likelihood returns the log-likelihood of the population under m and p, with
// its gradient in ln R, ln Alpha, ln A, ln B.
func (g *grouped) likelihood(m Model, p Params, workers int) total {
	tables := newTables(m, p, g)
	chunks := (len(g.rows) + chunkRows - 1) / chunkRows
	sums := make([]total, chunks)
	sumChunk := func(i int) {
		sums[i] = tables.sum(g.rows[i*chunkRows : min((i+1)*chunkRows, len(g.rows))])
	}
	parallel(chunks, workers, sumChunk)
	var all total
	for _, sum := range sums {
		for i := range all {
			all[i] += sum[i]
		}
	}
	return total{all[0], p.R * all[1], p.Alpha * all[2], p.A * all[3], p.B * all[4]}
}

// parallel calls do(0) to do(n-1) on at most workers goroutines and waits for
// them.
func parallel(n, workers int, do func(int)) {
	if workers = min(workers, n); workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wait.Wait()
}

// tables hold what the rows of one evaluation share.
type tables struct {
	p     Params
	byX   []xTerms
	times []timeTerms
}

// xTerms are the terms that depend on x alone: of the log-likelihood, of its
// gradient in R, A and B, and ln a - ln(b+k-1) with 1/(b+k-1).
type xTerms struct {
	constant, dR, dA, dB float64
	logOdds, inverse     float64
}

// timeTerms are ln(alpha+t) and 1/(alpha+t).
type timeTerms struct{ log, inverse float64 }

func newTables(m Model, p Params, g *grouped) tables {
	t := tables{p: p, byX: make([]xTerms, g.maxX+1), times: make([]timeTerms, len(g.times))}
	for i, time := range g.times {
		t.times[i] = timeTerms{math.Log(p.Alpha + time), 1 / (p.Alpha + time)}
	}
	// ln Gamma(r+x) - ln Gamma(r) is the sum of ln(r+i), i < x, and so on:
	// running sums cost less than gamma functions and don't cancel.
	logAlpha, logA := math.Log(p.Alpha), math.Log(p.A)
	running := xTerms{constant: p.R * logAlpha, dR: logAlpha}
	survive := func(k int) {
		i := float64(k)
		running.constant -= math.Log1p(p.A / (p.B + i))
		running.dA -= 1 / (p.A + p.B + i)
		running.dB += p.A / ((p.B + i) * (p.A + p.B + i))
	}
	if m == MBGNBD {
		survive(0)
	}
	for x := range t.byX {
		k := m.chances(x)
		if x > 0 {
			rate := p.R + float64(x-1)
			running.constant += math.Log(rate)
			running.dR += 1 / rate
			survive(k - 1)
		}
		t.byX[x] = running
		if k == 0 {
			t.byX[x].logOdds = math.Inf(-1)
			continue
		}
		survivals := p.B + float64(k-1)
		t.byX[x].logOdds = logA - math.Log(survivals)
		t.byX[x].inverse = 1 / survivals
	}
	return t
}

// sum returns the log-likelihood of rows and its gradient in R, Alpha, A, B.
func (t *tables) sum(rows []groupRow) total {
	var sum total
	for _, row := range rows {
		c, age, recency := &t.byX[row.x], t.times[row.age], t.times[row.recency]
		rate := t.p.R + float64(row.x)
		u := c.logOdds + rate*(age.log-recency.log)
		e := math.Exp(-math.Abs(u))
		dropped := e / (1 + e) // the probability of having dropped out
		if u >= 0 {
			dropped = 1 / (1 + e)
		}
		alive := 1 - dropped
		sum[0] += row.clients * (c.constant - rate*age.log + max(u, 0) + math.Log1p(e))
		sum[1] += row.clients * (c.dR - alive*age.log - dropped*recency.log)
		sum[2] += row.clients * (t.p.R/t.p.Alpha - rate*(alive*age.inverse+dropped*recency.inverse))
		sum[3] += row.clients * (c.dA + dropped/t.p.A)
		sum[4] += row.clients * (c.dB - dropped*c.inverse)
	}
	return sum
}
