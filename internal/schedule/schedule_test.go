package schedule

import (
	"strings"
	"testing"
	"time"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// The changes to and from summer time, which zones make at other times and ways:
// what is skipped comes at the next valid minute, what comes twice comes once.
func TestSlotsWhereTheWallClockChanges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cron, zone, after string
		want              []string // in the zone's own time
	}{
		"Madrid, in March: 02:30 is skipped": {
			"30 2 * * *", "Europe/Madrid", "2026-03-28T00:00:00Z",
			[]string{"2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"},
		},
		"Madrid, in October: 02:30 comes twice": {
			"30 2 * * *", "Europe/Madrid", "2026-10-24T00:00:00Z",
			[]string{"2026-10-24T02:30:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"},
		},
		"New York, in March": {
			"30 2 * * *", "America/New_York", "2026-03-07T00:00:00Z",
			[]string{"2026-03-07T02:30:00-05:00", "2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"},
		},
		"New York, in November": {
			"30 1 * * *", "America/New_York", "2026-10-31T00:00:00Z",
			[]string{"2026-10-31T01:30:00-04:00", "2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"},
		},
		"several that are skipped are one, and what is at that minute anyway too": {
			"*/20 2,3 29 3 *", "Europe/Madrid", "2026-03-29T00:00:00Z",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-29T03:20:00+02:00", "2026-03-29T03:40:00+02:00"},
		},
		"each hour, in October: the one that comes twice comes once": {
			"0 * * * *", "Europe/Madrid", "2026-10-24T23:30:00Z",
			[]string{"2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00", "2026-10-25T04:00:00+01:00"},
		},
		"a change of half an hour": {
			"15 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00:00Z",
			[]string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"},
		},
		"a day that was skipped": {
			"0 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z",
			[]string{"2011-12-29T12:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"},
		},
		"no summer time": {
			"0 10 * * *", "Asia/Makassar", "2026-03-28T00:00:00Z",
			[]string{"2026-03-28T10:00:00+08:00", "2026-03-29T10:00:00+08:00"},
		},
		"a weekday": {
			"0 4 * * 0", "Asia/Makassar", "2026-11-24T00:00:00Z",
			[]string{"2026-11-29T04:00:00+08:00", "2026-12-06T04:00:00+08:00"},
		},
		"a leap day": {"0 0 29 2 *", "UTC", "2025-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z"}},
	} {
		r, err := Cron(c.cron, c.zone)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		after := at(t, c.after)
		for _, want := range c.want {
			got := r.Next(after)
			if !got.Equal(at(t, want)) {
				t.Errorf("%s: after %s comes %s, want %s", name, after.In(r.zone).Format(time.RFC3339), got.In(r.zone).Format(time.RFC3339), want)
			}
			after = got
		}
	}
}

// Over ten years of each zone, slots grow, and each wall-clock day has its one.
func TestEachDayHasItsSlot(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Europe/Madrid", "America/New_York", "Asia/Makassar", "Australia/Lord_Howe", "Africa/Casablanca", "America/St_Johns", "UTC"} {
		for _, cron := range []string{"0 0 * * *", "30 1 * * *", "30 2 * * *", "59 23 * * *"} {
			r, err := Cron(cron, zone)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Date(2020, 1, 1, 0, 0, 0, 0, r.zone)
			slots, more := r.Slots(start.Add(-time.Second), start.AddDate(10, 0, 0).Add(-time.Second), 10_000)
			days := map[string]int{}
			for i, s := range slots {
				days[s.In(r.zone).Format(time.DateOnly)]++
				if i > 0 && !s.After(slots[i-1]) {
					t.Errorf("%s %s: %s comes after %s", zone, cron, s, slots[i-1])
				}
			}
			if len(days) != 3653 || len(slots) != 3653 || more {
				t.Errorf("%s %s: %d slots on %d of 3653 days", zone, cron, len(slots), len(days))
			}
		}
	}
}

func TestIntervals(t *testing.T) {
	t.Parallel()
	anchor := at(t, "2026-01-01T00:00:00Z")
	r, err := Interval(90*time.Second, anchor)
	if err != nil {
		t.Fatal(err)
	}
	for after, want := range map[string]string{
		"2025-01-01T00:00:00Z": "2026-01-01T00:00:00Z",
		"2026-01-01T00:00:00Z": "2026-01-01T00:01:30Z",
		"2026-01-01T00:01:29Z": "2026-01-01T00:01:30Z",
		"2026-01-01T00:01:30Z": "2026-01-01T00:03:00Z",
	} {
		if got := r.Next(at(t, after)); !got.Equal(at(t, want)) {
			t.Errorf("after %s comes %s, want %s", after, got, want)
		}
	}
	slots, more := r.Slots(anchor, anchor.Add(time.Hour), 5)
	if len(slots) != 5 || !more {
		t.Errorf("%d slots, more: %t", len(slots), more)
	}
}

func TestRulesThatAreRefused(t *testing.T) {
	t.Parallel()
	for expression, says := range map[string]string{
		"":                        "empty",
		"* * * *":                 "fields",
		"0 0 10 * * *":            "fields",
		"61 * * * *":              "above maximum",
		"0 10 30 2 *":             "never comes",
		"@every 5m":               "interval_seconds",
		"TZ=Asia/Tokyo 0 1 * * *": "zone",
		"CRON_TZ=UTC 0 1 * * *":   "zone",
		"@nightly":                "unrecognized",
		"whenever":                "fields",
	} {
		if _, err := Cron(expression, "UTC"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want something of %q", expression, err, says)
		}
	}
	for _, zone := range []string{"", "Local", "Europe/Nowhere", "../etc/passwd", "CET+1"} {
		if _, err := Cron("0 10 * * *", zone); err == nil {
			t.Errorf("the zone %q is taken", zone)
		}
	}
	for _, interval := range []time.Duration{0, -time.Hour, time.Millisecond, 10 * 365 * 24 * time.Hour} {
		if _, err := Interval(interval, time.Now()); err == nil {
			t.Errorf("an interval of %s is taken", interval)
		}
	}
}

func TestJitterIsTheSameAndWithin(t *testing.T) {
	t.Parallel()
	due := at(t, "2026-01-01T00:00:00Z")
	seen := map[time.Duration]bool{}
	for i := range 1000 {
		j := Jitter("a", due.Add(time.Duration(i)*time.Hour), time.Minute)
		if j < 0 || j >= time.Minute || j != Jitter("a", due.Add(time.Duration(i)*time.Hour), time.Minute) {
			t.Fatalf("a jitter of %s", j)
		}
		seen[j.Truncate(time.Second)] = true
	}
	if len(seen) < 55 {
		t.Errorf("a thousand jitters lie in %d of 60 seconds", len(seen))
	}
	if Jitter("a", due, 0) != 0 {
		t.Error("no jitter is one")
	}
}

func FuzzCron(f *testing.F) {
	f.Add("*/5 2-4 * * 1", "Europe/Madrid", int64(1_774_000_000))
	f.Add("@daily", "America/New_York", int64(1_793_500_000))
	f.Fuzz(func(t *testing.T, expression, zone string, seconds int64) {
		r, err := Cron(expression, zone)
		if err != nil {
			return
		}
		after := time.Unix(seconds%4_000_000_000, 0)
		if next := r.Next(after); !next.IsZero() && !next.After(after) {
			t.Errorf("%q in %s: after %s comes %s", expression, zone, after, next)
		}
	})
}
