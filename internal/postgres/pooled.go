package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// SettingError says that sessions behind a pooler lack a setting which can't be
// asked for through it.
type SettingError struct{ Name, Have, Want, Role string }

func (e *SettingError) Error() string {
	return fmt.Sprintf("behind the pooler %s is %q, not %s: run `ALTER ROLE %s SET %s = '%s'` and have the pooler connect anew (PgBouncer: RECONNECT)",
		e.Name, e.Have, e.Want, pgx.Identifier{e.Role}.Sanitize(), e.Name, e.Want)
}

// CheckPooled looks whether sessions behind a pooler have what services rely on:
// they compute in UTC, and one that is silent in its transaction for longer than
// stall is ended. The error is a *SettingError where one has not.
func CheckPooled(ctx context.Context, pool *pgxpool.Pool, stall time.Duration) error {
	var role, zone, idle string
	var millis float64
	err := pool.QueryRow(ctx, `
		SELECT current_user, current_setting('TimeZone'), idle, extract(epoch FROM idle::interval)::float8 * 1000
		FROM (SELECT current_setting('idle_in_transaction_session_timeout') AS idle) s`).Scan(&role, &zone, &idle, &millis)
	if err != nil {
		return fmt.Errorf("look at the settings behind the pooler: %w", err)
	}
	if zone != "UTC" && zone != "Etc/UTC" {
		return &SettingError{Name: "timezone", Have: zone, Want: "UTC", Role: role}
	}
	if millis <= 0 || millis > float64(stall.Milliseconds()) {
		return &SettingError{Name: "idle_in_transaction_session_timeout", Have: idle, Want: fmt.Sprintf("%dms", stall.Milliseconds()), Role: role}
	}
	return nil
}

// ErrNoNotices says that what a pool listens for doesn't come.
var ErrNoNotices = errors.New("DATABASE_DIRECT_URL carries no notices: it must lead to the same database as DATABASE_URL, past any pooler in transaction mode")

// noticeTime is how long a notice may take to a session of its own.
const noticeTime = 5 * time.Second

// CheckDirect looks whether the direct pool's connections are sessions of the
// pool's database: a notice that the one sends comes to the other.
// ErrNoNotices where it doesn't.
func CheckDirect(ctx context.Context, direct, pool *pgxpool.Pool) error {
	conn, err := direct.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect by DATABASE_DIRECT_URL: %w", err)
	}
	listening := conn.Hijack() // what it listens for goes with it
	defer listening.Close(context.WithoutCancel(ctx))
	channel := "ciclo_probe_" + uuid.NewString()
	if _, err := listening.Exec(ctx, `LISTEN `+pgx.Identifier{channel}.Sanitize()); err != nil {
		return fmt.Errorf("listen by DATABASE_DIRECT_URL: %w", err)
	}
	if _, err := pool.Exec(ctx, `SELECT pg_notify($1, '')`, channel); err != nil {
		return fmt.Errorf("send a notice: %w", err)
	}
	waiting, cancel := context.WithTimeout(ctx, noticeTime)
	defer cancel()
	if _, err := listening.WaitForNotification(waiting); err != nil {
		if ctx.Err() == nil && waiting.Err() != nil {
			return ErrNoNotices
		}
		return fmt.Errorf("wait for a notice: %w", err)
	}
	return nil
}

// Driver is River's driver on a pool that listens on another one; on its own where
// direct is nil.
func Driver(pool, direct *pgxpool.Pool) riverdriver.Driver[pgx.Tx] {
	own := riverpgxv5.New(pool)
	if direct == nil {
		return own
	}
	return &listensElsewhere{Driver: own, direct: riverpgxv5.New(direct)}
}

type listensElsewhere struct {
	*riverpgxv5.Driver
	direct *riverpgxv5.Driver
}

// GetListener implements riverdriver.Driver.
func (d *listensElsewhere) GetListener(params *riverdriver.GetListenenerParams) riverdriver.Listener {
	return d.direct.GetListener(params)
}
