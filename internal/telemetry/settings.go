package telemetry

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"context"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
)

// Settings are the variables, for those who list and check them. OpenTelemetry's own
// code reads those that exporting doesn't, with more names than are here.
type Settings struct {
	Disabled       bool   `name:"a" env:"OTEL_SDK_DISABLED" help:"No traces at all."`
	Endpoint       string `name:"b" env:"OTEL_EXPORTER_OTLP_ENDPOINT" unit:"URL" help:"Where traces go, such as http://collector:4318. Default: there are none."`
	TracesEndpoint string `name:"c" env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" unit:"URL" help:"The same with its whole path, such as http://collector:4318/v1/traces; comes first."`
	Exporter       string `name:"d" env:"OTEL_TRACES_EXPORTER" unit:"otlp, none" help:"otlp exports without an endpoint too, to http://localhost:4318."`
	Protocol       string `name:"e" env:"OTEL_EXPORTER_OTLP_PROTOCOL" unit:"http/protobuf" help:"No other is known."`
	TracesProtocol string `name:"f" env:"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL" unit:"http/protobuf" help:"The same; comes first."`
	Headers        string `name:"g" env:"OTEL_EXPORTER_OTLP_HEADERS" unit:"name=value,…" help:"Headers for the collector, such as its key."`
	HeadersFile    string `name:"h" env:"OTEL_EXPORTER_OTLP_HEADERS_FILE" help:"File that holds the headers."`
	Service        string `name:"i" env:"OTEL_SERVICE_NAME" help:"The service's name in traces. Default: ciclo-orchestrator, ciclo-worker."`
	Resource       string `name:"j" env:"OTEL_RESOURCE_ATTRIBUTES" unit:"name=value,…" help:"More about the service, in each trace."`
	Sampler        string `name:"k" env:"OTEL_TRACES_SAMPLER" help:"Which traces are kept. Default: parentbased_always_on."`
	SamplerArg     string `name:"l" env:"OTEL_TRACES_SAMPLER_ARG" help:"The sampler's argument, such as the share of traces."`
}

// Warn says what can't be followed: then there are no traces, and the service runs.
func (Settings) Warn() error {
	if _, err := exporting(); err != nil {
		return err
	}
	_, err := headers()
	return err
}

// headers are those of OTEL_EXPORTER_OTLP_HEADERS_FILE, nil without. OpenTelemetry
// itself reads those of the variable.
func headers() (map[string]string, error) {
	file := os.Getenv("OTEL_EXPORTER_OTLP_HEADERS_FILE")
	if file == "" {
		return nil, nil //nolint:nilnil // documented
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_HEADERS_FILE: %w", err)
	}
	all := map[string]string{}
	for pair := range strings.SplitSeq(strings.TrimSpace(string(text)), ",") {
		name, value, found := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !found || strings.TrimSpace(name) == "" || err != nil {
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS_FILE: the file is not of the form name=value,name=value")
		}
		all[strings.TrimSpace(name)] = value
	}
	return all, nil
}

// exporting says whether the variables ask for traces. Those that it doesn't name
// are read by OpenTelemetry's own code: sampler, limits, headers, timeouts, TLS.
func exporting() (bool, error) {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return false, nil
	}
	endpoint := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	if endpoint == "" {
		endpoint = os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	}
	switch exporter := os.Getenv("OTEL_TRACES_EXPORTER"); {
	case exporter == "none", exporter == "" && endpoint == "":
		return false, nil // without a place to send them to there are none
	case exporter != "" && exporter != "otlp":
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER is %q: otlp and none are known", exporter)
	}
	protocol := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
	if protocol == "" {
		protocol = os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	if protocol != "" && protocol != "http/protobuf" {
		return false, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: http/protobuf alone is known", protocol)
	}
	if endpoint == "" {
		return true, nil // OpenTelemetry's default, on this host
	}
	// The URL itself may hold a password.
	u, err := url.Parse(endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return false, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT is no URL such as http://collector:4318")
	}
	return true, nil
}

// reportEvery is the shortest time between two warnings of OpenTelemetry's: a
// collector that is away is one, not one for each batch.
const reportEvery = time.Minute

// report leads what OpenTelemetry has to say into the log.
func report(log *slog.Logger) {
	otel.SetErrorHandler(&reporter{log: log})
	otel.SetLogger(logr.FromSlogHandler(warnings{log.Handler()}))
}

// reporter logs OpenTelemetry's errors, each minute the first one.
type reporter struct {
	log *slog.Logger

	mu    sync.Mutex
	last  time.Time
	quiet int // since the last
}

// Handle is called by OpenTelemetry, from any goroutine.
func (r *reporter) Handle(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.last) < reportEvery {
		r.quiet++
		return
	}
	r.log.Warn("traces are lost", "error", err, "errors_not_shown", r.quiet)
	r.last, r.quiet = time.Now(), 0
}

// warnings passes on what is a warning or worse.
type warnings struct{ slog.Handler }

func (h warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}
