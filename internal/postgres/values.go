package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNoScores says that there is no complete run with scores: none at all, or not
// the one that was named.
var ErrNoScores = errors.New("no complete run of the Client Value Predictor")

// Segments are those that scores may have, the most valuable first.
var Segments = []string{"VIP", "HIGH", "MEDIUM", "LOW"}

// ValueRun is a complete run of the Client Value Predictor. What its result
// doesn't say is nil.
type ValueRun struct {
	ExecutionID   string    `json:"execution_id"`
	EndedAt       time.Time `json:"ended_at"`
	AsOf          *string   `json:"as_of" jsonschema:"The day at whose end clients were scored."`
	Currency      *string   `json:"currency"`
	HorizonDays   *int      `json:"horizon_days" jsonschema:"How far ahead clv and expected_purchases look."`
	Model         *string   `json:"model"`
	LowConfidence *bool     `json:"low_confidence" jsonschema:"Whether the numbers rest on too few clients."`
}

// complete is of executions e, that one is a complete run of the predictor.
const complete = `e.agent = 'client-value-predictor' AND e.status = 'completed' AND NOT e.dry_run`

// valueRunColumns are ValueRun's, of executions e.
const valueRunColumns = `e.id, e.ended_at, e.result->>'as_of', e.result->>'currency', (e.result->>'horizon_days')::int, e.result->>'model', (e.result->>'low_confidence')::boolean`

// ValueRun returns the run of the id, or the last complete one where it is empty.
// ErrNoScores where there is none.
func (s *Store) ValueRun(ctx context.Context, id string) (ValueRun, error) {
	sql, args := `SELECT `+valueRunColumns+` FROM ciclo.executions e WHERE `+complete+` ORDER BY e.ended_at DESC, e.id DESC LIMIT 1`, []any{}
	if id != "" {
		sql, args = `SELECT `+valueRunColumns+` FROM ciclo.executions e WHERE `+complete+` AND e.id = $1`, []any{id}
	}
	rows, err := s.reading(ctx).Query(ctx, sql, args...)
	if err != nil {
		return ValueRun{}, fmt.Errorf("find the run of scores: %w", err)
	}
	run, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[ValueRun])
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNoScores
	}
	if err != nil {
		return run, fmt.Errorf("find the run of scores: %w", err)
	}
	return run, nil
}

// ClientScore is what a run found of a client. Intervals are of 90 %; what older
// runs did not write is nil. Its columns are those of ciclo.client_scores.
type ClientScore struct {
	ExecutionID           string   `json:"execution_id"`
	ClientID              string   `json:"client_id"`
	AsOf                  string   `json:"as_of" jsonschema:"The day at whose end the client was scored."`
	Segment               string   `json:"segment" jsonschema:"One of VIP, HIGH, MEDIUM and LOW."`
	PreviousSegment       *string  `json:"previous_segment" jsonschema:"In the complete run before; null where it had no such client, or in rows of old versions."`
	CLV                   float64  `json:"clv" jsonschema:"The discounted value over the run's horizon, in its currency."`
	CLVLow                *float64 `json:"clv_low" jsonschema:"Of an interval of 90 % of the expectation: how well the model's parameters are known."`
	CLVHigh               *float64 `json:"clv_high"`
	CLV12Months           float64  `json:"clv_12_months"`
	CLV36Months           *float64 `json:"clv_36_months"`
	ChurnRisk30           float64  `json:"churn_risk_30" jsonschema:"The probability of no purchase within 30 days."`
	ChurnRisk90           float64  `json:"churn_risk_90" jsonschema:"The probability of no purchase within 90 days."`
	PAlive                float64  `json:"p_alive" jsonschema:"The probability that the client still buys at all."`
	ExpectedPurchases     float64  `json:"expected_purchases" jsonschema:"Over the run's horizon."`
	ExpectedPurchasesLow  *float64 `json:"expected_purchases_low" jsonschema:"Of an interval of 90 % of the expectation: how well the model's parameters are known."`
	ExpectedPurchasesHigh *float64 `json:"expected_purchases_high"`
	PurchasesLow          *int     `json:"purchases_low" jsonschema:"Nine in ten such clients will make so many purchases over the run's horizon: chance and parameters."`
	PurchasesHigh         *int     `json:"purchases_high"`
	ExpectedSpend         float64  `json:"expected_spend" jsonschema:"The amount of one purchase."`
	ExpectedValue         float64  `json:"expected_value" jsonschema:"Over the run's horizon, not discounted."`
	RepeatPurchases       int      `json:"repeat_purchases" jsonschema:"Purchases after the first, days taken together."`
	FirstPurchaseOn       *string  `json:"first_purchase_on"`
	LastPurchaseOn        *string  `json:"last_purchase_on"`
	RecencyWeeks          float64  `json:"recency_weeks" jsonschema:"From the first to the last purchase."`
	AgeWeeks              float64  `json:"age_weeks" jsonschema:"Since the first purchase."`
	MeanSpend             float64  `json:"mean_spend" jsonschema:"Of the repeat purchases."`
	TotalSpend            *float64 `json:"total_spend" jsonschema:"Of all purchases, refunds netted."`
	LowConfidence         bool     `json:"low_confidence" jsonschema:"Whether the numbers rest on too few clients."`
}

// scoreColumns are ClientScore's, of scores s.
const scoreColumns = `s.execution_id, s.client_id, to_char(s.as_of, 'YYYY-MM-DD'), s.segment, s.previous_segment,
	s.clv::float8, s.clv_low::float8, s.clv_high::float8, s.clv_12_months::float8, s.clv_36_months::float8,
	s.churn_risk_30, s.churn_risk_90, s.p_alive, s.expected_purchases, s.expected_purchases_low, s.expected_purchases_high, s.purchases_low, s.purchases_high,
	s.expected_spend::float8, s.expected_value::float8, s.repeat_purchases, to_char(s.first_purchase_on, 'YYYY-MM-DD'), to_char(s.last_purchase_on, 'YYYY-MM-DD'),
	s.recency_weeks, s.age_weeks, s.mean_spend::float8, s.total_spend::float8, s.low_confidence`

// ValueOrder is the order of a list of scores.
type ValueOrder string

// The orders: the most valuable first, those most at risk first, by id. Equal ones
// follow by id.
const (
	ByCLV   ValueOrder = "clv"
	ByChurn ValueOrder = "churn_risk_90"
	ByID    ValueOrder = "client_id"
)

// ValueFilter narrows a run's scores; zero values don't.
type ValueFilter struct {
	Execution string // the run's
	Order     ValueOrder
	Segments  []string
	// MinChurnRisk is of churn_risk_90.
	MinChurnRisk  *float64
	LowConfidence *bool
	// After is the place after which the page begins.
	After *ValuePlace
	Limit int
}

// ValuePlace is where a score lies in a list: its key, as the database writes it
// (empty by id), and the client.
type ValuePlace struct {
	Key, ClientID string
}

// PlacedScore is a score with the key that it lies by in a list: ValuePlace's.
type PlacedScore struct {
	ClientScore
	Key string
}

// Scores returns a page of a run's scores. It is found in an index that has all
// that is ordered and filtered by, merged from the first of each segment, and only
// then are its rows looked up.
func (s *Store) Scores(ctx context.Context, f ValueFilter) ([]PlacedScore, error) {
	sql, args := scoresSQL(f)
	rows, err := s.reading(ctx).Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("list scores: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[PlacedScore])
	if err != nil {
		return nil, fmt.Errorf("list scores: %w", err)
	}
	return list, nil
}

// scoresSQL is the statement of a page.
func scoresSQL(f ValueFilter) (sql string, args []any) {
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	run, limit := arg(f.Execution), strconv.Itoa(f.Limit) // a limit that the planner knows
	where := `c.execution_id = ` + run
	if f.LowConfidence != nil {
		where += ` AND c.low_confidence = ` + arg(*f.LowConfidence)
	}
	if f.MinChurnRisk != nil {
		where += ` AND c.churn_risk_90 >= ` + arg(*f.MinChurnRisk)
	}
	var page string
	if f.Order == ByID {
		if len(f.Segments) > 0 {
			where += ` AND c.segment = ANY (` + arg(f.Segments) + `)`
		}
		if f.After != nil {
			where += ` AND c.client_id > ` + arg(f.After.ClientID)
		}
		page = `SELECT c.client_id, '' AS key FROM ciclo.client_scores c WHERE ` + where + ` ORDER BY c.client_id LIMIT ` + limit
	} else {
		column, kind := "clv", "numeric"
		if f.Order == ByChurn {
			column, kind = "churn_risk_90", "float8"
		}
		segments := f.Segments
		if len(segments) == 0 {
			segments = Segments
		}
		first := func(more string) string {
			return `(SELECT c.client_id, c.` + column + ` AS key FROM ciclo.client_scores c
				WHERE ` + where + ` AND c.segment = asked.segment` + more + ` ORDER BY c.` + column + ` DESC, c.client_id LIMIT ` + limit + `)`
		}
		part := first("")
		if f.After != nil { // among equal ones, and behind them: each a range of the index
			key, id := arg(f.After.Key)+`::text::`+kind, arg(f.After.ClientID)
			part = first(` AND c.`+column+` = `+key+` AND c.client_id > `+id) + ` UNION ALL ` + first(` AND c.`+column+` < `+key)
		}
		page = `SELECT page.client_id, page.key FROM string_to_table(` + arg(strings.Join(segments, " ")) + `, ' ') AS asked (segment)
			CROSS JOIN LATERAL (` + part + `) page ORDER BY page.key DESC, page.client_id LIMIT ` + limit
	}
	direction := ` DESC`
	if f.Order == ByID {
		direction = ``
	}
	return `SELECT ` + scoreColumns + `, page.key::text FROM (` + page + `) page
		CROSS JOIN LATERAL (SELECT * FROM ciclo.client_scores WHERE execution_id = ` + run + ` AND client_id = page.client_id OFFSET 0) s
		ORDER BY page.key` + direction + `, page.client_id`, args
}

// PastScore is a client's score of one run, with what the run was for.
type PastScore struct {
	ClientScore
	EndedAt     time.Time `json:"ended_at" jsonschema:"The run's end."`
	Currency    *string   `json:"currency"`
	HorizonDays *int      `json:"horizon_days"`
}

// History lists the scores that complete runs gave a client, the newest first,
// those before a run's end where its id isn't empty.
func (s *Store) History(ctx context.Context, client string, before Position, limit int) ([]PastScore, error) {
	sql, args := `SELECT `+scoreColumns+`, e.ended_at, e.result->>'currency', (e.result->>'horizon_days')::int
		FROM ciclo.client_scores s JOIN ciclo.executions e ON e.id = s.execution_id
		WHERE s.client_id = $1 AND `+complete, []any{client, limit}
	if before.ID != "" {
		sql, args = sql+` AND (e.ended_at, e.id) < ($3, $4)`, append(args, before.StartedAt, before.ID)
	}
	rows, err := s.reading(ctx).Query(ctx, sql+` ORDER BY e.ended_at DESC, e.id DESC LIMIT $2`, args...)
	if err != nil {
		return nil, fmt.Errorf("list a client's scores: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[PastScore])
	if err != nil {
		return nil, fmt.Errorf("list a client's scores: %w", err)
	}
	return list, nil
}

// namesTimeout bounds what the firm's own view may take.
const namesTimeout = time.Second

// ClientNames are the names that the firm's view knows clients by. The view may be
// slow or broken: whoever asks goes on without names then.
func (s *Store) ClientNames(ctx context.Context, ids []string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*namesTimeout) // where the database itself is slow
	defer cancel()
	names := make(map[string]string, len(ids))
	err := pgx.BeginTxFunc(ctx, s.reading(ctx), pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf(`SET LOCAL statement_timeout = %d`, namesTimeout.Milliseconds())); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT id::text, name::text FROM source.clients WHERE id = ANY ($1) AND name IS NOT NULL`, ids)
		if err != nil {
			return err
		}
		var id, name string
		_, err = pgx.ForEachRow(rows, []any{&id, &name}, func() error { names[id] = name; return nil })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look up clients' names: %w", err)
	}
	return names, nil
}
