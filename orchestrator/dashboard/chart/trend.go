package chart

import (
	"html/template"
	"math"
	"time"
)

// Moment is a value at a time, with an interval where there is one.
type Moment struct {
	At        time.Time
	Value     float64
	Low, High *float64
}

// TrendOptions say what a trend shows.
type TrendOptions struct {
	Title, Description string
	Text               func(float64) string
	Zone               *time.Location
	// To is the end of the axis, which begins at 0; 0 is the greatest value.
	To float64
	// Series is its colour and shape, from 1.
	Series int
}

const (
	trendWidth, trendHeight = 460, 190
	trendTop, trendEnd      = 12, 160
)

// Trend draws how a value moved, as points in the order of time with their intervals.
func Trend(moments []Moment, o TrendOptions) template.HTML {
	d := begin(trendWidth, trendHeight, o.Title, o.Description)
	if len(moments) == 0 {
		return d.end()
	}
	from, to, most := moments[0].At, moments[0].At, o.To
	for _, m := range moments {
		if m.At.Before(from) {
			from = m.At
		}
		if m.At.After(to) {
			to = m.At
		}
		if o.To == 0 {
			most = math.Max(most, m.Value)
			if m.High != nil {
				most = math.Max(most, *m.High)
			}
		}
	}
	if o.To == 0 {
		most = RoundUp(most)
	}
	x := Scale{From: 0, To: to.Sub(from).Seconds(), Begin: plotLeft + 8, End: plotRight - 12}
	y := Scale{From: 0, To: most, Begin: trendEnd, End: trendTop}
	for _, v := range y.Ticks(4) {
		d.line("axis", plotLeft, y.At(v), plotRight, y.At(v))
		d.text("tick", "end", plotLeft-5, y.At(v)+4, o.Text(v))
	}
	if to.After(from) {
		ticks, layout := TimeTicks(from, to, 5, o.Zone)
		for _, t := range ticks {
			d.text("tick", "middle", x.At(t.Sub(from).Seconds()), trendEnd+18, t.In(o.Zone).Format(layout))
		}
	} else {
		d.text("tick", "middle", x.At(0), trendEnd+18, from.In(o.Zone).Format("2 Jan 2006 15:04"))
	}
	n := string(rune('0' + max(1, min(o.Series, 6))))
	at := make([][2]float64, len(moments))
	for i, m := range moments {
		at[i] = [2]float64{x.At(m.At.Sub(from).Seconds()), y.At(m.Value)}
		if m.Low != nil && m.High != nil {
			low, high := y.At(*m.Low), y.At(*m.High)
			d.line("stroke-"+n, at[i][0], low, at[i][0], high)
			d.line("stroke-"+n, at[i][0]-3, low, at[i][0]+3, low)
			d.line("stroke-"+n, at[i][0]-3, high, at[i][0]+3, high)
		}
		if i > 0 {
			d.line("stroke-"+n+" way", at[i-1][0], at[i-1][1], at[i][0], at[i][1])
		}
	}
	d.marks("series-"+n, o.Series, 3.5, at...)
	return d.end()
}
