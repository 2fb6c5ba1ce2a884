package worker

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The lease is counted from when an answered beat began; a beat is late by what lies
// between two answers.
func TestBeatsAreMeasured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		m := newMeters(registry, map[string]int{"a": 1}, 10*time.Second, 3*time.Second)
		late := func() float64 {
			t.Helper()
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
				if f.GetName() == "ciclo_heartbeats_late_total" {
					return f.GetMetric()[0].GetCounter().GetValue()
				}
			}
			t.Fatal("it isn't shown")
			return 0
		}
		if left := m.left(); !math.IsNaN(left) {
			t.Errorf("without a session %v s are left", left)
		}
		m.registered(time.Now())
		time.Sleep(3 * time.Second)
		if left := m.left(); left != 7 {
			t.Errorf("after 3 s %v s are left", left)
		}
		began := time.Now()
		time.Sleep(time.Second)
		m.beat(began, nil)
		if left := m.left(); left != 9 || late() != 0 {
			t.Errorf("a second after the beat began %v s are left, %v were late", left, late())
		}
		time.Sleep(2 * time.Second)
		m.beat(time.Now(), errors.New("no answer"))
		time.Sleep(8 * time.Second)
		if left := m.left(); left != -1 || late() != 0 {
			t.Errorf("after the lease %v s are left, %v were late", left, late())
		}
		m.beat(time.Now(), nil)
		if left := m.left(); left != 10 || late() != 1 {
			t.Errorf("renewed, %v s are left, %v were late", left, late())
		}
	})
}
