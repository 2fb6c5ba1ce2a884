package conversation

import (
	"cmp"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// maxOrder is the longest n-gram, in tokens.
const maxOrder = 3

// gram is an n-gram that enough conversations have.
type gram struct {
	text  string
	order int
	// in are the conversations that have it, ascending.
	in []uint32
	// won and lost are how often it is said in the first conversations, up to the
	// split; not in how many.
	won, lost uint32
}

// none is the number of what is no frequent n-gram.
const none = math.MaxUint32

// gramTable numbers the frequent n-grams: single tokens by an array, longer ones by
// the number of the n-gram without its last token and that of the last token.
type gramTable struct {
	first  []uint32
	longer [maxOrder + 1]map[uint64]uint32
	total  uint32
}

func pair(head, last uint32) uint64 { return uint64(head)<<32 | uint64(last) }

// walk calls see with each frequent n-gram that ends at each token, and miss with the
// key of each that may be one, where its order is not numbered yet.
func (g *gramTable) walk(tokens []uint32, upTo int, see func(order int, number uint32), miss func(key uint64)) {
	var before, now [maxOrder + 1]uint32
	for i := range before {
		before[i] = none
	}
	for _, token := range tokens {
		for i := range now {
			now[i] = none
		}
		if token != 0 {
			if now[1] = g.first[token]; now[1] != none {
				see(1, now[1])
				for order := 2; order <= upTo; order++ {
					// The whole is frequent only where both its parts are.
					if before[order-1] == none || now[order-1] == none {
						break
					}
					key := pair(before[order-1], now[1])
					if g.longer[order] == nil {
						miss(key)
						break
					}
					number, frequent := g.longer[order][key]
					if !frequent {
						break
					}
					now[order] = number
					see(order, number)
				}
			}
		}
		before = now
	}
}

// maxSketch is the largest sketch, as a power of two of counters of two bytes.
const maxSketch = 23

// sketchSize has a counter for each token, up to maxSketch.
func sketchSize(tokens int) int { return min(maxSketch, max(10, bits.Len(uint(tokens)))) }

func slot(key uint64, size int) uint64 {
	key ^= key >> 31
	return key * 0x9e3779b97f4a7c15 >> (64 - size)
}

// share splits conversations among the cores and waits for them.
func share(n int, do func(part, from, to int)) {
	parts := max(1, min(runtime.GOMAXPROCS(0), n))
	var done sync.WaitGroup
	for part := range parts {
		done.Go(func() { do(part, part*n/parts, (part+1)*n/parts) })
	}
	done.Wait()
}

// df is in how many conversations something is, while they are gone through.
type df struct{ count, last uint32 }

// ngrams finds those of one to maxOrder tokens that at least so many of the first
// split conversations have: by levels, since an n-gram is no more frequent than its
// parts. Each level is counted roughly first, by a sketch that never says too little,
// and exactly where that says enough.
func (c *Corpus) ngrams(split, least int) []gram {
	table := &gramTable{first: c.frequentWords(split, least)}
	var texts []string
	var orders []int
	for token, number := range table.first {
		if number != none {
			texts, orders = append(texts, c.words[token]), append(orders, 1)
		}
	}
	words := slices.Clone(texts)
	table.total = uint32(len(texts))
	heads := texts
	for order := 2; order <= maxOrder; order++ {
		keys := c.frequentPairs(table, order, split, least)
		table.longer[order] = make(map[uint64]uint32, len(keys))
		base := table.total - uint32(len(heads))
		var level []string
		for _, key := range keys {
			table.longer[order][key] = table.total
			table.total++
			text := heads[uint32(key>>32)-base] + " " + words[uint32(key)]
			level = append(level, text)
			orders = append(orders, order)
		}
		texts, heads = append(texts, level...), level
	}
	return c.collect(table, texts, orders, split)
}

// frequentWords numbers the frequent tokens, in their order.
func (c *Corpus) frequentWords(split, least int) []uint32 {
	counts := make([]uint32, len(c.words))
	var mu sync.Mutex
	share(split, func(_, from, to int) {
		mine := make([]df, len(c.words))
		for i := from; i < to; i++ {
			for _, token := range c.tokens[c.offsets[i]:c.offsets[i+1]] {
				if d := &mine[token]; d.last != uint32(i+1) {
					d.count, d.last = d.count+1, uint32(i+1)
				}
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for token := range mine {
			counts[token] += mine[token].count
		}
	})
	numbers, next := counts, uint32(0)
	for token, n := range counts {
		numbers[token] = none
		if token != 0 && int(n) >= least {
			numbers[token] = next
			next++
		}
	}
	return numbers
}

// frequentPairs are the keys of the frequent n-grams of an order, sorted.
func (c *Corpus) frequentPairs(table *gramTable, order, split, least int) []uint64 {
	size := sketchSize(len(c.tokens))
	sketch := make([]uint16, 1<<size)
	var mu sync.Mutex
	ignore := func(int, uint32) {}
	share(split, func(_, from, to int) {
		mine := make([]uint16, 1<<size)
		table.walk(c.tokens[c.offsets[from]:c.offsets[to]], order, ignore, func(key uint64) {
			if s := &mine[slot(key, size)]; *s < math.MaxUint16 {
				*s++
			}
		})
		mu.Lock()
		defer mu.Unlock()
		for i, n := range mine {
			sketch[i] = uint16(min(uint32(sketch[i])+uint32(n), math.MaxUint16))
		}
	})
	counts := map[uint64]uint32{}
	share(split, func(_, from, to int) {
		mine := map[uint64]df{}
		for i := from; i < to; i++ {
			table.walk(c.tokens[c.offsets[i]:c.offsets[i+1]], order, ignore, func(key uint64) {
				if int(sketch[slot(key, size)]) < min(least, math.MaxUint16) {
					return
				}
				if d := mine[key]; d.last != uint32(i+1) {
					mine[key] = df{d.count + 1, uint32(i + 1)}
				}
			})
		}
		mu.Lock()
		defer mu.Unlock()
		for key, d := range mine {
			counts[key] += d.count
		}
	})
	var keys []uint64
	for key, n := range counts {
		if int(n) >= least {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// collect finds which conversations have which frequent n-gram.
func (c *Corpus) collect(table *gramTable, texts []string, orders []int, split int) []gram {
	type part struct {
		hits      []uint32 // n-gram numbers, conversation by conversation
		ends      []int
		from      int
		counts    []uint32
		won, lost []uint32
	}
	n := len(c.Conversations)
	parts := make([]part, max(1, min(runtime.GOMAXPROCS(0), n)))
	share(n, func(p, from, to int) {
		mine := part{from: from, counts: make([]uint32, table.total), won: make([]uint32, table.total), lost: make([]uint32, table.total)}
		last := make([]uint32, table.total)
		for i := from; i < to; i++ {
			times := mine.lost
			if c.Conversations[i].Won {
				times = mine.won
			}
			table.walk(c.tokens[c.offsets[i]:c.offsets[i+1]], maxOrder, func(_ int, number uint32) {
				if i < split {
					times[number]++
				}
				if last[number] != uint32(i+1) {
					last[number] = uint32(i + 1)
					mine.hits = append(mine.hits, number)
					mine.counts[number]++
				}
			}, nil)
			mine.ends = append(mine.ends, len(mine.hits))
		}
		parts[p] = mine
	})
	grams := make([]gram, table.total)
	for g := range grams {
		size := uint32(0)
		for _, p := range parts {
			if p.counts != nil {
				size += p.counts[g]
				grams[g].won, grams[g].lost = grams[g].won+p.won[g], grams[g].lost+p.lost[g]
			}
		}
		grams[g].text, grams[g].order, grams[g].in = texts[g], orders[g], make([]uint32, 0, size)
	}
	for p := range parts {
		start := 0
		for i, end := range parts[p].ends {
			for _, g := range parts[p].hits[start:end] {
				grams[g].in = append(grams[g].in, uint32(parts[p].from+i))
			}
			start = end
		}
		parts[p].hits = nil
	}
	slices.SortFunc(grams, func(a, b gram) int { return cmp.Or(cmp.Compare(a.order, b.order), strings.Compare(a.text, b.text)) })
	return grams
}
