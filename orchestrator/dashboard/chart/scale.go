// Package chart makes the dashboard's charts: SVG as text, without a style or a
// script in it, that takes its colours from the page. Every chart has a title and a
// description for who doesn't see it; the page gives its numbers as a table too. It
// imports the standard library alone and knows nothing of agents.
package chart

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
)

// Scale maps values to places along an axis, in the SVG's units.
type Scale struct {
	From, To   float64 // values
	Begin, End float64 // places
	// Log takes the values' logarithms: all are above 0.
	Log bool
}

// At is the place of a value; values beyond the ends are put at the nearer one.
func (s Scale) At(v float64) float64 {
	from, to := s.From, s.To
	if s.Log {
		from, to, v = math.Log(from), math.Log(to), math.Log(math.Max(v, s.From))
	}
	if to == from || math.IsNaN(v) {
		return (s.Begin + s.End) / 2
	}
	share := math.Min(1, math.Max(0, (v-from)/(to-from)))
	return s.Begin + share*(s.End-s.Begin)
}

// Ticks are about n round values within the scale, in order.
func (s Scale) Ticks(n int) []float64 {
	if s.Log {
		return s.decades(n)
	}
	span := s.To - s.From
	if span <= 0 || n < 1 || math.IsInf(span, 0) {
		return []float64{s.From}
	}
	step := math.Pow(10, math.Floor(math.Log10(span/float64(n))))
	for _, f := range []float64{1, 2, 5, 10} {
		if span/(step*f) <= float64(n) {
			step *= f
			break
		}
	}
	var ticks []float64
	for i := math.Ceil(s.From/step - 1e-9); i*step <= s.To+step*1e-9; i++ {
		ticks = append(ticks, i*step+0) // not -0
	}
	return ticks
}

// decades are powers of ten within a logarithmic scale, and twos and fives where
// those are few.
func (s Scale) decades(n int) []float64 {
	var ticks []float64
	for _, factors := range [][]float64{{1}, {1, 3}, {1, 2, 5}} {
		ticks = nil
		for e := math.Floor(math.Log10(s.From)); e <= math.Ceil(math.Log10(s.To)); e++ {
			for _, f := range factors {
				if v := f * math.Pow(10, e); v >= s.From*(1-1e-9) && v <= s.To*(1+1e-9) {
					ticks = append(ticks, v)
				}
			}
		}
		if len(ticks) >= min(n, 3) {
			break
		}
	}
	return ticks
}

// RoundUp is the least round number (1, 2 or 5 and zeros) that isn't below v; 1
// where v isn't above 0.
func RoundUp(v float64) float64 {
	if v <= 0 {
		return 1
	}
	step := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if f*step >= v*(1-1e-9) {
			return f * step
		}
	}
	return 10 * step
}

// TimeTicks are round times between two, at most n, in the zone: seconds to years
// apart as the span wants. layout is how to write them.
func TimeTicks(from, to time.Time, n int, zone *time.Location) (ticks []time.Time, layout string) {
	span := to.Sub(from)
	steps := []struct {
		step   time.Duration
		layout string
	}{
		{time.Second, "15:04:05"}, {5 * time.Second, "15:04:05"}, {15 * time.Second, "15:04:05"}, {time.Minute, "15:04"}, {5 * time.Minute, "15:04"},
		{15 * time.Minute, "15:04"}, {time.Hour, "15:04"}, {3 * time.Hour, "15:04"}, {6 * time.Hour, "2 Jan 15:04"}, {24 * time.Hour, "2 Jan"},
		{7 * 24 * time.Hour, "2 Jan"}, {28 * 24 * time.Hour, "2 Jan 2006"}, {91 * 24 * time.Hour, "Jan 2006"}, {365 * 24 * time.Hour, "2006"},
	}
	chosen := steps[len(steps)-1]
	for _, s := range steps {
		if span/s.step < time.Duration(n) {
			chosen = s
			break
		}
	}
	local := from.In(zone)
	t := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, zone)
	for !t.After(to) && len(ticks) < 10*n {
		if !t.Before(from) {
			ticks = append(ticks, t)
		}
		if chosen.step >= 24*time.Hour { // days are of the calendar, not of 24 hours
			t = t.AddDate(0, 0, int(chosen.step/(24*time.Hour)))
			continue
		}
		if t.Before(from) { // as many steps at once as there are before it
			t = t.Add(max(chosen.step, from.Sub(t).Truncate(chosen.step)))
			continue
		}
		t = t.Add(chosen.step)
	}
	return ticks, chosen.layout
}

// drawing is an SVG that is being written.
type drawing struct {
	strings.Builder
}

// begin opens a chart of a size with what it is and what it says, in words.
func begin(width, height float64, title, description string) *drawing {
	d := &drawing{}
	fmt.Fprintf(d, `<svg class="chart" viewBox="0 0 %s %s" role="img" aria-label="%s">`, num(width), num(height), html.EscapeString(strings.TrimSpace(title+". "+description)))
	return d
}

// end closes it.
func (d *drawing) end() template.HTML {
	d.WriteString("</svg>")
	return template.HTML(d.String()) //nolint:gosec // every text went through html.EscapeString
}

// rect draws a box, with a title that shows on hovering where it has one.
func (d *drawing) rect(class string, x, y, width, height float64, title string) {
	fmt.Fprintf(d, `<rect class="%s" x="%s" y="%s" width="%s" height="%s">`, html.EscapeString(class), num(x), num(y), num(math.Max(width, 0)), num(math.Max(height, 0)))
	d.title(title)
	d.WriteString("</rect>")
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(d, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`, html.EscapeString(class), num(x1), num(y1), num(x2), num(y2))
}

func (d *drawing) circle(class string, x, y, r float64, title string) {
	fmt.Fprintf(d, `<circle class="%s" cx="%s" cy="%s" r="%s">`, html.EscapeString(class), num(x), num(y), num(r))
	d.title(title)
	d.WriteString("</circle>")
}

// text writes a text; anchor is start, middle or end.
func (d *drawing) text(class, anchor string, x, y float64, text string) {
	fmt.Fprintf(d, `<text class="%s" text-anchor="%s" x="%s" y="%s">%s</text>`, html.EscapeString(class), anchor, num(x), num(y), html.EscapeString(text))
}

func (d *drawing) title(text string) {
	if text != "" {
		fmt.Fprintf(d, "<title>%s</title>", html.EscapeString(text))
	}
}

// link opens an <a> around what is drawn until unlink.
func (d *drawing) link(href, label string) {
	fmt.Fprintf(d, `<a href="%s" aria-label="%s">`, html.EscapeString(href), html.EscapeString(label))
}

func (d *drawing) unlink() { d.WriteString("</a>") }

// num writes a place with a tenth of a unit.
func num(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}
