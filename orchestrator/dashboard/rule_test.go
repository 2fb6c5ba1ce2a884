package dashboard

import (
	"testing"

	"github.com/nuzantara/ciclo/client"
)

func TestRulesInWords(t *testing.T) {
	t.Parallel()
	for cron, want := range map[string]string{
		"0 10 * * *": "every day at 10:00", "0 4 * * 0": "on Sunday at 04:00", "0 4 * * 7": "on Sunday at 04:00", "30 5,17 * * mon-fri": "on Monday to Friday at 05:30, 17:30",
		"*/15 * * * *": "every 15 minutes", "5 * * * *": "every hour at minute 5", "0 */6 * * *": "every 6 hours at minute 0", "* * * * *": "every minute",
		"0 0 1,15 * *": "each month on day 1, 15 at 00:00", "@daily": "every day at 00:00", "@yearly": "each year on 1 January at 00:00", "@WEEKLY": "on Sunday at 00:00",
		"*/15 * * * 1": "every 15 minutes, on Monday",
		// What has no words stays as it is.
		"0-30 4 * * *": "by cron 0-30 4 * * *", "0 4 1 * 1": "by cron 0 4 1 * 1", "0 4 L * *": "by cron 0 4 L * *", "whenever": "by cron whenever", "0 4 * * 1#2": "by cron 0 4 * * 1#2",
	} {
		if got := ruleWords(client.Schedule{Cron: &cron}); got != want {
			t.Errorf("%s is %q, want %q", cron, got, want)
		}
	}
	for seconds, want := range map[int64]string{1: "every second", 60: "every minute", 90: "every 90 seconds", 7200: "every 2 hours", 86_400: "every day", 604_800: "every 7 days"} {
		if got := ruleWords(client.Schedule{IntervalSeconds: &seconds}); got != want {
			t.Errorf("%d s are %q, want %q", seconds, got, want)
		}
	}
}
