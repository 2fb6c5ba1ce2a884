package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// floor is bare echo handlers that write and read the services' own tables, with
// their indexes, constraints and triggers. They check nothing: no token, no
// parameters, no limits, no notification of the workers.
type floor struct{ pool *pgxpool.Pool }

// serveFloor serves the bare handlers until ctx is done.
func serveFloor(ctx context.Context, address, url string) error {
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: "ciclo bench floor", MaxConns: poolSize})
	if err != nil {
		return err
	}
	defer pool.Close()
	f := floor{pool}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.GET("/readyz", func(c echo.Context) error { return pool.Ping(c.Request().Context()) })
	e.POST("/five", f.insertInFive)
	e.POST("/batch", f.insertInBatch)
	e.GET("/executions/:id", f.read)

	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- e.Shutdown(stopCtx)
	})
	if err := e.Start(address); stop() || err != http.ErrServerClosed { //nolint:errorlint // Start returns it bare
		return err
	}
	return <-stopped
}

const (
	insertJob = `
		INSERT INTO ciclo.river_job (args, kind, max_attempts, priority, queue, state)
		VALUES (jsonb_build_object('execution_id', $1::text), 'execution', 1, 2, 'test-noop', 'available')`
	insertExecution = `
		INSERT INTO ciclo.executions (id, agent, status, parameters, tries, timeout_seconds, priority, river_job_id)
		VALUES ($1, 'test-noop', 'started', '{}', 3, 60, 2, `
	insertTransition = `
		INSERT INTO ciclo.transitions (execution_id, to_status, attempt, reason) VALUES ($1, 'started', 0, 'bench')`
)

// insertInFive does accept's three inserts as a transaction of five round trips.
func (f floor) insertInFive(c echo.Context) error {
	ctx, id := c.Request().Context(), execution.NewID("noop_", time.Now())
	err := pgx.BeginFunc(ctx, f.pool, func(tx pgx.Tx) error {
		var job int64
		if err := tx.QueryRow(ctx, insertJob+` RETURNING id`, id).Scan(&job); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, insertExecution+`$2)`, id, job); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, insertTransition, id)
		return err
	})
	return answer(c, id, err)
}

// insertInBatch does the same as one batch: one round trip, one transaction.
func (f floor) insertInBatch(c echo.Context) error {
	id := execution.NewID("noop_", time.Now())
	var batch pgx.Batch
	batch.Queue(insertJob, id)
	batch.Queue(insertExecution+`currval('ciclo.river_job_id_seq'))`, id)
	batch.Queue(insertTransition, id)
	return answer(c, id, f.pool.SendBatch(c.Request().Context(), &batch).Close())
}

func answer(c echo.Context, id string, err error) error {
	if err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	return c.JSON(http.StatusAccepted, map[string]string{"execution_id": id, "status": "started"})
}

// row is one execution's row, as wide as the services' own answer without what
// has happened to it.
type row struct {
	ID          string          `json:"execution_id"`
	Agent       string          `json:"agent_name"`
	Status      string          `json:"status"`
	Parameters  json.RawMessage `json:"parameters"`
	Attempt     int             `json:"attempt"`
	Failures    int             `json:"failures"`
	Tries       int             `json:"tries"`
	StartedAt   time.Time       `json:"started_at"`
	RunningAt   *time.Time      `json:"running_at"`
	EndedAt     *time.Time      `json:"ended_at"`
	NextAttempt *time.Time      `json:"next_attempt_at"`
	Cancel      *time.Time      `json:"cancel_requested_at"`
	Worker      *string         `json:"worker_id"`
	Done        *int64          `json:"progress_done"`
	Total       *int64          `json:"progress_total"`
	Text        *string         `json:"progress_text"`
	At          *time.Time      `json:"progress_at"`
	Result      json.RawMessage `json:"result"`
	ErrorClass  *string         `json:"error_class"`
	ErrorText   *string         `json:"error_text"`
}

// read selects one row by its primary key and answers it.
func (f floor) read(c echo.Context) error {
	var r row
	err := f.pool.QueryRow(c.Request().Context(), `
		SELECT id, agent, status, parameters, attempt, failures, tries, started_at, running_at, ended_at,
		       next_attempt_at, cancel_requested_at, worker_id::text,
		       progress_done, progress_total, progress_text, progress_at, result, error_class, error_text
		FROM ciclo.executions WHERE id = $1`, c.Param("id")).Scan(
		&r.ID, &r.Agent, &r.Status, &r.Parameters, &r.Attempt, &r.Failures, &r.Tries, &r.StartedAt, &r.RunningAt, &r.EndedAt,
		&r.NextAttempt, &r.Cancel, &r.Worker, &r.Done, &r.Total, &r.Text, &r.At, &r.Result, &r.ErrorClass, &r.ErrorText)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return c.JSON(http.StatusOK, r)
}
