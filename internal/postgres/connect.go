package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// PoolConfig is how a service connects.
type PoolConfig struct {
	URL string
	// Name shows in pg_stat_activity.
	Name     string
	MaxConns int32
	// Stall bounds how long a session may hold locks without a word: an idle
	// transaction or a dead TCP peer is ended after it. A frozen worker must not
	// hold a row that the reaper needs, so it lies below the lease.
	Stall time.Duration
}

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
	params["jit"] = "off" // it compiles for ten milliseconds what runs in one
	if params["application_name"] == "" {
		params["application_name"] = cfg.Name
	}
	if cfg.Stall > 0 {
		millis := strconv.FormatInt(cfg.Stall.Milliseconds(), 10)
		params["idle_in_transaction_session_timeout"] = millis
		params["tcp_user_timeout"] = millis
	}
	pc.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		utc := &pgtype.TimestamptzCodec{ScanLocation: time.UTC}
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: utc})
		return nil
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

// pingAfter is how long a connection may be idle before it is asked whether it
// lives, ahead of its next use.
const pingAfter = 5 * time.Second
