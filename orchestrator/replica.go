package orchestrator

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/nuzantara/ciclo/internal/batch"
	"github.com/nuzantara/ciclo/internal/graph"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// replica decides which reads go to the streaming replica: those that come when it
// has all that the primary had committed by then. So nobody is shown less than what
// he was told before, by whichever orchestrator. Those who ask together are answered
// by one look at both servers.
type replica struct {
	store *postgres.Store
	log   *slog.Logger
	wait  time.Duration
	looks *batch.Batch[struct{}, bool]

	answered *prometheus.CounterVec
	usable   prometheus.Gauge

	mu      sync.Mutex
	checked bool      // it is one, and it was in time
	again   time.Time // when it may be looked at again
	failure error     // what was said last; nil while it is used
}

const (
	// DefaultReplicaWait is how long a read waits for the replica.
	DefaultReplicaWait = 100 * time.Millisecond
	// replicaPause is for how long all goes to the primary after the replica failed.
	replicaPause = time.Second
	// replicaTime is what the replica may take for an answer; as much is left then for
	// the primary.
	replicaTime = requestTimeout / 2

	byReplica, byPrimary = "replica", "primary"
)

func newReplica(store *postgres.Store, wait time.Duration, registry prometheus.Registerer, log *slog.Logger) *replica {
	with := promauto.With(registry)
	r := &replica{
		store: store, log: log, wait: wait,
		answered: with.NewCounterVec(prometheus.CounterOpts{
			Name: "ciclo_replica_reads_total", Help: "Reads that the replica may answer, by who did.",
		}, []string{"by"}),
		usable: with.NewGauge(prometheus.GaugeOpts{
			Name: "ciclo_replica_usable", Help: "Whether the replica had, when it was last looked at, what the primary had, in time.",
		}),
	}
	r.looks = batch.New(func(ctx context.Context, all []struct{}) ([]bool, error) {
		return slices.Repeat([]bool{r.look(ctx)}, len(all)), nil
	})
	return r
}

// has reports whether the replica has by now what the primary has committed before.
func (r *replica) has(ctx context.Context) bool {
	r.mu.Lock()
	paused := time.Now().Before(r.again)
	r.mu.Unlock()
	if paused {
		return false
	}
	ok, err := r.looks.Do(ctx, struct{}{})
	return ok && err == nil
}

func (r *replica) look(ctx context.Context) bool {
	r.mu.Lock()
	checked, paused := r.checked, time.Now().Before(r.again)
	r.mu.Unlock()
	if paused {
		return false // since it was asked for
	}
	var err error
	if !checked { // a new connection may take its time
		checking, cancel := context.WithTimeout(ctx, replicaPause)
		err = r.store.CheckReplica(checking)
		cancel()
	}
	if err == nil {
		waiting, cancel := context.WithTimeout(ctx, r.wait)
		err = r.store.AwaitReplica(waiting)
		cancel()
	}
	r.note(err)
	return err == nil
}

// note keeps in mind how the replica did, and says once that it is used or not.
func (r *replica) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil && !r.checked:
		r.log.Info("reads are answered by the replica")
		r.usable.Set(1)
	case err != nil && r.failure == nil:
		r.log.Warn("reads are answered by the primary: the replica can't", "error", err)
		r.usable.Set(0)
	}
	if r.checked, r.failure = err == nil, err; err != nil {
		r.again = time.Now().Add(replicaPause)
	}
}

// fromReplica has the replica answer a read where it can, and the primary where it
// can't or fails. Who waits for a change, or shows what he has seen, is for the
// primary, which is who wakes him.
func (o *Orchestrator) fromReplica(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		whole := c.Request()
		ctx := whole.Context()
		if whole.Header.Get("If-None-Match") == "" && !c.QueryParams().Has("wait") && o.replica.has(ctx) {
			bounded, cancel := context.WithTimeout(postgres.OnReplica(ctx), replicaTime)
			c.SetRequest(whole.WithContext(bounded))
			err := next(c)
			cancel()
			c.SetRequest(whole)
			if err == nil || c.Response().Committed || problemOf(err).Status < http.StatusInternalServerError {
				o.replica.answered.WithLabelValues(byReplica).Inc()
				return err
			}
			if ctx.Err() != nil {
				return err // nobody waits any more
			}
			o.replica.note(err)
		}
		o.replica.answered.WithLabelValues(byPrimary).Inc()
		return next(c)
	}
}

// graphFor is the graph as a request may read it.
func (o *Orchestrator) graphFor(ctx context.Context) *graph.Store {
	if postgres.IsOnReplica(ctx) {
		return o.replicaGraph
	}
	return o.graph
}
