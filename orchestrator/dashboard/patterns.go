package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strconv"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/orchestrator/dashboard/chart"
)

// patternsView are one run's patterns.
type patternsView struct {
	listing
	// None says that no run is complete yet.
	None     bool
	Page     client.PatternPage
	Training training
	// Odds says that the plot shows odds ratios, not differences.
	Odds   bool
	Forest template.HTML
	Kinds  []string
}

// training is what a trainer's run says of itself.
type training struct {
	EndedAt       any `json:"-"`
	From          string
	AsOf          string `json:"as_of"`
	Conversations int    `json:"conversations"`
	Won           int    `json:"won"`
	Found         int    `json:"patterns_found"`
	Confirmed     int    `json:"patterns_confirmed"`
	Q             float64
	MinSupport    int `json:"min_support"`
	Detectable    *struct {
		RiskDifference float64 `json:"risk_difference"`
		Rare           float64 `json:"risk_difference_of_a_tenth"`
		Power          float64
		Level          float64
	} `json:"smallest_detectable"`
	Notes    []string `json:"notes"`
	Proposal *struct {
		ID     string
		Status string
		Reason string
	} `json:"proposal"`
}

// patternsShown is how many patterns a page shows.
const patternsShown = "20"

func patterns() page {
	return page{path: "/patterns", section: "Patterns", template: "patterns.html", read: readPatterns}
}

func readPatterns(ctx context.Context, v *Visit) (any, error) {
	filters, cursor := asked(v, "execution", "confirmed", "kind"), v.URL.Query().Get("cursor")
	p := patternsView{
		Odds:  v.URL.Query().Get("effect") == "odds_ratio",
		Kinds: []string{"ngram", "length", "turns", "questions", "response_time", "call_to_action", "money", "politeness"},
	}
	var err error
	if p.Page, err = v.API.Patterns(ctx, queryOf(filters, cursor, patternsShown)); err != nil {
		return nil, err
	}
	if p.Odds {
		filters.Set("effect", "odds_ratio")
	}
	p.listing = listingOf("/patterns", filters, cursor, p.Page.NextCursor)
	if p.Page.ExecutionID == nil {
		p.None = true
		return p, nil
	}
	run, err := v.API.Get(ctx, *p.Page.ExecutionID)
	if err != nil {
		return nil, err
	}
	// What an old version's result lacks stays empty.
	if err := json.Unmarshal(run.Result, &p.Training); err != nil && len(run.Result) > 0 {
		return nil, fmt.Errorf("read the result of %s: %w", run.ID, err)
	}
	p.Training.EndedAt = run.EndedAt
	rows := make([]chart.ForestRow, len(p.Page.Patterns))
	for i, one := range p.Page.Patterns {
		rows[i] = forestRow(patternWords(one), one, p.Odds)
	}
	p.Forest = chart.Forest(rows, forestOptions(p.Odds, "Patterns and how much more often, or less often, conversations with them were won"))
	return p, nil
}

func forestOptions(odds bool, title string) chart.ForestOptions {
	if odds {
		return chart.ForestOptions{
			Title: title, Description: "Odds ratios with intervals of 95 % on a logarithmic axis; 1 is no effect. The numbers are in the table below",
			None: 1, Log: true, Text: chart.Compact, Less: "less often won", More: "more often won",
		}
	}
	return chart.ForestOptions{
		Title: title, Description: "Differences in the part won, in points, with intervals of 95 %; 0 is no effect. The numbers are in the table below",
		Text: func(v float64) string { return chart.Compact(math.Round(1000*v) / 10) }, Less: "less often won", More: "more often won",
	}
}

func forestRow(label string, p client.Pattern, odds bool) chart.ForestRow {
	interval := func(e *client.Estimate) *chart.Interval {
		if e == nil {
			return nil
		}
		return &chart.Interval{Estimate: e.Estimate, Low: e.Low, High: e.High}
	}
	row := chart.ForestRow{Label: label, Strong: p.Confirmed}
	with, without, known := p.Counts.With, p.Counts.Without, p.Counts.With > 0 && p.Counts.Without > 0
	if odds {
		row.Main = interval(p.OddsRatio)
		won, lost := float64(p.Counts.WithWon)*float64(without-p.Counts.WithoutWon), float64(with-p.Counts.WithWon)*float64(p.Counts.WithoutWon)
		if won > 0 && lost > 0 {
			row.Raw = new(won / lost)
		}
		return row
	}
	row.Main, row.Second = interval(&p.RiskDifference), interval(p.Later)
	if known {
		row.Raw = new(rawDifference(p.Counts))
	}
	return row
}

// rawDifference is the part won with a pattern less that without, all conversations
// taken together.
func rawDifference(c client.PatternCounts) float64 {
	return float64(c.WithWon)/float64(c.With) - float64(c.WithoutWon)/float64(c.Without)
}

// rawPoints shows that difference; a dash where it can't be told.
func rawPoints(c client.PatternCounts) string {
	if c.With == 0 || c.Without == 0 {
		return "–"
	}
	return points(rawDifference(c))
}

// patternWords says what a pattern is.
func patternWords(p client.Pattern) string {
	if p.Kind == "ngram" {
		return "“" + clipLines(80, p.Feature) + "”"
	}
	text := words(clipLines(80, p.Feature))
	if p.Above != nil {
		text += " above " + number(*p.Above)
	}
	return text
}

// patternSays is a pattern in a sentence.
func patternSays(p client.Pattern) string {
	subject := "Conversations in which the agent says it"
	if p.Kind != "ngram" {
		subject = "Conversations with it"
	}
	more := "more"
	if p.RiskDifference.Estimate < 0 {
		more = "less"
	}
	text := fmt.Sprintf("%s were won %s often: by %s points, between %s and %s", subject, more,
		points(math.Abs(p.RiskDifference.Estimate)), points(p.RiskDifference.Low), points(p.RiskDifference.High))
	switch {
	case p.Confirmed:
		return text + ". The later conversations confirm it."
	case p.Later == nil:
		return text + ". The later conversations are too few to tell."
	default:
		return text + ". The later conversations do not confirm it."
	}
}

// points shows a difference of shares in points of a hundred.
func points(v float64) string {
	text := strconv.FormatFloat(math.Abs(100*v), 'f', 1, 64)
	if v < 0 {
		return "−" + text
	}
	return text
}

// ratio shows an odds ratio.
func ratio(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

// small shows a p or q value.
func small(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 0.0001:
		return "< 0.0001"
	}
	return strconv.FormatFloat(v, 'f', 4, 64)
}

// patternHistoryView is what runs found of one feature.
type patternHistoryView struct {
	listing
	History client.PatternHistory
	Forest  template.HTML
	Found   int
	// Kind is of the newest run that found it; empty where none did.
	Kind string
}

func patternHistory() page {
	return page{path: "/patterns/history", section: "Patterns", template: "pattern-history.html", read: readPatternHistory}
}

func readPatternHistory(ctx context.Context, v *Visit) (any, error) {
	feature, cursor := v.URL.Query().Get("feature"), v.URL.Query().Get("cursor")
	var p patternHistoryView
	var err error
	if p.History, err = v.API.PatternHistory(ctx, feature, queryOf(nil, cursor, patternsShown)); err != nil {
		return nil, err
	}
	p.listing = listingOf("/patterns/history", url.Values{"feature": {feature}}, cursor, p.History.NextCursor)
	var rows []chart.ForestRow
	for _, run := range p.History.Runs {
		label := run.EndedAt.In(v.Zone).Format("2 Jan 2006 15:04")
		if run.Pattern == nil {
			rows = append(rows, chart.ForestRow{Label: label + ": not found"})
			continue
		}
		p.Found++
		if p.Kind == "" {
			p.Kind = run.Pattern.Kind
		}
		rows = append(rows, forestRow(label, *run.Pattern, false))
	}
	if p.Found > 0 {
		p.Forest = chart.Forest(rows, forestOptions(false, "What each run found"))
	}
	return p, nil
}
