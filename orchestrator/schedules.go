package orchestrator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// scheduleRequest is what may be said of a schedule; the name at its making alone.
// What is left out has its default, or stays as it is.
type scheduleRequest struct {
	Name                 string          `json:"name,omitempty" jsonschema:"Lower-case words joined by hyphens; it can't be changed."`
	Description          string          `json:"description,omitempty"`
	Agents               []string        `json:"agents,omitempty" jsonschema:"Whom its cycles consider; none is every agent."`
	Planned              bool            `json:"planned,omitempty" jsonschema:"Run only what is behind: agents whose last slot did not end in a completed execution."`
	Parameters           json.RawMessage `json:"parameters,omitempty" jsonschema:"Of the runs; for one agent alone."`
	Cron                 *string         `json:"cron,omitempty" jsonschema:"Five fields of crontab(5), or @daily and the like. A time that the wall clock skips comes at the next valid minute, one that it shows twice comes once."`
	Zone                 *string         `json:"zone,omitempty" jsonschema:"A name of the IANA database; the firm's where none is given."`
	IntervalSeconds      *int64          `json:"interval_seconds,omitempty" jsonschema:"Instead of cron."`
	AnchorAt             *time.Time      `json:"anchor_at,omitempty" jsonschema:"The first slot of an interval; now where none is given."`
	JitterSeconds        int             `json:"jitter_seconds,omitempty"`
	StartsAt             *time.Time      `json:"starts_at,omitempty" jsonschema:"There is no slot before it; in 1970 or later."`
	EndsAt               *time.Time      `json:"ends_at,omitempty" jsonschema:"After starts_at; there is no slot after it."`
	Overlap              string          `json:"overlap,omitempty"`
	CatchUp              string          `json:"catch_up,omitempty"`
	CatchUpLimit         int             `json:"catch_up_limit,omitempty"`
	CatchUpWindowSeconds int64           `json:"catch_up_window_seconds,omitempty"`
	CooldownSeconds      int             `json:"cooldown_seconds,omitempty"`
	MaxParallel          int             `json:"max_parallel,omitempty"`
	DeadlineSeconds      int64           `json:"deadline_seconds,omitempty"`
}

func requestOf(n postgres.Schedule) scheduleRequest {
	return scheduleRequest{
		n.Name, n.Description, n.Agents, n.Planned, n.Parameters, n.Cron, n.Zone, n.IntervalSeconds, n.AnchorAt, n.JitterSeconds, n.StartsAt, n.EndsAt,
		n.Overlap, n.CatchUp, n.CatchUpLimit, n.CatchUpWindowSeconds, n.CooldownSeconds, n.MaxParallel, n.DeadlineSeconds,
	}
}

func (r scheduleRequest) into(n *postgres.Schedule) {
	n.Description, n.Agents, n.Planned, n.Parameters = r.Description, r.Agents, r.Planned, r.Parameters
	n.Cron, n.Zone, n.IntervalSeconds, n.AnchorAt, n.JitterSeconds, n.StartsAt, n.EndsAt = r.Cron, r.Zone, r.IntervalSeconds, r.AnchorAt, r.JitterSeconds, r.StartsAt, r.EndsAt
	n.Overlap, n.CatchUp, n.CatchUpLimit, n.CatchUpWindowSeconds = r.Overlap, r.CatchUp, r.CatchUpLimit, r.CatchUpWindowSeconds
	n.CooldownSeconds, n.MaxParallel, n.DeadlineSeconds = r.CooldownSeconds, r.MaxParallel, r.DeadlineSeconds
	if n.Agents == nil {
		n.Agents = []string{}
	}
	if len(n.Parameters) == 0 || bytes.Equal(n.Parameters, []byte("null")) {
		n.Parameters = json.RawMessage(`{}`)
	}
}

// shownSchedule is a schedule with its next slots.
type shownSchedule struct {
	postgres.Schedule
	NextSlots []time.Time `json:"next_slots" jsonschema:"The next five due times; none while it is broken."`
}

type schedules struct {
	Schedules []shownSchedule `json:"schedules"`
}

type slots struct {
	Slots      []postgres.Slot `json:"slots"`
	NextCursor *string         `json:"next_cursor" jsonschema:"For the next page's cursor; null on the last one."`
}

type backfillRequest struct {
	From time.Time `json:"from" jsonschema:"The slots from then on."`
	To   time.Time `json:"to" jsonschema:"Up to and with then; not in the future."`
}

// backfilled says what a backfill does.
type backfilled struct {
	Slots  int `json:"slots" jsonschema:"How many lie in the window."`
	Queued int `json:"queued" jsonschema:"How many of them are run now, one after another; the others were run before, or wait already."`
}

const (
	shownSlots = 5
	// maxBackfill bounds the slots of one backfill.
	maxBackfill = 1000
	// maxExpression bounds a cron expression, in bytes.
	maxExpression = 200
	maxSeconds    = 5 * 365 * 24 * 3600
)

func show(n postgres.Schedule) shownSchedule {
	s := shownSchedule{Schedule: n, NextSlots: []time.Time{}}
	rule, err := ruleOf(n)
	if err != nil || n.Broken != nil || n.NextDueAt == nil {
		return s
	}
	for due := *n.NextDueAt; !due.IsZero() && len(s.NextSlots) < shownSlots; due = nextSlot(n, rule, due) {
		s.NextSlots = append(s.NextSlots, due.UTC())
	}
	return s
}

// scheduleBounds are of a schedule's numbers, and of a cycle's, also in the document.
var scheduleBounds = map[string]struct{ least, most int64 }{
	"jitter_seconds": {0, 3600}, "catch_up_limit": {1, 1000}, "catch_up_window_seconds": {1, maxSeconds},
	"cooldown_seconds": {0, maxSeconds}, "max_parallel": {1, 100}, "deadline_seconds": {1, maxSeconds},
}

var overlaps, catchUps = []any{"skip", "queue", "cancel"}, []any{"latest", "all", "none"}

var scheduleName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// checkSchedule collects all that is wrong with a schedule.
func (o *Orchestrator) checkSchedule(n postgres.Schedule) error {
	var wrong []agents.FieldError
	refuse := func(field, format string, args ...any) {
		wrong = append(wrong, agents.FieldError{Field: field, Detail: fmt.Sprintf(format, args...)})
	}
	within := func(field string, value int64) {
		if b := scheduleBounds[field]; value < b.least || value > b.most {
			refuse(field, "%d is not in %d..%d", value, b.least, b.most)
		}
	}
	if !scheduleName.MatchString(n.Name) || len(n.Name) > 64 {
		refuse("name", "%q must be lower-case words joined by hyphens, at most 64 bytes", n.Name)
	}
	if len([]rune(n.Description)) > 500 {
		refuse("description", "has more than 500 characters")
	}
	seen := map[string]bool{}
	for _, name := range n.Agents {
		if o.cfg.Catalogue.Find(name) == nil || seen[name] {
			refuse("agents", "%q is not an agent, or is there twice", name)
		}
		seen[name] = true
	}
	if err := o.checkCycleParameters(n.Agents, n.Parameters); err != nil {
		refuse("parameters", "%s", err)
	}
	switch {
	case (n.Cron == nil) == (n.IntervalSeconds == nil):
		refuse("cron", "give either cron or interval_seconds")
	case n.Cron != nil && len(*n.Cron) > maxExpression:
		refuse("cron", "has more than %d bytes", maxExpression)
	default:
		if _, err := ruleOf(n); err != nil {
			refuse(map[bool]string{true: "cron", false: "interval_seconds"}[n.Cron != nil], "%s", err)
		}
	}
	if n.StartsAt != nil && n.EndsAt != nil && !n.EndsAt.After(*n.StartsAt) {
		refuse("ends_at", "must come after starts_at")
	}
	for field, at := range map[string]*time.Time{"anchor_at": n.AnchorAt, "starts_at": n.StartsAt, "ends_at": n.EndsAt} {
		if at != nil && (at.Year() < 1970 || at.Year() > 9998) {
			refuse(field, "must be in the years 1970..9998")
		}
	}
	if !slices.Contains(overlaps, any(n.Overlap)) {
		refuse("overlap", "%q is not one of skip, queue and cancel", n.Overlap)
	}
	if !slices.Contains(catchUps, any(n.CatchUp)) {
		refuse("catch_up", "%q is not one of latest, all and none", n.CatchUp)
	}
	within("jitter_seconds", int64(n.JitterSeconds))
	within("catch_up_limit", int64(n.CatchUpLimit))
	within("catch_up_window_seconds", n.CatchUpWindowSeconds)
	within("cooldown_seconds", int64(n.CooldownSeconds))
	within("max_parallel", int64(n.MaxParallel))
	within("deadline_seconds", n.DeadlineSeconds)
	if len(wrong) > 0 {
		return invalid(wrong...)
	}
	return nil
}

// checkCycleParameters reports whether parameters fit the one agent that they are for.
func (o *Orchestrator) checkCycleParameters(names []string, parameters json.RawMessage) error {
	given, err := agents.ReadParameters(parameters)
	switch {
	case err != nil || len(given) == 0:
		return err
	case len(names) != 1:
		return fmt.Errorf("they are for one agent, and there are %d", len(names))
	}
	m := o.cfg.Catalogue.Find(names[0])
	if m == nil {
		return nil // that is said already
	}
	complete, err := m.CheckParameters(parameters)
	if err != nil {
		return err
	}
	restricted, err := m.Restricted(complete)
	if err == nil && restricted != "" {
		err = fmt.Errorf("%s is set by an admin for a single run, never by a schedule", restricted)
	}
	return err
}

func (o *Orchestrator) createSchedule(c echo.Context) (shownSchedule, error) {
	if err := noQuery(c); err != nil {
		return shownSchedule{}, err
	}
	ctx := c.Request().Context()
	n := newSchedule("", o.cfg.Zone.String())
	n.Zone = nil
	request := requestOf(n)
	if err := readJSON(c, &request); err != nil {
		return shownSchedule{}, err
	}
	now, err := o.store.Clock(ctx)
	if err != nil {
		return shownSchedule{}, err
	}
	request.into(&n)
	n.Name, n.CreatedBy, n.DecidedUntil = request.Name, granted(c).name, now
	if n.Cron != nil && n.Zone == nil {
		n.Zone = new(o.cfg.Zone.String())
	}
	if n.IntervalSeconds != nil && n.AnchorAt == nil {
		n.AnchorAt = &now
	}
	if err := o.checkSchedule(n); err != nil {
		return shownSchedule{}, err
	}
	rule, err := ruleOf(n)
	if err != nil {
		return shownSchedule{}, err
	}
	setNext(&n, rule, now)
	n, err = o.store.CreateSchedule(ctx, n)
	return show(n), err
}

func (o *Orchestrator) changeSchedule(c echo.Context) (shownSchedule, error) {
	if err := noQuery(c); err != nil {
		return shownSchedule{}, err
	}
	body, err := readBody(c)
	if err != nil {
		return shownSchedule{}, err
	}
	return o.change(c, func(n *postgres.Schedule, now time.Time) error {
		request, before := requestOf(*n), *n
		if err := decodeJSON(body, &request); err != nil {
			return err
		}
		if request.Name != n.Name {
			return invalid(agents.FieldError{Field: "name", Detail: "can't be changed"})
		}
		request.into(n)
		switch {
		case n.Cron == nil:
			n.Zone = nil
		case n.Zone == nil:
			n.Zone = new(o.cfg.Zone.String())
		}
		switch {
		case n.IntervalSeconds == nil:
			n.AnchorAt = nil
		case n.AnchorAt == nil:
			n.AnchorAt = &now
		}
		if err := o.checkSchedule(*n); err != nil {
			return err
		}
		n.Broken = nil
		rule, err := ruleOf(*n)
		if err != nil {
			return err
		}
		// Another rule names other slots: those before now are none of it.
		if n.DecidedUntil.Before(now) && ruleChanged(before, *n) {
			n.DecidedUntil = now
		}
		setNext(n, rule, n.DecidedUntil)
		return nil
	})
}

func ruleChanged(a, b postgres.Schedule) bool {
	text := func(n postgres.Schedule) string {
		said, _ := json.Marshal([]any{n.Cron, n.Zone, n.IntervalSeconds, n.AnchorAt, n.StartsAt, n.EndsAt, n.Broken}) // plain values always encode
		return string(said)
	}
	return text(a) != text(b)
}

// change changes the schedule that the path names.
func (o *Orchestrator) change(c echo.Context, change func(*postgres.Schedule, time.Time) error) (shownSchedule, error) {
	n, err := o.store.ChangeSchedule(c.Request().Context(), c.Param("name"), change)
	if err != nil {
		return shownSchedule{}, err
	}
	o.scheduler.wake()
	return show(n), nil
}

func (o *Orchestrator) pauseSchedule(c echo.Context) (shownSchedule, error) {
	if err := noQuery(c); err != nil {
		return shownSchedule{}, err
	}
	request := pauseRequest{Reason: "paused over the API"}
	if err := readJSON(c, &request); err != nil {
		return shownSchedule{}, err
	}
	if len(request.Reason) > maxReason {
		return shownSchedule{}, invalid(agents.FieldError{Field: "reason", Detail: fmt.Sprintf("has more than %d bytes", maxReason)})
	}
	return o.change(c, func(n *postgres.Schedule, now time.Time) error {
		if n.PausedAt == nil {
			n.PausedAt = &now
		}
		n.PausedReason = &request.Reason
		return nil
	})
}

func (o *Orchestrator) resumeSchedule(c echo.Context) (shownSchedule, error) {
	if err := noQuery(c); err != nil {
		return shownSchedule{}, err
	}
	return o.change(c, func(n *postgres.Schedule, _ time.Time) error {
		if n.PausedAt == nil {
			return errScheduleNotPaused
		}
		n.PausedAt, n.PausedReason = nil, nil
		return nil
	})
}

func (o *Orchestrator) listSchedules(c echo.Context) (schedules, error) {
	if err := noQuery(c); err != nil {
		return schedules{}, err
	}
	list, err := o.store.Schedules(c.Request().Context())
	all := schedules{Schedules: []shownSchedule{}}
	for _, n := range list {
		all.Schedules = append(all.Schedules, show(n))
	}
	return all, err
}

func (o *Orchestrator) getSchedule(c echo.Context) (shownSchedule, error) {
	if err := noQuery(c); err != nil {
		return shownSchedule{}, err
	}
	n, err := o.store.Schedule(c.Request().Context(), c.Param("name"))
	return show(n), err
}

func (o *Orchestrator) listSlots(c echo.Context) (slots, error) {
	limit, cursor, err := readPage(c.QueryParams())
	if err != nil {
		return slots{}, err
	}
	var before time.Time
	if cursor != "" {
		if before, err = time.Parse(time.RFC3339Nano, cursor); err != nil || before.Year() < 1 || before.Year() > 9999 {
			return slots{}, invalid(agents.FieldError{Field: "cursor", Detail: "is not one that a list gave"})
		}
	}
	list, err := o.store.Slots(c.Request().Context(), c.Param("name"), before, limit+1)
	if err != nil {
		return slots{}, err
	}
	page := slots{Slots: list}
	if len(list) > limit {
		page.Slots = list[:limit]
		page.NextCursor = new(list[limit-1].DueAt.UTC().Format(time.RFC3339Nano))
	}
	return page, nil
}

// readPage reads the query of a list that is given in pages.
func readPage(query url.Values, known ...string) (limit int, cursor string, err error) {
	if err := onlyQuery(query, append(known, "limit", "cursor")...); err != nil {
		return 0, "", err
	}
	var wrong []agents.FieldError
	limit = defaultLimit
	if texts, given := query["limit"]; given {
		if limit, err = strconv.Atoi(texts[0]); err != nil || len(texts) > 1 || limit < 1 || limit > maxLimit {
			wrong = append(wrong, agents.FieldError{Field: "limit", Detail: fmt.Sprintf("must be given once, in 1..%d", maxLimit)})
		}
	}
	if texts, given := query["cursor"]; given {
		if cursor = texts[0]; len(texts) > 1 || cursor == "" {
			wrong = append(wrong, agents.FieldError{Field: "cursor", Detail: "is not one that a list gave"})
		}
	}
	if len(wrong) > 0 {
		return 0, "", invalid(wrong...)
	}
	return limit, cursor, nil
}

func (o *Orchestrator) runSchedule(c echo.Context) (shownCycle, error) {
	if err := noQuery(c); err != nil {
		return shownCycle{}, err
	}
	n, err := o.store.Schedule(c.Request().Context(), c.Param("name"))
	if err != nil {
		return shownCycle{}, err
	}
	return o.openCycle(c, func(now time.Time) postgres.Cycle {
		return postgres.Cycle{
			Schedule: &n.Name, DueAt: &now, MaxParallel: n.MaxParallel, DeadlineAt: now.Add(time.Duration(n.DeadlineSeconds) * time.Second), Parameters: n.Parameters,
		}
	}, n.Agents, n.Planned)
}

func (o *Orchestrator) backfill(c echo.Context) (backfilled, error) {
	if err := noQuery(c); err != nil {
		return backfilled{}, err
	}
	var request backfillRequest
	if err := readJSON(c, &request); err != nil {
		return backfilled{}, err
	}
	ctx := c.Request().Context()
	n, err := o.store.Schedule(ctx, c.Param("name"))
	if err != nil {
		return backfilled{}, err
	}
	rule, err := ruleOf(n)
	if err != nil {
		return backfilled{}, invalid(agents.FieldError{Detail: "the schedule's rule can't be read: " + err.Error()})
	}
	now, err := o.store.Clock(ctx)
	switch {
	case err != nil:
		return backfilled{}, err
	case request.From.Year() < 1970 || request.To.Before(request.From) || request.To.After(now):
		return backfilled{}, invalid(agents.FieldError{Field: "from", Detail: "must be in 1970 or later, at most to, which must not be in the future"})
	}
	if request.To.After(n.DecidedUntil) {
		request.To = n.DecidedUntil // what comes after is decided in its turn
	}
	due, more := rule.Slots(request.From.Add(-time.Nanosecond), request.To, maxBackfill)
	if more {
		return backfilled{}, invalid(agents.FieldError{Field: "to", Detail: fmt.Sprintf("the window has more than %d slots: take it in parts", maxBackfill)})
	}
	queued, err := o.store.Backfill(ctx, n.Name, due)
	if errors.Is(err, postgres.ErrSlotsPruned) {
		return backfilled{}, errSlotsPruned
	}
	o.scheduler.wake()
	return backfilled{len(due), queued}, err
}

// openCycle opens a cycle by hand.
func (o *Orchestrator) openCycle(c echo.Context, of func(now time.Time) postgres.Cycle, names []string, planned bool) (shownCycle, error) {
	var id string
	err := o.store.Open(c.Request().Context(), func(ctx context.Context, opening *postgres.Opening) (err error) {
		cycle := of(opening.Now)
		cycle.OpenedBy, cycle.RequestedBy = "hand", new(granted(c).name)
		id, _, err = o.scheduler.open(ctx, opening, cycle, names, planned, 0)
		return err
	})
	if err != nil {
		return shownCycle{}, err
	}
	c.Response().Header().Set("Location", Prefix+"/cycles/"+id)
	return o.showCycle(c.Request().Context(), id)
}
