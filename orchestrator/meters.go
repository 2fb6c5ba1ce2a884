package orchestrator

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/metrics"
)

// meters count what this process does; how the system stands is standing's. No label
// has a value that a client chose: agents are the catalogue's, routes are patterns.
type meters struct {
	executions        *metrics.Executions
	requests          *prometheus.CounterVec
	requestDurations  *prometheus.HistogramVec
	sweeps, mended    *prometheus.CounterVec
	slots             *prometheus.CounterVec
	slotsLate         prometheus.Counter
	slotLag           prometheus.Histogram
	deliveries, notes *prometheus.CounterVec
}

// What became of a slot, a delivery and a notice, and how a sweep went and what it did.
const (
	wasSent    = "sent"
	wasPutOff  = "put_off"
	wasGivenUp = "given_up"
	wentWell   = "ok"
	wentWrong  = "failed"
	putBack    = "put_back" // an execution that the queue lost
	probed     = "probed"   // an execution of a paused agent that was let through
	wasMissed  = "missed"   // a slot that was seen too late to be made up for
)

func newMeters(registry prometheus.Registerer, agents []string) *meters {
	with := promauto.With(registry)
	m := &meters{
		executions: metrics.NewExecutions(registry, agents,
			[]string{string(execution.Started), string(execution.Failed), string(execution.Cancelled)}, []string{execution.ClassLost}),
		requests: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_http_requests_total", Help: "Requests that were answered, by the route's pattern and the class of the status.",
		}, []string{"route", "method", "status"}),
		requestDurations: with.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ciclo_http_request_duration_seconds", Help: "How long answers took, without streams, downloads and those that waited for a change.",
			Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10},
		}, []string{"route", "method"}),
		sweeps: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_reaper_sweeps_total", Help: "Looks of the reaper for what needs it, by how they went.",
		}, []string{"outcome"}),
		mended: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_reaper_mended_total", Help: "Executions that the reaper put back because the queue had lost them, or let through as probes.",
		}, []string{"action"}),
		slots: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_slots_total", Help: "Slots of schedules that this process decided, by what became of them; missed is skipped since it was too late.",
		}, []string{"outcome"}),
		slotsLate: with.NewCounter(prometheus.CounterOpts{
			Name: "ciclo_slots_late_total", Help: "Slots that were seen more than a minute after their time, whatever became of them.",
		}),
		slotLag: with.NewHistogram(prometheus.HistogramOpts{
			Name: "ciclo_slot_lag_seconds", Help: "From the time of a slot to its decision, without backfills.",
			Buckets: []float64{0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600, 86400},
		}),
		deliveries: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_webhook_deliveries_total", Help: "Tries to deliver to webhooks, by how they ended.",
		}, []string{"outcome"}),
		notes: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_notices_total", Help: "Tries to tell the operator, by how they ended.",
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{wentWell, wentWrong} {
		m.sweeps.WithLabelValues(outcome)
	}
	for _, action := range []string{putBack, probed} {
		m.mended.WithLabelValues(action)
	}
	for _, outcome := range []string{"fired", "caught_up", "queued", "skipped", wasMissed} {
		m.slots.WithLabelValues(outcome)
	}
	for _, outcome := range []string{wasSent, wasPutOff, wasGivenUp} {
		m.deliveries.WithLabelValues(outcome)
		m.notes.WithLabelValues(outcome)
	}
	return m
}

// ended counts an execution that this process brought to its end.
func (m *meters) ended(e execution.Execution) {
	m.executions.Moved(e.Agent, string(e.Status))
	if e.DurationSeconds != nil {
		m.executions.Ended(e.Agent, string(e.Status), time.Duration(*e.DurationSeconds*float64(time.Second)))
	}
}

// slot counts a slot that was decided, so late.
func (m *meters) slot(outcome string, late time.Duration) {
	m.slots.WithLabelValues(outcome).Inc()
	m.slotLag.Observe(max(late, 0).Seconds())
	if late > slotGrace {
		m.slotsLate.Inc()
	}
}

// methods are those of routes; others are what a client may think up.
var methods = map[string]bool{http.MethodGet: true, http.MethodPost: true, http.MethodPut: true, http.MethodPatch: true, http.MethodDelete: true, http.MethodHead: true, http.MethodOptions: true}

const otherLabel = "other"

// measured counts requests. It comes first of all, so that it sees how each ended.
// pages are the patterns of the dashboard's.
func (m *meters) measured(sections []section, pages map[string]bool) echo.MiddlewareFunc {
	known := map[string]string{}
	for _, s := range sections {
		for _, op := range s.operations {
			known[op.path], _ = pathOf(op.path)
		}
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			began := time.Now()
			route, method := known[c.Path()], c.Request().Method
			switch {
			case route != "":
			case pages[c.Path()]:
				route = c.Path()
			default:
				route = otherLabel
			}
			if !methods[method] {
				method = otherLabel
			}
			status := http.StatusInternalServerError // of one that is cut off by a panic
			defer func() { m.requests.WithLabelValues(route, method, strconv.Itoa(status/100)+"xx").Inc() }()
			err := next(c)
			if status = c.Response().Status; err != nil && !c.Response().Committed {
				status = problemOf(err).Status
			}
			if !unbounded(c) {
				m.requestDurations.WithLabelValues(route, method).Observe(time.Since(began).Seconds())
			}
			return err
		}
	}
}

// unbounded reports whether the answer takes as long as the client wants.
func unbounded(c echo.Context) bool {
	if streams(c.Path()) || c.Request().Header.Get("Accept") == "text/event-stream" {
		return true
	}
	if c.Request().URL.RawQuery == "" {
		return false
	}
	_, waits := waitOf(c.QueryParams())
	return waits
}
