package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

func (b *bundle) webhook(agents []string, statuses ...execution.Status) string {
	b.t.Helper()
	w, err := b.CreateWebhook(b.ctx, postgres.Webhook{URL: "https://firm.example/hook", Agents: agents, Statuses: statuses, CreatedBy: "crm"}, make([]byte, 32))
	b.must(err)
	return w.ID
}

// told are the statuses of a webhook's deliveries, oldest first.
func (b *bundle) told(id string) (statuses []execution.Status) {
	b.t.Helper()
	list, err := b.Deliveries(b.ctx, id, 0, 100)
	b.must(err)
	for _, d := range list {
		statuses = append([]execution.Status{d.Status}, statuses...)
	}
	return statuses
}

// Each move writes a delivery for every webhook that wants it, and none that doesn't.
func TestDeliveriesAreWrittenWithTheirMoves(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	all := b.webhook([]string{}, execution.Statuses...)
	final := b.webhook([]string{"test-noop"}, execution.Completed, execution.Failed)
	others := b.webhook([]string{"another"}, execution.Statuses...)
	ended := b.webhook([]string{}, execution.Statuses...)
	b.must(b.EndWebhook(b.ctx, ended, "deleted"))
	b.must(b.complete(b.run(b.accept().ID, b.worker()), `{}`))
	for id, want := range map[string]int{all: 3, final: 1, others: 0, ended: 0} {
		if got := b.told(id); len(got) != want {
			t.Errorf("%s was to be told %v, want %d", id, got, want)
		}
	}
	if got := b.told(final); len(got) == 1 && got[0] != execution.Completed {
		t.Errorf("the second one was told of %v", got)
	}
	// What doesn't happen is not told.
	tx, err := b.pool.Begin(b.ctx)
	b.must(err)
	_, err = tx.Exec(b.ctx, `INSERT INTO ciclo.transitions (execution_id, to_status, attempt, reason) SELECT id, 'started', 0, 'x' FROM ciclo.executions`)
	b.must(err)
	b.must(tx.Rollback(b.ctx))
	if got := b.told(all); len(got) != 3 {
		t.Errorf("after a rollback it was told %v", got)
	}
}

func TestOneSenderHasADelivery(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.webhook([]string{}, execution.Started)
	for range 5 {
		b.accept()
	}
	first, err := b.TakeDeliveries(b.ctx, time.Minute, []string{}, 3)
	b.must(err)
	second, err := b.TakeDeliveries(b.ctx, time.Millisecond, []string{}, 3)
	b.must(err)
	none, err := b.TakeDeliveries(b.ctx, time.Minute, []string{id}, 3)
	b.must(err)
	if len(first) != 3 || len(second) != 2 || len(none) != 0 {
		t.Fatalf("taken were %d, %d and of a busy one %d", len(first), len(second), len(none))
	}
	if d := first[0]; d.URL != "https://firm.example/hook" || len(d.Secret) != 32 || d.Tries != 1 || d.Transition.To != execution.Started || d.Agent != "test-noop" {
		t.Errorf("taken was %+v", d)
	}
	var again []postgres.Outgoing // after the second lease
	for len(again) < 2 {
		more, err := b.TakeDeliveries(b.ctx, time.Minute, []string{}, 3)
		b.must(err)
		again = append(again, more...)
	}
	if err := b.Delivered(b.ctx, second[0], 200); err == nil {
		t.Error("who lost its lease ends the other's delivery")
	}
	b.must(b.Delivered(b.ctx, first[0], 204))
	b.must(b.Undelivered(b.ctx, first[1], 0, "no\x00 answer", time.Hour))
	b.must(b.Undelivered(b.ctx, first[2], 500, "it answered 500", -1))
	states := map[string]int{}
	list, err := b.Deliveries(b.ctx, id, 0, 100)
	b.must(err)
	for _, d := range list {
		states[d.State]++
	}
	if states["delivered"] != 1 || states["given_up"] != 1 || states["waiting"] != 3 {
		t.Errorf("the deliveries are %v", states)
	}
	if err := b.Redeliver(b.ctx, id, first[0].ID); !errors.Is(err, postgres.ErrNoDelivery) {
		t.Errorf("what was delivered is sent again: %v", err)
	}
	b.must(b.Redeliver(b.ctx, id, first[1].ID))
	b.must(b.Redeliver(b.ctx, id, first[2].ID))
	due, err := b.TakeDeliveries(b.ctx, time.Minute, []string{}, 9)
	b.must(err)
	if len(due) != 2 || due[0].Tries != 2 {
		t.Errorf("sent again are %+v", due)
	}
}

func TestAWebhookEnds(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.webhook([]string{}, execution.Started)
	b.accept()
	taken, err := b.TakeDeliveries(b.ctx, time.Minute, []string{}, 1)
	b.must(err)
	b.must(b.EndWebhook(b.ctx, id, "deleted"))
	if err := b.Delivered(b.ctx, taken[0], 200); err == nil {
		t.Error("what was given up is delivered")
	}
	for name, err := range map[string]error{
		"ended again":    b.EndWebhook(b.ctx, id, "deleted"),
		"unknown":        b.EndWebhook(b.ctx, "00000000-0000-0000-0000-000000000000", "deleted"),
		"listed unknown": func() error { _, err := b.Deliveries(b.ctx, "00000000-0000-0000-0000-000000000000", 0, 1); return err }(),
	} {
		if !errors.Is(err, postgres.ErrNoWebhook) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := b.Redeliver(b.ctx, id, taken[0].ID); !errors.Is(err, postgres.ErrNoDelivery) {
		t.Errorf("an ended webhook is sent to: %v", err)
	}
	// A move may write a delivery while the webhook ends.
	b.exec(`UPDATE ciclo.webhook_deliveries SET due_at = now()`)
	if sweep, err := b.Sweep(b.ctx, time.Minute, ""); err != nil || !sweep.Delivering {
		t.Errorf("a sweep sees %+v %v", sweep, err)
	}
	taken, err = b.TakeDeliveries(b.ctx, time.Minute, []string{}, 1)
	b.must(err)
	sweep, err := b.Sweep(b.ctx, time.Minute, "")
	b.must(err)
	if len(taken) != 0 || sweep.Delivering {
		t.Errorf("what an ended webhook had to be told is taken: %v, or stays due", taken)
	}
	if n := b.count(`SELECT count(*) FROM ciclo.webhooks WHERE secret IS NOT NULL`); n != 0 {
		t.Error("the secret of an ended webhook is kept")
	}
}
