package chart

import (
	"html/template"
	"math"
	"strconv"
)

// Weighed is what something weighs in bits: for, or against where it is negative.
type Weighed struct {
	Name string
	Bits float64
}

// Bits draws what speaks for something to the right and what speaks against it to
// the left, one below the other, on one scale.
func Bits(title, description string, all []Weighed) template.HTML {
	const width, row, middle, reach = 560., 24., 370., 130.
	most := 1.
	for _, w := range all {
		most = math.Max(most, math.Abs(w.Bits))
	}
	most = RoundUp(most)
	height := row * float64(len(all)+1)
	d := begin(width, height, title, description)
	d.text("tick", "end", middle-6, 14, "against")
	d.text("tick", "start", middle+6, 14, "for")
	for i, w := range all {
		y := row * float64(i+1)
		length := math.Abs(w.Bits) / most * reach
		d.text("", "start", 0, y+15, fitted(w.Name, middle-reach-44, 12))
		class, x, anchor, at := "for", middle, "start", middle+length+4
		if w.Bits < 0 {
			class, x, anchor, at = "against", middle-length, "end", middle-length-4
		}
		d.rect(class, x, y+3, length, row-8, w.Name)
		d.text("tick", anchor, at, y+15, signed(w.Bits))
	}
	d.line("axis", middle, row-4, middle, height)
	return d.end()
}

// signed writes a number with its sign and a tenth.
func signed(v float64) string {
	text := strconv.FormatFloat(math.Abs(v), 'f', 1, 64)
	switch {
	case text == "0.0":
		return "0"
	case v < 0:
		return "−" + text
	default:
		return "+" + text
	}
}
