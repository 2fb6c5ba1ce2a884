package orchestrator

import (
	"context"
	"log/slog"
	"time"
)

// loop works whenever wait returns true, until that returns false. Of failures in a
// row it tells the first, and when the work goes on again.
func loop(ctx context.Context, log *slog.Logger, fails, goesOn string, wait func() bool, work func(context.Context) error) {
	for silent := false; wait(); {
		err := work(ctx)
		switch {
		case err != nil && ctx.Err() == nil && !silent:
			silent = true
			log.Warn(fails, "error", err)
		case err == nil && silent:
			silent = false
			log.Info(goesOn)
		}
	}
}

// every waits for each tick, until ctx is done; then it returns false.
func every(ctx context.Context, period time.Duration) (wait func() bool, stop func()) {
	ticker := time.NewTicker(period)
	return func() bool {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
			return true
		}
	}, ticker.Stop
}
