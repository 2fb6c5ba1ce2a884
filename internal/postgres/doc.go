// Package postgres is the store: the only place where an execution's status is
// written, and where the migrations are applied.
//
// The order of locks is the same everywhere: River's row (river_job) first,
// then the execution. Every write of an attempt requires the attempt's number,
// the status running and the worker, in the statement or under a lock on the
// execution's row: the fence. All lease arithmetic uses the database's now().
//
// Imports: internal/execution, internal/queue, pgx, River, goose. Never agents,
// the orchestrator or the worker.
package postgres
