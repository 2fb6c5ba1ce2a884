package agents

import (
	"context"
	"errors"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/nuzantara/ciclo/internal/execution"
)

// span is a step's or an effect's, in the trace of the attempt whose context it has.
// It has the name and how it went: no output, no outcome, no error's text.
type span struct {
	trace.Span
	kind string
}

// beginSpan begins the span of a step or an effect. Where the attempt has no trace it
// costs next to nothing.
func beginSpan(ctx context.Context, kind, name string) (context.Context, span) {
	attempt := trace.SpanFromContext(ctx)
	if !attempt.IsRecording() {
		return ctx, span{attempt, kind}
	}
	ctx, s := attempt.TracerProvider().Tracer("github.com/nuzantara/ciclo/agents").Start(ctx, strings.TrimSpace(kind+" "+unnumbered(name)),
		trace.WithAttributes(attribute.String("ciclo."+kind+".name", name), attribute.Bool("ciclo."+kind+".reused", false)))
	return ctx, span{s, kind}
}

// unnumbered is a name up to its first word with a digit, such as a batch's number:
// spans are grouped by their names.
func unnumbered(name string) string {
	words := strings.Fields(name)
	for i, word := range words {
		if strings.ContainsAny(word, "0123456789") {
			return strings.Join(words[:i], " ")
		}
	}
	return strings.Join(words, " ")
}

// errPanicked is a span's error until what it is of has returned.
var errPanicked = errors.New("panicked")

// reused notes that an earlier attempt did it.
func (s span) reused(done bool, err error) error {
	s.SetAttributes(attribute.Bool("ciclo."+s.kind+".reused", done))
	return err
}

// state notes where an effect stands in the ledger.
func (s span) state(state string) {
	s.SetAttributes(attribute.String("ciclo."+s.kind+".state", state))
}

// end ends the span; of an error it has the class alone.
func (s span) end(err error) {
	if !s.IsRecording() {
		return
	}
	if err != nil {
		class := classOf(err)
		s.SetAttributes(attribute.String("error.type", class))
		s.SetStatus(codes.Error, class)
	}
	s.End()
}

func classOf(err error) string {
	switch {
	case errors.Is(err, errPanicked):
		return execution.ClassPanic
	case errors.Is(err, ErrStale):
		return "stale"
	case errors.Is(err, ErrUnknownEffect):
		return execution.ClassUnknownEffect
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "cancelled"
	case IsPermanent(err):
		return execution.ClassPermanent
	default:
		return execution.ClassError
	}
}
