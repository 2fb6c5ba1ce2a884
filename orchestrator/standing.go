package orchestrator

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nuzantara/ciclo/internal/postgres"
)

const (
	// standingFor is for how long scrapes share what one of them found.
	standingFor = time.Second
	// standingTimeout bounds the look, so that a scrape is answered without the
	// database too.
	standingTimeout = 2 * time.Second
)

// standing shows how the system stands by the database. What it doesn't know it
// doesn't show: an old value would look like one of now.
type standing struct {
	ask    func(ctx context.Context, agents []string) (postgres.Standing, error)
	agents []string
	log    *slog.Logger

	up, took *prometheus.Desc
	shown    []shownMeasure

	// asking is full while one asks: others wait for the same answer. A channel,
	// for a lock that a scrape can stop waiting for.
	asking chan struct{}
	asked  time.Time
	lasted time.Duration
	found  postgres.Standing
	err    error
}

// shownMeasure is a measure as a metric. Those of agents show all of them, 0 where
// the database has no row.
type shownMeasure struct {
	measure postgres.Measure
	desc    *prometheus.Desc
	of      measured
	fixed   string // the value of a second label
}

type measured int

const (
	ofAll         measured = iota // one value
	ofAgents                      // one of each agent
	ofAgentsOrAll                 // and one of AllAgents
	ofConditions                  // one of each condition that was found
)

func newStanding(ask func(context.Context, []string) (postgres.Standing, error), agents []string, log *slog.Logger) *standing {
	desc := prometheus.NewDesc
	agent := []string{"agent"}
	paused := desc("ciclo_agent_paused", "Whether an agent is paused, by hand or by its breaker; the agent * is all of them.", []string{"agent", "kind"}, nil)
	return &standing{
		ask: ask, agents: agents, log: log, asking: make(chan struct{}, 1),
		up:   desc("ciclo_database_up", "Whether the database said how the system stands. Where it is 0, all that it would say is left out.", nil, nil),
		took: desc("ciclo_database_look_seconds", "How long the database took to say how the system stands.", nil, nil),
		shown: []shownMeasure{
			{postgres.QueueDepth, desc("ciclo_queue_depth", "Executions that a worker could take now.", agent, nil), ofAgents, ""},
			{postgres.QueueAge, desc("ciclo_queue_oldest_age_seconds", "For how long a worker could have taken the oldest of them; 0 where there is none.", agent, nil), ofAgents, ""},
			{postgres.QueueDelayed, desc("ciclo_queue_delayed", "Executions that wait for their time: between attempts, or while the agent is paused.", agent, nil), ofAgents, ""},
			{postgres.StartedNow, desc("ciclo_executions_started", "Executions that are accepted and held by no worker.", agent, nil), ofAgents, ""},
			{postgres.RunningNow, desc("ciclo_executions_running", "Executions that a worker holds.", agent, nil), ofAgents, ""},
			{postgres.PausedByHand, paused, ofAgentsOrAll, "hand"},
			{postgres.BreakerOpen, paused, ofAgents, "breaker"},
			{postgres.FailuresInARow, desc("ciclo_breaker_failures", "Failures of one class in a row, which open the agent's breaker.", agent, nil), ofAgents, ""},
			{postgres.WorkersNow, desc("ciclo_workers", "Workers by condition: alive, stopping, and lost within the last quarter of an hour without another one in its place.", []string{"condition"}, nil), ofConditions, ""},
			{postgres.EffectsUnknown, desc("ciclo_effects_unknown", "Effects of which nobody knows whether they happened.", nil, nil), ofAll, ""},
			{postgres.MessagesDraft, desc("ciclo_messages_waiting_approval", "Messages to clients that wait for somebody's approval.", nil, nil), ofAll, ""},
			{postgres.MessagesFate, desc("ciclo_messages_unknown", "Messages to clients of which a person must look whether they left.", nil, nil), ofAll, ""},
			{postgres.ReviewsOpen, desc("ciclo_graph_reviews_open", "Pairs of the knowledge graph that wait for a person to say whether they are one.", nil, nil), ofAll, ""},
			{postgres.DeliveriesDue, desc("ciclo_webhook_deliveries_waiting", "Deliveries to webhooks that wait, for now or a later try.", nil, nil), ofAll, ""},
			{postgres.NoticesDue, desc("ciclo_notices_waiting", "Notices to the operator that wait, for now or a later try.", nil, nil), ofAll, ""},
			{postgres.Unserved, desc("ciclo_executions_unserved", "Executions that are alive and of agents that this version doesn't have: nobody of its workers runs them.", nil, nil), ofAll, ""},
			{postgres.ScheduleLag, desc("ciclo_schedule_lag_seconds", "For how long the first slot that is due has waited to be decided; 0 where none is due.", nil, nil), ofAll, ""},
		},
	}
}

// Describe says what there may be.
func (s *standing) Describe(all chan<- *prometheus.Desc) {
	all <- s.up
	all <- s.took
	for _, m := range s.shown {
		all <- m.desc
	}
}

// Collect asks the database, or shows what another scrape has just found.
func (s *standing) Collect(all chan<- prometheus.Metric) {
	found, took, err := s.look()
	if err != nil {
		all <- prometheus.MustNewConstMetric(s.up, prometheus.GaugeValue, 0)
		return
	}
	all <- prometheus.MustNewConstMetric(s.up, prometheus.GaugeValue, 1)
	all <- prometheus.MustNewConstMetric(s.took, prometheus.GaugeValue, took.Seconds())
	for _, m := range s.shown {
		show := func(value float64, labels ...string) {
			if m.fixed != "" {
				labels = append(labels, m.fixed)
			}
			all <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, value, labels...)
		}
		values := found[m.measure]
		switch m.of {
		case ofAll:
			show(values[""])
		case ofConditions:
			for condition, value := range values {
				show(value, condition)
			}
		case ofAgentsOrAll:
			show(values[postgres.AllAgents], postgres.AllAgents)
			fallthrough
		case ofAgents:
			for _, agent := range s.agents {
				show(values[agent], agent)
			}
		}
	}
}

func (s *standing) look() (postgres.Standing, time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), standingTimeout)
	defer cancel()
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	case <-ctx.Done():
		return nil, 0, fmt.Errorf("wait for another scrape's look: %w", ctx.Err())
	}
	began := time.Now()
	if began.Sub(s.asked) < standingFor {
		return s.found, s.lasted, s.err
	}
	found, err := s.ask(ctx, s.agents)
	switch {
	case err != nil && s.err == nil:
		s.log.Warn("metrics lack what the database knows", "error", err)
	case err == nil && s.err != nil:
		s.log.Info("metrics have what the database knows again")
	}
	s.asked, s.lasted, s.found, s.err = time.Now(), time.Since(began), found, err
	return found, s.lasted, err
}
