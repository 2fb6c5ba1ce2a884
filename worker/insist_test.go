package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nuzantara/ciclo/internal/execution"
)

// How often the database is asked: a hang that lasts longer than what is kept is waited
// for, too, while the attempt runs; an answer is not.
func TestInsisting(t *testing.T) {
	t.Parallel()
	const keep = 50 * time.Millisecond // shorter than the pause: the second time is late
	hangs := fmt.Errorf("ask: %w", context.DeadlineExceeded)
	for name, c := range map[string]struct {
		err   error
		keep  time.Duration
		over  bool // the attempt
		calls int
	}{
		"it hangs":                            {hangs, keep, false, 4},
		"it hangs, and the attempt is over":   {hangs, keep, true, 2},
		"the attempt's own time is up":        {hangs, 0, false, 1},
		"it is away":                          {io.ErrUnexpectedEOF, 0, false, 4},
		"it is away, and the attempt is over": {io.ErrUnexpectedEOF, 0, true, 1},
		"it is short of something":            {&pgconn.PgError{Code: "53100"}, keep, false, 2},
		"the attempt is stale":                {execution.ErrStale, keep, false, 1},
		"it refuses the value":                {&pgconn.PgError{Code: "23514"}, keep, false, 1},
		"an error of the agent's":             {errors.New("no"), 0, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.over {
				cancel()
			}
			calls := 0
			err := insist(ctx, c.keep, func(again bool) error {
				if calls++; again != (calls > 1) {
					t.Errorf("the time %d is again: %t", calls, again)
				}
				if calls == 4 {
					return nil
				}
				return c.err
			})
			if calls != c.calls || (err == nil) != (calls == 4) {
				t.Errorf("it was asked %d times, want %d: %v", calls, c.calls, err)
			}
		})
	}
}
