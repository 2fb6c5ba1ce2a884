package client

import (
	"bytes"
	"encoding/json"
	"time"
)

// Execution is one accepted run of an agent. See the API for the fields; those
// that an answer doesn't have are zero.
type Execution struct {
	ID                string          `json:"execution_id"`
	Agent             string          `json:"agent_name"`
	Status            string          `json:"status"`
	Message           string          `json:"message"`
	Parameters        json.RawMessage `json:"parameters,omitempty"`
	Attempt           int             `json:"attempt"`
	Failures          int             `json:"failures"`
	Tries             int             `json:"tries"`
	StartedAt         time.Time       `json:"started_at"`
	RunningAt         *time.Time      `json:"running_at"`
	EndedAt           *time.Time      `json:"ended_at"`
	NextAttemptAt     *time.Time      `json:"next_attempt_at"`
	CancelRequestedAt *time.Time      `json:"cancel_requested_at"`
	DurationSeconds   *float64        `json:"duration_seconds"`
	DeadlineAt        *time.Time      `json:"deadline_at"`
	WorkerID          *string         `json:"worker_id"`
	ProgressAt        *time.Time      `json:"progress_at"`
	Stalled           bool            `json:"stalled"`
	Progress          *Progress       `json:"progress"`
	QueuePosition     *int            `json:"queue_position"`
	ETAAt             *time.Time      `json:"eta_at"`
	RequestedBy       *string         `json:"requested_by"`
	RetryOf           *string         `json:"retry_of"`
	CycleID           *string         `json:"cycle_id"`
	DryRun            bool            `json:"dry_run"`
	PrunedAt          *time.Time      `json:"pruned_at"`
	// LLMTokens and LLMDollars are what its calls to language models took; nil where it
	// asked none.
	LLMTokens  *int64   `json:"llm_tokens"`
	LLMDollars *float64 `json:"llm_dollars"`
	// TraceID is its trace in OpenTelemetry; nil where none was kept.
	TraceID     *string         `json:"trace_id"`
	Result      json.RawMessage `json:"result,omitempty"`
	Error       *Error          `json:"error"`
	Attempts    []Attempt       `json:"attempts,omitempty"`
	Transitions []Transition    `json:"transitions,omitempty"`

	// Raw is the answer as the API gave it; encoding an Execution gives it back.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON reads an execution and keeps the text.
func (e *Execution) UnmarshalJSON(text []byte) error {
	type fields Execution
	if err := json.Unmarshal(text, (*fields)(e)); err != nil {
		return err
	}
	e.Raw = bytes.Clone(text)
	return nil
}

// MarshalJSON gives back the text that the execution was read from.
func (e Execution) MarshalJSON() ([]byte, error) {
	if e.Raw != nil {
		return e.Raw, nil
	}
	type fields Execution
	return json.Marshal(fields(e))
}

// Final reports whether nothing can follow.
func (e Execution) Final() bool {
	return e.Status == "completed" || e.Status == "failed" || e.Status == "cancelled"
}

// Progress is how far the present attempt says it is.
type Progress struct {
	Done  int64     `json:"done"`
	Total int64     `json:"total"`
	Text  string    `json:"text"`
	At    time.Time `json:"at"`
}

// Error is why the last attempt did not complete.
type Error struct {
	Class string `json:"class"`
	Text  string `json:"text"`
}

// Transition is one move; From is empty for the acceptance.
type Transition struct {
	From     string    `json:"from"`
	To       string    `json:"to"`
	At       time.Time `json:"at"`
	Attempt  int       `json:"attempt"`
	WorkerID *string   `json:"worker_id"`
	Reason   string    `json:"reason"`
	Outcome  *string   `json:"outcome"`
	Error    *Error    `json:"error"`
}

// Attempt is one claim of an execution; Outcome is nil while it runs.
type Attempt struct {
	Attempt   int        `json:"attempt"`
	WorkerID  *string    `json:"worker_id"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at"`
	Outcome   *string    `json:"outcome"`
	Error     *Error     `json:"error"`
}

// Effect is one effect of an execution on the outside world. State is intended,
// done, not_done, or unknown: a person must look.
type Effect struct {
	Name       string          `json:"name"`
	Key        string          `json:"key"`
	Policy     string          `json:"policy"`
	State      string          `json:"state"`
	Attempt    int             `json:"attempt"`
	IntendedAt time.Time       `json:"intended_at"`
	SettledAt  *time.Time      `json:"settled_at"`
	Outcome    json.RawMessage `json:"outcome"`
}

// Audit is what the audit found; Violations is 0 on a healthy system.
type Audit struct {
	Violations int       `json:"violations"`
	Findings   []Finding `json:"findings"`
}

// Finding is one invariant and what breaks it.
type Finding struct {
	Invariant string   `json:"invariant"`
	Settled   bool     `json:"settled"`
	Checked   bool     `json:"checked"`
	Count     int      `json:"count"`
	Samples   []string `json:"samples"`
}

// Change is a change that was asked for over the API. Status is nil where the
// service ended before it answered.
type Change struct {
	ID     int64     `json:"change_id"`
	At     time.Time `json:"at"`
	Token  string    `json:"token"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Status *int      `json:"status"`
}

// ChangePage is one page of the audit log; NextCursor is nil on the last one.
type ChangePage struct {
	Changes    []Change `json:"changes"`
	NextCursor *string  `json:"next_cursor"`
}

// Pause is why an agent ("*" is all) isn't run for now.
type Pause struct {
	Agent      string     `json:"agent_name"`
	Kind       string     `json:"kind"`
	Reason     string     `json:"reason"`
	PausedAt   time.Time  `json:"paused_at"`
	ProbeAfter *time.Time `json:"probe_after"`
	ProbeID    *string    `json:"probe_execution_id"`
}

// DrainPlan is what stopping a worker now would cost.
type DrainPlan struct {
	WorkerID   string `json:"worker_id"`
	Executions []struct {
		ExecutionID    string   `json:"execution_id"`
		Agent          string   `json:"agent_name"`
		Attempt        int      `json:"attempt"`
		RunningSeconds float64  `json:"running_seconds"`
		LostSeconds    float64  `json:"lost_seconds"`
		NeedsSeconds   *float64 `json:"needs_seconds"`
	} `json:"executions"`
}

// Page is one page of a list; NextCursor is nil on the last one.
type Page struct {
	Executions []Execution `json:"executions"`
	NextCursor *string     `json:"next_cursor"`
}

// Status is how the whole system stands.
type Status struct {
	Version          string      `json:"version"`
	Scheduling       bool        `json:"scheduling"`
	Agents           []Agent     `json:"agents"`
	Paused           []Pause     `json:"paused"`
	Workers          []Worker    `json:"workers"`
	RecentExecutions []Execution `json:"recent_executions"`
	// UnservedAgents are those that the orchestrator's version doesn't have, with
	// executions that are alive.
	UnservedAgents []UnservedAgent `json:"unserved_agents"`
}

// UnservedAgent is an agent whose executions nobody of this version runs.
type UnservedAgent struct {
	Agent    string    `json:"agent_name"`
	Started  int       `json:"started"`
	Running  int       `json:"running"`
	OldestAt time.Time `json:"oldest_at"`
}

// Agent is how one agent stands.
type Agent struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Schedule    string `json:"schedule"`
	// Parameters is the JSON Schema (2020-12) of a run's parameters.
	Parameters             json.RawMessage `json:"parameters,omitempty"`
	Started                int             `json:"started"`
	Running                int             `json:"running"`
	QueueAgeSeconds        *float64        `json:"queue_age_seconds"`
	NextRunAt              *time.Time      `json:"next_run_at"`
	LastExecutionID        *string         `json:"last_execution_id"`
	LastRunAt              *time.Time      `json:"last_run_at"`
	LastStatus             *string         `json:"last_status"`
	SuccessRate            *float64        `json:"success_rate"`
	RunsByItself           bool            `json:"runs_by_itself"`
	TypicalDurationSeconds *float64        `json:"typical_duration_seconds"`
}

// Worker is one start of a worker process.
type Worker struct {
	ID          string         `json:"worker_id"`
	Host        string         `json:"host"`
	PID         int            `json:"pid"`
	Version     string         `json:"version"`
	Concurrency map[string]int `json:"concurrency"`
	StartedAt   time.Time      `json:"started_at"`
	BeatAt      time.Time      `json:"beat_at"`
	LeaseUntil  time.Time      `json:"lease_until"`
	StoppingAt  *time.Time     `json:"stopping_at"`
	Alive       bool           `json:"alive"`
	Running     int            `json:"running"`
}

// Step is a finished step of an execution.
type Step struct {
	Name            string    `json:"name"`
	Attempt         int       `json:"attempt"`
	WorkerID        string    `json:"worker_id"`
	StartedAt       time.Time `json:"started_at"`
	EndedAt         time.Time `json:"ended_at"`
	DurationSeconds float64   `json:"duration_seconds"`
	OutputBytes     int       `json:"output_bytes"`
	CopiedFrom      *string   `json:"copied_from"`
}

// WebhookRequest is who wants to be told of what. No agent is all, no status is
// the final ones.
type WebhookRequest struct {
	URL         string   `json:"url"`
	Description string   `json:"description,omitempty"`
	Agents      []string `json:"agents,omitempty"`
	Statuses    []string `json:"statuses,omitempty"`
}

// CreatedWebhook is a new webhook with the secret that signs what it is sent.
type CreatedWebhook struct {
	Webhook Webhook `json:"webhook"`
	Secret  string  `json:"secret"`
}

// Webhook is who is told of executions' moves over HTTP.
type Webhook struct {
	ID          string     `json:"webhook_id"`
	URL         string     `json:"url"`
	Description string     `json:"description"`
	Agents      []string   `json:"agents"`
	Statuses    []string   `json:"statuses"`
	CreatedAt   time.Time  `json:"created_at"`
	CreatedBy   string     `json:"created_by"`
	EndedAt     *time.Time `json:"ended_at"`
	EndedReason *string    `json:"ended_reason"`
	Waiting     int        `json:"waiting"`
}

// DeliveryPage is one page of deliveries; NextCursor is nil on the last one.
type DeliveryPage struct {
	Deliveries []Delivery `json:"deliveries"`
	NextCursor *string    `json:"next_cursor"`
}

// Delivery is one move that a webhook is told of. State is waiting, delivered or
// given_up.
type Delivery struct {
	ID          int64      `json:"delivery_id"`
	ExecutionID string     `json:"execution_id"`
	Agent       string     `json:"agent_name"`
	Status      string     `json:"status"`
	State       string     `json:"state"`
	CreatedAt   time.Time  `json:"created_at"`
	DueAt       *time.Time `json:"due_at"`
	Tries       int        `json:"tries"`
	DeliveredAt *time.Time `json:"delivered_at"`
	Answer      *int       `json:"answer"`
	Error       *string    `json:"error"`
}
