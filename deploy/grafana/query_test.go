package grafana_test

import (
	"testing"
	"time"

	"github.com/nuzantara/ciclo/deploy/grafana"
)

func TestExpand(t *testing.T) {
	t.Parallel()
	span := grafana.Span{From: time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC), To: time.Date(2026, 5, 2, 10, 0, 0, 0, time.UTC)}
	chosen := map[string][]string{"agent": {"a", "o'b"}, "none": nil}
	for sql, want := range map[string]string{
		`$__timeFilter(at)`:                   `at BETWEEN '2026-05-01T10:00:00Z' AND '2026-05-02T10:00:00Z'`,
		`at > $__timeFrom()`:                  `at > '2026-05-01T10:00:00Z'`,
		`$__timeTo()::timestamptz`:            `'2026-05-02T10:00:00Z'::timestamptz`,
		`$__timeGroup(at, $__interval)`:       `floor(extract(epoch from at)/120)*120`,
		`$__timeGroup(at, '1h')`:              `floor(extract(epoch from at)/3600)*3600`,
		`agent IN ($agent) OR a IN (${none})`: `agent IN ('a','o''b') OR a IN ('')`,
	} {
		got, err := grafana.Expand(sql, span, span.Interval(time.Minute), chosen)
		if err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", sql, got, err, want)
		}
	}
}

func TestInterval(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for since, want := range map[time.Duration]time.Duration{
		time.Hour: time.Minute, 24 * time.Hour: 2 * time.Minute, 7 * 24 * time.Hour: 15 * time.Minute, 365 * 24 * time.Hour: 12 * time.Hour,
	} {
		if got := (grafana.Span{From: now.Add(-since), To: now}).Interval(time.Minute); got != want {
			t.Errorf("%s: %s, want %s", since, got, want)
		}
	}
}
