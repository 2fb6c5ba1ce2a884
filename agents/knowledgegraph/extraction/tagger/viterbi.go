package tagger

import "math"

// lattice is the scores of one sentence's tags and the room to decode them, kept
// from sentence to sentence.
type lattice struct {
	set *tagset
	// emissions is a row of set.size for each token; transitions a row for each tag
	// before, of which only those that may follow are read.
	emissions, transitions []float32
	best                   []float32
	from, tags             []uint8
}

// room makes place for n tokens and clears the emissions.
func (l *lattice) room(n int) {
	size := n * l.set.size
	if cap(l.emissions) < size {
		l.emissions, l.best, l.from = make([]float32, size), make([]float32, size), make([]uint8, size)
		l.tags = make([]uint8, n)
	}
	l.emissions, l.best, l.from = l.emissions[:size], l.best[:size], l.from[:size]
	l.tags = l.tags[:n]
	clear(l.emissions)
}

func (l *lattice) row(i int) []float32 { return l.emissions[i*l.set.size : (i+1)*l.set.size] }

// impossible is far below any score, and so near to none that sums with it stay finite.
const impossible = -1e30

// fix leaves a token no tag but one.
func (l *lattice) fix(i, tag int) {
	row := l.row(i)
	for t := range row {
		if t != tag {
			row[t] = impossible
		}
	}
}

// decode returns the best tags under the tags' order, valid until the next room. Of
// equal ones the lower tag wins.
func (l *lattice) decode() []uint8 {
	n, size := len(l.tags), l.set.size
	if n == 0 {
		return l.tags
	}
	for tag := range size {
		l.best[tag] = float32(math.Inf(-1))
	}
	for _, tag := range l.set.free {
		l.best[tag] = l.emissions[tag]
	}
	for i := 1; i < n; i++ {
		previous, row := l.best[(i-1)*size:i*size], l.best[i*size:(i+1)*size]
		from, emissions := l.from[i*size:(i+1)*size], l.row(i)
		for _, tag := range l.set.free {
			top, at := previous[outside]+l.transitions[tag], outside
			for _, before := range l.set.closing[1:] {
				if s := previous[before] + l.transitions[before*size+tag]; s > top {
					top, at = s, before
				}
			}
			row[tag], from[tag] = top+emissions[tag], uint8(at)
		}
		for kind := range l.set.types {
			first, in := tagOf(kind, begin), tagOf(kind, inside)
			for tag := in; tag <= in+1; tag++ {
				top, at := previous[first]+l.transitions[first*size+tag], first
				if s := previous[in] + l.transitions[in*size+tag]; s > top {
					top, at = s, in
				}
				row[tag], from[tag] = top+emissions[tag], uint8(at)
			}
		}
	}
	end := l.best[(n-1)*size:]
	tag := outside
	for _, t := range l.set.closing {
		if end[t] > end[tag] {
			tag = t
		}
	}
	for i := n - 1; i >= 0; i-- {
		l.tags[i] = uint8(tag)
		tag = int(l.from[i*size+tag])
	}
	return l.tags
}
