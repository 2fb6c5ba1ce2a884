package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nuzantara/ciclo/internal/execution"
)

// ErrDryRunEnded says that an agent ended the transaction of its dry run, or
// tried to.
var ErrDryRunEnded = errors.New("the agent ended the transaction of its dry run, of which nothing may be kept")

// ErrNoSessions says that a dry run would need a session of its own, and the pooler
// gives none.
var ErrNoSessions = errors.New("a dry run needs a session of its own: behind a pooler set DATABASE_DIRECT_URL for the workers")

// DryRun is the transaction in which one attempt of a dry run reads and writes. It
// is on one snapshot, has a connection of its own, and is always rolled back; a
// commit is refused by the database. It waits for nobody's locks for longer than
// dryLockWait. It may be used by several goroutines, which wait for one another.
type DryRun struct {
	store *Store
	conn  *pgx.Conn
	tx    pgx.Tx
	// pid is the session's process in the database, number the transaction's.
	pid    int32
	number string
	// turn is held by whoever uses the connection.
	turn chan struct{}

	mu         sync.Mutex
	ended      bool
	conflicted bool
}

// dryLockWait is less than Postgres' own deadlock_timeout (1 s): where a dry run
// and a real one wait for each other, it is the dry one that gives up.
const dryLockWait = 500 * time.Millisecond

// BeginDryRun connects and begins the transaction. ErrStale where the attempt is
// superseded.
func (s *Store) BeginDryRun(ctx context.Context, a *Attempt) (*DryRun, error) {
	d, err := s.beginDryRun(ctx, a)
	if err != nil {
		return nil, fmt.Errorf("begin the dry run %s: %w", a.Execution.ID, err)
	}
	return d, nil
}

func (s *Store) beginDryRun(ctx context.Context, a *Attempt) (*DryRun, error) {
	return s.beginApart(ctx, func(tx pgx.Tx, d *DryRun) error {
		// The lock is the one that rows take which refer to the execution. Taken now it is
		// of this snapshot; later, once the execution's progress has changed, Postgres
		// would refuse it to this transaction.
		err := tx.QueryRow(ctx, `SELECT pg_backend_pid(), pg_current_xact_id()::text FROM ciclo.executions e WHERE `+fence+` FOR KEY SHARE`,
			a.fence()...).Scan(&d.pid, &d.number)
		if errors.Is(err, pgx.ErrNoRows) {
			return execution.ErrStale
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, fmt.Sprintf(`SET LOCAL lock_timeout = %d`, dryLockWait.Milliseconds())); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO ciclo.dry_runs (execution_id) VALUES ($1)`, a.Execution.ID)
		return err
	})
}

// beginApart connects, and begins a transaction with what enter does in it.
func (s *Store) beginApart(ctx context.Context, enter func(tx pgx.Tx, d *DryRun) error) (*DryRun, error) {
	if s.sessions == nil {
		return nil, ErrNoSessions
	}
	cfg := s.sessions.Config()
	if cfg.BeforeConnect != nil {
		if err := cfg.BeforeConnect(ctx, cfg.ConnConfig); err != nil {
			return nil, err
		}
	}
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return nil, err
	}
	d := &DryRun{store: s, conn: conn, turn: make(chan struct{}, 1)}
	if cfg.AfterConnect != nil {
		err = cfg.AfterConnect(ctx, conn)
	}
	if err == nil {
		err = d.prepare(ctx)
	}
	if err == nil {
		d.tx, err = conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadWrite})
	}
	if err == nil {
		err = enter(d.tx, d)
	}
	if err != nil {
		d.End()
		return nil, err
	}
	return d, nil
}

// prepare makes the session one that writes nothing outside of its transaction, where
// an agent may come by ending that, and that is ended like others for its silence.
// They are no parameters of the connection: those would keep a URL with several hosts
// from knowing which of them takes writes.
func (d *DryRun) prepare(ctx context.Context) error {
	settings := `SET default_transaction_read_only = on`
	if d.store.stall > 0 {
		settings += fmt.Sprintf(`; SET jit = off; SET idle_in_transaction_session_timeout = %d`, d.store.stall.Milliseconds())
	}
	_, err := d.conn.Exec(ctx, settings)
	return err
}

// insideDryRun is the key of the savepoint that a context is within.
type insideDryRun struct{}

// Read runs fn on what the transaction sees; it can't write.
func (d *DryRun) Read(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return d.within(ctx, func(_ context.Context, tx pgx.Tx) (keep bool, err error) {
		if _, err := tx.Exec(ctx, `SET LOCAL transaction_read_only = on`); err != nil {
			return false, err
		}
		return false, fn(tx)
	})
}

// Write runs fn, whose result must be what the database can store as JSON, and
// keeps what it writes for the rest of the transaction. With fn's context, Read
// and Write may be called within it.
func (d *DryRun) Write(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) (json.RawMessage, error)) error {
	return d.within(ctx, func(ctx context.Context, tx pgx.Tx) (keep bool, err error) {
		output, err := fn(ctx, tx)
		if err == nil {
			_, err = tx.Exec(ctx, `SELECT $1::jsonb`, output)
		}
		return err == nil, err
	})
}

// within runs fn at a savepoint, and goes back to it unless fn says keep.
func (d *DryRun) within(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) (keep bool, err error)) error {
	outer, nested := ctx.Value(insideDryRun{}).(pgx.Tx)
	if !nested {
		select {
		case d.turn <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("wait for the dry run's transaction: %w", context.Cause(ctx))
		}
		defer func() { <-d.turn }()
		outer = d.tx
	}
	if d.Ended() {
		return ErrDryRunEnded
	}
	savepoint, err := outer.Begin(ctx)
	if err != nil {
		return d.note(err)
	}
	keep, err := fn(context.WithValue(ctx, insideDryRun{}, savepoint), savepoint)
	if here := d.here(ctx); here != nil {
		return d.note(errors.Join(here, err))
	}
	switch {
	case err != nil:
		err = errors.Join(err, savepoint.Rollback(ctx))
	case keep:
		err = savepoint.Commit(ctx)
	default:
		err = savepoint.Rollback(ctx)
	}
	return d.note(err)
}

// here looks whether the transaction is still the one that was begun; an error
// other than ErrDryRunEnded leaves that open.
func (d *DryRun) here(ctx context.Context) error {
	switch {
	case d.conn.IsClosed():
		return nil // so that nothing is kept
	case d.conn.PgConn().TxStatus() == 'E':
		return nil // what has failed can only be rolled back
	case d.conn.PgConn().TxStatus() == 'I':
		return ErrDryRunEnded
	}
	var same bool
	if err := d.conn.QueryRow(ctx, `SELECT pg_current_xact_id_if_assigned()::text IS NOT DISTINCT FROM $1`, d.number).Scan(&same); err != nil {
		return err
	}
	if !same {
		return ErrDryRunEnded
	}
	return nil
}

// note keeps in mind what errors say of the whole transaction.
func (d *DryRun) note(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = d.ended || errors.Is(err, ErrDryRunEnded)
	d.conflicted = d.conflicted || Conflict(err)
	return err
}

// Conflict reports whether the error is that of a transaction which another one was
// in the way of: the same may go well from the start.
func Conflict(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	switch pgErr.Code {
	case "40001", "40P01", "55P03": // serialization_failure, deadlock_detected, lock_not_available
		return true
	}
	return false
}

// Ended reports whether the agent ended the transaction.
func (d *DryRun) Ended() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ended
}

// Conflicted reports whether another transaction was in the way.
func (d *DryRun) Conflicted() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conflicted
}

// KeepAlive says a word to the database where nobody else uses the connection: a
// session that is idle in its transaction for too long is ended (PoolConfig.Stall),
// which is meant for frozen processes and not for agents that compute.
func (d *DryRun) KeepAlive(ctx context.Context) error {
	select {
	case d.turn <- struct{}{}:
	default:
		return nil
	}
	defer func() { <-d.turn }()
	if d.Ended() || d.conn.IsClosed() {
		return nil
	}
	if _, err := d.conn.Exec(ctx, `SELECT 1`); err != nil {
		return fmt.Errorf("keep the dry run's transaction: %w", err)
	}
	return nil
}

// InTheWay reports whether another session waits for a lock of the transaction.
func (d *DryRun) InTheWay(ctx context.Context) (waits bool, err error) {
	err = d.store.pool.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND $1 = ANY (pg_blocking_pids(pid)))`, d.pid).Scan(&waits)
	if err != nil {
		return false, fmt.Errorf("look who waits for the dry run: %w", err)
	}
	return waits, nil
}

// endTime bounds the end of a transaction.
const endTime = 5 * time.Second

// Abort ends the session at once, whatever it is at: its locks are free.
func (d *DryRun) Abort() error {
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	// By now the number of the process may be another session's; that of a transaction is not.
	_, err := d.store.pool.Exec(ctx, `
		SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_xid = xid($2::text::xid8)`, d.pid, d.number)
	if err != nil {
		return fmt.Errorf("abort the dry run: %w", err)
	}
	return nil
}

// End rolls back and closes the connection. Nobody uses it any more. Where either
// fails, the session is gone, or goes for its silence: nothing is kept in any case.
func (d *DryRun) End() {
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	if d.tx != nil {
		_ = d.tx.Rollback(ctx)
	}
	_ = d.conn.Close(ctx)
}
