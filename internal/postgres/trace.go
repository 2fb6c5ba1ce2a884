package postgres

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/nuzantara/ciclo/internal/execution"
)

// The trace of an execution begins with the span that accepts it, within the
// request's where there is one. Its row keeps that span's context, since River's
// rows come and go: each attempt has one of its own, and the reaper inserts many at
// a time. Baggage and tracestate, which are whatever a client says, are not kept.

// beginTrace begins the span of an acceptance, which links to the trace of the
// execution that is tried again.
func (s *Store) beginTrace(ctx context.Context, e execution.Execution, a Acceptance) (context.Context, trace.Span) {
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String("ciclo.execution_id", e.ID), attribute.String("ciclo.agent", a.Agent), attribute.Bool("ciclo.dry_run", a.DryRun))}
	if a.CycleID != "" {
		options = append(options, trace.WithAttributes(attribute.String("ciclo.cycle_id", a.CycleID)))
	}
	if a.Retry.Of != "" {
		options = append(options, trace.WithAttributes(attribute.String("ciclo.retry_of", a.Retry.Of)))
	}
	if of := spanOf(a.Retry.Traceparent); of.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: of, Attributes: []attribute.KeyValue{attribute.String("ciclo.link", "retry_of")}}))
	}
	return s.tracer.Start(ctx, "accept "+a.Agent, options...)
}

// endAcceptance ends the span. What a constraint refused is told by its name, other
// errors by none of their text.
func endAcceptance(span trace.Span, err error) {
	if err != nil {
		class := violated(err)
		if class == "" {
			class = execution.ClassError
		}
		span.SetAttributes(attribute.String("error.type", class))
		span.SetStatus(codes.Error, class)
	}
	span.End()
}

// traceparent is W3C's of the context's span; empty where there is none.
func traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

func spanOf(traceparent string) trace.SpanContext {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": traceparent})
	return trace.SpanContextFromContext(ctx)
}

// traceID is the trace's, where it is kept: one that isn't sampled is nowhere to be seen.
func traceID(traceparent string) *string {
	if traceparent == "" {
		return nil
	}
	span := spanOf(traceparent)
	if !span.IsSampled() {
		return nil
	}
	id := span.TraceID().String()
	return &id
}
