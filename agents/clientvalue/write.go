package clientvalue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sort"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
)

// writeBatch is how many scores one step writes.
const writeBatch = 20_000

// writeModels writes both models of the run: their fits to all histories, and
// their back-tests where there were any.
func writeModels(ctx context.Context, task *agents.Task, t *Training) error {
	_, err := agents.StepTx(ctx, task, "write models", func(ctx context.Context, tx pgx.Tx) (int, error) {
		for _, fitted := range t.Fits {
			fit, err := json.Marshal(fitted)
			if err != nil {
				return 0, err
			}
			row := pgx.NamedArgs{
				"execution": task.ExecutionID, "model": fitted.Model.String(), "chosen": fitted.Model == t.Chosen,
				"as_of": midnight(t.Options.AsOf), "fit": fit, "low": fitted.LowConfidence, "clients": t.BackTest.Clients,
				"cut": nil, "end": nil, "predicted": nil, "bought": nil, "mae": nil, "rmse": nil, "correlation": nil,
				"predicted_low": nil, "predicted_high": nil, "log_score": nil,
				"simple_predicted": nil, "simple_mae": nil, "simple_rmse": nil, "reason": t.BackTest.Reason,
			}
			for _, f := range t.BackTest.Forecasts {
				if a := f.Accuracy; f.Fit.Model == fitted.Model {
					row["cut"], row["end"], row["reason"] = midnight(t.BackTest.Cut), midnight(t.BackTest.End), nil
					row["predicted"], row["bought"], row["mae"], row["rmse"], row["correlation"] = a.Predicted, a.Bought, a.MAE, a.RMSE, a.Correlation
					row["predicted_low"], row["predicted_high"], row["log_score"] = a.PredictedLow, a.PredictedHigh, a.LogScore
					s := t.BackTest.Simple
					row["simple_predicted"], row["simple_mae"], row["simple_rmse"] = s.Predicted, s.MAE, s.RMSE
				}
			}
			_, err = tx.Exec(ctx, `
				INSERT INTO ciclo.value_models (execution_id, model, chosen, as_of, fit, low_confidence, cut_on, end_on, clients,
					predicted, bought, mae, rmse, correlation, predicted_low, predicted_high, log_score,
					simple_predicted, simple_mae, simple_rmse, reason)
				VALUES (@execution, @model, @chosen, @as_of, @fit, @low, @cut, @end, @clients,
					@predicted, @bought, @mae, @rmse, @correlation, @predicted_low, @predicted_high, @log_score,
					@simple_predicted, @simple_mae, @simple_rmse, @reason)`, row)
			if err != nil {
				return 0, fmt.Errorf("write %s: %w", fitted.Model, err)
			}
		}
		return len(t.Fits), nil
	})
	return err
}

// standing is what the segments of a run rest on: decided once, before the first
// score is written, whatever attempt writes the others.
type standing struct {
	Limits    Limits `json:"limits"`
	Purchases Total  `json:"purchases"` // within the horizon, of all clients
	Worthless bool   `json:"worthless"` // no client has a value
	// Previous is the complete run that segments are compared with, if any.
	Previous *string `json:"previous_execution_id"`
}

func stand(ctx context.Context, task *agents.Task, s *scorer) (standing, error) {
	// An attempt after a kill computes this once more and is given the first
	// one's: from the same payments and parameters it is the same.
	values, total, err := s.survey(ctx)
	if err != nil {
		return standing{}, err
	}
	here := standing{Purchases: total, Worthless: largest(values) == 0}
	here.Limits, err = limitsOf(len(values), s.options.Shares, func(i int) Limit { return Limit{values[i], s.histories[i].ClientID} })
	if err != nil {
		return standing{}, err
	}
	return agents.StepTx(ctx, task, "segments", func(ctx context.Context, tx pgx.Tx) (standing, error) {
		err := tx.QueryRow(ctx, `
			SELECT id FROM ciclo.executions e
			WHERE agent = $1 AND status = 'completed' AND NOT dry_run AND EXISTS (SELECT FROM ciclo.value_models m WHERE m.execution_id = e.id)
			ORDER BY ended_at DESC, id DESC LIMIT 1`, Name).Scan(&here.Previous)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return here, fmt.Errorf("look for the run before: %w", err)
		}
		return here, nil
	})
}

// previousSegments returns the segment of each client in an execution, one byte a
// client: the place in segments, and one, or 0.
func previousSegments(ctx context.Context, task *agents.Task, execution *string, histories []History) ([]byte, error) {
	previous := make([]byte, len(histories))
	if execution == nil {
		return previous, nil
	}
	err := task.Read(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT client_id, segment FROM ciclo.client_scores WHERE execution_id = $1`, *execution)
		if err != nil {
			return err
		}
		var id, segment string
		_, err = pgx.ForEachRow(rows, []any{&id, &segment}, func() error {
			i := sort.Search(len(histories), func(i int) bool { return histories[i].ClientID >= id })
			if i == len(histories) || histories[i].ClientID != id {
				return nil
			}
			for place, known := range segments {
				if string(known) == segment {
					previous[i] = byte(place + 1)
				}
			}
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the segments of %s: %w", *execution, err)
	}
	return previous, nil
}

// batchWritten is the output of a step that wrote scores.
type batchWritten struct {
	Scores  int64 `json:"scores"`
	Changes int64 `json:"segment_changes"`
}

// writeScores writes a row for each client, in the order of ids, a batch a step,
// with the changes of segment, so that a killed run goes on where it was and
// writes none twice. Scores are computed batch by batch, so that they are never
// all in memory.
func writeScores(ctx context.Context, task *agents.Task, s *scorer, here standing) error {
	previous, err := previousSegments(ctx, task, here.Previous, s.histories)
	if err != nil {
		return err
	}
	total := len(s.histories)
	for from, n := 0, 1; from < total; from, n = from+writeBatch, n+1 {
		to := min(from+writeBatch, total)
		scores, err := s.scores(ctx, from, to)
		if err != nil {
			return err
		}
		for i := range scores {
			scores[i].Segment = here.Limits.segment(Limit{scores[i].CLV, scores[i].ClientID})
			if p := previous[from+i]; p > 0 {
				scores[i].PreviousSegment = segments[p-1]
			}
		}
		_, err = agents.StepTx(ctx, task, fmt.Sprintf("write scores %d", n), func(ctx context.Context, tx pgx.Tx) (w batchWritten, err error) {
			if w.Scores, err = copyScores(ctx, tx, task.ExecutionID, s.options.AsOf, scores); err != nil {
				return w, fmt.Errorf("write scores: %w", err)
			}
			w.Changes, err = copyChanges(ctx, tx, task.ExecutionID, here.Previous, scores)
			return w, err
		})
		if err != nil {
			return err
		}
		task.Progress(int64(to), int64(total), "writing scores")
	}
	return nil
}

func copyScores(ctx context.Context, tx pgx.Tx, execution string, asOf int32, scores []Score) (int64, error) {
	day := midnight(asOf)
	return tx.CopyFrom(ctx, pgx.Identifier{"ciclo", "client_scores"}, []string{
		"execution_id", "client_id", "as_of", "segment", "repeat_purchases", "recency_weeks", "age_weeks", "mean_spend",
		"p_alive", "churn_risk_30", "churn_risk_90", "expected_purchases", "expected_spend", "expected_value",
		"clv", "clv_12_months", "low_confidence", "first_purchase_on", "last_purchase_on", "total_spend", "clv_36_months",
		"expected_purchases_low", "expected_purchases_high", "clv_low", "clv_high", "purchases_low", "purchases_high", "previous_segment",
	}, pgx.CopyFromSlice(len(scores), func(i int) ([]any, error) {
		s := &scores[i]
		var previous *string
		if s.PreviousSegment != "" {
			previous = (*string)(&s.PreviousSegment)
		}
		return []any{
			execution, s.ClientID, day, string(s.Segment), int32(s.X), s.Recency, s.Age, money(s.Spend),
			s.PAlive, s.ChurnRisk30, s.ChurnRisk90, s.ExpectedPurchases, money(s.ExpectedSpend), money(s.ExpectedValue),
			money(s.CLV), money(s.CLV12Months), s.LowConfidence, midnight(s.FirstDay), midnight(s.LastDay), money(s.TotalSpend), money(s.CLV36Months),
			s.ExpectedPurchasesLow, s.ExpectedPurchasesHigh, money(s.CLVLow), money(s.CLVHigh), int32(s.PurchasesLow), int32(s.PurchasesHigh), previous,
		}, nil
	}))
}

func copyChanges(ctx context.Context, tx pgx.Tx, execution string, previous *string, scores []Score) (int64, error) {
	var changes [][]any
	for i := range scores {
		if s := &scores[i]; s.PreviousSegment != "" && s.PreviousSegment != s.Segment {
			changes = append(changes, []any{execution, *previous, s.ClientID, string(s.PreviousSegment), string(s.Segment)})
		}
	}
	if len(changes) == 0 {
		return 0, nil
	}
	n, err := tx.CopyFrom(ctx, pgx.Identifier{"ciclo", "segment_changes"},
		[]string{"execution_id", "previous_execution_id", "client_id", "from_segment", "to_segment"}, pgx.CopyFromRows(changes))
	if err != nil {
		return n, fmt.Errorf("write changes of segment: %w", err)
	}
	return n, nil
}

// midnight is the beginning of a day, which stands for its date.
func midnight(day int32) time.Time { return time.Unix(int64(day)*secondsPerDay, 0).UTC() }

// money keeps six decimals of an estimated amount.
func money(v float64) float64 {
	if math.Abs(v) >= 1<<53/1e6 {
		return math.Round(v)
	}
	return math.Round(v*1e6) / 1e6
}

// Unwrite takes away a run's models, by which the next one knows it, and its drafts, unless
// they were sent.
func (Agent) Unwrite(ctx context.Context, tx pgx.Tx, executionID string) error {
	for _, sql := range []string{
		`DELETE FROM ciclo.value_models WHERE execution_id = $1`,
		`DELETE FROM ciclo.messages m WHERE drafted_by = $1 AND NOT EXISTS (SELECT FROM ciclo.contacts c WHERE c.message_id = m.id)`,
	} {
		if _, err := tx.Exec(ctx, sql, executionID); err != nil {
			return err
		}
	}
	return nil
}
