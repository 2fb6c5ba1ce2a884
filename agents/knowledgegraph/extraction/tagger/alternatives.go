package tagger

// longest is how many tokens an alternative has at most.
const longest = 12

// Alternatives are the names that a sentence may have, those of Read among them,
// with a chance of at least the least, by place. They overlap.
func (r *Reader) Alternatives(tokens []string, least float64) []Guess {
	if len(tokens) == 0 {
		return nil
	}
	r.decode(tokens, nil)
	r.chances.read(&r.lattice, r.model.calibration.sharpness)
	var all []Guess
	for start := range tokens {
		for end := start + 1; end <= min(len(tokens), start+longest); end++ {
			for _, kind := range r.model.set.types {
				span := Span{start, end, kind}
				if c := r.model.calibration.confidence(r.chances.of(&r.lattice, span)); c >= least {
					all = append(all, Guess{span, c})
				}
			}
		}
	}
	return all
}
