package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Schedule is a rule and what its slots do. See the API for the fields.
type Schedule struct {
	Name                 string          `json:"name"`
	Description          string          `json:"description"`
	Agents               []string        `json:"agents"`
	Planned              bool            `json:"planned"`
	Parameters           json.RawMessage `json:"parameters"`
	Cron                 *string         `json:"cron"`
	Zone                 *string         `json:"zone"`
	IntervalSeconds      *int64          `json:"interval_seconds"`
	AnchorAt             *time.Time      `json:"anchor_at"`
	JitterSeconds        int             `json:"jitter_seconds"`
	StartsAt             *time.Time      `json:"starts_at"`
	EndsAt               *time.Time      `json:"ends_at"`
	Overlap              string          `json:"overlap"`
	CatchUp              string          `json:"catch_up"`
	CatchUpLimit         int             `json:"catch_up_limit"`
	CatchUpWindowSeconds int64           `json:"catch_up_window_seconds"`
	CooldownSeconds      int             `json:"cooldown_seconds"`
	MaxParallel          int             `json:"max_parallel"`
	DeadlineSeconds      int64           `json:"deadline_seconds"`
	PausedAt             *time.Time      `json:"paused_at"`
	PausedReason         *string         `json:"paused_reason"`
	CreatedAt            time.Time       `json:"created_at"`
	CreatedBy            string          `json:"created_by"`
	DecidedUntil         time.Time       `json:"decided_until"`
	NextDueAt            *time.Time      `json:"next_due_at"`
	NextFireAt           *time.Time      `json:"next_fire_at"`
	Broken               *string         `json:"broken"`
	SlotsPrunedUntil     *time.Time      `json:"slots_pruned_until"`
	NextSlots            []time.Time     `json:"next_slots"`
	LastSlot             *Slot           `json:"last_slot"`
}

// Slot is a time that a schedule named, and what became of it.
type Slot struct {
	DueAt     time.Time `json:"due_at"`
	Outcome   string    `json:"outcome"`
	Reason    *string   `json:"reason"`
	CycleID   *string   `json:"cycle_id"`
	OpenedBy  string    `json:"opened_by"`
	DecidedAt time.Time `json:"decided_at"`
}

// SlotPage is one page of slots; NextCursor is nil on the last one.
type SlotPage struct {
	Slots      []Slot  `json:"slots"`
	NextCursor *string `json:"next_cursor"`
}

// Backfilled is how many slots lie in a window, and how many of them are run.
type Backfilled struct {
	Slots  int `json:"slots"`
	Queued int `json:"queued"`
}

// Cycle is what was opened for one due time, or by hand. Agents and Snapshot are
// not in lists.
type Cycle struct {
	ID                string          `json:"cycle_id"`
	Schedule          *string         `json:"schedule"`
	DueAt             *time.Time      `json:"due_at"`
	OpenedBy          string          `json:"opened_by"`
	RequestedBy       *string         `json:"requested_by"`
	OpenedAt          time.Time       `json:"opened_at"`
	DeadlineAt        time.Time       `json:"deadline_at"`
	MaxParallel       int             `json:"max_parallel"`
	Parameters        json.RawMessage `json:"parameters"`
	Planner           string          `json:"planner"`
	PlannerError      *string         `json:"planner_error"`
	CancelRequestedAt *time.Time      `json:"cancel_requested_at"`
	EndedAt           *time.Time      `json:"ended_at"`
	Status            string          `json:"status"`
	Agents            []CycleAgent    `json:"agents,omitempty"`
	Snapshot          json.RawMessage `json:"snapshot,omitempty"`
}

// CycleAgent is a cycle's decision about one agent, and what came of it.
type CycleAgent struct {
	Agent       string          `json:"agent_name"`
	Decision    string          `json:"decision"`
	Reason      string          `json:"reason"`
	Detail      string          `json:"detail"`
	Needs       json.RawMessage `json:"needs"`
	ExecutionID *string         `json:"execution_id"`
	Status      *string         `json:"status"`
	StartedAt   *time.Time      `json:"started_at"`
	RunningAt   *time.Time      `json:"running_at"`
	EndedAt     *time.Time      `json:"ended_at"`
}

// CyclePage is one page of cycles; NextCursor is nil on the last one.
type CyclePage struct {
	Cycles     []Cycle `json:"cycles"`
	NextCursor *string `json:"next_cursor"`
}

func schedulePath(name string) string { return "/schedules/" + url.PathEscape(name) }

// Schedules lists the schedules with their next slots.
func (c *Client) Schedules(ctx context.Context) ([]Schedule, error) {
	all, err := answer[struct{ Schedules []Schedule }](ctx, c, http.MethodGet, "/schedules", nil, nil)
	return all.Schedules, err
}

// Schedule returns one schedule.
func (c *Client) Schedule(ctx context.Context, name string) (Schedule, error) {
	return answer[Schedule](ctx, c, http.MethodGet, schedulePath(name), nil, nil)
}

// CreateSchedule makes a schedule of the API's fields; what is left out has its default.
func (c *Client) CreateSchedule(ctx context.Context, fields map[string]any) (Schedule, error) {
	return answer[Schedule](ctx, c, http.MethodPost, "/schedules", nil, fields)
}

// ChangeSchedule changes the fields that are given.
func (c *Client) ChangeSchedule(ctx context.Context, name string, fields map[string]any) (Schedule, error) {
	return answer[Schedule](ctx, c, http.MethodPatch, schedulePath(name), nil, fields)
}

// PauseSchedule has a schedule's slots skipped for now.
func (c *Client) PauseSchedule(ctx context.Context, name, reason string) (Schedule, error) {
	return answer[Schedule](ctx, c, http.MethodPost, schedulePath(name)+"/pause", nil, map[string]string{"reason": reason})
}

// ResumeSchedule ends a schedule's pause.
func (c *Client) ResumeSchedule(ctx context.Context, name string) (Schedule, error) {
	return answer[Schedule](ctx, c, http.MethodPost, schedulePath(name)+"/resume", nil, nil)
}

// RunSchedule opens a cycle of a schedule now.
func (c *Client) RunSchedule(ctx context.Context, name string) (Cycle, error) {
	return answer[Cycle](ctx, c, http.MethodPost, schedulePath(name)+"/run", nil, nil)
}

// Backfill runs a schedule's slots of a past window that were not run.
func (c *Client) Backfill(ctx context.Context, name string, from, to time.Time) (Backfilled, error) {
	return answer[Backfilled](ctx, c, http.MethodPost, schedulePath(name)+"/backfill", nil, map[string]time.Time{"from": from, "to": to})
}

// Slots returns a page of what became of a schedule's slots, newest first. The
// query is the API's: cursor, limit.
func (c *Client) Slots(ctx context.Context, name string, query url.Values) (SlotPage, error) {
	return answer[SlotPage](ctx, c, http.MethodGet, schedulePath(name)+"/slots", query, nil)
}

// Cycles returns a page of cycles, newest first. The query is the API's: schedule,
// status, cursor, limit.
func (c *Client) Cycles(ctx context.Context, query url.Values) (CyclePage, error) {
	return answer[CyclePage](ctx, c, http.MethodGet, "/cycles", query, nil)
}

// Cycle returns one cycle with its decisions.
func (c *Client) Cycle(ctx context.Context, id string) (Cycle, error) {
	return answer[Cycle](ctx, c, http.MethodGet, "/cycles/"+url.PathEscape(id), nil, nil)
}

// OpenCycle opens a cycle of agents now; none is every agent.
func (c *Client) OpenCycle(ctx context.Context, agents []string) (Cycle, error) {
	return answer[Cycle](ctx, c, http.MethodPost, "/cycles", nil, map[string]any{"agents": append([]string{}, agents...)}) // none is [] and not null
}

// CancelCycle cancels a cycle with what runs of it.
func (c *Client) CancelCycle(ctx context.Context, id string) (Cycle, error) {
	return answer[Cycle](ctx, c, http.MethodPost, "/cycles/"+url.PathEscape(id)+"/cancel", nil, nil)
}
