package orchestrator

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// activity is what executions did, by period and agent.
type activity struct {
	By     postgres.Grain      `json:"by"`
	Since  time.Time           `json:"since" jsonschema:"The beginning of the first period."`
	Until  time.Time           `json:"until" jsonschema:"No period begins then or later."`
	Points []postgres.Activity `json:"points" jsonschema:"By time, then agent. A period in which an agent's executions didn't move is left out."`
}

// grains are the periods, with how far back each is shown and what is shown where
// nothing says since when.
var grains = []struct {
	grain        postgres.Grain
	kept, recent time.Duration // kept 0 is for ever
}{
	{postgres.ByMinute, postgres.MinutesKept, time.Hour},
	{postgres.ByHour, postgres.HoursKept, 24 * time.Hour},
	{postgres.ByDay, 0, 30 * 24 * time.Hour},
}

// maxPeriods bounds one answer: half a day by minute, a month by hour, two years by day.
const maxPeriods = 750

func (o *Orchestrator) activityParameters() []parameter {
	ordered := &jsonschema.Schema{Type: "string", Format: "date-time", Description: "RFC 3339; since lies before until, and both within what is shown of such periods."}
	return []parameter{
		{
			"by", "How long the periods are: minute of the last 48 hours, hour of the last 90 days, day of all history.",
			&jsonschema.Schema{Type: "string", Enum: []any{postgres.ByMinute, postgres.ByHour, postgres.ByDay}, Default: json.RawMessage(`"hour"`)},
		},
		{"since", fmt.Sprintf("From the period that this lies in. Default: an hour before until by minute, a day by hour, 30 days by day. At most %d periods.", maxPeriods), ordered},
		{"until", "Periods that begin before. Default: now.", ordered},
		o.filterParameters()[0],
	}
}

// getActivity shows what executions did over time.
func (o *Orchestrator) getActivity(c echo.Context) (activity, error) {
	filter, err := o.readActivity(c.QueryParams(), time.Now())
	if err != nil {
		return activity{}, err
	}
	points, err := o.store.ActivityBy(c.Request().Context(), filter)
	return activity{filter.By, filter.Since, filter.Until, points}, err
}

// readActivity reads which periods are asked for, and collects all that is wrong.
func (o *Orchestrator) readActivity(query url.Values, now time.Time) (postgres.ActivityFilter, error) {
	f := postgres.ActivityFilter{By: postgres.ByHour}
	var wrong []agents.FieldError
	refuse := func(field, format string, args ...any) {
		wrong = append(wrong, agents.FieldError{Field: field, Detail: fmt.Sprintf(format, args...)})
	}
	for name, values := range query {
		switch name {
		case "by", "since", "until", "agent":
			if len(values) > 1 || values[0] == "" {
				refuse(name, "must be given once, and not empty")
			}
		default:
			refuse(name, "is not a parameter of this call")
		}
	}
	instant := func(field string, otherwise time.Time) time.Time {
		text := query.Get(field)
		if text == "" {
			return otherwise
		}
		t, err := time.Parse(time.RFC3339, text)
		if err == nil {
			t = t.UTC()
		}
		if err != nil || t.Year() < 1 || t.Year() > 9999 {
			refuse(field, "%q is not an RFC 3339 instant such as 2026-01-31T10:00:00Z", text)
			return otherwise
		}
		return t
	}
	if query.Has("by") {
		f.By = postgres.Grain(query.Get("by"))
	}
	rule := grains[0]
	known := false
	for _, g := range grains {
		if g.grain == f.By {
			rule, known = g, true
		}
	}
	if !known {
		refuse("by", "%q is not minute, hour or day", f.By)
	}
	f.Until = instant("until", now.UTC())
	f.Since = instant("since", f.Until.Add(-rule.recent)).Truncate(rule.grain.Length())
	if f.Agent = query.Get("agent"); f.Agent != "" && o.cfg.Catalogue.Find(f.Agent) == nil {
		refuse("agent", "%q is not an agent", f.Agent)
	}
	if len(wrong) == 0 {
		switch periods := f.Until.Sub(f.Since) / rule.grain.Length(); {
		case f.Until.Before(f.Since):
			refuse("until", "is before since")
		case periods >= maxPeriods:
			refuse("since", "is %d periods before until; an answer has at most %d", periods+1, maxPeriods)
		case rule.kept > 0 && f.Since.Before(now.Add(-rule.kept-rule.grain.Length())):
			refuse("since", "is too long ago: by %s, the last %d hours are kept", f.By, rule.kept/time.Hour)
		}
	}
	if len(wrong) > 0 {
		return f, invalid(wrong...)
	}
	return f, nil
}

// The time between two looks for moves that no period counts yet, and for periods that
// are kept no longer.
const (
	countEvery  = 5 * time.Second
	forgetEvery = 10 * time.Minute
)

// counter counts moves. Every orchestrator has one; one of them does it at a time.
type counter struct {
	store  *postgres.Store
	log    *slog.Logger
	forgot time.Time
}

// run counts until ctx is done.
func (r *counter) run(ctx context.Context) {
	wait, stop := every(ctx, countEvery)
	defer stop()
	loop(ctx, r.log, "moves are not counted until the database answers", "moves are counted again", wait, r.count)
}

// count counts what is there, a batch at a time.
func (r *counter) count(ctx context.Context) error {
	for n := 1; n > 0; {
		var err error
		if n, err = r.bounded(ctx, r.store.CountMoves); err != nil {
			return err
		}
	}
	if time.Since(r.forgot) < forgetEvery {
		return nil
	}
	for _, forget := range []func(context.Context) (int, error){r.store.ForgetActivity, r.store.ForgetCalls} {
		if _, err := r.bounded(ctx, forget); err != nil {
			return err
		}
	}
	r.forgot = time.Now()
	return nil
}

func (r *counter) bounded(ctx context.Context, do func(context.Context) (int, error)) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return do(ctx)
}
