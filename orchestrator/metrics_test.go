package orchestrator_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nuzantara/ciclo/internal/metrics"
	"github.com/nuzantara/ciclo/internal/testdatabase"
	"github.com/nuzantara/ciclo/orchestrator"
)

// requests are the label values of the counter of requests, and how often.
func requests(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "ciclo_http_requests_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := m.GetLabel() // by name: method, route, status
			found[labels[0].GetValue()+" "+labels[1].GetValue()+" "+labels[2].GetValue()] = m.GetCounter().GetValue()
		}
	}
	return found
}

// Whatever a client sends, labels hold patterns alone, and no series is made of it.
func TestRequestsAreCountedByTheirRoutes(t *testing.T) {
	t.Parallel()
	registry := metrics.New("orchestrator", "test")
	a := newAPIOn(t, testdatabase.New(t), io.Discard, func(c *orchestrator.Config) { c.Metrics = registry })
	id := a.run("test-noop", "")
	a.send("GET", prefix+"/executions/"+id, "")
	a.send("GET", prefix+"/executions/noop_nobody", "")
	a.send("GET", prefix+"/executions/noop_somebody", "")
	a.send("GET", prefix+"/executions?limit=-1", "")
	a.send("GET", prefix+"/executions", "", "Authorization", "")
	for _, path := range []string{"/wp-login.php", "/x/y/z", prefix + "/nothing/at/all", "/metrics/x"} {
		a.send("GET", path, "")
	}
	a.sendPlain("BREW", prefix+"/executions", "")
	a.sendPlain("COFFEE", "/", "")
	want := map[string]float64{
		"POST " + prefix + "/{agent}/run 2xx":    1,
		"GET " + prefix + "/executions/{id} 2xx": 1,
		"GET " + prefix + "/executions/{id} 4xx": 2,
		"GET " + prefix + "/executions 4xx":      2,
		"GET other 4xx":                          4,
	}
	got := requests(t, registry)
	brewed := 0.0
	for labels, n := range got {
		if strings.HasPrefix(labels, "other ") {
			brewed += n
		} else if want[labels] != n {
			t.Errorf("%s: %v, want %v", labels, n, want[labels])
		}
		delete(want, labels)
	}
	if brewed != 2 || len(want) > 0 {
		t.Errorf("%v of no method; missing are %v in %v", brewed, want, got)
	}
}

func TestMetricsAreShown(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.run("test-noop", "")
	for accept, media := range map[string]string{"": "text/plain", "text/html": "text/plain", "application/openmetrics-text; version=1.0.0": "application/openmetrics-text", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited": "application/vnd.google.protobuf"} {
		r := a.send("GET", "/metrics", "", "Accept", accept)
		if r.status != http.StatusOK || !strings.HasPrefix(r.header.Get("Content-Type"), media) {
			t.Errorf("%q: %d %s", accept, r.status, r.header.Get("Content-Type"))
		}
		for _, line := range []string{`ciclo_queue_depth{agent="test-noop"} 1`, `ciclo_database_up 1`, `ciclo_transitions_total{agent="test-noop",status="started"} 1`, `ciclo_build_info{service="orchestrator",version="test"} 1`} {
			if media == "text/plain" && !strings.Contains(string(r.body), "\n"+line+"\n") {
				t.Errorf("%q lacks %s", accept, line)
			}
		}
	}
}
