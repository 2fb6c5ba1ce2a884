package chart

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// mark is the outline of a point of one series, which counts from 1. Its shape tells
// series from one another without their colours.
func mark(series int, x, y, r float64) string {
	switch (max(series, 1) - 1) % 4 {
	case 0: // a disc
		return "M" + num(x-r) + " " + num(y) + "a" + num(r) + " " + num(r) + " 0 1 0 " + num(2*r) + " 0a" + num(r) + " " + num(r) + " 0 1 0 " + num(-2*r) + " 0z"
	case 1: // a square
		return "M" + num(x-r) + " " + num(y-r) + "h" + num(2*r) + "v" + num(2*r) + "h" + num(-2*r) + "z"
	case 2: // a triangle
		return "M" + num(x) + " " + num(y-1.2*r) + "l" + num(1.2*r) + " " + num(2*r) + "h" + num(-2.4*r) + "z"
	default: // a diamond
		return "M" + num(x) + " " + num(y-1.4*r) + "l" + num(1.4*r) + " " + num(1.4*r) + "l" + num(-1.4*r) + " " + num(1.4*r) + "l" + num(-1.4*r) + " " + num(-1.4*r) + "z"
	}
}

// marks draws points of one series, which counts from 1.
func (d *drawing) marks(class string, series int, r float64, at ...[2]float64) {
	var path strings.Builder
	for _, p := range at {
		path.WriteString(mark(series, p[0], p[1], r))
	}
	fmt.Fprintf(d, `<path class="%s" d="%s"/>`, html.EscapeString(class), path.String())
}

// Compact writes a number in a few characters: 1.5k, 20M.
func Compact(v float64) string {
	if v == 0 {
		return "0" // not −0
	}
	for _, unit := range []struct {
		from float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= unit.from {
			return strconv.FormatFloat(v/unit.from, 'g', 3, 64) + unit.name
		}
	}
	return strings.Replace(strconv.FormatFloat(v, 'g', 3, 64), "-", "−", 1)
}

// Percents writes a share, 0 to 1.
func Percents(v float64) string { return Compact(math.Round(v*1000)/10) + " %" }
