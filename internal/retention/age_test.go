package retention_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/retention"
)

func TestParseAge(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"24h": 24 * time.Hour, "1d": 24 * time.Hour, "90d": 90 * 24 * time.Hour, "12w": 84 * 24 * time.Hour, "36500d": retention.MaxAge,
	} {
		if got, err := retention.ParseAge(text); got != want || err != nil {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for text, why := range map[string]string{
		"": "whole number", "90": "whole number", "d": "whole number", "-90d": "whole number", "+90d": "whole number", "1.5d": "whole number", "90 d": "whole number", "90m": "whole number",
		"90D": "whole number", "1d12h": "whole number", "0x10d": "whole number", "90d ": "whole number", "forever": "whole number",
		"0d": "less than a day", "23h": "less than a day", "0w": "less than a day",
		"36501d": "more than 36500 days", "9999999999999999999999d": "more than", "9223372036854775807w": "more than",
	} {
		if got, err := retention.ParseAge(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q is %v, %v; want it refused: %s", text, got, err, why)
		}
	}
}
