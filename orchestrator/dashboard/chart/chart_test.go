package chart

import (
	"encoding/xml"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// shape is an element of a chart with its attributes and its text.
type shape struct {
	name  string
	given map[string]string
	text  string
}

func (s shape) number(t *testing.T, name string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(s.given[name], 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		t.Errorf("%s of %v: %v", name, s, err)
	}
	return f
}

// shapes reads a chart as XML, which it must be.
func shapes(t *testing.T, drawn template.HTML) []shape {
	t.Helper()
	var all []shape
	var open []int
	dec := xml.NewDecoder(strings.NewReader(string(drawn)))
	for {
		token, err := dec.Token()
		if token == nil {
			if err != nil && err.Error() != "EOF" {
				t.Fatalf("it is not XML: %v\n%s", err, drawn)
			}
			return all
		}
		switch e := token.(type) {
		case xml.StartElement:
			s := shape{name: e.Name.Local, given: map[string]string{}}
			for _, a := range e.Attr {
				s.given[a.Name.Local] = a.Value
			}
			open = append(open, len(all))
			all = append(all, s)
		case xml.CharData:
			if len(open) > 0 {
				all[open[len(open)-1]].text += string(e)
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}

// of are the shapes of a name and a class; an empty class is any.
func of(all []shape, name, class string) []shape {
	return slices.DeleteFunc(slices.Clone(all), func(s shape) bool { return s.name != name || class != "" && s.given["class"] != class })
}

const hostile = `<script>alert("x")</script>'&`

func TestScale(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scale Scale
		v     float64
		want  float64
	}{
		"the middle":      {Scale{From: 0, To: 10, Begin: 100, End: 200}, 5, 150},
		"upwards":         {Scale{From: 0, To: 10, Begin: 200, End: 100}, 2.5, 175},
		"beyond":          {Scale{From: 0, To: 10, Begin: 100, End: 200}, 99, 200},
		"below":           {Scale{From: 0, To: 10, Begin: 100, End: 200}, -1, 100},
		"no span":         {Scale{From: 3, To: 3, Begin: 100, End: 200}, 3, 150},
		"no number":       {Scale{From: 0, To: 10, Begin: 100, End: 200}, math.NaN(), 150},
		"a decade of two": {Scale{From: 1, To: 100, Begin: 0, End: 100, Log: true}, 10, 50},
		"0 on a log":      {Scale{From: 1, To: 100, Begin: 0, End: 100, Log: true}, 0, 0},
	} {
		if got := c.scale.At(c.v); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestTicks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scale Scale
		n     int
		want  []float64
	}{
		"tens":      {Scale{From: 0, To: 40}, 4, []float64{0, 10, 20, 30, 40}},
		"twos":      {Scale{From: 1, To: 8}, 4, []float64{2, 4, 6, 8}},
		"negative":  {Scale{From: -1, To: 1}, 4, []float64{-1, -0.5, 0, 0.5, 1}},
		"no span":   {Scale{From: 2, To: 2}, 4, []float64{2}},
		"decades":   {Scale{From: 1, To: 1000, Log: true}, 4, []float64{1, 10, 100, 1000}},
		"a bit log": {Scale{From: 0.5, To: 2, Log: true}, 4, []float64{0.5, 1, 2}},
	} {
		got := c.scale.Ticks(c.n)
		if !slices.EqualFunc(got, c.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	for v, want := range map[float64]float64{0: 1, -3: 1, 1: 1, 3: 5, 7: 10, 12: 20, 1000: 1000, 0.03: 0.05} {
		if got := RoundUp(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v is rounded up to %v, want %v", v, got, want)
		}
	}
}

// Ticks of time are round in the zone, also where a day has 23 hours.
func TestTimeTicks(t *testing.T) {
	t.Parallel()
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 3, 28, 10, 30, 0, 0, rome)
	for span, want := range map[time.Duration]string{
		20 * time.Second:      "10:30:00 10:30:05 10:30:10 10:30:15 10:30:20",
		5 * time.Hour:         "11:00 12:00 13:00 14:00 15:00",
		4 * 24 * time.Hour:    "29 Mar 30 Mar 31 Mar 1 Apr",
		1000 * 24 * time.Hour: "28 Mar 2026 26 Sep 2026 27 Mar 2027 25 Sep 2027 25 Mar 2028 23 Sep 2028",
	} {
		ticks, layout := TimeTicks(from, from.Add(span), 6, rome)
		var got []string
		for _, at := range ticks {
			got = append(got, at.In(rome).Format(layout))
		}
		if text := strings.Join(got, " "); text != want && span < 1000*24*time.Hour || len(got) > 7 {
			t.Errorf("%v: %s, want %s", span, text, want)
		}
	}
}

func TestStack(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	series := []Series{{"completed", "completed"}, {"failed", hostile}}
	bars := []Bar{{from, []float64{3, 1}}, {from.Add(5 * time.Hour), []float64{0, 2}}, {from.Add(23 * time.Hour), []float64{40, 0}}}
	all := shapes(t, Stack(hostile, series, bars, from, from.Add(24*time.Hour), time.Hour, time.UTC))
	if label := all[0].given["aria-label"]; all[0].given["role"] != "img" || label != hostile+". 43 completed, 3 "+hostile {
		t.Errorf("it is said to be %q", label)
	}
	if len(of(all, "script", "")) > 0 {
		t.Error("a text became an element")
	}
	done, failed := of(all, "rect", "completed"), of(all, "rect", "failed") // with one each for the legend
	if len(done) != 3 || len(failed) != 3 {
		t.Fatalf("%d and %d bars", len(done), len(failed))
	}
	// 40 reaches 40 of 50; what failed lies on what completed.
	if h := done[2].number(t, "height"); math.Abs(h-0.8*144) > 0.1 {
		t.Errorf("40 is %v high", h)
	}
	if top := failed[1].number(t, "y") + failed[1].number(t, "height"); math.Abs(top-done[1].number(t, "y")) > 0.11 {
		t.Errorf("what failed ends at %v, what completed begins at %v", top, done[1].number(t, "y"))
	}
	for _, s := range of(all, "rect", "") {
		if x := s.number(t, "x"); x < 0 || x+s.number(t, "width") > 720 {
			t.Errorf("%v lies outside", s)
		}
	}
	for _, s := range shapes(t, Stack("empty", series, nil, from, from, time.Hour, time.UTC)) {
		for name, v := range s.given {
			if strings.Contains(v, "NaN") || strings.Contains(v, "Inf") {
				t.Errorf("%s is %s", name, v)
			}
		}
	}
}
