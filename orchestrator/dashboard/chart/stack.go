package chart

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
)

// Series is one colour of a chart of stacked bars: its CSS class and its name.
type Series struct {
	Class, Name string
}

// Bar is one bar: when its period begins, and how many of each series.
type Bar struct {
	At     time.Time
	Counts []float64
}

// Stack draws bars over time, one a period, whose parts are stacked in the order of
// the series. Bars lie in [from, to); what is between them is 0. Times are written in
// the zone.
func Stack(title string, series []Series, bars []Bar, from, to time.Time, period time.Duration, zone *time.Location) template.HTML {
	const width, height, left, right, top, bottom = 720, 190, 44, 8, 22, 24
	highest, totals := 0.0, make([]float64, len(series))
	for _, b := range bars {
		sum := 0.0
		for i, n := range b.Counts {
			sum += n
			totals[i] += n
		}
		highest = math.Max(highest, sum)
	}
	said := make([]string, len(series))
	for i, s := range series {
		said[i] = strconv.FormatFloat(totals[i], 'f', -1, 64) + " " + s.Name
	}
	d := begin(width, height, title, strings.Join(said, ", "))
	x := Scale{From: 0, To: to.Sub(from).Seconds(), Begin: left, End: width - right}
	y := Scale{From: 0, To: RoundUp(math.Max(highest, 4)), Begin: height - bottom, End: top}
	for _, tick := range y.Ticks(4) {
		if tick != math.Trunc(tick) {
			continue
		}
		d.line("axis", left, y.At(tick), width-right, y.At(tick))
		d.text("tick", "end", left-6, y.At(tick)+4, strconv.FormatFloat(tick, 'f', -1, 64))
	}
	times, layout := TimeTicks(from, to, 9, zone)
	for _, at := range times {
		place := x.At(at.Sub(from).Seconds())
		if place < left+14 || place > width-right-14 {
			continue
		}
		d.text("tick", "middle", place, height-8, at.In(zone).Format(layout))
	}
	legend := float64(left)
	for _, s := range series {
		d.rect(s.Class, legend, 4, 10, 10, "")
		d.text("tick", "start", legend+14, 13, s.Name)
		legend += 26 + 7*float64(len(s.Name))
	}
	gap := math.Min(2, x.At(period.Seconds())-left-1)
	for _, b := range bars {
		begins, ends := x.At(b.At.Sub(from).Seconds()), x.At(b.At.Add(period).Sub(from).Seconds())
		below := 0.0
		for i, n := range b.Counts {
			if n <= 0 {
				continue
			}
			foot, head := y.At(below), y.At(below+n)
			below += n
			d.rect(series[i].Class, begins, head, math.Max(ends-begins-math.Max(gap, 0), 1), math.Max(foot-head, 1),
				fmt.Sprintf("%s: %s %s", b.At.In(zone).Format("2 Jan 15:04"), strconv.FormatFloat(n, 'f', -1, 64), series[i].Name))
		}
	}
	return d.end()
}
