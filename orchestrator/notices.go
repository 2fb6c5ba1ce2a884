package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/nuzantara/ciclo/internal/notice"
	"github.com/nuzantara/ciclo/internal/postgres"
)

const (
	// noticeEvery is the time between two looks for notices. Each is a transaction.
	noticeEvery = 5 * time.Second
	// noticeLease is for how long a sender has a notice to itself: longer than all
	// channels together may take.
	noticeLease = 2 * time.Minute
	// noticeGiveUp is the age at which a notice that nobody takes is given up.
	noticeGiveUp = 24 * time.Hour
	// The delay after a failed try: it doubles from the first to the last.
	noticeRetryFirst = 10 * time.Second
	noticeRetryLast  = time.Hour
)

// notifier sends the notices that the database holds. Every orchestrator has one;
// a notice that one has taken, the others pass over.
type notifier struct {
	store    *postgres.Store
	channels []notice.Channel
	every    time.Duration
	log      *slog.Logger
	meters   *meters
}

func (t *notifier) run(ctx context.Context) {
	wait, stop := every(ctx, t.every)
	defer stop()
	loop(ctx, t.log, "notices wait until the database answers", "notices are looked for again", wait, t.tick)
}

// tick sends what is due.
func (t *notifier) tick(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := t.store.TakeNotice(ctx, noticeLease)
		if err != nil || n == nil {
			return err
		}
		if err := t.send(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// send tells every channel that doesn't have the notice yet, and writes down how
// it went even if ctx ends meanwhile.
func (t *notifier) send(ctx context.Context, n *postgres.Notice) error {
	log := t.log.With("notice_id", n.ID, "kind", n.Kind, "agent", n.Agent)
	if n.ExecutionID != nil {
		log = log.With("execution_id", *n.ExecutionID)
	}
	written, cancel := context.WithTimeout(context.WithoutCancel(ctx), noticeLease)
	defer cancel()
	var failed error
	for _, c := range t.channels {
		if slices.Contains(n.Told, c.Name()) {
			continue
		}
		err := c.Send(ctx, notice.Notice{
			ID: n.ID, Kind: n.Kind, Agent: n.Agent, ExecutionID: n.ExecutionID, Subject: n.Subject, Text: n.Text, At: n.At,
		})
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		if err := t.store.NoticeTold(written, n, c.Name()); err != nil {
			return err
		}
		log.Info("notice sent", "channel", c.Name())
	}
	if failed == nil {
		err := t.store.NoticeSent(written, n)
		if err == nil {
			t.meters.notes.WithLabelValues(wasSent).Inc()
		}
		return err
	}
	retryIn := noticeRetry(n.Tries)
	if ctx.Err() != nil {
		retryIn = 0 // it was this process's stop that failed it
	}
	givenUp, err := t.store.NoticeFailed(written, n, failed.Error(), retryIn, noticeGiveUp)
	if err != nil {
		return fmt.Errorf("%w (%w)", err, failed)
	}
	if givenUp {
		t.meters.notes.WithLabelValues(wasGivenUp).Inc()
		log.Error("notice given up: nobody took it for a day", "subject", n.Subject, "tries", n.Tries, "error", failed)
	} else {
		t.meters.notes.WithLabelValues(wasPutOff).Inc()
		log.Warn("notice not sent, it is tried again", "subject", n.Subject, "tries", n.Tries, "in", retryIn.String(), "error", failed)
	}
	return nil
}

// noticeRetry is the delay after the n-th try: 10 s, 20 s, … an hour.
func noticeRetry(tries int) time.Duration {
	return min(noticeRetryFirst<<min(tries-1, 20), noticeRetryLast)
}
