package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kept are traces that are kept here; ended gives those that have ended.
func kept(t *testing.T) (traces *Traces, ended func() tracetest.SpanStubs) {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	traces = newTraces(t.Context(), exporter, "test", "1", slog.New(slog.DiscardHandler))
	t.Cleanup(func() { traces.Stop(context.Background()) })
	return traces, func() tracetest.SpanStubs {
		t.Helper()
		if err := traces.provider.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
		return exporter.GetSpans()
	}
}

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestAttemptsFindOneAnother(t *testing.T) {
	t.Parallel()
	for name, traceparent := range map[string]string{"accepted with a trace": parent, "accepted without": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, ended := kept(t)
			another, endedThere := kept(t)
			a := Attempt{ExecutionID: "x_1", Agent: "x", WorkerID: "w", Number: 1, Traceparent: traceparent}
			_, lost := one.Attempt(t.Context(), a) // never ends
			began := time.Now().Add(-time.Minute).UTC()
			another.Lost(t.Context(), a, began, began.Add(time.Second))
			a.Number = 2
			ctx, second := one.Attempt(t.Context(), a)
			_, end := one.Finish(ctx)
			end(nil)
			second.Ended("failed", "timeout")

			first, rest := endedThere()[0], ended()
			if len(rest) != 2 || first.SpanContext.SpanID() != lost.SpanContext().SpanID() || first.SpanContext.TraceID() != second.SpanContext().TraceID() {
				t.Fatalf("%v, %v", first, rest)
			}
			if !first.StartTime.Equal(began) || !first.EndTime.Equal(began.Add(time.Second)) {
				t.Errorf("from %s to %s", first.StartTime, first.EndTime)
			}
			finish, failed := rest[0], rest[1]
			if finish.Parent.SpanID() != failed.SpanContext.SpanID() || finish.SpanContext.SpanID() == failed.SpanContext.SpanID() {
				t.Errorf("the last word %v is not in %v", finish.SpanContext, failed.SpanContext)
			}
			if len(failed.Links) != 1 || failed.Links[0].SpanContext.SpanID() != first.SpanContext.SpanID() || failed.Links[0].SpanContext.TraceID() != first.SpanContext.TraceID() {
				t.Errorf("it links to %v", failed.Links)
			}
			if failed.Status.Description != "timeout" || len(first.Links) != 0 {
				t.Errorf("%v %v", failed.Status, first.Links)
			}
			if traceparent != "" && failed.Parent.SpanID().String() != "00f067aa0ba902b7" {
				t.Errorf("its parent is %v", failed.Parent)
			}
		})
	}
}

func TestARequestSaysItsRouteAndNoMore(t *testing.T) {
	t.Parallel()
	traces, ended := kept(t)
	for _, status := range []int{200, 500} {
		r := httptest.NewRequestWithContext(t.Context(), "BREW", "http://secret:secret@secret/secret?secret=secret", http.NoBody)
		r.Header.Set("Traceparent", parent)
		r.Header.Set("Tracestate", "vendor=secret")
		r.Header.Set("Authorization", "secret")
		ctx, end := traces.Request(r, "/clients/{id}")
		LinkTo(ctx, parent, "replayed")
		LinkTo(ctx, "nonsense", "replayed")
		end(status)
	}
	var got []map[attribute.Key]string
	for _, s := range ended() {
		if s.SpanContext.TraceState().Len() != 0 || s.Name != "HTTP /clients/{id}" || s.Parent.SpanID().String() != "00f067aa0ba902b7" || len(s.Links) != 1 {
			t.Errorf("%+v", s)
		}
		all := map[attribute.Key]string{}
		for _, a := range s.Attributes {
			all[a.Key] = a.Value.String()
		}
		got = append(got, all)
	}
	want := []map[attribute.Key]string{
		{"http.request.method": "_OTHER", "http.route": "/clients/{id}", "http.response.status_code": "200"},
		{"http.request.method": "_OTHER", "http.route": "/clients/{id}", "http.response.status_code": "500", "error.type": "500"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOffMakesNothing(t *testing.T) {
	t.Parallel()
	var off *Traces
	ctx, attempt := off.Attempt(t.Context(), Attempt{ExecutionID: "x_1", Number: 2, Traceparent: parent})
	_, end := off.Finish(ctx)
	end(errors.New("x"))
	attempt.Ended("failed", "error")
	off.Stop(ctx)
	log := slog.New(slog.DiscardHandler)
	if off.On() || off.Provider() != nil || trace.SpanContextFromContext(ctx).IsValid() || off.Logger(log) != log || Bound(ctx, log) != log {
		t.Error("it is not off")
	}
}

func TestTheLogSaysTheSpan(t *testing.T) {
	t.Parallel()
	traces, _ := kept(t)
	var out bytes.Buffer
	log := traces.Logger(slog.New(slog.NewJSONHandler(&out, nil)).With("service", "test"))
	ctx, span := traces.Attempt(t.Context(), Attempt{ExecutionID: "x_1", Agent: "x", Number: 1, Traceparent: parent})
	inner, end := traces.Finish(ctx)
	defer end(nil)
	unsampled, other := traces.Attempt(t.Context(), Attempt{ExecutionID: "x_2", Agent: "x", Number: 1, Traceparent: parent[:len(parent)-1] + "0"})
	own := trace.SpanContextFromContext(inner)
	bound := Bound(ctx, log.With("execution_id", "x_1")).With("step", "s")
	for _, c := range []struct {
		name string
		log  func()
		want map[string]any
	}{
		{"without a span", func() { log.Info("m") }, map[string]any{"service": "test"}},
		{"in one", func() { log.InfoContext(ctx, "m") }, map[string]any{"service": "test", "trace_id": own.TraceID().String(), "span_id": span.SpanContext().SpanID().String()}},
		{"not sampled", func() { log.InfoContext(unsampled, "m") }, map[string]any{"service": "test"}},
		{"bound to one", func() { bound.Info("m") }, map[string]any{"service": "test", "execution_id": "x_1", "step": "s", "trace_id": own.TraceID().String(), "span_id": span.SpanContext().SpanID().String()}},
		{"bound, in one within", func() { bound.InfoContext(inner, "m") }, map[string]any{"service": "test", "execution_id": "x_1", "step": "s", "trace_id": own.TraceID().String(), "span_id": own.SpanID().String()}},
	} {
		out.Reset()
		c.log()
		var got map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		for _, always := range []string{"time", "level", "msg"} {
			delete(got, always)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	other.Ended("completed", "")
	span.Ended("completed", "")
}

func TestWhatTheVariablesAskFor(t *testing.T) {
	for _, c := range []struct {
		name   string
		env    map[string]string
		on     bool
		refuse bool
	}{
		{name: "nothing"},
		{name: "an endpoint", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, on: true},
		{name: "an endpoint of traces", env: map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector/v1/traces"}, on: true},
		{name: "the exporter alone", env: map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, on: true},
		{name: "none", env: map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}},
		{name: "disabled", env: map[string]string{"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}},
		{name: "another exporter", env: map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, refuse: true},
		{name: "another protocol", env: map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}, refuse: true},
		{name: "another protocol for others", env: map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, on: true},
		{name: "no URL", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, refuse: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, name := range []string{"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
				t.Setenv(name, c.env[name])
			}
			if on, err := exporting(); on != c.on || (err != nil) != c.refuse {
				t.Errorf("%t, %v", on, err)
			}
		})
	}
}

func TestManyErrorsAreOneWarning(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := reporter{log: slog.New(slog.NewJSONHandler(&out, nil))}
	for range 10 {
		r.Handle(errors.New("away"))
	}
	r.last = r.last.Add(-reportEvery)
	r.Handle(errors.New("away"))
	if n := bytes.Count(out.Bytes(), []byte("\n")); n != 2 || !bytes.Contains(out.Bytes(), []byte(`"errors_not_shown":9`)) {
		t.Errorf("%d warnings: %s", n, out.String())
	}
}
