package chart_test

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/orchestrator/dashboard/chart"
)

// element is one of a chart, with its attributes and the text in it.
type element struct {
	name string
	attr map[string]string
	text string
}

// elements reads a chart as XML; what isn't well formed fails the test.
func elements(t *testing.T, svg string) (all []element) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if err == io.EOF { //nolint:errorlint // the decoder gives it bare
			return all
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, svg)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: token.Name.Local, attr: map[string]string{}}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			if e.name == "script" || e.attr["style"] != "" || e.attr["onload"] != "" {
				t.Errorf("%+v got through", e)
			}
			all = append(all, e)
		case xml.CharData:
			if len(all) > 0 {
				all[len(all)-1].text += string(token)
			}
		}
	}
}

const hostile = `<script>"x"</script> & ` + "\u202e"

func text(v float64) string { return chart.Compact(v) }

func TestForest(t *testing.T) {
	t.Parallel()
	raw := .25
	all := elements(t, string(chart.Forest([]chart.ForestRow{
		{Label: hostile, Main: &chart.Interval{Estimate: .2, Low: .1, High: .3}, Second: &chart.Interval{Estimate: .1, Low: -.1, High: .3}, Raw: &raw, Strong: true},
		{Label: "b", Main: &chart.Interval{Estimate: -.2, Low: -9, High: -.1}},
		{Label: "c"},
	}, chart.ForestOptions{Title: hostile, Text: text, Less: "less", More: "more"})))
	var none, effects, told []string
	for _, e := range all {
		switch e.attr["class"] {
		case "no-effect":
			none = append(none, e.attr["x1"], e.attr["x2"])
		case "series-1", "hollow-1", "series-2", "raw":
			effects = append(effects, e.attr["class"])
		}
		if e.text == "can't be told" || e.text == hostile {
			told = append(told, e.text)
		}
	}
	if strings.Join(none, " ") != "230 230" { // the middle of 14 to 446
		t.Errorf("no effect lies at %v", none)
	}
	if got := strings.Join(effects, " "); got != "series-1 raw series-2 hollow-1" {
		t.Errorf("marks are %s", got)
	}
	if len(told) != 2 {
		t.Errorf("texts are %q", told)
	}
}

func TestScatter(t *testing.T) {
	t.Parallel()
	all := elements(t, string(chart.Scatter([]chart.Point{{X: 0, Y: .5, Series: 1}, {X: 1, Y: 0, Series: 1}, {X: 100, Y: 1, Series: 2}, {X: 5, Y: 5, Series: 9}},
		chart.ScatterOptions{Title: hostile, XText: text, YText: chart.Percents, Series: []string{hostile, "b"}, LogX: true, YTo: 1})))
	var paths []string
	for _, e := range all {
		if strings.HasPrefix(e.attr["class"], "point") {
			paths = append(paths, e.attr["class"]+" "+e.attr["d"])
		}
	}
	// What isn't above 0 lies where the least of the others does, at the left edge.
	if len(paths) != 2 || !strings.HasPrefix(paths[0], "point series-2 M440.4 30.4h") || !strings.HasPrefix(paths[1], "point series-1 M50.4 159.5a") || !strings.Contains(paths[1], "zM50.4 285a") {
		t.Errorf("points are %q", paths)
	}
	elements(t, string(chart.Scatter(nil, chart.ScatterOptions{XText: text, YText: text, LogX: true, YTo: 1})))
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	var widths []string
	for _, e := range elements(t, string(chart.Histogram([]chart.Bin{{hostile, 10}, {"b", 5}, {"c", 0}, {"d", 1}}, hostile, hostile, "clients"))) {
		if e.name == "rect" {
			widths = append(widths, e.attr["width"])
		}
	}
	if got := strings.Join(widths, " "); got != "272 136 0 27.2" {
		t.Errorf("bars are %s wide", got)
	}
}

func TestTrend(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	low, high := 1.0, 4.0
	moments := []chart.Moment{{At: at, Value: 2, Low: &low, High: &high}, {At: at.AddDate(0, 0, 7), Value: 4}}
	lines := 0
	for _, e := range elements(t, string(chart.Trend(moments, chart.TrendOptions{Title: hostile, Text: text, Zone: time.UTC, Series: 1}))) {
		if strings.HasPrefix(e.attr["class"], "stroke-1") {
			lines++
		}
	}
	if lines != 4 { // an interval with its two ends, and the way
		t.Errorf("%d lines", lines)
	}
	elements(t, string(chart.Trend(nil, chart.TrendOptions{Text: text, Zone: time.UTC})))
	elements(t, string(chart.Trend(moments[:1], chart.TrendOptions{Text: text, Zone: time.UTC})))
}

func TestCompact(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0", 1: "1", .25: "0.25", 1500: "1.5k", 2e7: "20M", -3: "−3", 1e12: "1T"} {
		if got := chart.Compact(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}
