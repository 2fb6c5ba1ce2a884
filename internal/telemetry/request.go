package telemetry

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// methods are those that a span names; anybody may invent others.
var methods = []string{
	http.MethodConnect, http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodOptions,
	http.MethodPatch, http.MethodPost, http.MethodPut, http.MethodTrace,
}

// Request begins the span of a request, as a child of its caller's where the
// header traceparent names one; the function ends it with the answer's status. The
// span has the route and never the path, whose parts are people's ids, nor the
// query, a header, or an address.
func (t *Traces) Request(r *http.Request, route string) (context.Context, func(status int)) {
	ctx := r.Context()
	if caller := Parse(r.Header.Get("Traceparent")); caller.IsValid() { // without tracestate, which may hold anything
		ctx = trace.ContextWithRemoteSpanContext(ctx, caller)
	}
	method, name := r.Method, r.Method
	if !slices.Contains(methods, method) {
		method, name = "_OTHER", "HTTP"
	}
	attributes := []attribute.KeyValue{attribute.String("http.request.method", method)}
	if route != "" {
		name += " " + route
		attributes = append(attributes, attribute.String("http.route", route))
	}
	ctx, span := t.start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attributes...))
	return ctx, func(status int) {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetAttributes(attribute.String("error.type", strconv.Itoa(status)))
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// LinkTo links the context's span to the one that a traceparent names, as where
// the same request comes again.
func LinkTo(ctx context.Context, traceparent, why string) {
	if to := Parse(traceparent); to.IsValid() {
		trace.SpanFromContext(ctx).AddLink(trace.Link{SpanContext: to, Attributes: []attribute.KeyValue{attribute.String("ciclo.link", why)}})
	}
}
