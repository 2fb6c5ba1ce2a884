package orchestrator

import (
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/postgres"
)

func TestStallThreshold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		steps   int
		p99     time.Duration
		timeout time.Duration
		want    int
	}{
		"too few steps say nothing":       {19, time.Minute, time.Hour, 0},
		"three times the 99th percentile": {20, time.Minute, time.Hour, 180},
		"rounded up":                      {1000, 20*time.Second + time.Millisecond, time.Hour, 61},
		"quick steps get the floor":       {1000, 5 * time.Millisecond, time.Hour, 30},
		"never beyond the timeout":        {1000, 30 * time.Minute, time.Hour, 3600},
		"not even by the floor":           {1000, 5 * time.Millisecond, 10 * time.Second, 10},
	} {
		if got := stallThreshold(postgres.StepDurations{Steps: c.steps, P99: c.p99}, c.timeout); got != c.want {
			t.Errorf("%s: %d s, want %d", name, got, c.want)
		}
	}
}
