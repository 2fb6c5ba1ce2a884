package tagger

import (
	"math"
	"math/rand/v2"
)

// example is a sentence to learn from, by rows of the weights.
type example struct {
	tags    []uint8
	unknown []bool
	rows    [][]int32
	// identity is how many of a token's rows, the first, tell which name it is.
	identity []int
}

// known says whether a token's tag is.
func (e *example) known(i int) bool { return len(e.unknown) == 0 || !e.unknown[i] }

// perceptron learns tags by its mistakes. An update is as large as AdaGrad has it
// (Duchi et al. 2011): what is rare is learnt at once, what is common slowly.
type perceptron struct {
	lattice              lattice
	weights, transitions averaged
	steps                float64
	shown                [][]int32
}

// averaged are weights with their updates times the steps at which these came:
// now - moments/steps is the mean of the weights over all steps.
type averaged struct {
	now, squares []float32
	moments      []float64
}

func newAveraged(n int) averaged {
	return averaged{make([]float32, n), make([]float32, n), make([]float64, n)}
}

func (a averaged) update(at int, by float32, step float64) {
	a.squares[at]++
	by /= float32(math.Sqrt(float64(a.squares[at])))
	a.now[at] += by
	a.moments[at] += float64(by) * step
}

// addMean adds the mean weights to sum.
func (a averaged) addMean(sum []float64, steps float64) {
	for i, w := range a.now {
		sum[i] += float64(w) - a.moments[i]/steps
	}
}

func newPerceptron(set *tagset, rows int) *perceptron {
	p := &perceptron{lattice: lattice{set: set}, weights: newAveraged(rows * set.size), transitions: newAveraged(set.size * set.size)}
	p.lattice.transitions = p.transitions.now
	return p
}

// run goes over the examples in random order, again and again.
func (p *perceptron) run(examples []example, s Settings, random *rand.Rand) {
	order := make([]int, len(examples))
	for i := range order {
		order[i] = i
	}
	for range s.Epochs {
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, i := range order {
			p.steps++
			p.learn(&examples[i], s, random)
		}
	}
}

// learn tags an example, a wrong tag being given the margin, and moves the weights
// from what came out to what is true. What is unknown moves nothing.
func (p *perceptron) learn(e *example, s Settings, random *rand.Rand) {
	size := p.lattice.set.size
	p.lattice.room(len(e.tags))
	p.shown = p.shown[:0]
	for i, rows := range e.rows {
		if random.Float64() < s.Mask {
			rows = rows[e.identity[i]:]
		}
		p.shown = append(p.shown, rows)
		emissions := p.lattice.row(i)
		for _, row := range rows {
			for tag, w := range p.weights.now[int(row)*size : (int(row)+1)*size] {
				emissions[tag] += w
			}
		}
		if !e.known(i) {
			continue
		}
		for tag := range emissions {
			if tag != int(e.tags[i]) {
				emissions[tag] += float32(s.Margin)
			}
		}
	}
	guesses := p.lattice.decode()
	differed := false
	for i, tag := range guesses {
		guess, gold := int(tag), int(e.tags[i])
		if !e.known(i) {
			continue
		}
		differs := guess != gold
		if differs {
			for _, row := range p.shown[i] {
				p.weights.update(int(row)*size+gold, 1, p.steps)
				p.weights.update(int(row)*size+guess, -1, p.steps)
			}
		}
		if i > 0 && e.known(i-1) && (differs || differed) {
			p.transitions.update(int(e.tags[i-1])*size+gold, 1, p.steps)
			p.transitions.update(int(guesses[i-1])*size+guess, -1, p.steps)
		}
		differed = differs
	}
}
