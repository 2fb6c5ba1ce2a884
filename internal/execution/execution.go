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
	Parameters json.RawMessage `json:"parameters"`
	// Attempt is the fence: it grows by one at each claim and never goes back.
	Attempt int `json:"attempt"`
	// Failures counts the attempts that failed or were lost; Tries is its limit.
	Failures int `json:"failures"`
	Tries    int `json:"tries"`

	// StartedAt is the instant of acceptance, since an accepted execution is
	// "started"; RunningAt is the present or last attempt's claim.
	StartedAt         time.Time  `json:"started_at"`
	RunningAt         *time.Time `json:"running_at"`
	EndedAt           *time.Time `json:"ended_at"`
	NextAttemptAt     *time.Time `json:"next_attempt_at"`
	CancelRequestedAt *time.Time `json:"cancel_requested_at"`
	// DurationSeconds is from acceptance to the end.
	DurationSeconds *float64 `json:"duration_seconds"`

	DeadlineAt *time.Time `json:"deadline_at"`
	WorkerID   *string    `json:"worker_id"`
	Progress   *Progress  `json:"progress"`
	// ProgressAt is when the present attempt last moved: progress, or a finished step.
	ProgressAt *time.Time `json:"progress_at"`
	// Stalled says that it has not moved for longer than its agent's threshold.
	Stalled bool            `json:"stalled"`
	Result  json.RawMessage `json:"result"`
	Error   *Error          `json:"error"`
	// RequestedBy is the name of the API token that asked for it.
	RequestedBy *string `json:"requested_by"`
	// RetryOf is the execution that it is another try of.
	RetryOf *string `json:"retry_of"`
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
	Class string `json:"class"`
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
	// Outcome is how the attempt ended, of a move out of running: completed,
	// failed, cancelled, interrupted, lost or given_back.
	Outcome *string `json:"outcome"`
	Error   *Error  `json:"error"`
}

// Attempt is one claim of an execution and how it ended; the outcome is nil
// while it runs.
type Attempt struct {
	Attempt   int        `json:"attempt"`
	Worker    *string    `json:"worker_id"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at"`
	Outcome   *string    `json:"outcome"`
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
