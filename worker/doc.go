// Package worker takes River jobs, claims the executions that they name, runs
// the agents and finishes the executions in the store. It holds the lease: one
// beat renews it for everything that this process runs, and is read both ways.
//
// Imports: internal/postgres, internal/execution, internal/queue, agents, River.
// No HTTP, no SQL, no agent by name.
package worker
