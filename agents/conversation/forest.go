package conversation

import (
	"bytes"
	"fmt"
	"image/color"
	"strings"
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// estimates are points of a forest plot with their intervals.
type estimates struct {
	plotter.XYs
	plotter.XErrors
}

// maxLabel bounds a label of the plot, in characters.
const maxLabel = 60

// Forest draws the lines' differences with their intervals, of the earlier and the
// later conversations, as SVG. The same evidence is the same bytes.
func (e Evidence) Forest(lines []Line) ([]byte, error) {
	p := plot.New()
	p.Title.Text = "Part of conversations won with the pattern, less that without"
	p.X.Label.Text = "points, with 95 % intervals: association, not cause"
	p.Legend.Top = true
	var earlier, later estimates
	labels := make([]string, len(lines))
	add := func(to *estimates, i Interval, y float64) {
		to.XYs = append(to.XYs, plotter.XY{X: 100 * i.Estimate, Y: y})
		to.XErrors = append(to.XErrors, struct{ Low, High float64 }{100 * (i.Low - i.Estimate), 100 * (i.High - i.Estimate)})
	}
	for n, line := range lines {
		row, pattern := len(lines)-1-n, e.Patterns[line.Pattern] // the first is on top
		what, _ := pattern.inWords()
		labels[row] = short(strings.TrimPrefix(what, "the agent "))
		add(&earlier, pattern.RiskDifference, float64(row)+.13)
		add(&later, *pattern.Later, float64(row)-.13)
	}
	for _, series := range []struct {
		of    estimates
		name  string
		shape draw.GlyphDrawer
		color color.RGBA
	}{
		{earlier, "earlier conversations", draw.BoxGlyph{}, color.RGBA{R: 0x1f, G: 0x4e, B: 0x9c, A: 0xff}},
		{later, "later conversations", draw.CircleGlyph{}, color.RGBA{R: 0xb3, G: 0x5c, B: 0x00, A: 0xff}},
	} {
		bars, err := plotter.NewXErrorBars(series.of)
		if err != nil {
			return nil, fmt.Errorf("draw the intervals of %s: %w", series.name, err)
		}
		marks, err := plotter.NewScatter(series.of)
		if err != nil {
			return nil, fmt.Errorf("draw %s: %w", series.name, err)
		}
		bars.Color, marks.Color, marks.Shape = series.color, series.color, series.shape
		p.Add(bars, marks)
		p.Legend.Add(series.name, marks)
	}
	none, err := plotter.NewLine(plotter.XYs{{X: 0, Y: -.5}, {X: 0, Y: float64(len(lines)) + .2}})
	if err != nil {
		return nil, fmt.Errorf("draw the line of no difference: %w", err)
	}
	none.Dashes = []vg.Length{vg.Points(3), vg.Points(3)}
	p.Add(none)
	p.NominalY(labels...)
	p.X.Min, p.X.Max = p.X.Min-4, p.X.Max+4 // so that no interval's end lies on the edge
	p.Y.Min, p.Y.Max = -.5, float64(len(lines))+.2

	canvas := vgsvg.New(22*vg.Centimeter, vg.Length(3.5+1.1*float64(len(lines)))*vg.Centimeter)
	p.Draw(draw.New(canvas))
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("write the forest plot: %w", err)
	}
	return out.Bytes(), nil
}

func short(text string) string {
	if utf8.RuneCountInString(text) <= maxLabel {
		return text
	}
	return string([]rune(text)[:maxLabel-1]) + "…"
}
