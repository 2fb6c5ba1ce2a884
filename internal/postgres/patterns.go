package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nuzantara/ciclo/internal/execution"
)

// trainer is the agent whose executions write patterns.
const trainer = "conversation-trainer"

// Estimate is a figure with its interval of 95 %.
type Estimate struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

// PatternCounts are conversations with a feature and without.
type PatternCounts struct {
	With       int `json:"with"`
	WithWon    int `json:"with_won"`
	Without    int `json:"without"`
	WithoutWon int `json:"without_won"`
}

// Pattern is what won conversations had more often than lost ones, or less often.
type Pattern struct {
	Rank           int           `json:"rank" jsonschema:"The strongest is 1."`
	Kind           string        `json:"kind"`
	Feature        string        `json:"feature" jsonschema:"What the agent says, or the name of another feature, with an underscore."`
	Above          *float64      `json:"above" jsonschema:"The cut of a feature that is a number: words a turn, turns, a part, seconds."`
	Counts         PatternCounts `json:"counts" jsonschema:"Of the earlier conversations."`
	RiskDifference Estimate      `json:"risk_difference" jsonschema:"The part won with the feature less that without, within strata of channel, segment and month."`
	OddsRatio      *Estimate     `json:"odds_ratio" jsonschema:"Null where it is 0 or endless."`
	P              float64       `json:"p"`
	Q              float64       `json:"q" jsonschema:"The false-discovery rate at which it is just found."`
	Z              *float64      `json:"z" jsonschema:"Log-odds z-score of an n-gram; for ranking alone."`
	Confirmed      bool          `json:"confirmed" jsonschema:"The later conversations show the same sign, and an interval that excludes 0."`
	LaterCounts    PatternCounts `json:"later_counts"`
	Later          *Estimate     `json:"later_risk_difference" jsonschema:"Null where the later conversations can't tell."`
	SameAs         []string      `json:"same_as" jsonschema:"Weaker features that say the same."`
	Examples       []string      `json:"examples" jsonschema:"Ids of conversations."`
	FirstSeenAt    *time.Time    `json:"first_seen_at" jsonschema:"When the first complete run that found it ended; null where none did yet."`
	Runs           int           `json:"runs" jsonschema:"How many complete runs found it."`
}

// PatternRun is a complete run, with a pattern where it found it.
type PatternRun struct {
	ExecutionID string    `json:"execution_id"`
	EndedAt     time.Time `json:"ended_at"`
	Found       bool      `json:"found"`
	Pattern     *Pattern  `json:"pattern" jsonschema:"Null where the run did not find it."`
}

const patternColumns = `p.rank, p.kind, p.feature, p.above, p.n_with, p.n_with_won, p.n_without, p.n_without_won,
	p.risk_difference, p.risk_low, p.risk_high, p.odds_ratio, p.odds_low, p.odds_high, p.p, p.q, p.z,
	p.confirmed, p.later_with, p.later_with_won, p.later_without, p.later_without_won, p.later_difference, p.later_low, p.later_high,
	p.same_as, p.examples`

// patternRow scans patternColumns.
type patternRow struct {
	Pattern
	odds, later [3]*float64
}

func (r *patternRow) columns() []any {
	return []any{
		&r.Rank, &r.Kind, &r.Feature, &r.Above, &r.Counts.With, &r.Counts.WithWon, &r.Counts.Without, &r.Counts.WithoutWon,
		&r.RiskDifference.Estimate, &r.RiskDifference.Low, &r.RiskDifference.High, &r.odds[0], &r.odds[1], &r.odds[2], &r.P, &r.Q, &r.Z,
		&r.Confirmed, &r.LaterCounts.With, &r.LaterCounts.WithWon, &r.LaterCounts.Without, &r.LaterCounts.WithoutWon, &r.later[0], &r.later[1], &r.later[2],
		&r.SameAs, &r.Examples,
	}
}

func (r *patternRow) pattern() Pattern {
	estimate := func(c [3]*float64) *Estimate {
		if c[0] == nil {
			return nil
		}
		return &Estimate{*c[0], *c[1], *c[2]}
	}
	r.OddsRatio, r.Later = estimate(r.odds), estimate(r.later)
	return r.Pattern
}

// completeTraining is the condition of a trainer's run whose patterns count.
const completeTraining = `e.agent = '` + trainer + `' AND e.status = 'completed' AND NOT e.dry_run`

// LastTraining is the last complete run of the trainer; empty where there is none.
func (s *Store) LastTraining(ctx context.Context) (string, error) {
	var id string
	err := s.reading(ctx).QueryRow(ctx, `SELECT e.id FROM ciclo.executions e WHERE `+completeTraining+` ORDER BY e.ended_at DESC, e.id DESC LIMIT 1`).Scan(&id)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("find the trainer's last run: %w", err)
	}
	return id, nil
}

// TrainingKnown says whether an execution is one of the trainer.
func (s *Store) TrainingKnown(ctx context.Context, id string) (known bool, err error) {
	if !execution.ValidID(id) {
		return false, nil
	}
	if err := s.reading(ctx).QueryRow(ctx, `SELECT EXISTS (SELECT FROM ciclo.executions WHERE id = $1 AND agent = $2)`, id, trainer).Scan(&known); err != nil {
		return false, fmt.Errorf("look for training %s: %w", id, err)
	}
	return known, nil
}

// PatternFilter narrows a list of one execution's patterns; zero values don't.
type PatternFilter struct {
	Execution string
	Kind      string
	Confirmed *bool
	// After is the rank after which the page begins.
	After, Limit int
}

// Patterns returns a page of an execution's patterns, the strongest first.
func (s *Store) Patterns(ctx context.Context, f PatternFilter) ([]Pattern, error) {
	rows, err := s.reading(ctx).Query(ctx, `
		SELECT `+patternColumns+`, seen.first_at, seen.runs
		FROM ciclo.patterns p CROSS JOIN LATERAL (
			SELECT min(e.ended_at) AS first_at, count(*)::int AS runs
			FROM ciclo.patterns other JOIN ciclo.executions e ON e.id = other.execution_id
			WHERE other.feature = p.feature AND `+completeTraining+`) seen
		WHERE p.execution_id = $1 AND p.rank > $2 AND ($3 = '' OR p.kind = $3) AND ($4::boolean IS NULL OR p.confirmed = $4)
		ORDER BY p.rank LIMIT `+strconv.Itoa(f.Limit), f.Execution, f.After, f.Kind, f.Confirmed)
	if err != nil {
		return nil, fmt.Errorf("list patterns: %w", err)
	}
	patterns, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Pattern, error) {
		var r patternRow
		err := row.Scan(append(r.columns(), &r.FirstSeenAt, &r.Runs)...)
		return r.pattern(), err
	})
	if err != nil {
		return nil, fmt.Errorf("list patterns: %w", err)
	}
	return patterns, nil
}

// PatternHistory returns a page of the trainer's complete runs, the last one first,
// and what each found of a feature.
func (s *Store) PatternHistory(ctx context.Context, feature string, before Position, limit int) ([]PatternRun, error) {
	var beforeAt *time.Time
	if before.ID != "" {
		beforeAt = &before.StartedAt
	}
	rows, err := s.reading(ctx).Query(ctx, `
		SELECT e.id, e.ended_at, p.execution_id IS NOT NULL, `+patternNullable+`, seen.first_at, seen.runs
		FROM (
			SELECT e.id, e.ended_at FROM ciclo.executions e
			WHERE `+completeTraining+` AND ($2::timestamptz IS NULL OR (e.ended_at, e.id) < ($2, $3))
			ORDER BY e.ended_at DESC, e.id DESC LIMIT `+strconv.Itoa(limit)+`) e
		LEFT JOIN ciclo.patterns p ON p.execution_id = e.id AND p.feature = $1
		CROSS JOIN (
			SELECT min(e.ended_at) AS first_at, count(*)::int AS runs
			FROM ciclo.patterns other JOIN ciclo.executions e ON e.id = other.execution_id
			WHERE other.feature = $1 AND `+completeTraining+`) seen
		ORDER BY e.ended_at DESC, e.id DESC`, feature, beforeAt, before.ID)
	if err != nil {
		return nil, fmt.Errorf("list the runs of a pattern: %w", err)
	}
	runs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (PatternRun, error) {
		var run PatternRun
		var r patternRow
		if err := row.Scan(append([]any{&run.ExecutionID, &run.EndedAt, &run.Found}, append(r.columns(), &r.FirstSeenAt, &r.Runs)...)...); err != nil {
			return run, err
		}
		if run.Found {
			p := r.pattern()
			run.Pattern = &p
		}
		return run, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the runs of a pattern: %w", err)
	}
	return runs, nil
}

// patternNullable is patternColumns where there may be no pattern.
const patternNullable = `coalesce(p.rank, 0), coalesce(p.kind, ''), coalesce(p.feature, ''), p.above,
	coalesce(p.n_with, 0), coalesce(p.n_with_won, 0), coalesce(p.n_without, 0), coalesce(p.n_without_won, 0),
	coalesce(p.risk_difference, 0), coalesce(p.risk_low, 0), coalesce(p.risk_high, 0), p.odds_ratio, p.odds_low, p.odds_high,
	coalesce(p.p, 0), coalesce(p.q, 0), p.z, coalesce(p.confirmed, false),
	coalesce(p.later_with, 0), coalesce(p.later_with_won, 0), coalesce(p.later_without, 0), coalesce(p.later_without_won, 0),
	p.later_difference, p.later_low, p.later_high, coalesce(p.same_as, '{}'), coalesce(p.examples, '{}')`

// Rating is what a conversation was rated.
type Rating struct {
	ConversationID string    `json:"conversation_id"`
	Rating         int       `json:"rating"`
	RatedAt        time.Time `json:"rated_at"`
}

var (
	// ErrNoConversation says that source.conversations has no such conversation.
	ErrNoConversation = errors.New("no such conversation")
	// ErrRatedElsewhere says that the conversation lies in the firm's own tables.
	ErrRatedElsewhere = errors.New("the conversation lies in the firm's own tables, as its rating does")
)

// Rate keeps a conversation's rating, the last one given.
func (s *Store) Rate(ctx context.Context, conversation string, rating int) (Rating, error) {
	r := Rating{ConversationID: conversation, Rating: rating}
	err := s.pool.QueryRow(ctx, `
		INSERT INTO crm.ratings AS r (conversation_id, rating)
		SELECT $1, $2 WHERE EXISTS (SELECT FROM source.conversations WHERE id = $1)
		ON CONFLICT (conversation_id) DO UPDATE SET rating = excluded.rating, rated_at = now()
		RETURNING rated_at`, conversation, rating).Scan(&r.RatedAt)
	var refused *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return r, ErrNoConversation
	case errors.As(err, &refused) && refused.Code == "23503": // foreign key
		return r, ErrRatedElsewhere
	case err != nil:
		return r, fmt.Errorf("rate a conversation: %w", err)
	}
	return r, nil
}
