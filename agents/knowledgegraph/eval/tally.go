package eval

import "fmt"

// tally counts what was said to be a match.
type tally struct {
	// right and wrong are those said to be, matches those that are.
	right, wrong, matches int
}

func (t *tally) add(match bool) {
	if match {
		t.right++
	} else {
		t.wrong++
	}
}

func (t *tally) precision() float64 { return ratio(t.right, t.right+t.wrong) }
func (t *tally) recall() float64    { return ratio(t.right, t.matches) }
func (t *tally) f1() float64        { return ratio(2*t.right, t.right+t.wrong+t.matches) }

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// calibrationError is how far probabilities are from how often what they say is so:
// the mean distance over ten bins of equal width, by their number (expected
// calibration error, Naeini, Cooper & Hauskrecht 2015).
func calibrationError(probabilities []float64, truth []bool) float64 {
	var said, so [10]float64
	for i, p := range probabilities {
		bin := min(int(p*10), 9)
		said[bin] += p
		if truth[i] {
			so[bin]++
		}
	}
	sum := 0.
	for bin := range said {
		sum += max(said[bin]-so[bin], so[bin]-said[bin])
	}
	if len(probabilities) == 0 {
		return 0
	}
	return sum / float64(len(probabilities))
}

func atLeast(name string, target, measured float64) Figure {
	return Figure{name, fmt.Sprintf("≥ %.3g", target), fmt.Sprintf("%.4f", measured), measured >= target}
}

func atMost(name string, target, measured float64) Figure {
	return Figure{name, fmt.Sprintf("≤ %.3g", target), fmt.Sprintf("%.4f", measured), measured <= target}
}
