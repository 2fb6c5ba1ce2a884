// Package queue says how executions lie in River: one kind of job for
// everything, one River queue an agent, one River row an attempt. The job
// carries a key, not a payload. Imports: River and its instrumentation alone.
package queue

import (
	"time"

	"github.com/riverqueue/river"
)

// Schema is where River's tables are, beside Ciclo's own.
const Schema = "ciclo"

// JobTimeout is River's limit of one job, the same in every worker whatever
// agents it runs: River's rescuer compares with the timeout of the process that
// leads, not of the one that works. Manifests' timeouts lie below it and are
// what ends an attempt.
const JobTimeout = 24 * time.Hour

// RescueAfter is when River's leader takes a running row for stuck. Ciclo's
// reaper is there within seconds; River's rescuer must never be first.
const RescueAfter = JobTimeout + 10*time.Minute

// Args is the job of one attempt. It is small because River indexes it.
type Args struct {
	ExecutionID string `json:"execution_id"`
}

// Kind is the only kind of job.
func (Args) Kind() string { return "execution" }

// InsertOpts sends an attempt of the agent to its queue. MaxAttempts is 1: a
// later attempt is a row of its own.
func InsertOpts(agent string, priority int) *river.InsertOpts {
	return &river.InsertOpts{Queue: agent, Priority: priority, MaxAttempts: 1}
}
