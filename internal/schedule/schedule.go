// Package schedule says when a schedule's slots are due: the instants that its
// rule names. It knows neither the database nor the clock.
//
// Imports: robfig/cron's parser. Never a package of Ciclo.
package schedule

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
	_ "time/tzdata" // images have no zones of their own

	"github.com/robfig/cron/v3"
)

// Rule names instants: those of a cron expression in a zone, or those of an
// interval since an anchor.
type Rule struct {
	cron     *cron.SpecSchedule
	zone     *time.Location
	interval time.Duration
	anchor   time.Time
}

// MinInterval is the shortest interval between two slots.
const MinInterval = time.Second

// MaxInterval is the longest; robfig/cron looks no farther ahead either.
const MaxInterval = 5 * 365 * 24 * time.Hour

// fields are those of crontab(5): minute, hour, day of month, month, day of week.
var fields = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// Cron is the rule of a cron expression with five fields, or of @hourly, @daily,
// @weekly, @monthly and @yearly, on the wall clock of a zone.
func Cron(expression, zone string) (Rule, error) {
	location, err := Zone(zone)
	if err != nil {
		return Rule{}, err
	}
	switch {
	case strings.Contains(expression, "TZ="):
		return Rule{}, errors.New("the zone has a field of its own")
	case strings.HasPrefix(strings.TrimSpace(expression), "@every"):
		return Rule{}, errors.New("@every is an interval: give interval_seconds")
	}
	parsed, err := fields.Parse(expression)
	if err != nil {
		return Rule{}, fmt.Errorf("%q is no cron expression such as 0 10 * * *: %w", expression, err)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return Rule{}, fmt.Errorf("%q is no cron expression such as 0 10 * * *", expression)
	}
	spec.Location = time.UTC // we go over the wall clock ourselves
	r := Rule{cron: spec, zone: location}
	if spec.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Rule{}, fmt.Errorf("%q names a time that never comes", expression)
	}
	return r, nil
}

// Interval is the rule of an interval since an anchor.
func Interval(interval time.Duration, anchor time.Time) (Rule, error) {
	if interval < MinInterval || interval > MaxInterval {
		return Rule{}, fmt.Errorf("the interval of %s must be in %s..%s", interval, MinInterval, MaxInterval)
	}
	return Rule{interval: interval, anchor: anchor}, nil
}

// Zone is a zone by its name in the IANA database; the empty name and Local, which
// would be the machine's own, are refused.
func Zone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is no zone such as Europe/Madrid or UTC", name)
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is no zone such as Europe/Madrid or UTC", name)
	}
	return location, nil
}

// Next is the first slot after an instant; zero where there is none within five
// years.
//
// What the wall clock shows twice, as when summer time ends, comes once: the first
// time. What it never shows, as when summer time begins, comes at the first minute
// that it does show after that; several of those are one slot.
func (r Rule) Next(after time.Time) time.Time {
	if r.cron == nil {
		if after.Before(r.anchor) {
			return r.anchor
		}
		passed := after.Sub(r.anchor)
		return r.anchor.Add(passed - passed%r.interval + r.interval)
	}
	// Around a change the wall clock may stand before or after where it stood.
	before, behind := offset(after.Add(-36*time.Hour), r.zone), offset(after.Add(36*time.Hour), r.zone)
	wall := wallOf(after, r.zone).Add(-(before - behind).Abs() - time.Second)
	for {
		if wall = r.cron.Next(wall); wall.IsZero() {
			return time.Time{}
		}
		if at := instantOf(wall, r.zone); at.After(after) {
			return at
		}
	}
}

// Slots are the slots after an instant up to and with another, at most limit; more
// says that there are others after those.
func (r Rule) Slots(after, until time.Time, limit int) (slots []time.Time, more bool) {
	for at := r.Next(after); !at.IsZero() && !at.After(until); at = r.Next(at) {
		if len(slots) == limit {
			return slots, true
		}
		slots = append(slots, at)
	}
	return slots, false
}

// offset is a zone's, east of UTC, at an instant.
func offset(at time.Time, zone *time.Location) time.Duration {
	_, seconds := at.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}

// wallOf is what the wall clock shows at an instant, written as a time in UTC.
func wallOf(at time.Time, zone *time.Location) time.Time { return at.UTC().Add(offset(at, zone)) }

// instantOf is the first instant at which the wall clock shows a time, or, where
// it skips that, the instant of the skip.
func instantOf(wall time.Time, zone *time.Location) time.Time {
	// As if the offset were that of a day and a half before or after: longer than
	// any change, so that one of both is right if any is.
	early := wall.Add(-offset(wall.Add(-36*time.Hour), zone))
	late := wall.Add(-offset(wall.Add(36*time.Hour), zone))
	if late.Before(early) {
		early, late = late, early
	}
	for _, at := range []time.Time{early, late} {
		if wallOf(at, zone).Equal(wall) {
			return at
		}
	}
	// The skip lies between them: before it the wall clock shows less, from it on more.
	for late.Sub(early) > time.Second {
		middle := early.Add(late.Sub(early) / 2).Truncate(time.Second)
		if wallOf(middle, zone).Before(wall) {
			early = middle
		} else {
			late = middle
		}
	}
	return late
}

// Jitter is by how much a slot is put off so that not all schedules fire at once:
// always the same for a schedule and a slot, in [0, most).
func Jitter(name string, due time.Time, most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d", name, due.Unix())
	return time.Duration(h.Sum64() % uint64(most)) //nolint:gosec // most is positive, and so is what is less
}
