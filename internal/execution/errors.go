package execution

import "errors"

var (
	// ErrNotFound says that no execution has the id.
	ErrNotFound = errors.New("no such execution")
	// ErrStale says that the attempt was superseded: what it writes is refused.
	ErrStale = errors.New("the attempt is stale: the execution has moved on without it")
	// ErrFinal says that the execution is already final.
	ErrFinal = errors.New("the execution is already final")
	// ErrKeyReused says that something else was asked for under the same key.
	ErrKeyReused = errors.New("the idempotency key was used for another request")
	// ErrPruned says that what the execution finished is no longer kept.
	ErrPruned = errors.New("the execution's history was pruned")
)
