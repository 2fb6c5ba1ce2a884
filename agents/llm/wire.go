package llm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What ends a call from this side.
var (
	errStalled = errors.New("the stream stalled")
	errTooSlow = errors.New("it took longer than it may")
)

// watch gives a call its time-out, and ends it when nothing has come for so long: moved
// says that something has. done is called once it is over.
func (s Settings) watch(ctx context.Context) (watched context.Context, moved, done func()) {
	ctx, giveUp := context.WithTimeoutCause(ctx, s.Timeout, errTooSlow)
	ctx, cancel := context.WithCancelCause(ctx)
	stalled := time.AfterFunc(s.Stall, func() { cancel(errStalled) })
	return ctx, func() { stalled.Reset(s.Stall) }, func() {
		stalled.Stop()
		cancel(nil)
		giveUp()
	}
}

// refusal is what a provider says in place of an answer, before there is one.
type refusal struct {
	status int
	header http.Header
	// kinds are the provider's own words for the error, its type and code; text is for
	// people, and only looked at.
	kinds []string
	text  string
}

// failed makes an *Error of a call that brought no answer. Refused is nil where the
// provider said nothing.
func failed(ctx context.Context, err error, refused *refusal) error {
	var dial *net.OpError
	var dns *net.DNSError
	switch {
	case refused != nil:
		return refused.failure()
	case errors.As(err, &dns), errors.As(err, &dial) && dial.Op == "dial":
		return &Error{Kind: Unsent, Text: "it can't be reached"}
	case ctx.Err() != nil && context.Cause(ctx) != nil:
		return &Error{Kind: Lost, Text: context.Cause(ctx).Error()}
	case err == nil:
		return &Error{Kind: Lost, Text: "the answer is not whole"}
	default: // its text may hold the address, and what a proxy says
		return &Error{Kind: Lost, Text: fmt.Sprintf("the connection broke, or what came is no answer (%T)", err)}
	}
}

// tooLong are words by which providers say that a request exceeds a model's context.
var tooLong = []string{"context_length_exceeded", "context length", "context window", "prompt is too long", "too many tokens", "request_too_large"}

func (r *refusal) failure() *Error {
	e := &Error{Kind: Refused, Status: r.status, Text: strings.Join(r.kinds, ", ")}
	if e.Text == "" {
		e.Text = http.StatusText(r.status)
	}
	said := strings.ToLower(e.Text + " " + r.text)
	switch {
	case strings.Contains(said, "insufficient_quota"): // 429, and no waiting mends it
	case r.status == http.StatusTooManyRequests || r.status == 529 || r.status == http.StatusServiceUnavailable:
		e.Kind, e.After = Busy, retryAfter(r.header, time.Now())
	case r.status >= 500 || r.status == http.StatusRequestTimeout || r.status == http.StatusConflict:
		e.Kind, e.After = Ill, retryAfter(r.header, time.Now())
	case r.status == http.StatusRequestEntityTooLarge:
		e.Kind = TooLong
	case r.status == http.StatusBadRequest || r.status == http.StatusUnprocessableEntity:
		for _, words := range tooLong {
			if strings.Contains(said, words) {
				e.Kind = TooLong
			}
		}
	}
	return e
}

// longestAfter bounds what a provider may ask for.
const longestAfter = 10 * time.Minute

// retryAfter is how long the provider wants to be left alone, in milliseconds, seconds
// or until a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if h == nil {
		return 0
	}
	after := time.Duration(0)
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil {
		after = time.Duration(ms * float64(time.Millisecond))
	} else if s, err := strconv.ParseFloat(h.Get("Retry-After"), 64); err == nil {
		after = time.Duration(s * float64(time.Second))
	} else if at, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		after = at.Sub(now)
	}
	return min(max(after, 0), longestAfter)
}
