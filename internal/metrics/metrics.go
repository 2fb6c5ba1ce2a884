// Package metrics is what the services share of their metrics: the registry of a
// process, how it is shown, and what both count of executions. What one service
// alone counts is in its own package. Imports: Prometheus' client, pgx; no package
// of Ciclo.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Media is what Handler answers with where the client asks for nothing else; More
// are what it may ask for.
const Media = "text/plain"

// More are the other media types of Handler, by the request's Accept.
func More() []string {
	return []string{"application/openmetrics-text", "application/vnd.google.protobuf"}
}

// New makes the registry of a process of a service, which knows Go's own metrics,
// the process's and what was built.
func New(service, version string) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	promauto.With(registry).NewGaugeVec(prometheus.GaugeOpts{
		Name: "ciclo_build_info", Help: "1; the labels say which service and version runs.",
	}, []string{"service", "version"}).WithLabelValues(service, version).Set(1)
	return registry
}

// Handler shows what the registry knows. What can't be collected is left out: the
// rest is worth having.
func Handler(registry *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true})
}
