package dashboard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/nuzantara/ciclo/client"
)

// whyScored says in words what a client's score rests on.
func whyScored(s client.PastScore, run client.ValueRun) (why []string) {
	say := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }
	currency := any(s.Currency)
	silent, known := daysBetween(s.LastPurchaseOn, s.AsOf)
	switch {
	case s.FirstPurchaseOn == nil || s.LastPurchaseOn == nil:
		say("Bought %d more times after the first purchase; the run did not write down the days.", s.RepeatPurchases)
	case s.RepeatPurchases == 0:
		say("Bought once, on %s. Nothing is known of how often they come; what is said here is what is usual among all who have bought once.", *s.LastPurchaseOn)
	default:
		say("Bought on %d days from %s to %s.", s.RepeatPurchases+1, *s.FirstPurchaseOn, *s.LastPurchaseOn)
	}
	if gap := s.RecencyWeeks * 7; known && s.RepeatPurchases > 0 && gap > 0 {
		gap /= float64(s.RepeatPurchases)
		say("It has been silent for %s days up to %s. Until then there were %s days from one purchase to the next on average: the silence is %s of these gaps long.",
			number(silent), s.AsOf, tenths(gap), tenths(float64(silent)/gap))
	} else if known {
		say("It has been silent for %s days up to %s.", number(silent), s.AsOf)
	}
	model := "the model"
	if run.Model != nil {
		model = *run.Model
	}
	if s.RepeatPurchases == 0 && run.Model != nil && *run.Model == "BG/NBD" {
		say("By %s everyone who has bought once counts as still buying, so that tells nothing; the risk of no purchase within 90 days is %s.", model, percent(s.ChurnRisk90))
	} else {
		say("From that, %s gives a probability of %s that it still buys at all. The risk of no purchase within 30 days is %s, within 90 days %s.", model, percent(s.PAlive), percent(s.ChurnRisk30), percent(s.ChurnRisk90))
	}
	horizon := "the run's horizon"
	if s.HorizonDays != nil {
		horizon = number(*s.HorizonDays) + " days"
	}
	expected := fmt.Sprintf("Within %s, %s purchases are expected on average over clients with such a history", horizon, number(s.ExpectedPurchases))
	if s.PurchasesLow != nil && s.PurchasesHigh != nil {
		expected += fmt.Sprintf("; nine in ten such clients make %d to %d", *s.PurchasesLow, *s.PurchasesHigh)
	}
	say("%s.", expected)
	spend := fmt.Sprintf("A purchase is expected to be %s", money(s.ExpectedSpend, currency))
	if s.RepeatPurchases > 0 {
		spend += fmt.Sprintf(": between their own mean of %s and everybody's, the nearer to theirs the more they have bought", money(s.MeanSpend, currency))
	} else {
		spend += ": what is usual, since there is no repeat purchase"
	}
	say("%s.", spend)
	value := fmt.Sprintf("Together and discounted to today that is a value of %s", money(s.CLV, currency))
	if s.CLVLow != nil && s.CLVHigh != nil {
		value += fmt.Sprintf(" (%s to %s: how well the average is known, not what this one client will do)", money(s.CLVLow, currency), money(s.CLVHigh, currency))
	}
	say("%s.", value)
	return why
}

// daysBetween counts days from one to another, both as 2006-01-02.
func daysBetween(from *string, to string) (days int, ok bool) {
	if from == nil {
		return 0, false
	}
	a, err := time.Parse(time.DateOnly, *from)
	b, err2 := time.Parse(time.DateOnly, to)
	return int(b.Sub(a).Hours() / 24), cmp.Or(err, err2) == nil
}

// tenths shows a number with one decimal.
func tenths(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// whyDrafted says in words why a message was drafted; empty where its reasons are not
// those of the Client Value Predictor. Its amounts are in the currency of the run.
func whyDrafted(reasons json.RawMessage) string {
	var r struct {
		Segment           *string  `json:"segment"`
		PreviousSegment   *string  `json:"previous_segment"`
		CLV               *float64 `json:"clv"`
		ChurnRisk90       *float64 `json:"churn_risk_90"`
		Purchases         *int     `json:"purchases"`
		SilentDays        *float64 `json:"silent_days"`
		MeanGapDays       *float64 `json:"mean_gap_days"`
		ExpectedPurchases *float64 `json:"expected_purchases"`
	}
	if json.Unmarshal(reasons, &r) != nil || r.Segment == nil || r.CLV == nil || r.ChurnRisk90 == nil {
		return ""
	}
	text := fmt.Sprintf("Worth keeping (%s", *r.Segment)
	if r.PreviousSegment != nil && *r.PreviousSegment != *r.Segment {
		text += ", " + *r.PreviousSegment + " before"
	}
	text += fmt.Sprintf(", value %s) and slipping: the risk of no purchase within 90 days is %s", money(*r.CLV, nil), percent(*r.ChurnRisk90))
	if r.SilentDays != nil && r.MeanGapDays != nil {
		text += fmt.Sprintf("; silent for %s days, where %s are usual between purchases", number(math.Round(*r.SilentDays)), number(math.Round(*r.MeanGapDays)))
	}
	if r.Purchases != nil {
		text += fmt.Sprintf("; %d purchases so far", *r.Purchases)
	}
	return text + "."
}
