package orchestrator

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// Scrapes at once share one look; what it found is shown for a second, and never
// after a look that failed.
func TestScrapesShareALook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		var broken error
		s := newStanding(func(ctx context.Context, agents []string) (postgres.Standing, error) {
			looks++
			time.Sleep(100 * time.Millisecond)
			if _, bounded := ctx.Deadline(); !bounded || len(agents) != 2 {
				t.Errorf("it asks for %v, bounded: %t", agents, bounded)
			}
			return postgres.Standing{postgres.QueueDepth: {"a": float64(looks)}}, broken
		}, []string{"a", "b"}, slog.New(slog.DiscardHandler))
		registry := prometheus.NewRegistry()
		registry.MustRegister(s)
		shown := func() string {
			t.Helper()
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			var text []string
			for _, f := range families {
				if f.GetName() == "ciclo_queue_depth" || f.GetName() == "ciclo_database_up" {
					for _, m := range f.GetMetric() {
						text = append(text, m.String())
					}
				}
			}
			return strings.Join(text, "\n")
		}
		var scrapes sync.WaitGroup
		for range 20 {
			scrapes.Go(func() { shown() })
		}
		scrapes.Wait()
		if looks != 1 {
			t.Errorf("20 scrapes looked %d times", looks)
		}
		time.Sleep(standingFor - time.Millisecond)
		first := shown()
		if looks != 1 || !strings.Contains(first, `value:1`) || strings.Count(first, "\n") != 2 {
			t.Errorf("within a second, after %d looks, it shows:\n%s", looks, first)
		}
		time.Sleep(time.Millisecond)
		if second := shown(); looks != 2 || !strings.Contains(second, `value:2`) {
			t.Errorf("after a second, after %d looks, it shows:\n%s", looks, second)
		}
		broken = errors.New("away")
		time.Sleep(standingFor)
		if away := shown(); strings.Count(away, "\n") != 0 || !strings.Contains(away, "value:0") {
			t.Errorf("without the database it shows:\n%s", away)
		}
	})
}
