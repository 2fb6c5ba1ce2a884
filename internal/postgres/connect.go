package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// PoolConfig is how a service connects.
type PoolConfig struct {
	URL string
	// Name shows in pg_stat_activity.
	Name     string
	MaxConns int32
	// Pooled says that a pooler may lie before the database, which gives each
	// transaction whichever session is free: no statement is prepared under a name,
	// and no setting but the time zone is asked for. It is right without a pooler
	// too, at the price of a longer way to plan.
	Pooled bool
	// Stall bounds how long a session may hold locks without a word: an idle
	// transaction or a dead TCP peer is ended after it. A frozen worker must not
	// hold a row that the reaper needs, so it lies below the lease. Behind a pooler
	// it can't be asked for: there CheckPooled looks whether it is set.
	Stall time.Duration
}

// ErrPooler says that a connection leads to a pooler where none was spoken of.
var ErrPooler = errors.New("a pooler lies before the database: set DATABASE_POOLER=transaction, and DATABASE_DIRECT_URL to Postgres itself where it can be reached (docs/poolers-and-replicas.md)")

// Connect makes a pool. It doesn't wait for the database to be there: a service
// that starts before its database answers 503 until then.
func Connect(ctx context.Context, cfg PoolConfig) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("parse the database URL: %w", err)
	}
	if cfg.MaxConns > 0 {
		pc.MaxConns = cfg.MaxConns
	}
	pc.ConnConfig.ConnectTimeout = 5 * time.Second
	params := pc.ConnConfig.RuntimeParams
	params["timezone"] = "UTC"
	if params["application_name"] == "" {
		params["application_name"] = cfg.Name
	}
	if cfg.Pooled {
		pc.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	} else {
		params["jit"] = "off" // it compiles for ten milliseconds what runs in one
		if cfg.Stall > 0 {
			millis := strconv.FormatInt(cfg.Stall.Milliseconds(), 10)
			params["idle_in_transaction_session_timeout"] = millis
			params["tcp_user_timeout"] = millis
		}
	}
	pc.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		utc := &pgtype.TimestamptzCodec{ScanLocation: time.UTC}
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: utc})
		if cfg.Pooled {
			return nil
		}
		return ownSession(ctx, conn)
	}
	// By default a connection is pinged that was idle for a second, which is how often
	// workers look into their queues.
	pc.ShouldPing = func(_ context.Context, p pgxpool.ShouldPingParams) bool { return p.IdleDuration > pingAfter }
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("make connection pool: %w", err)
	}
	return pool, nil
}

// ownSession refuses a connection whose other end is not the session that it was
// made for: the server tells its number when a client connects, and a pooler tells
// one that it made up.
func ownSession(ctx context.Context, conn *pgx.Conn) error {
	var pid uint32
	if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&pid); err != nil {
		return fmt.Errorf("look whose session it is: %w", err)
	}
	if pid != conn.PgConn().PID() {
		return ErrPooler
	}
	return nil
}

// Pooler reports whether the error says that a pooler is in the way: its own
// refusal of a setting that only a session keeps, or ErrPooler.
func Pooler(err error) bool {
	var refused *pgconn.PgError
	return errors.Is(err, ErrPooler) || errors.As(err, &refused) && refused.Code == "08P01" && strings.Contains(refused.Message, "startup parameter")
}

// pingAfter is how long a connection may be idle before it is asked whether it
// lives, ahead of its next use.
const pingAfter = 5 * time.Second
