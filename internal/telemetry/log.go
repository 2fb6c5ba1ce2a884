package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// Logger is a log whose records say which sampled span they were written in, by
// their context: trace_id and span_id. Where traces are off it is the log itself.
func (t *Traces) Logger(log *slog.Logger) *slog.Logger {
	if t == nil {
		return log
	}
	return slog.New(spans{Handler: log.Handler()})
}

// Bound is a log of Logger's for those who log without a context: their records are
// of the context's span here.
func Bound(ctx context.Context, log *slog.Logger) *slog.Logger {
	h, is := log.Handler().(spans)
	if !is {
		return log
	}
	h.otherwise = trace.SpanContextFromContext(ctx)
	return slog.New(h)
}

// spans is a handler that adds the span's ids. Ciclo's logs have no groups, in
// which they would land.
type spans struct {
	slog.Handler
	otherwise trace.SpanContext // of records without a span
}

// Handle adds the ids to a record.
func (h spans) Handle(ctx context.Context, r slog.Record) error {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		span = h.otherwise
	}
	if span.IsSampled() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps what the handler knows.
func (h spans) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

// WithGroup keeps what the handler knows.
func (h spans) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}
