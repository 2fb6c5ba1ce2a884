package telemetry

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"strconv"

	"go.opentelemetry.io/otel/trace"
)

// ids gives an attempt's span an id that follows from the execution and the
// attempt's number: the next attempt can link to it, and whoever finds that its
// worker was lost can write it, without having been told. All others are random.
type ids struct{}

// attemptKey is the context's key of an attemptIDs, for one span alone.
type attemptKey struct{}

type attemptIDs struct {
	trace trace.TraceID // where nobody began a trace for the execution
	span  trace.SpanID
}

func idsOf(executionID string, attempt int) attemptIDs {
	var of attemptIDs
	whole := sha256.Sum256([]byte(executionID))
	one := sha256.Sum256([]byte(executionID + "/" + strconv.Itoa(attempt)))
	copy(of.trace[:], whole[:])
	copy(of.span[:], one[:])
	return of
}

// NewIDs is of a span that begins a trace.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if of, is := ctx.Value(attemptKey{}).(attemptIDs); is {
		return of.trace, of.span
	}
	var id trace.TraceID
	binary.NativeEndian.PutUint64(id[:8], rand.Uint64()|1) // never all zeros
	binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	return id, randomSpan()
}

// NewSpanID is of a span within a trace.
func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	if of, is := ctx.Value(attemptKey{}).(attemptIDs); is {
		return of.span
	}
	return randomSpan()
}

func randomSpan() (id trace.SpanID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}
