package queue

import (
	"context"

	"github.com/riverqueue/river/rivertype"
	"github.com/riverqueue/rivercontrib/otelriver"
	"go.opentelemetry.io/otel/trace"
)

// inserts is River's own instrumentation of inserts, in the trace of whoever
// inserts. Its spans of work aren't used: they know neither the execution nor the
// attempt, for River's is always the first.
type inserts struct{ *otelriver.Middleware }

// Traced is a middleware for a client that inserts, which makes spans.
func Traced(provider trace.TracerProvider) rivertype.Middleware {
	return inserts{otelriver.NewMiddleware(&otelriver.MiddlewareConfig{TracerProvider: provider})}
}

// InsertMany makes a span where there is a trace: what the reaper inserts for many
// executions at a time is in none of theirs.
func (m inserts) InsertMany(ctx context.Context, jobs []*rivertype.JobInsertParams, insert func(context.Context) ([]*rivertype.JobInsertResult, error)) ([]*rivertype.JobInsertResult, error) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return insert(ctx)
	}
	return m.Middleware.InsertMany(ctx, jobs, insert)
}
