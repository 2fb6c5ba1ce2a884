package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Schedule is a rule and what its slots do. Its columns are those of ciclo.schedules.
type Schedule struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Agents      []string        `json:"agents" jsonschema:"Whom its cycles consider; none is every agent."`
	Planned     bool            `json:"planned" jsonschema:"Whether its cycles run only what is behind: agents whose last slot did not end in a completed execution."`
	Parameters  json.RawMessage `json:"parameters" jsonschema:"Of the runs, where it has one agent."`

	Cron            *string    `json:"cron" jsonschema:"Five fields of crontab(5), or @daily and the like, on the wall clock of the zone; null where it has an interval."`
	Zone            *string    `json:"zone" jsonschema:"A name of the IANA database, such as Europe/Madrid."`
	IntervalSeconds *int64     `json:"interval_seconds"`
	AnchorAt        *time.Time `json:"anchor_at" jsonschema:"The first slot of an interval."`
	JitterSeconds   int        `json:"jitter_seconds" jsonschema:"A slot fires at its due time or up to so much later, always the same."`
	StartsAt        *time.Time `json:"starts_at"`
	EndsAt          *time.Time `json:"ends_at"`

	Overlap              string `json:"overlap" jsonschema:"What a slot does while the last cycle is not over: skip, queue (one) or cancel (the old one)."`
	CatchUp              string `json:"catch_up" jsonschema:"Which of the slots that nobody saw in time are made up for: latest, all (the last of the limit) or none."`
	CatchUpLimit         int    `json:"catch_up_limit"`
	CatchUpWindowSeconds int64  `json:"catch_up_window_seconds" jsonschema:"Older slots are not made up for."`
	CooldownSeconds      int    `json:"cooldown_seconds" jsonschema:"An agent that was started less than so long ago is skipped."`
	MaxParallel          int    `json:"max_parallel" jsonschema:"How many agents of a cycle run at once."`
	DeadlineSeconds      int64  `json:"deadline_seconds" jsonschema:"Of its cycles: what has not begun by then never does, what runs is cancelled."`

	PausedAt     *time.Time `json:"paused_at"`
	PausedReason *string    `json:"paused_reason"`
	CreatedAt    time.Time  `json:"created_at"`
	CreatedBy    string     `json:"created_by" jsonschema:"The name of the API token; manifest where an agent's manifest says so."`
	DecidedUntil time.Time  `json:"decided_until" jsonschema:"Every slot up to it is decided."`
	NextDueAt    *time.Time `json:"next_due_at"`
	NextFireAt   *time.Time `json:"next_fire_at"`
	Broken       *string    `json:"broken" jsonschema:"Why it fires no more: its rule can't be read."`

	SlotsPrunedUntil *time.Time `json:"slots_pruned_until" jsonschema:"Up to there slots are no longer all kept, and can't be backfilled."`
	RestoredUntil    *time.Time `json:"restored_until" jsonschema:"Slots up to there are skipped: they were lived through before the database was restored."`
}

const scheduleColumns = `name, description, agents, planned, parameters, cron, zone, interval_seconds, anchor_at, jitter_seconds, starts_at, ends_at,
	overlap, catch_up, catch_up_limit, catch_up_window_seconds, cooldown_seconds, max_parallel, deadline_seconds,
	paused_at, paused_reason, created_at, created_by, decided_until, next_due_at, next_fire_at, broken, slots_pruned_until, restored_until`

// Slot is a time that a schedule named, and what became of it.
type Slot struct {
	DueAt     time.Time `json:"due_at"`
	Outcome   string    `json:"outcome" jsonschema:"One of fired, caught_up, queued and skipped."`
	Reason    *string   `json:"reason" jsonschema:"Why it was skipped."`
	CycleID   *string   `json:"cycle_id"`
	OpenedBy  string    `json:"opened_by" jsonschema:"One of slot, catch_up and backfill."`
	DecidedAt time.Time `json:"decided_at"`
}

var (
	// ErrNoSchedule says that there is no schedule of the name.
	ErrNoSchedule = errors.New("no such schedule")
	// ErrSlotDecided says that the slot was decided before.
	ErrSlotDecided = errors.New("the slot is decided already")
	// ErrScheduleKnown says that there is one already.
	ErrScheduleKnown = errors.New("a schedule of this name exists")
	// ErrSlotsPruned says that nobody knows any more which of the slots were run.
	ErrSlotsPruned = errors.New("the slots are no longer kept")
)

// Clock is the database's.
func (s *Store) Clock(ctx context.Context) (now time.Time, err error) {
	if err = s.pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return now, fmt.Errorf("ask for the time: %w", err)
	}
	return now, nil
}

// CreateSchedule stores a schedule whose next slot is worked out. ErrScheduleKnown
// where the name is taken.
func (s *Store) CreateSchedule(ctx context.Context, n Schedule) (Schedule, error) {
	tag, err := s.insertSchedule(ctx, n, "")
	if violated(err) == "schedules_pkey" {
		err = ErrScheduleKnown
	}
	if err != nil || !tag {
		return n, fmt.Errorf("create schedule %s: %w", n.Name, err)
	}
	return s.Schedule(ctx, n.Name)
}

// EnsureSchedule stores a schedule unless one of the name is there.
func (s *Store) EnsureSchedule(ctx context.Context, n Schedule) error {
	if _, err := s.insertSchedule(ctx, n, "ON CONFLICT DO NOTHING"); err != nil {
		return fmt.Errorf("ensure schedule %s: %w", n.Name, err)
	}
	return nil
}

func (s *Store) insertSchedule(ctx context.Context, n Schedule, conflict string) (bool, error) {
	tag, err := s.pool.Exec(ctx, `
		INSERT INTO ciclo.schedules (name, description, agents, planned, parameters, cron, zone, interval_seconds, anchor_at, jitter_seconds, starts_at, ends_at,
			overlap, catch_up, catch_up_limit, catch_up_window_seconds, cooldown_seconds, max_parallel, deadline_seconds, created_by, decided_until, next_due_at, next_fire_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23) `+conflict,
		n.Name, n.Description, n.Agents, n.Planned, n.Parameters, n.Cron, n.Zone, n.IntervalSeconds, n.AnchorAt, n.JitterSeconds, n.StartsAt, n.EndsAt,
		n.Overlap, n.CatchUp, n.CatchUpLimit, n.CatchUpWindowSeconds, n.CooldownSeconds, n.MaxParallel, n.DeadlineSeconds, n.CreatedBy, n.DecidedUntil, n.NextDueAt, n.NextFireAt)
	return err == nil && tag.RowsAffected() == 1, err
}

// Schedule returns one schedule. ErrNoSchedule where there is none.
func (s *Store) Schedule(ctx context.Context, name string) (Schedule, error) {
	rows, err := s.reading(ctx).Query(ctx, `SELECT `+scheduleColumns+` FROM ciclo.schedules WHERE name = $1`, name)
	if err != nil {
		return Schedule{}, fmt.Errorf("get schedule %s: %w", name, err)
	}
	one, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Schedule])
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNoSchedule
	}
	if err != nil {
		return one, fmt.Errorf("get schedule %s: %w", name, err)
	}
	return one, nil
}

// Schedules lists the schedules by name.
func (s *Store) Schedules(ctx context.Context) ([]Schedule, error) {
	rows, err := s.reading(ctx).Query(ctx, `SELECT `+scheduleColumns+` FROM ciclo.schedules ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Schedule])
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	return list, nil
}

// ChangeSchedule changes a schedule under its lock: change is given it and the
// database's clock, and what it leaves is stored, but for the name and what was
// decided. ErrNoSchedule where there is none.
func (s *Store) ChangeSchedule(ctx context.Context, name string, change func(n *Schedule, now time.Time) error) (Schedule, error) {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+scheduleColumns+` FROM ciclo.schedules WHERE name = $1 FOR UPDATE`, name)
		if err != nil {
			return err
		}
		n, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Schedule])
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNoSchedule
		}
		var now time.Time
		if err == nil {
			err = tx.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now)
		}
		if err == nil {
			err = change(&n, now)
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			UPDATE ciclo.schedules SET description = $2, agents = $3, planned = $4, parameters = $5, cron = $6, zone = $7, interval_seconds = $8, anchor_at = $9,
				jitter_seconds = $10, starts_at = $11, ends_at = $12, overlap = $13, catch_up = $14, catch_up_limit = $15, catch_up_window_seconds = $16,
				cooldown_seconds = $17, max_parallel = $18, deadline_seconds = $19, paused_at = $20, paused_reason = $21, next_due_at = $22, next_fire_at = $23, broken = $24,
				decided_until = $25
			WHERE name = $1`,
			name, n.Description, n.Agents, n.Planned, n.Parameters, n.Cron, n.Zone, n.IntervalSeconds, n.AnchorAt,
			n.JitterSeconds, n.StartsAt, n.EndsAt, n.Overlap, n.CatchUp, n.CatchUpLimit, n.CatchUpWindowSeconds,
			n.CooldownSeconds, n.MaxParallel, n.DeadlineSeconds, n.PausedAt, n.PausedReason, n.NextDueAt, n.NextFireAt, n.Broken, n.DecidedUntil)
		return err
	})
	if err != nil {
		return Schedule{}, fmt.Errorf("change schedule %s: %w", name, err)
	}
	return s.Schedule(ctx, name)
}

// LastSlots are the latest slots that were decided, by schedule: of one, or of all
// where no name is given.
func (s *Store) LastSlots(ctx context.Context, name string) (map[string]Slot, error) {
	rows, err := s.reading(ctx).Query(ctx, `
		SELECT n.name, last.due_at, last.outcome, last.reason, last.cycle_id, last.opened_by, last.decided_at
		FROM ciclo.schedules n CROSS JOIN LATERAL (
			SELECT * FROM ciclo.slots WHERE schedule = n.name ORDER BY due_at DESC LIMIT 1
		) last WHERE $1 = '' OR n.name = $1`, name)
	if err != nil {
		return nil, fmt.Errorf("ask for the last slots: %w", err)
	}
	last := map[string]Slot{}
	var of string
	var slot Slot
	_, err = pgx.ForEachRow(rows, []any{&of, &slot.DueAt, &slot.Outcome, &slot.Reason, &slot.CycleID, &slot.OpenedBy, &slot.DecidedAt}, func() error {
		last[of] = slot
		slot = Slot{} // the pointers of the last one are its own
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the last slots: %w", err)
	}
	return last, nil
}

// Slots lists a schedule's slots, newest first, those before an instant where it
// isn't zero. ErrNoSchedule where it is unknown.
func (s *Store) Slots(ctx context.Context, name string, before time.Time, limit int) ([]Slot, error) {
	if _, err := s.Schedule(ctx, name); err != nil {
		return nil, err
	}
	if before.IsZero() {
		before = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	rows, err := s.reading(ctx).Query(ctx, `
		SELECT due_at, outcome, reason, cycle_id, opened_by, decided_at FROM ciclo.slots
		WHERE schedule = $1 AND due_at < $2 ORDER BY due_at DESC LIMIT $3`, name, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list slots of %s: %w", name, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Slot])
	if err != nil {
		return nil, fmt.Errorf("list slots of %s: %w", name, err)
	}
	return list, nil
}

// Backfill queues slots of the past to be run one after another: those that are
// new, and those that were skipped. It returns how many. ErrSlotsPruned where some of
// them may have been run and pruned.
func (s *Store) Backfill(ctx context.Context, name string, due []time.Time) (int, error) {
	var queued int
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		// Who prunes slots writes this first, and so waits for us or is seen.
		var pruned *time.Time
		if err := tx.QueryRow(ctx, `SELECT slots_pruned_until FROM ciclo.schedules WHERE name = $1 FOR NO KEY UPDATE`, name).Scan(&pruned); err != nil {
			return err
		}
		if pruned != nil && slices.ContainsFunc(due, func(at time.Time) bool { return !at.After(*pruned) }) {
			return ErrSlotsPruned
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO ciclo.slots AS s (schedule, due_at, outcome, opened_by)
			SELECT $1, due, 'queued', 'backfill' FROM unnest($2::timestamptz[]) AS due
			ON CONFLICT (schedule, due_at) DO UPDATE SET outcome = 'queued', reason = NULL, cycle_id = NULL, opened_by = 'backfill', decided_at = now()
			WHERE s.outcome = 'skipped'`, name, due)
		queued = int(tag.RowsAffected())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("backfill %s: %w", name, err)
	}
	return queued, nil
}

// Firing is a schedule whose time has come, under its lock: what is done with it is
// committed together, or not at all.
type Firing struct {
	Opening
	Schedule Schedule
	// Queued is the queued slot to fire; nil where the next slots are to be decided.
	Queued *Slot
}

// FiringError says which schedule could not be fired.
type FiringError struct {
	Schedule string
	err      error
}

func (e *FiringError) Error() string { return "schedule " + e.Schedule + ": " + e.err.Error() }

func (e *FiringError) Unwrap() error { return e.err }

// FireOne finds a schedule with slots that are due, or with a queued slot and no
// cycle under way, that nobody else is at, and has it fired. False where there is
// none. Due is judged by the database's clock.
func (s *Store) FireOne(ctx context.Context, fire func(context.Context, *Firing) error) (bool, error) {
	found := false
	f := &Firing{Opening: Opening{store: s}}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		f.tx = tx
		rows, err := tx.Query(ctx, `
			SELECT `+scheduleColumns+` FROM ciclo.schedules s
			WHERE next_fire_at <= clock_timestamp() ORDER BY next_fire_at LIMIT 1 FOR UPDATE SKIP LOCKED`)
		if err != nil {
			return err
		}
		f.Schedule, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Schedule])
		if errors.Is(err, pgx.ErrNoRows) {
			err = f.queued(ctx)
		}
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err == nil {
			err = tx.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&f.Now)
		}
		if err != nil {
			return err
		}
		found = true
		if err := fire(ctx, f); err != nil {
			return &FiringError{f.Schedule.Name, err}
		}
		return nil
	})
	if err != nil {
		return found, fmt.Errorf("fire a schedule: %w", err)
	}
	f.isCommitted()
	return found, nil
}

// idleWithQueued is, of schedules s, that a queued slot of it may be fired.
const idleWithQueued = `s.paused_at IS NULL AND s.broken IS NULL AND EXISTS (SELECT FROM ciclo.slots q WHERE q.schedule = s.name AND q.outcome = 'queued')
	AND NOT EXISTS (SELECT FROM ciclo.cycles c WHERE c.schedule = s.name AND c.ended_at IS NULL)`

// queued finds a schedule with a queued slot that may be fired. pgx.ErrNoRows where
// there is none.
func (f *Firing) queued(ctx context.Context) error {
	rows, err := f.tx.Query(ctx, `SELECT `+scheduleColumns+` FROM ciclo.schedules s WHERE `+idleWithQueued+` LIMIT 1 FOR UPDATE SKIP LOCKED`)
	if err != nil {
		return err
	}
	if f.Schedule, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Schedule]); err != nil {
		return err
	}
	// Under the lock once more: another one may have been quicker.
	rows, err = f.tx.Query(ctx, `
		SELECT due_at, outcome, reason, cycle_id, opened_by, decided_at FROM ciclo.slots q
		WHERE schedule = $1 AND outcome = 'queued' AND NOT EXISTS (SELECT FROM ciclo.cycles c WHERE c.schedule = $1 AND c.ended_at IS NULL)
		ORDER BY due_at LIMIT 1`, f.Schedule.Name)
	if err != nil {
		return err
	}
	slot, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Slot])
	f.Queued = &slot
	return err
}

// Alive is the schedule's cycle that is not over, and whether a slot is queued.
func (f *Firing) Alive(ctx context.Context) (cycle string, queued bool, err error) {
	err = f.tx.QueryRow(ctx, `
		SELECT coalesce((SELECT max(id) FROM ciclo.cycles WHERE schedule = $1 AND ended_at IS NULL), ''),
		       EXISTS (SELECT FROM ciclo.slots WHERE schedule = $1 AND outcome = 'queued')`, f.Schedule.Name).Scan(&cycle, &queued)
	if err != nil {
		return "", false, fmt.Errorf("look for cycles of %s: %w", f.Schedule.Name, err)
	}
	return cycle, queued, nil
}

// Decide writes what became of slots; a queued one that was there is overwritten.
// ErrSlotDecided where another one is there: what was done for it must not be kept.
func (f *Firing) Decide(ctx context.Context, slots ...Slot) error {
	for _, slot := range slots {
		tag, err := f.tx.Exec(ctx, `
			INSERT INTO ciclo.slots (schedule, due_at, outcome, reason, cycle_id, opened_by) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (schedule, due_at) DO UPDATE SET outcome = $3, reason = $4, cycle_id = $5, decided_at = now() WHERE slots.outcome = 'queued'`,
			f.Schedule.Name, slot.DueAt, slot.Outcome, slot.Reason, slot.CycleID, slot.OpenedBy)
		if err == nil && tag.RowsAffected() == 0 {
			err = ErrSlotDecided
		}
		if err != nil {
			return fmt.Errorf("decide slot %s of %s: %w", slot.DueAt, f.Schedule.Name, err)
		}
	}
	return nil
}

// Next notes up to where slots are decided, and which comes then; nil is none.
func (f *Firing) Next(ctx context.Context, decided time.Time, due, fire *time.Time) error {
	_, err := f.tx.Exec(ctx, `UPDATE ciclo.schedules SET decided_until = $2, next_due_at = $3, next_fire_at = $4 WHERE name = $1`, f.Schedule.Name, decided, due, fire)
	if err != nil {
		return fmt.Errorf("note the next slot of %s: %w", f.Schedule.Name, err)
	}
	return nil
}

// Break notes why a schedule can't be fired: it fires no more, and is in nobody's
// way.
func (f *Firing) Break(ctx context.Context, why error) error {
	return breakSchedule(ctx, f.tx, f.Schedule.Name, why)
}

// BreakSchedule is Break after the transaction that failed.
func (s *Store) BreakSchedule(ctx context.Context, name string, why error) error {
	return breakSchedule(ctx, s.pool, name, why)
}

func breakSchedule(ctx context.Context, db interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}, name string, why error) error {
	_, err := db.Exec(ctx, `UPDATE ciclo.schedules SET broken = $2, next_due_at = NULL, next_fire_at = NULL WHERE name = $1`, name, storable(why.Error()))
	if err != nil {
		return fmt.Errorf("note that schedule %s is broken: %w", name, err)
	}
	return nil
}
