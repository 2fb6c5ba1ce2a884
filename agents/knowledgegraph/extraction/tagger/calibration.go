package tagger

import (
	"math"
)

// calibration makes of a share of ways a confidence: the chance that a name is right.
// The sharpness turns scores into weights of ways; slope and shift are of the
// logistic function over the share's log-odds (Platt 1999).
type calibration struct{ sharpness, slope, shift float64 }

var uncalibrated = calibration{1, 1, 0}

// sharpnesses are those that are tried.
var sharpnesses = []float64{.01, .02, .035, .05, .07, .1, .15, .2, .3, .5}

// trial is a name that was found in text that the model had not seen, with its share
// of ways under each sharpness.
type trial struct {
	shares []float64
	right  bool
}

const leastShare = 1e-12

func logOdds(p float64) float64 {
	p = min(max(p, leastShare), 1-leastShare)
	return math.Log(p / (1 - p))
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// confidence is in (0, 1).
func (c calibration) confidence(share float64) float64 {
	return min(max(logistic(c.slope*logOdds(share)+c.shift), 1e-6), 1-1e-6)
}

// minTrials are too few to calibrate by.
const minTrials = 30

// calibrate chooses the sharpness, slope and shift under which the trials' outcomes
// are likeliest.
func calibrate(trials []trial) calibration {
	if len(trials) < minTrials {
		return uncalibrated
	}
	best, least := uncalibrated, math.Inf(1)
	for k, sharpness := range sharpnesses {
		x := make([]float64, len(trials))
		for i, t := range trials {
			x[i] = logOdds(t.shares[k])
		}
		slope, shift, loss := platt(x, trials)
		if loss < least {
			best, least = calibration{sharpness, slope, shift}, loss
		}
	}
	return best
}

// platt fits a logistic function by Newton's steps, towards targets a little within
// 0 and 1, as Platt has them, so that it is finite where the classes don't overlap.
func platt(x []float64, trials []trial) (slope, shift, loss float64) {
	right := 0.
	for _, t := range trials {
		if t.right {
			right++
		}
	}
	high, low := (right+1)/(right+2), 1/(float64(len(trials))-right+2)
	value := func(slope, shift float64) (loss float64) {
		for i, t := range trials {
			target := low
			if t.right {
				target = high
			}
			z := slope*x[i] + shift
			// log(1 + e^z) - target z, without overflow.
			loss += max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) - target*z
		}
		return loss
	}
	slope = 1
	loss = value(slope, shift)
	for range 50 {
		var g, gx, h, hx, hxx float64
		for i, t := range trials {
			target := low
			if t.right {
				target = high
			}
			p := logistic(slope*x[i] + shift)
			d, w := p-target, p*(1-p)
			g, gx = g+d, gx+d*x[i]
			h, hx, hxx = h+w, hx+w*x[i], hxx+w*x[i]*x[i]
		}
		h, hxx = h+1e-9, hxx+1e-9
		det := h*hxx - hx*hx
		if math.Abs(g)+math.Abs(gx) < 1e-6 || det <= 0 {
			break
		}
		stepShift, stepSlope := (hxx*g-hx*gx)/det, (h*gx-hx*g)/det
		better := false
		for step := 1.; step > 1e-6; step /= 2 {
			if l := value(slope-step*stepSlope, shift-step*stepShift); l < loss {
				slope, shift, loss, better = slope-step*stepSlope, shift-step*stepShift, l, true
				break
			}
		}
		if !better {
			break
		}
	}
	return slope, shift, loss
}

// bySentence finds names in each fold of the sentences by a model of the others.
func bySentence(sentences []Sentence, types []string, s Settings) []trial {
	var trials []trial
	for fold := range s.Folds {
		var learnt, held []Sentence
		for _, sentence := range sentences {
			if sentence.fold(s.Folds) == fold {
				held = append(held, sentence)
			} else {
				learnt = append(learnt, sentence)
			}
		}
		r := fit(learnt, types, s).NewReader()
		for _, sentence := range held {
			for _, span := range r.decode(sentence.Tokens, nil) {
				if sentence.touchesUnknown(span) {
					continue
				}
				trials = append(trials, r.try(span, sentence.has(span)))
			}
		}
	}
	return trials
}

// try is the trial of a span of the sentence that was just decoded.
func (r *Reader) try(span Span, right bool) trial {
	t := trial{right: right}
	for _, sharpness := range sharpnesses {
		r.chances.read(&r.lattice, sharpness)
		t.shares = append(t.shares, r.chances.of(&r.lattice, span))
	}
	return t
}
