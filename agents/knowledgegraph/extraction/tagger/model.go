package tagger

import "math/bits"

// Model is what was learnt. It is never changed, and may be read by many at once.
type Model struct {
	set     tagset
	lexicon lexicon
	// keys are the features, in order; steps is a row of set.size for each, in units
	// of scale.
	keys        []uint32
	steps       []int16
	scale       float32
	transitions []float32
	calibration calibration

	// Made of the others by index: the place of a feature's weights by its hash, in an
	// open table.
	slots   []slot
	shift   int
	weights []float32
}

type slot struct {
	key uint32 // 0 is none
	row int32
}

const maxWeight = 32767

func (m *Model) index() {
	m.shift = 32 - bits.Len(uint(2*len(m.keys)))
	m.slots = make([]slot, 1<<(32-m.shift))
	for row, key := range m.keys {
		at := m.slot(key)
		for m.slots[at].key != 0 {
			at = (at + 1) & (len(m.slots) - 1)
		}
		m.slots[at] = slot{key, int32(row)}
	}
	m.weights = make([]float32, len(m.steps))
	for i, step := range m.steps {
		m.weights[i] = float32(step) * m.scale
	}
}

// slot is where the search for a key begins.
func (m *Model) slot(key uint32) int { return int((key * 0x9e3779b1) >> m.shift) }

// row is a feature's weights, or nil.
func (m *Model) row(key uint32) []float32 {
	for at := m.slot(key); ; at = (at + 1) & (len(m.slots) - 1) {
		switch s := m.slots[at]; s.key {
		case key:
			return m.weights[int(s.row)*m.set.size : (int(s.row)+1)*m.set.size]
		case 0:
			return nil
		}
	}
}

// Types are the types of names that the model knows, in order.
func (m *Model) Types() []string { return m.set.types }

// Guess is a name that a model finds, and the chance that its place and type are
// right.
type Guess struct {
	Span
	Confidence float64
}

// Reader tags sentences by a model, one at a time.
type Reader struct {
	model   *Model
	words   []word
	f       features
	hashes  []uint32
	lattice lattice
	chances chances
}

// NewReader returns a reader of the model.
func (m *Model) NewReader() *Reader {
	return &Reader{model: m, lattice: lattice{set: &m.set, transitions: m.transitions}}
}

// Read returns the names of a sentence, in order. Of what is given as known, spans of
// the model's types are names, tokens of other types are not; they are among the
// names that come back.
func (r *Reader) Read(tokens []string, known []Span) []Guess {
	spans := r.decode(tokens, known)
	if len(spans) == 0 {
		return nil
	}
	r.chances.read(&r.lattice, r.model.calibration.sharpness)
	guesses := make([]Guess, len(spans))
	for i, span := range spans {
		guesses[i] = Guess{span, r.model.calibration.confidence(r.chances.of(&r.lattice, span))}
	}
	return guesses
}

func (r *Reader) decode(tokens []string, known []Span) []Span {
	r.words = readWords(r.words, tokens)
	r.f.read(r.words, &r.model.lexicon, nil)
	r.lattice.room(len(tokens))
	for i := range tokens {
		r.hashes, _ = r.f.emit(r.hashes[:0], i)
		emissions := r.lattice.row(i)
		for _, h := range r.hashes {
			for tag, w := range r.model.row(h) {
				emissions[tag] += w
			}
		}
	}
	if len(known) > 0 {
		tags := r.model.set.tags(known, len(tokens))
		for _, span := range known {
			for i := span.Start; i < span.End; i++ {
				r.lattice.fix(i, int(tags[i]))
			}
		}
	}
	return r.model.set.spans(r.lattice.decode())
}
