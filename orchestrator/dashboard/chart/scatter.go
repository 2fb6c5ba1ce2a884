package chart

import (
	"html/template"
	"math"
	"strconv"
)

// Point is one of a series of a scatter.
type Point struct {
	X, Y   float64
	Series int // from 1
}

// ScatterOptions say what a scatter shows.
type ScatterOptions struct {
	Title, Description string
	XName, YName       string
	XText, YText       func(float64) string
	// Series are the names in the legend.
	Series []string
	// LogX takes the logarithm of x; what isn't above 0 lies at the left edge.
	LogX bool
	// YFrom and YTo are the ends of the y axis.
	YFrom, YTo float64
}

const (
	scatterWidth, scatterHeight           = 460, 330
	plotLeft, plotRight, plotTop, plotEnd = 48, 450, 34, 285
)

// Scatter draws points of several series, told apart by shape and colour.
func Scatter(points []Point, o ScatterOptions) template.HTML {
	d := begin(scatterWidth, scatterHeight, o.Title, o.Description)
	x := Scale{From: math.Inf(1), To: math.Inf(-1), Begin: plotLeft + 6, End: plotRight - 6, Log: o.LogX}
	for _, p := range points {
		if p.X > 0 || !o.LogX {
			x.From, x.To = math.Min(x.From, p.X), math.Max(x.To, p.X)
		}
	}
	if math.IsInf(x.From, 0) {
		x.From, x.To = 1, 10
	}
	if x.From == x.To && o.LogX {
		x.From, x.To = x.From/2, x.To*2
	}
	y := Scale{From: o.YFrom, To: o.YTo, Begin: plotEnd, End: plotTop}
	for _, v := range y.Ticks(5) {
		d.line("axis", plotLeft, y.At(v), plotRight, y.At(v))
		d.text("tick", "end", plotLeft-5, y.At(v)+4, o.YText(v))
	}
	for _, v := range x.Ticks(5) {
		d.line("axis", x.At(v), plotTop, x.At(v), plotEnd)
		d.text("tick", "middle", x.At(v), plotEnd+16, o.XText(v))
	}
	d.text("tick", "end", plotRight, scatterHeight-10, o.XName)
	d.text("tick", "start", 2, plotTop-22, o.YName)
	at := make([][][2]float64, len(o.Series))
	for _, p := range points {
		if p.Series >= 1 && p.Series <= len(at) {
			at[p.Series-1] = append(at[p.Series-1], [2]float64{x.At(p.X), y.At(p.Y)})
		}
	}
	// The last series first: the first one, which matters most, lies on top.
	for i := len(at) - 1; i >= 0; i-- {
		if len(at[i]) > 0 {
			d.marks("point series-"+strconv.Itoa(i+1), i+1, 3.6, at[i]...)
		}
	}
	from := float64(plotRight)
	for i := len(o.Series) - 1; i >= 0; i-- {
		from -= 8*float64(len(o.Series[i])) + 24
		d.marks("series-"+strconv.Itoa(i+1), i+1, 4.5, [2]float64{from, plotTop - 26})
		d.text("", "start", from+9, plotTop-22, o.Series[i])
	}
	return d.end()
}
