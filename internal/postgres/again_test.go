package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// An attempt whose question was taken and whose answer was lost asks again, and is told
// what it would have been told.
func TestAskedAgainSinceTheAnswerWasLost(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.accept().ID
	first := b.run(id, b.worker())
	b.intend(first, "taken over")
	b.reserve(first, aCall("taken over"))
	b.must(b.Interrupt(b.ctx, first))
	second := b.run(id, b.worker())

	calls := 0
	record := func(again bool) error {
		return b.RecordStep(b.ctx, second, "one", time.Now(), true, again, func(tx pgx.Tx) (json.RawMessage, error) {
			calls++
			_, err := tx.Exec(b.ctx, `INSERT INTO crm.practice_types VALUES ($1, 'x')`, fmt.Sprint(calls))
			return json.RawMessage(`1`), err
		})
	}
	b.must(record(false))
	b.must(record(true))
	b.must(record(true))
	if n := b.count(`SELECT count(*) FROM crm.practice_types`); n != 1 || calls != 1 {
		t.Errorf("a stored step ran %d times and left %d rows", calls, n)
	}
	b.must(b.RecordStep(b.ctx, second, "two", time.Now(), false, true, func(pgx.Tx) (json.RawMessage, error) { return json.RawMessage(`2`), nil }))
	if output, err := b.StepOutput(b.ctx, second, "two"); err != nil || string(output) != `2` {
		t.Errorf("a step that was lost is %s: %v", output, err)
	}

	for name, want := range map[string]bool{"new": true, "taken over": false} {
		if _, fresh := b.intend(second, name); fresh != want {
			t.Errorf("%s is fresh: %t", name, fresh)
		}
		e, fresh, err := b.IntendEffect(b.ctx, second, name, "k", "once", true)
		if err != nil || fresh != want || e.State != "intended" {
			t.Errorf("%s, asked again, is %+v, fresh %t: %v", name, e, fresh, err)
		}
		if s := b.reserve(second, aCall(name)); s.Fresh != want {
			t.Errorf("call %s: %+v", name, s)
		}
		if s, err := b.ReserveCall(b.ctx, second, aCall(name), true); err != nil || s.Fresh != want || s.State != "reserved" {
			t.Errorf("call %s, asked again: %+v, %v", name, s, err)
		}
	}
	if got := b.spent("execution"); got != "2000 0.02" {
		t.Errorf("it was booked as %s", got)
	}
	done := json.RawMessage(`{"sid": 1, "at": "now"}`)
	b.must(b.SettleEffect(b.ctx, second, "new", "done", done))
	b.must(b.SettleEffect(b.ctx, second, "new", "done", json.RawMessage(`{"at":"now","sid":1}`)))
	if e, fresh, err := b.IntendEffect(b.ctx, second, "new", "k", "once", true); err != nil || fresh || e.State != "done" {
		t.Errorf("a settled one, asked again, is %+v, fresh %t: %v", e, fresh, err)
	}
	b.must(b.SettleEffect(b.ctx, second, "taken over", "unknown", nil))
	b.must(b.SettleEffect(b.ctx, second, "taken over", "unknown", nil))
	for _, other := range []error{
		b.SettleEffect(b.ctx, second, "new", "not_done", nil),
		b.SettleEffect(b.ctx, second, "new", "done", json.RawMessage(`{"sid": 2}`)),
		b.SettleEffect(b.ctx, first, "new", "done", done),
		b.SettleEffect(b.ctx, second, "never", "done", done),
	} {
		if !errors.Is(other, execution.ErrStale) {
			t.Errorf("it was settled otherwise: %v", other)
		}
	}
}

func TestAway(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		&pgconn.ConnectError{}, io.ErrUnexpectedEOF, net.ErrClosed, &net.OpError{Op: "read", Err: errors.New("reset")},
		&pgconn.PgError{Code: "08006"}, &pgconn.PgError{Code: "57P01"}, &pgconn.PgError{Code: "53300"}, &pgconn.PgError{Code: "25006"},
	} {
		if !postgres.Away(fmt.Errorf("ask: %w", err)) {
			t.Errorf("%v (%T) is taken for an answer", err, err)
		}
	}
	for _, err := range []error{
		nil, errors.New("no"), pgx.ErrNoRows, execution.ErrStale, context.Canceled, context.DeadlineExceeded,
		&pgconn.PgError{Code: "57014"}, &pgconn.PgError{Code: "42501"}, &pgconn.PgError{Code: "23505"}, &pgconn.PgError{Code: "25P03"}, &pgconn.PgError{},
	} {
		if postgres.Away(err) {
			t.Errorf("%v (%T) is taken for an absence", err, err)
		}
	}
}
