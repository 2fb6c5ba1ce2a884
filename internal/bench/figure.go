package main

import (
	"fmt"
	"math"
	"slices"
)

// figure is one line of the table.
type figure struct {
	Name  string `json:"figure"`
	Unit  string `json:"unit"`
	Floor series `json:"floor,omitempty"`
	Ours  series `json:"ours,omitempty"`
	// Ratio is ours over the floor, of each repeat's pair; empty where it says nothing.
	Ratio series `json:"ratio,omitempty"`
	// Aim is what is judged, in words; empty for what is only told.
	Aim     string `json:"aim,omitempty"`
	Verdict string `json:"verdict,omitempty"`
}

// The verdicts. Slow is a time that misses its aim by less than three times: it
// is shown and fails nothing, since it depends on the machine.
const (
	pass = "ok"
	slow = "SLOW"
	miss = "MISSED"
)

// beside is a figure that only tells.
func beside(name, unit string, floor, ours series) figure {
	return figure{Name: name, Unit: unit, Floor: floor, Ours: ours, Ratio: ours.over(floor)}
}

// ratioOf is a figure whose ratio, ours over the floor, must be at least aim.
func ratioOf(name, unit string, floor, ours series, aim, stretch float64) figure {
	f := beside(name, unit, floor, ours)
	f.Aim, f.Verdict = fmt.Sprintf("≥ %.1f", aim), miss
	if stretch > 0 {
		f.Aim += fmt.Sprintf(" (%.1f)", stretch)
	}
	if f.Ratio.median() >= aim {
		f.Verdict = pass
	}
	return f
}

// ratioAtMost is a time, or a cost, whose ratio, ours over the floor, must not
// exceed aim.
func ratioAtMost(name, unit string, floor, ours series, aim float64) figure {
	f := beside(name, unit, floor, ours)
	f.Aim, f.Verdict = fmt.Sprintf("≤ %g", aim), miss
	if f.Ratio.median() <= aim {
		f.Verdict = pass
	}
	return f
}

// atMost is a count, or a time that settings make and not the machine, that must
// not exceed its aim on any machine.
func atMost(name, unit string, ours series, aim float64) figure {
	f := figure{Name: name, Unit: unit, Ours: ours, Aim: fmt.Sprintf("≤ %g", aim), Verdict: miss}
	if ours.median() <= aim {
		f.Verdict = pass
	}
	return f
}

// timeWithin is a time that should not exceed its aim, and fails at three times it.
func timeWithin(name string, floor, ours series, aim float64) figure {
	f := figure{Name: name, Unit: "ms", Floor: floor, Ours: ours, Aim: fmt.Sprintf("≤ %g ms", aim), Verdict: pass}
	switch median := ours.median(); {
	case median > 3*aim:
		f.Verdict = miss
	case median > aim:
		f.Verdict = slow
	}
	return f
}

// exactly is a count that must be what it should.
func exactly(name, unit string, ours series, want float64) figure {
	f := figure{Name: name, Unit: unit, Ours: ours, Aim: fmt.Sprintf("= %g", want), Verdict: pass}
	if slices.ContainsFunc(ours, func(v float64) bool { return v != want }) {
		f.Verdict = miss
	}
	return f
}

// show is the median, with the lowest and the highest where there are several.
func show(s series) string {
	if len(s) == 0 {
		return "–"
	}
	low, high := slices.Min(s), slices.Max(s)
	text := number(s.median())
	if number(low) != number(high) {
		text += " (" + number(low) + "–" + number(high) + ")"
	}
	return text
}

// number has three digits that mean something.
func number(v float64) string {
	switch {
	case math.Abs(v) >= 100 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}
