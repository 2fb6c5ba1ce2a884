package chart

import (
	"html/template"
	"math"
)

// Interval is an estimate with its interval.
type Interval struct {
	Estimate, Low, High float64
}

// ForestRow is one line of a forest plot.
type ForestRow struct {
	Label string
	// Main is nil where there is no estimate.
	Main *Interval
	// Second is another estimate of the same, drawn below Main; nil for none.
	Second *Interval
	// Raw is the estimate before adjustment; nil for none.
	Raw *float64
	// Strong is drawn filled, others hollow.
	Strong bool
}

// ForestOptions say what a forest plot shows.
type ForestOptions struct {
	Title, Description string
	// None is the value that means no effect.
	None float64
	Log  bool
	Text func(float64) string
	// Less and More say what lies left and right of no effect.
	Less, More string
}

const (
	forestWidth, forestRow  = 460, 44
	forestLeft, forestRight = 14, 446
	forestTop               = 26
)

// Forest draws estimates with their intervals, one row each, and the line of no
// effect. An interval beyond the scale ends in an arrow.
func Forest(rows []ForestRow, o ForestOptions) template.HTML {
	end := forestTop + float64(len(rows))*forestRow
	d := begin(forestWidth, end+24, o.Title, o.Description)
	x := forestScale(rows, o)
	for _, v := range x.Ticks(5) {
		d.line("axis", x.At(v), forestTop, x.At(v), end+3)
		d.text("tick", "middle", x.At(v), end+17, o.Text(v))
	}
	d.line("no-effect", x.At(o.None), forestTop-6, x.At(o.None), end+3)
	if o.Less != "" {
		d.text("tick", "end", x.At(o.None)-6, forestTop-12, "◀ "+o.Less)
	}
	if o.More != "" {
		d.text("tick", "start", x.At(o.None)+6, forestTop-12, o.More+" ▶")
	}
	for i, row := range rows {
		top := forestTop + float64(i)*forestRow
		d.text("halo", "start", forestLeft, top+14, cut(row.Label, 60))
		if row.Main == nil {
			d.text("tick", "start", forestLeft, top+30, "can't be told")
			continue
		}
		class := "series-1"
		if !row.Strong {
			class = "hollow-1"
		}
		d.interval("stroke-1", x, top+26, *row.Main)
		d.marks(class, 2, 4.5, [2]float64{x.At(row.Main.Estimate), top + 26})
		if row.Raw != nil {
			d.marks("raw", 4, 3.2, [2]float64{x.At(*row.Raw), top + 26})
		}
		if row.Second != nil {
			d.interval("stroke-2", x, top+37, *row.Second)
			d.marks("series-2", 1, 4, [2]float64{x.At(row.Second.Estimate), top + 37})
		}
	}
	return d.end()
}

// forestScale holds all estimates and as much of the intervals as leaves the
// estimates apart: one endless interval doesn't squeeze the others together.
func forestScale(rows []ForestRow, o ForestOptions) Scale {
	to := func(v float64) float64 { return v - o.None }
	if o.Log {
		to = func(v float64) float64 { return math.Log(math.Max(v, 1e-6) / o.None) }
	}
	var reach, estimates float64
	for _, row := range rows {
		for _, i := range []*Interval{row.Main, row.Second} {
			if i == nil {
				continue
			}
			estimates = math.Max(estimates, math.Abs(to(i.Estimate)))
			for _, v := range []float64{i.Low, i.High} {
				if f := math.Abs(to(v)); !math.IsInf(f, 0) && !math.IsNaN(f) {
					reach = math.Max(reach, f)
				}
			}
		}
	}
	reach = math.Min(reach, 4*estimates) * 1.05
	if reach == 0 {
		reach = .1
	}
	x := Scale{Begin: forestLeft, End: forestRight, Log: o.Log, From: o.None - reach, To: o.None + reach}
	if o.Log {
		x.From, x.To = o.None*math.Exp(-reach), o.None*math.Exp(reach)
	}
	return x
}

// interval draws a line from low to high, with an arrow where it goes on beyond.
func (d *drawing) interval(class string, x Scale, y float64, i Interval) {
	from, to := x.At(i.Low), x.At(i.High)
	d.line(class, from, y, to, y)
	for _, end := range []struct {
		at, v, bound, side float64
	}{{from, i.Low, x.From, 1}, {to, i.High, x.To, -1}} {
		if beyond := (end.v - end.bound) * end.side; beyond < 0 {
			d.line(class, end.at, y, end.at+5*end.side, y-4)
			d.line(class, end.at, y, end.at+5*end.side, y+4)
		} else {
			d.line(class, end.at, y-4, end.at, y+4)
		}
	}
}
