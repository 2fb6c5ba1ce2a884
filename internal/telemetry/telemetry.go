// Package telemetry makes traces by OpenTelemetry: where they go, which span is of
// which attempt, and what the log says of them. Imports: OpenTelemetry alone. What
// an agent reads and writes is never in a span (docs/telemetry.md).
package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// scope is the instrumentation scope of Ciclo's own spans.
const scope = "github.com/nuzantara/ciclo"

// Traces makes spans. Nil is off: it makes none and costs nothing.
type Traces struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	log      *slog.Logger
}

// Start begins to export traces where OpenTelemetry's variables ask for it, and
// returns nil where they don't. A setting that can't be followed is a warning: a
// service without traces is better than none.
func Start(ctx context.Context, service, version string, log *slog.Logger) *Traces {
	log = log.With("component", "telemetry")
	wanted, err := exporting()
	if err != nil {
		log.WarnContext(ctx, "no traces are exported", "error", err)
	}
	if !wanted || err != nil {
		return nil
	}
	report(log) // before the exporter, which says there what it makes of its variables
	given, err := headers()
	if err != nil {
		log.WarnContext(ctx, "no traces are exported", "error", err)
		return nil
	}
	var options []otlptracehttp.Option
	if given != nil {
		options = append(options, otlptracehttp.WithHeaders(given))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		log.WarnContext(ctx, "no traces are exported", "error", fmt.Errorf("make the exporter: %w", err))
		return nil
	}
	return newTraces(ctx, exporter, service, version, log)
}

func newTraces(ctx context.Context, exporter sdk.SpanExporter, service, version string, log *slog.Logger) *Traces {
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", service), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv()) // the later wins
	if err != nil { // what could be read is there
		log.WarnContext(ctx, "what OTEL_RESOURCE_ATTRIBUTES says is left out of traces", "error", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about), sdk.WithIDGenerator(ids{}))
	return &Traces{provider: provider, tracer: provider.Tracer(scope), log: log}
}

// stopTime bounds the end: what the collector hasn't taken by then is lost.
const stopTime = 5 * time.Second

// Stop sends what is left, for at most five seconds.
func (t *Traces) Stop(ctx context.Context) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.WarnContext(ctx, "the last traces were not exported", "error", err)
	}
}

// On reports whether spans are made.
func (t *Traces) On() bool { return t != nil }

// Provider is for libraries; nil where traces are off.
func (t *Traces) Provider() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

func (t *Traces) start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	if t == nil {
		return noop.NewTracerProvider().Tracer(scope).Start(ctx, name, options...)
	}
	return t.tracer.Start(ctx, name, options...)
}
