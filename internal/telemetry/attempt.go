package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Attempt is one attempt of an execution.
type Attempt struct {
	ExecutionID, Agent, WorkerID string
	Number                       int
	DryRun                       bool
	// Traceparent is the execution's (W3C); empty where it was accepted without a trace.
	Traceparent string
}

// AttemptSpan is an attempt's span. Not ending it is right where the attempt was
// taken away: whoever took it writes the span (Lost).
type AttemptSpan struct{ trace.Span }

// Attempt begins the span of an attempt, in the trace of its execution. It links to
// the attempt before it.
func (t *Traces) Attempt(ctx context.Context, a Attempt) (context.Context, AttemptSpan) {
	return t.attempt(ctx, a)
}

func (t *Traces) attempt(ctx context.Context, a Attempt, options ...trace.SpanStartOption) (context.Context, AttemptSpan) {
	if t == nil {
		return ctx, AttemptSpan{trace.SpanFromContext(ctx)}
	}
	accepted := Parse(a.Traceparent)
	of := idsOf(a.ExecutionID, a.Number)
	if a.Number > 1 {
		before := trace.SpanContextConfig{TraceID: accepted.TraceID(), SpanID: idsOf(a.ExecutionID, a.Number-1).span, TraceFlags: accepted.TraceFlags(), Remote: true}
		if !accepted.IsValid() {
			before.TraceID, before.TraceFlags = of.trace, trace.FlagsSampled
		}
		options = append(options, trace.WithLinks(trace.Link{
			SpanContext: trace.NewSpanContext(before), Attributes: []attribute.KeyValue{attribute.String("ciclo.link", "attempt_before")},
		}))
	}
	options = append(options, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("ciclo.execution_id", a.ExecutionID), attribute.String("ciclo.agent", a.Agent), attribute.Int("ciclo.attempt", a.Number),
		attribute.String("ciclo.worker_id", a.WorkerID), attribute.Bool("ciclo.dry_run", a.DryRun)))
	begin := context.WithValue(trace.ContextWithRemoteSpanContext(ctx, accepted), attemptKey{}, of)
	_, span := t.start(begin, "attempt "+a.Agent, options...)
	return trace.ContextWithSpan(ctx, span), AttemptSpan{span} // without the key, which is of this span alone
}

// Ended ends the span with the attempt's outcome and, where it failed, the class of
// its error. The error's text stays here: it may quote what the agent read.
func (s AttemptSpan) Ended(outcome, class string, options ...trace.SpanEndOption) {
	s.SetAttributes(attribute.String("ciclo.outcome", outcome))
	if class != "" {
		s.SetAttributes(attribute.String("error.type", class))
		s.SetStatus(codes.Error, class)
	}
	s.End(options...)
}

// Lost writes the span of an attempt whose worker was lost before it could.
func (t *Traces) Lost(ctx context.Context, a Attempt, began, ended time.Time) context.Context {
	ctx, span := t.attempt(ctx, a, trace.WithTimestamp(began))
	span.Ended("lost", "lost", trace.WithTimestamp(ended))
	return ctx
}

// Finish begins the span of an attempt's last word; the function ends it.
func (t *Traces) Finish(ctx context.Context) (context.Context, func(err error)) {
	if t == nil {
		return ctx, func(error) {}
	}
	ctx, span := t.start(ctx, "finish")
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "not written")
		}
		span.End()
	}
}

// Parse reads a traceparent; what is none gives a context that isn't valid.
func Parse(traceparent string) trace.SpanContext {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": traceparent})
	return trace.SpanContextFromContext(ctx)
}
