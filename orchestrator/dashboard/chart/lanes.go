package chart

import (
	"fmt"
	"html/template"
	"math"
	"time"
)

// Lane is a row of a chart of bars over time.
type Lane struct {
	Label string
	Bars  []Span
	Marks []Mark
}

// Span is a bar of a lane.
type Span struct {
	// From and To are seconds from the axis's begin.
	From, To float64
	// Class gives its colour, Text is written in it where there is room, Title shows
	// on hovering, Href is where it leads.
	Class, Text, Title, Href string
	// Level is its place within the lane: 0 is at the top.
	Level int
	// Thin is drawn as a line: what waits.
	Thin bool
}

// Mark is an instant of a lane, in seconds from the axis's begin.
type Mark struct {
	At           float64
	Class, Title string
}

const (
	laneWidth  = 900.
	labelWidth = 190.
	laneEnd    = laneWidth - 36
	levelSize  = 18.
	laneGap    = 10.
	axisSize   = 24.
	// leastBar is what a bar must have to be seen and hit, in units.
	leastBar = 4.
	// letter is about how wide one of a bar's or a label's letters is.
	letter = 6.6
	// labelLetters is how many of a label there is room for.
	labelLetters = 26
)

// Clock draws lanes over the time of day from one instant to another, in a zone.
// The bars' seconds are from that first instant.
func Clock(title, description string, from, to time.Time, zone *time.Location, lanes []Lane) template.HTML {
	first, last := from.Truncate(time.Second), to.Truncate(time.Second).Add(time.Second)
	s := Scale{From: first.Sub(from).Seconds(), To: last.Sub(from).Seconds(), Begin: labelWidth, End: laneEnd}
	ticks, layout := TimeTicks(first, last, 8, zone)
	var places []tick
	for _, t := range ticks {
		places = append(places, tick{t.Sub(from).Seconds(), t.In(zone).Format(layout)})
	}
	return draw(title, description, s, places, lanes)
}

// Elapsed draws lanes over the seconds since each of them began, up to a number.
func Elapsed(title, description string, to float64, lanes []Lane) template.HTML {
	s := Scale{From: 0, To: math.Max(to, 0.001), Begin: labelWidth, End: laneEnd}
	var places []tick
	for _, v := range s.Ticks(6) {
		places = append(places, tick{v, elapsed(v)})
	}
	return draw(title, description, s, places, lanes)
}

// elapsed writes a tick with the unit that suits it.
func elapsed(seconds float64) string {
	switch {
	case seconds == 0:
		return "0"
	case seconds < 1:
		return fmt.Sprintf("%.4g ms", seconds*1000)
	case seconds < 600:
		return fmt.Sprintf("%.4g s", seconds)
	case seconds < 36_000:
		return fmt.Sprintf("%.4g min", seconds/60)
	default:
		return fmt.Sprintf("%.4g h", seconds/3600)
	}
}

// tick is a place of an axis that is written down.
type tick struct {
	at    float64
	label string
}

func draw(title, description string, s Scale, ticks []tick, lanes []Lane) template.HTML {
	height := axisSize
	for _, l := range lanes {
		height += l.height()
	}
	d := begin(laneWidth, height+4, title, description)
	for _, t := range ticks {
		x := s.At(t.at)
		d.line("axis", x, axisSize-4, x, height)
		d.text("tick", "middle", x, axisSize-9, t.label)
	}
	y := axisSize
	for _, l := range lanes {
		d.text("label", "end", labelWidth-10, y+laneGap/2+levelSize*.72, cut(l.Label, labelLetters))
		for _, b := range l.Bars {
			d.bar(s, b, y+laneGap/2)
		}
		for _, m := range l.Marks {
			d.circle("mark "+m.Class, s.At(m.At), y+laneGap/2+levelSize/2, 4, m.Title)
		}
		y += l.height()
		d.line("axis", 0, y, laneEnd, y)
	}
	return d.end()
}

func (l Lane) height() float64 {
	levels := 1
	for _, b := range l.Bars {
		levels = max(levels, b.Level+1)
	}
	return laneGap + levelSize*float64(levels)
}

// bar draws a bar of a lane whose first level begins at top.
func (d *drawing) bar(s Scale, b Span, top float64) {
	x, end := s.At(b.From), s.At(b.To)
	y, size := top+levelSize*float64(b.Level)+1, levelSize-2
	if b.Thin {
		y, size = y+size/2-1.5, 3
	} else if end-x < leastBar { // it grows to the left where there is no room on its right
		x = math.Min(x, s.End-leastBar)
		end = x + leastBar
	}
	if b.Href != "" {
		d.link(b.Href, b.Title)
		defer d.unlink()
	}
	d.rect("bar "+b.Class, x, y, end-x, size, b.Title)
	if b.Text != "" && float64(len([]rune(b.Text)))*letter+6 < end-x {
		d.text("on", "start", x+4, y+size*.78, b.Text)
	}
}

// cut shortens a text to a number of letters.
func cut(text string, letters int) string {
	runes := []rune(text)
	if len(runes) <= letters {
		return text
	}
	return string(runes[:letters-1]) + "…"
}

// Packed gives each span (its begin and end) a level below most, so that those of
// one level don't overlap: the first that is free, else the last. Spans come in the
// order of their begins.
func Packed(spans [][2]float64, most int) []int {
	var ends []float64
	levels := make([]int, len(spans))
	for i, span := range spans {
		level := 0
		for level < len(ends) && ends[level] > span[0]+1e-9 && level < most-1 {
			level++
		}
		if level == len(ends) {
			ends = append(ends, 0)
		}
		ends[level] = math.Max(ends[level], span[1])
		levels[i] = level
	}
	return levels
}
