package chart

import (
	"html/template"
	"math"
	"strconv"
)

// Bin is one of a histogram.
type Bin struct {
	Label string
	Count int64
}

const (
	barWidth, barHeight = 460, 24
	barLeft, barRight   = 118, 390
)

// Histogram draws bins below one another, each with its name and its count; long
// names are cut.
func Histogram(bars []Bin, title, description, unit string) template.HTML {
	d := begin(barWidth, float64(len(bars))*barHeight+8, title, description)
	var most int64 = 1
	for _, b := range bars {
		most = max(most, b.Count)
	}
	x := Scale{From: 0, To: float64(most), Begin: barLeft, End: barRight}
	for i, b := range bars {
		top := float64(i)*barHeight + 4
		d.text("tick", "end", barLeft-8, top+16, cut(b.Label, 18))
		width := x.At(float64(b.Count)) - barLeft
		if b.Count > 0 {
			width = math.Max(width, 1)
		}
		d.rect("series-1", barLeft, top+3, width, barHeight-6, b.Label+": "+strconv.FormatInt(b.Count, 10)+" "+unit)
		d.text("", "start", barLeft+width+6, top+16, Compact(float64(b.Count)))
	}
	d.line("axis", barLeft, 0, barLeft, float64(len(bars))*barHeight+8)
	return d.end()
}
