package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"
)

// ValueSummary is a run's scores taken together.
type ValueSummary struct {
	Run     ValueRun `json:"run"`
	Clients int64    `json:"clients"`
	// Unsure is not the run's LowConfidence: clients were scored one by one.
	Unsure   int64            `json:"low_confidence_clients" jsonschema:"How many of them have numbers that rest on too few clients."`
	TotalCLV float64          `json:"total_clv"`
	MeanCLV  float64          `json:"mean_clv"`
	Segments []SegmentSummary `json:"segments" jsonschema:"All four, the most valuable first."`
	Moves    []SegmentMove    `json:"moves" jsonschema:"Where the clients of each segment were in the complete run before, also those who stayed; pairs without clients are left out."`
	CLV      Distribution     `json:"clv"`
	Churn90  Distribution     `json:"churn_risk_90"`
	Sample   []SampledClient  `json:"sample" jsonschema:"At most 100 clients of each segment, chosen by chance whatever their numbers; all of a smaller one."`
	Models   []BackTest       `json:"models" jsonschema:"Both models with their back-tests; none of old versions' runs."`
}

// SegmentMove counts the clients of a segment by the one that they were in before.
type SegmentMove struct {
	From    *string `json:"from" jsonschema:"In the complete run before; null where it had no such clients, or in rows of old versions."`
	To      string  `json:"to"`
	Clients int64   `json:"clients"`
}

// SampledClient is where one client lies; who it is isn't said.
type SampledClient struct {
	Segment     string  `json:"segment"`
	CLV         float64 `json:"clv"`
	ChurnRisk90 float64 `json:"churn_risk_90"`
}

// SegmentSummary is a segment of a run. Means are 0 where it has no clients.
type SegmentSummary struct {
	Segment           string  `json:"segment"`
	Clients           int64   `json:"clients"`
	Share             float64 `json:"share" jsonschema:"Of the clients, 0 to 1."`
	TotalCLV          float64 `json:"total_clv"`
	CLVShare          float64 `json:"clv_share" jsonschema:"Of the whole value, 0 to 1."`
	MeanCLV           float64 `json:"mean_clv"`
	ExpectedPurchases float64 `json:"expected_purchases" jsonschema:"Over the horizon, all clients together."`
	MeanChurnRisk30   float64 `json:"mean_churn_risk_30"`
	MeanChurnRisk90   float64 `json:"mean_churn_risk_90"`
}

// Distribution is how a number is spread over clients.
type Distribution struct {
	Quantiles []Quantile `json:"quantiles"`
	Histogram []Bin      `json:"histogram" jsonschema:"From the least to the greatest value, without a gap; empty bins are there."`
}

// Quantile is the value that a part p of the clients don't exceed.
type Quantile struct {
	P     float64 `json:"p"`
	Value float64 `json:"value"`
}

// Bin counts the clients whose value is at least from and less than to; nil is
// without bound.
type Bin struct {
	From    float64  `json:"from"`
	To      *float64 `json:"to"`
	Clients int64    `json:"clients"`
	Sum     float64  `json:"sum" jsonschema:"Of their values."`
}

// BackTest is a model of a run: how it was fitted, and what it would have promised
// of the last part of history. Its columns are those of ciclo.value_models.
type BackTest struct {
	Model          string          `json:"model"`
	Chosen         bool            `json:"chosen"`
	LowConfidence  bool            `json:"low_confidence"`
	Fit            json.RawMessage `json:"fit" jsonschema:"The parameters with their standard errors, log-likelihood and method."`
	CutOn          *string         `json:"cut_on" jsonschema:"Fitted to purchases up to then."`
	EndOn          *string         `json:"end_on" jsonschema:"And held against those from then on up to this day."`
	Clients        *int            `json:"clients"`
	Predicted      *float64        `json:"predicted" jsonschema:"Purchases; null where the history is too short, as reason says."`
	Bought         *int            `json:"bought"`
	OffPercent     *float64        `json:"off_percent" jsonschema:"By how much more, or less where it is negative, was predicted than was bought; null where nothing was."`
	PredictedLow   *float64        `json:"predicted_low" jsonschema:"An interval of 90 % of what was to be bought."`
	PredictedHigh  *float64        `json:"predicted_high"`
	SimpleForecast *float64        `json:"simple_predicted" jsonschema:"What the simplest forecast says: everybody goes on at the rate of their repeat purchases."`
	SimpleMAE      *float64        `json:"simple_mae"`
	MAE            *float64        `json:"mae" jsonschema:"The mean absolute error a client, in purchases."`
	RMSE           *float64        `json:"rmse"`
	Correlation    *float64        `json:"correlation"`
	Reason         *string         `json:"reason"`
}

// summaryQuantiles are those that a summary shows; the first is the least, the
// last the greatest.
var summaryQuantiles = []float64{0, .05, .1, .25, .5, .75, .9, .95, .99, 1}

// ValueSummary reads all of a run's scores, a few times.
func (s *Store) ValueSummary(ctx context.Context, run ValueRun) (ValueSummary, error) {
	sum := ValueSummary{Run: run}
	err := func() (err error) {
		if sum.Segments, err = s.segmentSummaries(ctx, run.ExecutionID); err != nil {
			return err
		}
		for _, one := range sum.Segments {
			sum.Clients += one.Clients
			sum.TotalCLV += one.TotalCLV
		}
		if sum.Clients > 0 {
			sum.MeanCLV = sum.TotalCLV / float64(sum.Clients)
		}
		for i := range sum.Segments {
			one := &sum.Segments[i]
			if sum.Clients > 0 {
				one.Share = float64(one.Clients) / float64(sum.Clients)
			}
			if sum.TotalCLV > 0 {
				one.CLVShare = one.TotalCLV / sum.TotalCLV
			}
		}
		if err = s.segmentMoves(ctx, &sum); err != nil {
			return err
		}
		if sum.Sample, err = s.sample(ctx, run.ExecutionID); err != nil {
			return err
		}
		if sum.CLV, err = s.distribution(ctx, run.ExecutionID, "clv", moneyBounds); err != nil {
			return err
		}
		tenths := func([]Quantile) []float64 { return []float64{0, .1, .2, .3, .4, .5, .6, .7, .8, .9} }
		if sum.Churn90, err = s.distribution(ctx, run.ExecutionID, "churn_risk_90", tenths); err != nil {
			return err
		}
		sum.Models, err = s.BackTests(ctx, run.ExecutionID)
		return err
	}()
	if err != nil {
		return sum, fmt.Errorf("summarise the scores of %s: %w", run.ExecutionID, err)
	}
	return sum, nil
}

func (s *Store) segmentSummaries(ctx context.Context, run string) ([]SegmentSummary, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT asked.segment, coalesce(clients, 0), 0, coalesce(total, 0)::float8, 0, coalesce(mean, 0)::float8, coalesce(purchases, 0), coalesce(risk_30, 0), coalesce(risk_90, 0)
		FROM unnest($2::text[]) WITH ORDINALITY AS asked (segment, n)
		LEFT JOIN (
			SELECT segment, count(*) AS clients, sum(clv) AS total, avg(clv) AS mean, sum(expected_purchases) AS purchases, avg(churn_risk_30) AS risk_30, avg(churn_risk_90) AS risk_90
			FROM ciclo.client_scores WHERE execution_id = $1 GROUP BY segment) found USING (segment)
		ORDER BY asked.n`, run, Segments)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[SegmentSummary])
}

// segmentMoves counts clients by their segments in this run and the one before, and
// those whose numbers are unsure.
func (s *Store) segmentMoves(ctx context.Context, sum *ValueSummary) error {
	rows, err := s.pool.Query(ctx, `
		SELECT previous_segment, segment, count(*), count(*) FILTER (WHERE low_confidence)
		FROM ciclo.client_scores WHERE execution_id = $1 GROUP BY 1, 2
		ORDER BY array_position($2::text[], segment), array_position($2::text[], previous_segment)`, sum.Run.ExecutionID, Segments)
	if err != nil {
		return err
	}
	sum.Moves = []SegmentMove{}
	var move SegmentMove
	var unsure int64
	_, err = pgx.ForEachRow(rows, []any{&move.From, &move.To, &move.Clients, &unsure}, func() error {
		sum.Moves, sum.Unsure = append(sum.Moves, move), sum.Unsure+unsure
		return nil
	})
	return err
}

// sampled is how many clients of a segment a summary shows.
const sampled = 100

// sample are some of each segment's clients, by a hash of their ids: the same ones
// whoever asks, and none because of what they are worth.
func (s *Store) sample(ctx context.Context, run string) ([]SampledClient, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT asked.segment, found.clv::float8, found.churn_risk_90
		FROM unnest($2::text[]) WITH ORDINALITY AS asked (segment, n)
		CROSS JOIN LATERAL (
			SELECT s.clv, s.churn_risk_90 FROM ciclo.client_scores s WHERE s.execution_id = $1 AND s.segment = asked.segment
			ORDER BY hashtextextended(s.client_id, 0), s.client_id LIMIT $3) found
		ORDER BY asked.n, found.clv DESC, found.churn_risk_90`, run, Segments, sampled)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[SampledClient])
}

// distribution is of a column of a run's scores, in bins that begin at the bounds
// made of its quantiles. Both are empty for a run without clients.
func (s *Store) distribution(ctx context.Context, run, column string, bounds func([]Quantile) []float64) (Distribution, error) {
	d := Distribution{Quantiles: []Quantile{}, Histogram: []Bin{}}
	var values []float64
	err := s.pool.QueryRow(ctx, `
		SELECT coalesce(percentile_disc($2::float8[]) WITHIN GROUP (ORDER BY `+column+`::float8), '{}')
		FROM ciclo.client_scores WHERE execution_id = $1`, run, summaryQuantiles).Scan(&values)
	if err != nil || len(values) == 0 {
		return d, err
	}
	for i, p := range summaryQuantiles {
		d.Quantiles = append(d.Quantiles, Quantile{p, values[i]})
	}
	from := bounds(d.Quantiles)
	for i := range from {
		d.Histogram = append(d.Histogram, Bin{From: from[i]})
		if i > 0 {
			d.Histogram[i-1].To = &from[i]
		}
	}
	rows, err := s.pool.Query(ctx, `
		SELECT width_bucket(`+column+`::float8, $2::float8[]), count(*), sum(`+column+`)::float8
		FROM ciclo.client_scores WHERE execution_id = $1 GROUP BY 1`, run, from)
	if err != nil {
		return d, err
	}
	var n int
	var clients int64
	var sum float64
	_, err = pgx.ForEachRow(rows, []any{&n, &clients, &sum}, func() error {
		d.Histogram[n-1].Clients, d.Histogram[n-1].Sum = clients, sum
		return nil
	})
	return d, err
}

// moneyDecades bounds how far down from the greatest value bins reach.
const moneyDecades = 6

// moneyBounds begin at 0 and go on by 1, 2, 5, 10, … up to the greatest value, for
// money is skewed: bins of one width would have nearly all clients in the first.
// They start at the 5th percentile, but at most moneyDecades below the greatest.
func moneyBounds(quantiles []Quantile) []float64 {
	bounds := []float64{0}
	least, greatest := quantiles[1].Value, quantiles[len(quantiles)-1].Value
	if greatest <= 0 {
		return bounds
	}
	least = max(least, greatest/math.Pow10(moneyDecades))
	for decade := int(math.Floor(math.Log10(least))); ; decade++ {
		for _, step := range []float64{1, 2, 5} {
			bound := step * math.Pow10(decade)
			if decade < 0 {
				bound = step / math.Pow10(-decade) // 0.2, not 0.2000…1
			}
			switch {
			case bound > greatest || math.IsInf(bound, 0):
				return bounds
			case bound > 0 && bound*2.5 > least:
				bounds = append(bounds, bound)
			}
		}
	}
}

// BackTests are both models of a run, the chosen one first.
func (s *Store) BackTests(ctx context.Context, run string) ([]BackTest, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT model, chosen, low_confidence, fit, to_char(cut_on, 'YYYY-MM-DD'), to_char(end_on, 'YYYY-MM-DD'), clients, predicted, bought,
		       100 * (predicted / nullif(bought, 0) - 1), predicted_low, predicted_high, simple_predicted, simple_mae, mae, rmse, correlation, reason
		FROM ciclo.value_models WHERE execution_id = $1 ORDER BY chosen DESC, model`, run)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[BackTest])
}
