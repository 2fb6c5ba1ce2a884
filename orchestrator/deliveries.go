package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/webhook"
)

const (
	// deliveryLease is for how long a sender has a delivery to itself: longer than a
	// post may take.
	deliveryLease = 3 * webhook.Timeout
	// perWebhook bounds how many deliveries of one webhook a process has under way:
	// one that hangs is in nobody's way.
	perWebhook = 8
	// deliveryRound is how many it takes of each webhook at once.
	deliveryRound = 4
)

// deliveryDelays are the delays after each try, those that Standard Webhooks
// suggests: three days in all. After the last one a delivery is given up.
var deliveryDelays = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// deliverer sends webhooks their deliveries. Every orchestrator has one; a delivery
// that one has taken, the others pass over.
type deliverer struct {
	store  *postgres.Store
	client *webhook.Client
	log    *slog.Logger
	meters *meters
	delays []time.Duration
	due    chan struct{}

	mu sync.Mutex
	// underway counts deliveries by their webhook.
	underway map[string]int
}

func newDeliverer(store *postgres.Store, meters *meters, log *slog.Logger) *deliverer {
	return &deliverer{meters: meters, store: store, client: webhook.NewClient(), log: log, delays: deliveryDelays, due: make(chan struct{}, 1), underway: map[string]int{}}
}

// wake says that there may be something to deliver.
func (d *deliverer) wake() {
	select {
	case d.due <- struct{}{}:
	default: // it knows
	}
}

// run delivers until ctx is done, and waits for what is under way.
func (d *deliverer) run(ctx context.Context) {
	var sending sync.WaitGroup
	defer sending.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.due:
		}
		taken, err := d.take(ctx)
		if err != nil {
			if ctx.Err() == nil {
				d.log.Warn("deliveries wait until the database answers", "error", err) // the reaper wakes it again
			}
			continue
		}
		for _, one := range taken {
			sending.Go(func() {
				if err := d.send(ctx, one); err != nil {
					d.log.Warn("how a delivery went was not written down: it comes again", "webhook_id", one.WebhookID, "delivery_id", one.ID, "error", err)
				}
				d.mu.Lock()
				d.underway[one.WebhookID]--
				d.mu.Unlock()
				d.wake() // there may be more of it
			})
		}
	}
}

// take takes what is due of those webhooks that have not too much under way.
func (d *deliverer) take(ctx context.Context) ([]postgres.Outgoing, error) {
	busy := []string{}
	d.mu.Lock()
	for id, n := range d.underway {
		if n == 0 {
			delete(d.underway, id)
		} else if n > perWebhook-deliveryRound {
			busy = append(busy, id)
		}
	}
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	taken, err := d.store.TakeDeliveries(ctx, deliveryLease, busy, deliveryRound)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range taken {
		d.underway[one.WebhookID]++
	}
	return taken, err
}

// send posts a delivery and writes down how it went, even if ctx ends meanwhile.
func (d *deliverer) send(ctx context.Context, one postgres.Outgoing) error {
	written, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliveryLease)
	defer cancel()
	log := d.log.With("webhook_id", one.WebhookID, "delivery_id", one.ID, "execution_id", one.ExecutionID)
	body, err := json.Marshal(webhookEvent{
		Type: "execution." + string(one.Transition.To), Timestamp: one.Transition.At,
		Data: moved{ExecutionID: one.ExecutionID, Agent: one.Agent, DryRun: one.DryRun, URL: Prefix + "/executions/" + one.ExecutionID, Transition: one.Transition},
	})
	if err != nil {
		return fmt.Errorf("encode a delivery: %w", err)
	}
	id := fmt.Sprintf("%s_%d", one.WebhookID, one.ID) // a number alone may be another installation's too
	answer, err := d.client.Post(ctx, one.URL, webhook.Message{ID: id, Body: body, Secret: one.Secret})
	switch {
	case err == nil:
		log.Debug("delivered", "status", one.Transition.To)
		d.meters.deliveries.WithLabelValues(wasSent).Inc()
		return d.store.Delivered(written, one, answer.Status)
	case answer.Status == http.StatusGone:
		d.meters.deliveries.WithLabelValues(wasGivenUp).Inc()
		log.Warn("the webhook ended: its receiver answered 410 Gone")
		ended := d.store.EndWebhook(written, one.WebhookID, "its receiver answered 410 Gone")
		if errors.Is(ended, postgres.ErrNoWebhook) {
			ended = nil // another delivery was faster
		}
		return ended
	}
	retryIn := d.delay(one.Tries, answer.RetryAfter)
	if ctx.Err() != nil {
		retryIn = 0 // it was this process's stop that failed it
	}
	if retryIn < 0 {
		d.meters.deliveries.WithLabelValues(wasGivenUp).Inc()
		log.Error("delivery given up", "tries", one.Tries, "error", err)
	} else {
		d.meters.deliveries.WithLabelValues(wasPutOff).Inc()
		log.Info("not delivered, it is tried again", "tries", one.Tries, "in", retryIn.String(), "error", err)
	}
	return d.store.Undelivered(written, one, answer.Status, err.Error(), retryIn)
}

// delay is the time until the next try after so many, a tenth more or less so that
// not all come at once, or what the receiver asked for where that is longer, but
// at most a day; negative where there is none.
func (d *deliverer) delay(tries int, asked time.Duration) time.Duration {
	if tries > len(d.delays) {
		return -1
	}
	delay := time.Duration(float64(d.delays[tries-1]) * (0.9 + 0.2*rand.Float64()))
	return max(delay, min(asked, 24*time.Hour))
}
