package outside

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// monitor is a Prometheus that looks at a system.
type monitor struct {
	t   *testing.T
	url string
}

// newMonitor starts Debian's Prometheus on the shipped alerts. It looks every second,
// and an alert has to hold for two seconds where alerts.yml says longer; nothing else
// of the file is changed.
func newMonitor(t *testing.T, orchestrator string, workers ...string) *monitor {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	shorter := regexp.MustCompile(`(?m)^( +for:) \S+$`).ReplaceAllString(read(t, prometheusFolder+"/alerts.yml"), "$1 2s")
	config := write("prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: ciclo-orchestrator
    authorization: {credentials_file: %q}
    static_configs: [{targets: [%q]}]
  - job_name: ciclo-worker
    static_configs: [{targets: ["%s"]}]
`, write("alerts.yml", shorter), write("token", token+"\n"), orchestrator, strings.Join(workers, `", "`)))
	promtool(t, "", "check", "config", config)
	address := freePort(t)
	start(t, dir, tool(t, "prometheus"), nil, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	m := &monitor{t: t, url: "http://" + address}
	eventually(t, 30*time.Second, "Prometheus is ready", func() bool {
		resp, err := http.Get(m.url + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return m
}

func (m *monitor) get(path string, into any) {
	m.t.Helper()
	resp, err := http.Get(m.url + path)
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != http.StatusOK {
		m.t.Fatalf("GET %s: %s, %v", path, resp.Status, err)
	}
}

// value is the sum of what a query finds, and false where it finds nothing.
func (m *monitor) value(query string) (float64, bool) {
	m.t.Helper()
	var answer struct {
		Data struct {
			Result []struct {
				Value [2]any
			}
		}
	}
	m.get("/api/v1/query?query="+url.QueryEscape(query), &answer)
	sum := 0.0
	for _, r := range answer.Data.Result {
		v, err := strconv.ParseFloat(r.Value[1].(string), 64)
		if err != nil {
			m.t.Fatal(err)
		}
		sum += v
	}
	return sum, len(answer.Data.Result) > 0
}

func (m *monitor) becomes(limit time.Duration, query string, want float64) {
	m.t.Helper()
	eventually(m.t, limit, fmt.Sprintf("%s is %v", query, want), func() bool {
		got, found := m.value(query)
		return found && got == want
	})
}

// alert is the state of an alert: pending, firing, or nothing.
func (m *monitor) alert(name string) string {
	m.t.Helper()
	var answer struct {
		Data struct {
			Alerts []struct {
				Labels map[string]string
				State  string
			}
		}
	}
	m.get("/api/v1/alerts", &answer)
	for _, a := range answer.Data.Alerts {
		if a.Labels["alertname"] == name {
			return a.State
		}
	}
	return ""
}

// exposition is what a service shows of itself.
func exposition(t *testing.T, address, accept string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %.200s", address, resp.Status, err, text)
	}
	return string(text)
}

// ownMetrics are the names of Ciclo's metrics in an exposition.
func ownMetrics(exposition string) (names []string) {
	for _, found := range regexp.MustCompile(`(?m)^# TYPE (ciclo_\S+) \S+$`).FindAllStringSubmatch(exposition, -1) {
		names = append(names, found[1])
	}
	return names
}

// Debian's Prometheus scrapes the built services and sees what they do; an alert
// fires on a worker that is killed, and ends when another one comes in its place.
func TestPrometheusSeesAKilledWorker(t *testing.T) {
	t.Parallel()
	tool(t, "prometheus")
	s := newSystem(t, testdatabase.New(t), "CICLO_LEASE=2s", "CICLO_BEAT=500ms", "CICLO_REAP_EVERY=200ms")
	addresses := []string{freePort(t), freePort(t), freePort(t)}
	workers := map[string]*process{}
	begin := func(address string) {
		t.Helper()
		workers[address] = s.worker("CICLO_METRICS_LISTEN=" + address)
	}
	begin(addresses[0])
	begin(addresses[1])
	m := newMonitor(t, strings.TrimPrefix(s.api.URL, "http://"), addresses...)
	m.becomes(time.Minute, `up`, 3) // the third worker isn't there yet
	m.becomes(time.Minute, `ciclo_workers{condition="alive"}`, 2)
	m.becomes(time.Minute, `count(ciclo_build_info)`, 3)

	s.await(s.run("test-noop", nil), time.Minute, "it completes", func(e client.Execution) bool { return e.Status == "completed" })
	s.await(s.run("test-fail", map[string]string{"how": "permanent"}), time.Minute, "it fails", func(e client.Execution) bool { return e.Status == "failed" })
	m.becomes(time.Minute, `ciclo_transitions_total{status="completed", agent="test-noop"}`, 1)
	m.becomes(time.Minute, `ciclo_transitions_total{status="started", agent="test-noop", job="ciclo-orchestrator"}`, 1)
	m.becomes(time.Minute, `ciclo_attempt_failures_total{class="permanent", agent="test-fail"}`, 1)
	m.becomes(time.Minute, `ciclo_execution_duration_seconds_count{status="failed", agent="test-fail"}`, 1)
	m.becomes(time.Minute, `ciclo_queue_depth`, 0)
	eventually(t, time.Minute, "heartbeats are counted", func() bool {
		beats, _ := m.value(`min(ciclo_heartbeats_total{outcome="answered"})`)
		return beats > 3
	})

	id := s.run("test-slow", map[string]int{"millis": 20_000})
	m.becomes(time.Minute, `ciclo_executions_running{agent="test-slow"}`, 1)
	var holder string
	eventually(t, time.Minute, "a worker shows that it runs", func() bool {
		for _, address := range addresses[:2] {
			if n, _ := m.value(fmt.Sprintf(`ciclo_attempts_running{agent="test-slow", instance=%q}`, address)); n == 1 {
				holder = address
			}
		}
		return holder != ""
	})
	if state := m.alert("WorkerLost"); state != "" {
		t.Fatalf("WorkerLost is %s while both live", state)
	}
	workers[holder].signal(syscall.SIGKILL)
	workers[holder].wait(10 * time.Second)
	states := []string{}
	eventually(t, time.Minute, "WorkerLost fires", func() bool {
		if state := m.alert("WorkerLost"); state != "" && !slices.Contains(states, state) {
			states = append(states, state)
		}
		return slices.Contains(states, "firing")
	})
	if want := []string{"pending", "firing"}; !slices.Equal(states, want) {
		t.Errorf("WorkerLost went %v, want %v", states, want)
	}
	s.await(id, time.Minute, "another worker runs it", func(e client.Execution) bool { return e.Status == "running" && e.Attempt == 2 })
	m.becomes(time.Minute, `ciclo_attempts_ended_total{outcome="lost", agent="test-slow"}`, 1)
	m.becomes(time.Minute, `ciclo_workers{condition="alive"}`, 1)

	begin(addresses[2])
	m.becomes(time.Minute, `ciclo_workers{condition="lost"}`, 0)
	eventually(t, time.Minute, "WorkerLost ends", func() bool { return m.alert("WorkerLost") == "" })
	m.becomes(time.Minute, `ciclo_workers{condition="alive"}`, 2)
	s.await(id, time.Minute, "it completes", func(e client.Execution) bool { return e.Status == "completed" })

	// A worker that is told to stop says goodbye: it isn't lost, and serves to its end.
	stopped := workers[addresses[2]]
	stopped.signal(syscall.SIGTERM)
	if code := stopped.wait(30 * time.Second); code != 0 {
		t.Errorf("the stopped worker ended with %d", code)
	}
	m.becomes(time.Minute, `ciclo_workers{condition="alive"}`, 1)
	if lost, _ := m.value(`ciclo_workers{condition="lost"}`); lost > 1 { // the killed one may show again
		t.Errorf("%v workers are lost", lost)
	}

	living := addresses[0]
	if living == holder {
		living = addresses[1]
	}
	checkExpositions(t, strings.TrimPrefix(s.api.URL, "http://"), living)
}

// checkExpositions holds what the services show against the rules of Prometheus and
// the table of docs/telemetry.md.
func checkExpositions(t *testing.T, orchestrator, worker string) {
	t.Helper()
	shown := map[string]bool{}
	for _, address := range []string{orchestrator, worker} {
		text := exposition(t, address, "text/plain")
		promtool(t, text, "check", "metrics")
		for _, name := range ownMetrics(text) {
			shown[name] = true
		}
		if open := exposition(t, address, "application/openmetrics-text;version=1.0.0"); !strings.HasSuffix(open, "\n# EOF\n") {
			t.Errorf("%s doesn't speak OpenMetrics", address)
		}
	}
	if len(shown) < 30 {
		t.Errorf("only %d metrics are shown: %v", len(shown), shown)
	}
	for _, found := range regexp.MustCompile("(?m)^\\| `(ciclo_[a-z_]+)` \\|").FindAllStringSubmatch(section(t, read(t, "../../docs/telemetry.md"), "## Metrics"), -1) {
		if !shown[found[1]] {
			t.Errorf("docs/telemetry.md has %s, which neither service shows", found[1])
		}
		delete(shown, found[1])
	}
	for name := range shown {
		t.Errorf("%s is not in the table of docs/telemetry.md", name)
	}
}

// What the database knows is left out while it is away, and the rest is shown. Then
// only the configured token opens the API.
func TestMetricsWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	private := freePort(t)
	s := &system{t: t, folder: "test/", env: []string{
		"DATABASE_URL=postgres://nobody@" + freePort(t) + "/nothing", "CICLO_TOKEN=" + token, "CICLO_LISTEN=" + freePort(t), "CICLO_METRICS_LISTEN=" + private,
	}}
	start(t, "", "test/orchestrator", s.env)
	worker := freePort(t)
	s.worker("CICLO_METRICS_LISTEN=" + worker)
	for _, address := range []string{private, worker} {
		eventually(t, 30*time.Second, "the process says that it lives", func() bool {
			resp, err := http.Get("http://" + address + "/healthz")
			if err != nil {
				return false
			}
			resp.Body.Close()
			return resp.StatusCode == http.StatusOK
		})
	}
	api := strings.TrimPrefix(s.env[2], "CICLO_LISTEN=")
	for _, address := range []string{private, api} {
		began := time.Now()
		text := exposition(t, address, "text/plain")
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
		if !strings.Contains(text, "\nciclo_database_up 0\n") || !strings.Contains(text, "\ngo_goroutines ") {
			t.Errorf("it shows %.3000s", text)
		}
		for _, unknown := range []string{"ciclo_workers", "ciclo_queue_depth", "ciclo_effects_unknown"} {
			if strings.Contains(text, unknown) {
				t.Errorf("it shows %s, which it can't know", unknown)
			}
		}
	}
	if text := exposition(t, worker, "text/plain"); !strings.Contains(text, "\nciclo_lease_left_seconds NaN\n") {
		t.Errorf("a worker without a session shows %.3000s", text)
	}
	resp, err := http.Get("http://" + api + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusUnauthorized || bytes.Contains(body, []byte("ciclo_")) {
		t.Errorf("without a token: %s %.200s %v", resp.Status, body, err)
	}
}
