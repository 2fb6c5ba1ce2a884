package telemetry

import (
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
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER=%s: otlp and none are known", exporter)
	}
	protocol := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
	if protocol == "" {
		protocol = os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	if protocol != "" && protocol != "http/protobuf" {
		return false, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL=%s: http/protobuf alone is known", protocol)
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
