//go:build !unfenced

package postgres

// fence is the condition that every write of an attempt carries, its parameters
// in the order of (*Attempt).fence. The number alone is not enough: after a reap
// it is still the old one until the next claim.
const fence = `e.id = $1 AND e.attempt = $2 AND e.worker_id = $3 AND e.status = 'running'`

// fenceOfMine is the same for many attempts at once, the rows of mine.
const fenceOfMine = `e.id = mine.id AND e.attempt = mine.attempt AND e.worker_id = mine.worker AND e.status = 'running'`
