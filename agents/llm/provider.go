package llm

import (
	"context"
	"fmt"
	"time"
)

// Provider asks the models of one API. It is safe for several goroutines, tries once,
// and returns an *Error for whatever isn't an answer.
type Provider interface {
	// Ask sends a request and returns the whole answer. The key is the call's own, the
	// same in every attempt.
	Ask(ctx context.Context, model, key string, r Request) (Answer, error)
}

// callHeader names a call to whoever stands between us and the model. It is not
// Idempotency-Key: neither API tells repetitions by that, and net/http would send a request
// that has it once more by itself where its connection breaks.
const callHeader = "Ciclo-Call"

// Finder is a Provider that can be asked whether a call was made: it stores what it
// answered, under the call's key.
type Finder interface {
	Find(ctx context.Context, model, key string) (answer Answer, found bool, err error)
}

// Background is a Provider that works while nobody is connected.
type Background interface {
	// Begin returns the provider's id of the call at once.
	Begin(ctx context.Context, model, key string, r Request) (id string, err error)
	// Await returns the answer of a call that was begun, by whomever. Its failure is Gone
	// where the call may be paid, and otherwise says that it surely isn't.
	Await(ctx context.Context, id string) (Answer, error)
}

// Kind is what a call's failure means for what comes after it.
type Kind string

// The kinds of failures.
const (
	// Unsent: it never came to the provider.
	Unsent Kind = "unsent"
	// Busy: refused for now, with 429 or 529: the provider is well, and says when.
	Busy Kind = "busy"
	// Ill: the provider failed, with a 5xx.
	Ill Kind = "ill"
	// Refused: it can't be answered, and never will be: a wrong key, an unknown model.
	Refused Kind = "refused"
	// TooLong: more than the model's context.
	TooLong Kind = "too_long"
	// Lost: it was sent and no whole answer came: a time-out, a stream that stalled, a
	// connection that broke. It may be paid.
	Lost Kind = "lost"
	// Gone: as Lost, and waiting brings nothing more.
	Gone Kind = "gone"
)

// Error is a call that brought no answer. Its text holds no key and nothing of what
// was asked.
type Error struct {
	Kind   Kind
	Status int // of HTTP, 0 where there was none
	// After is how long the provider wants to be left alone; 0 where it doesn't say.
	After time.Duration
	Text  string
}

func (e *Error) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("%s (%d): %s", e.Kind, e.Status, e.Text)
	}
	return fmt.Sprintf("%s: %s", e.Kind, e.Text)
}
