package tagger

import "math"

// chances are sums over all ways to tag a sentence, a way weighing e to the power of
// its score times a sharpness: forward-backward, each token's sums scaled to one
// (Rabiner 1989).
type chances struct {
	sharpness         float64
	emissions         []float64 // exponentials, the best of each token being 1
	transitions       []float64
	forward, backward []float64
	scales            []float64
}

func (c *chances) read(l *lattice, sharpness float64) {
	n, size := len(l.tags), l.set.size
	if cap(c.emissions) < n*size {
		c.emissions, c.forward, c.backward = make([]float64, n*size), make([]float64, n*size), make([]float64, n*size)
		c.scales = make([]float64, n)
	}
	c.emissions, c.forward, c.backward, c.scales = c.emissions[:n*size], c.forward[:n*size], c.backward[:n*size], c.scales[:n]
	if c.transitions == nil || c.sharpness != sharpness {
		c.sharpness = sharpness
		c.transitions = make([]float64, size*size)
		for i, w := range l.transitions {
			if l.set.follows(i/size, i%size) {
				c.transitions[i] = math.Exp(float64(w) * sharpness)
			}
		}
	}
	for i := range n {
		row := l.row(i)
		top := row[0]
		for _, s := range row {
			top = max(top, s)
		}
		for tag, s := range row {
			c.emissions[i*size+tag] = math.Exp((float64(s) - float64(top)) * sharpness)
		}
	}
	c.goForward(l.set, n)
	c.goBackward(l.set, n)
}

func (c *chances) goForward(set *tagset, n int) {
	size := set.size
	for i := range n {
		row, emissions := c.forward[i*size:(i+1)*size], c.emissions[i*size:(i+1)*size]
		sum := 0.
		for tag := range row {
			row[tag] = 0
			if i == 0 {
				if !set.enters(tag) {
					continue
				}
				row[tag] = emissions[tag]
			} else {
				for _, before := range set.before[tag] {
					row[tag] += c.forward[(i-1)*size+before] * c.transitions[before*size+tag]
				}
				row[tag] *= emissions[tag]
			}
			sum += row[tag]
		}
		sum = max(sum, math.SmallestNonzeroFloat64)
		c.scales[i] = sum
		for tag := range row {
			row[tag] /= sum
		}
	}
}

func (c *chances) goBackward(set *tagset, n int) {
	size := set.size
	row := c.backward[(n-1)*size : n*size]
	clear(row)
	for _, tag := range set.closing {
		row[tag] = 1
	}
	for i := n - 2; i >= 0; i-- {
		row, next := c.backward[i*size:(i+1)*size], c.backward[(i+1)*size:(i+2)*size]
		clear(row)
		emissions := c.emissions[(i+1)*size : (i+2)*size]
		for tag := range next {
			weight := next[tag] * emissions[tag] / c.scales[i+1]
			for _, before := range set.before[tag] {
				row[before] += weight * c.transitions[before*size+tag]
			}
		}
	}
}

// of is the share of the ways that have the name exactly.
func (c *chances) of(l *lattice, span Span) float64 {
	set, size := l.set, l.set.size
	n := len(l.tags)
	tags := set.tags([]Span{span}, span.End)
	p := 1.
	for i := span.Start; i < span.End; i++ {
		tag := int(tags[i])
		sum := 1.
		switch {
		case i > span.Start:
			sum = c.transitions[int(tags[i-1])*size+tag]
		case i > 0:
			sum = 0
			for _, before := range set.before[tag] {
				sum += c.forward[(i-1)*size+before] * c.transitions[before*size+tag]
			}
		}
		p *= sum * c.emissions[i*size+tag] / c.scales[i]
	}
	p *= c.backward[(span.End-1)*size+int(tags[span.End-1])]
	// The ways that end with an open name are none: what is left of the last sum.
	total := 0.
	for _, tag := range set.closing {
		total += c.forward[(n-1)*size+tag]
	}
	if total > 0 {
		p /= total
	}
	if math.IsNaN(p) {
		return 0
	}
	return min(p, 1)
}
