package pullrequest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// What a caller decides by. All of them are permanent.
var (
	// ErrMoved says that the base branch changed one of the files since the proposal
	// was made: it must be made anew. Nothing was written.
	ErrMoved = errors.New("the base branch moved on")
	// ErrNothing says that the base branch holds already what is proposed.
	ErrNothing = errors.New("there is nothing to propose")
	// ErrConflict says that the proposal's branch exists and is not this proposal's.
	// It is never overwritten.
	ErrConflict = errors.New("the branch exists with another content")
	// ErrTooLarge says that the repository or a file is beyond what is taken.
	ErrTooLarge = errors.New("too large")
)

// LimitedError says that the other side wants to be left alone for a while.
type LimitedError struct {
	// Where it was said, and what was said.
	Where, Reason string
	// Wait is how long to wait from now on, at least a second, at most a day.
	Wait time.Duration
}

func (e *LimitedError) Error() string {
	return fmt.Sprintf("%s wants to be left alone for %s: %s", e.Where, e.Wait.Round(time.Second), e.Reason)
}

// permanent marks an error that trying again can't mend.
type permanent struct{ error }

func (e permanent) Unwrap() error { return e.error }

// refuse makes a permanent error.
func refuse(format string, args ...any) error { return permanent{fmt.Errorf(format, args...)} }

// Permanent says whether trying the same again can't mend an error: somebody must
// change a setting, the repository or the proposal first.
func Permanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}

// foreign is a library's error with its text made fit to be shown. What it held is
// dropped: it may hold the token, as a header or a URL.
func (r *Repository) foreign(err error) error {
	if err == nil {
		return nil
	}
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ended) {
			return ended
		}
	}
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	return errors.New(r.clean(err.Error()))
}
