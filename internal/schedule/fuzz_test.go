package schedule_test

import (
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/schedule"
)

// FuzzCron takes only rules whose slots come one after another.
func FuzzCron(f *testing.F) {
	for _, seed := range []struct{ expression, zone string }{
		{"*/5 * * * *", "Europe/Madrid"}, {"@daily", "UTC"}, {"0 0 29 2 *", "America/New_York"}, {"30 2 * * *", "Europe/Rome"}, {"0 0 31 2 *", "UTC"}, {"59-0 * * * *", "UTC"}, {"*/0 * * * *", "UTC"}, {"* * * * 7", "Asia/Kathmandu"}, {"TZ=UTC 0 0 * * *", ""}, {"@every 1s", "UTC"}, {"0 0 1 1 *", "../UTC"}, {"? ? ? ? ?", "Pacific/Apia"},
	} {
		f.Add(seed.expression, seed.zone, int64(1769853600))
	}
	f.Fuzz(func(t *testing.T, expression, zone string, at int64) {
		rule, err := schedule.Cron(expression, zone)
		if err != nil {
			return
		}
		after := time.Unix((at%(1<<32)+1<<32)%(1<<32), 0)
		for range 5 {
			next := rule.Next(after)
			if next.IsZero() {
				return
			}
			if !next.After(after) || next.Sub(after) > 2*schedule.MaxInterval {
				t.Fatalf("%q in %q comes at %s after %s", expression, zone, next, after)
			}
			after = next
		}
	})
}
