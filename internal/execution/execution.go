package execution

import (
	"encoding/json"
	"time"
)

// Execution is one accepted run of an agent, as the API shows it. The JSON
// names are the API's and, but for id and agent, the database's columns.
type Execution struct {
	ID         string          `json:"execution_id"`
	Agent      string          `json:"agent_name"`
	Status     Status          `json:"status"`
	Parameters json.RawMessage `json:"parameters" jsonschema:"As the run asked for, with the defaults."`
	Attempt    int             `json:"attempt" jsonschema:"The fence: it grows by one at each claim and never goes back."`
	Failures   int             `json:"failures" jsonschema:"How many attempts failed or were lost; tries is the limit."`
	Tries      int             `json:"tries"`

	StartedAt         time.Time  `json:"started_at" jsonschema:"The instant of acceptance: an accepted execution is started."`
	RunningAt         *time.Time `json:"running_at" jsonschema:"The claim of the present or last attempt."`
	EndedAt           *time.Time `json:"ended_at"`
	NextAttemptAt     *time.Time `json:"next_attempt_at" jsonschema:"When it is enqueued, where it waits for a time."`
	CancelRequestedAt *time.Time `json:"cancel_requested_at"`
	DurationSeconds   *float64   `json:"duration_seconds" jsonschema:"From the acceptance to the end."`

	DeadlineAt  *time.Time      `json:"deadline_at" jsonschema:"When it fails if it has not ended, over all attempts."`
	WorkerID    *string         `json:"worker_id"`
	Progress    *Progress       `json:"progress"`
	ProgressAt  *time.Time      `json:"progress_at" jsonschema:"When the present attempt last moved: progress, or a finished step."`
	Stalled     bool            `json:"stalled" jsonschema:"Whether it has not moved for longer than its agent's threshold."`
	Result      json.RawMessage `json:"result" jsonschema:"What the agent returned; null until it is completed."`
	Error       *Error          `json:"error"`
	RequestedBy *string         `json:"requested_by" jsonschema:"The name of the API token that asked for it."`
	RetryOf     *string         `json:"retry_of" jsonschema:"The execution that it is another try of."`
	CycleID     *string         `json:"cycle_id" jsonschema:"The cycle that opened it."`
	DryRun      bool            `json:"dry_run" jsonschema:"Whether it only computes and shows: it writes and sends nothing."`
	PrunedAt    *time.Time      `json:"pruned_at" jsonschema:"Since when its transitions, attempts, steps and effects are no longer kept."`
	LLMTokens   *int64          `json:"llm_tokens" jsonschema:"What its calls to language models took, with what is reserved for those under way; null where it asked none."`
	LLMDollars  *float64        `json:"llm_dollars" jsonschema:"The same in US dollars, by the firm's own prices."`
	TraceID     *string         `json:"trace_id" jsonschema:"Its trace in OpenTelemetry; null where none was kept."`

	// Traceparent is what later spans of that trace begin from (W3C); empty where it
	// has none.
	Traceparent string `json:"-"`
}

// Progress is how far the present attempt says it is.
type Progress struct {
	Done  int64     `json:"done"`
	Total int64     `json:"total"`
	Text  string    `json:"text"`
	At    time.Time `json:"at"`
}

// Error is why the last attempt did not complete. Class is for machines and
// statistics ("timeout", "panic", "permanent", "error", "lost"); Text is for people.
type Error struct {
	Class string `json:"class" jsonschema:"One of timeout, panic, permanent, error, lost, deadline and unknown_effect, or the agent's own."`
	Text  string `json:"text"`
}

// Classes of errors that Ciclo itself gives; an agent may give others.
const (
	ClassError     = "error"
	ClassPermanent = "permanent"
	ClassTimeout   = "timeout"
	ClassPanic     = "panic"
	ClassLost      = "lost"
	ClassDeadline  = "deadline"
	// ClassUnknownEffect is of an effect that may have happened: a person must look.
	ClassUnknownEffect = "unknown_effect"
)

// Transition is one move, append-only. From is empty for the acceptance.
type Transition struct {
	From    Status    `json:"from"`
	To      Status    `json:"to"`
	At      time.Time `json:"at"`
	Attempt int       `json:"attempt"`
	Worker  *string   `json:"worker_id"`
	Reason  string    `json:"reason"`
	Outcome *string   `json:"outcome" jsonschema:"How the attempt ended, of a move out of running: completed, failed, cancelled, interrupted, lost or given_back."`
	Error   *Error    `json:"error"`
}

// Attempt is one claim of an execution and how it ended; the outcome is nil
// while it runs.
type Attempt struct {
	Attempt   int        `json:"attempt"`
	Worker    *string    `json:"worker_id"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at"`
	Outcome   *string    `json:"outcome" jsonschema:"How it ended, as in transitions; null while it runs."`
	Error     *Error     `json:"error"`
}

// Attempts reads the attempts off an execution's transitions.
func Attempts(transitions []Transition) []Attempt {
	attempts := []Attempt{}
	for _, t := range transitions {
		switch {
		case t.To == Running:
			attempts = append(attempts, Attempt{Attempt: t.Attempt, Worker: t.Worker, StartedAt: t.At})
		case t.From == Running && len(attempts) > 0:
			last := &attempts[len(attempts)-1]
			last.EndedAt, last.Outcome, last.Error = &t.At, t.Outcome, t.Error
		}
	}
	return attempts
}
