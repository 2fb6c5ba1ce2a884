package metrics

import (
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// pools shows how busy the process's pools of database connections are.
type pools struct {
	known                                         map[string]*pgxpool.Pool
	connections, limit, acquired, waited, seconds *prometheus.Desc
}

// Pools shows the pools, by what they are for.
func Pools(known map[string]*pgxpool.Pool) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"pool"}, labels...), nil)
	}
	return &pools{
		known:       known,
		connections: desc("ciclo_pool_connections", "Connections to the database: busy, idle, or being made.", "condition"),
		limit:       desc("ciclo_pool_connections_limit", "Most connections that the pool makes."),
		acquired:    desc("ciclo_pool_acquires_total", "Times that a connection was taken from the pool."),
		waited:      desc("ciclo_pool_waits_total", "Times that somebody had to wait for a connection, since all were busy."),
		seconds:     desc("ciclo_pool_wait_seconds_total", "How long was waited for connections in all."),
	}
}

func (p *pools) Describe(all chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.connections, p.limit, p.acquired, p.waited, p.seconds} {
		all <- d
	}
}

func (p *pools) Collect(all chan<- prometheus.Metric) {
	for name, pool := range p.known {
		s := pool.Stat()
		gauge := func(d *prometheus.Desc, v float64, labels ...string) {
			all <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{name}, labels...)...)
		}
		counter := func(d *prometheus.Desc, v float64) {
			all <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, name)
		}
		gauge(p.connections, float64(s.AcquiredConns()), "busy")
		gauge(p.connections, float64(s.IdleConns()), "idle")
		gauge(p.connections, float64(s.ConstructingConns()), "being_made")
		gauge(p.limit, float64(s.MaxConns()))
		counter(p.acquired, float64(s.AcquireCount()))
		counter(p.waited, float64(s.EmptyAcquireCount()))
		counter(p.seconds, s.EmptyAcquireWaitTime().Seconds())
	}
}
