package orchestrator

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// After each try the next one comes later, for three days; what a receiver asks
// for is heeded, within a day.
func TestDeliveryDelays(t *testing.T) {
	t.Parallel()
	d := newDeliverer(nil, newMeters(prometheus.NewRegistry(), nil), nil)
	var all time.Duration
	for i, want := range deliveryDelays {
		got := d.delay(i+1, 0)
		if got < want*9/10 || got > want*11/10 {
			t.Errorf("after try %d: %s, want about %s", i+1, got, want)
		}
		all += want
	}
	if !slices.IsSorted(deliveryDelays) || all < 72*time.Hour || all > 80*time.Hour {
		t.Errorf("the delays are %v, %s in all", deliveryDelays, all)
	}
	if got := d.delay(len(deliveryDelays)+1, time.Hour); got >= 0 {
		t.Errorf("after the last try: %s", got)
	}
	if got := d.delay(1, time.Hour); got != time.Hour {
		t.Errorf("asked for an hour: %s", got)
	}
	if got := d.delay(1, 1000*time.Hour); got != 24*time.Hour {
		t.Errorf("asked for 1000 hours: %s", got)
	}
}
