package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// ValueRun is a complete run of the Client Value Predictor. See the API for the fields.
type ValueRun struct {
	ExecutionID   string    `json:"execution_id"`
	EndedAt       time.Time `json:"ended_at"`
	AsOf          *string   `json:"as_of"`
	Currency      *string   `json:"currency"`
	HorizonDays   *int      `json:"horizon_days"`
	Model         *string   `json:"model"`
	LowConfidence *bool     `json:"low_confidence"`
}

// Score is what a run found of a client. Intervals are of 90 %; what the run
// did not write is nil.
type Score struct {
	ExecutionID           string   `json:"execution_id"`
	ClientID              string   `json:"client_id"`
	AsOf                  string   `json:"as_of"`
	Segment               string   `json:"segment"`
	PreviousSegment       *string  `json:"previous_segment"`
	CLV                   float64  `json:"clv"`
	CLVLow                *float64 `json:"clv_low"`
	CLVHigh               *float64 `json:"clv_high"`
	CLV12Months           float64  `json:"clv_12_months"`
	CLV36Months           *float64 `json:"clv_36_months"`
	ChurnRisk30           float64  `json:"churn_risk_30"`
	ChurnRisk90           float64  `json:"churn_risk_90"`
	PAlive                float64  `json:"p_alive"`
	ExpectedPurchases     float64  `json:"expected_purchases"`
	ExpectedPurchasesLow  *float64 `json:"expected_purchases_low"`
	ExpectedPurchasesHigh *float64 `json:"expected_purchases_high"`
	PurchasesLow          *int     `json:"purchases_low"`
	PurchasesHigh         *int     `json:"purchases_high"`
	ExpectedSpend         float64  `json:"expected_spend"`
	ExpectedValue         float64  `json:"expected_value"`
	RepeatPurchases       int      `json:"repeat_purchases"`
	FirstPurchaseOn       *string  `json:"first_purchase_on"`
	LastPurchaseOn        *string  `json:"last_purchase_on"`
	RecencyWeeks          float64  `json:"recency_weeks"`
	AgeWeeks              float64  `json:"age_weeks"`
	MeanSpend             float64  `json:"mean_spend"`
	TotalSpend            *float64 `json:"total_spend"`
	LowConfidence         bool     `json:"low_confidence"`
}

// Value is a score with the client's name.
type Value struct {
	Name *string `json:"name"`
	Score
}

// ValuePage is one page of a run's scores; NextCursor is nil on the last one.
// NamesError says why names are missing.
type ValuePage struct {
	Run        ValueRun `json:"run"`
	Values     []Value  `json:"values"`
	NamesError *string  `json:"names_error"`
	NextCursor *string  `json:"next_cursor"`
}

// PastScore is a client's score of one run, with what the run was for.
type PastScore struct {
	Score
	EndedAt     time.Time `json:"ended_at"`
	Currency    *string   `json:"currency"`
	HorizonDays *int      `json:"horizon_days"`
}

// History is one page of a client's scores, the newest first; NextCursor is
// nil on the last one.
type History struct {
	ClientID   string      `json:"client_id"`
	Name       *string     `json:"name"`
	NamesError *string     `json:"names_error"`
	Values     []PastScore `json:"values"`
	NextCursor *string     `json:"next_cursor"`
}

// ValueSummary is a run's scores taken together.
type ValueSummary struct {
	Run      ValueRun         `json:"run"`
	Clients  int64            `json:"clients"`
	Unsure   int64            `json:"low_confidence_clients"`
	TotalCLV float64          `json:"total_clv"`
	MeanCLV  float64          `json:"mean_clv"`
	Segments []SegmentSummary `json:"segments"`
	Moves    []SegmentMove    `json:"moves"`
	CLV      Distribution     `json:"clv"`
	Churn90  Distribution     `json:"churn_risk_90"`
	Sample   []SampledClient  `json:"sample"`
	Models   []BackTest       `json:"models"`
}

// SegmentMove counts the clients of a segment by the one that they were in, in the
// complete run before; From is nil where they were in none.
type SegmentMove struct {
	From    *string `json:"from"`
	To      string  `json:"to"`
	Clients int64   `json:"clients"`
}

// SampledClient is where one client of a sample lies; who it is isn't said.
type SampledClient struct {
	Segment     string  `json:"segment"`
	CLV         float64 `json:"clv"`
	ChurnRisk90 float64 `json:"churn_risk_90"`
}

// SegmentSummary is a segment of a run.
type SegmentSummary struct {
	Segment           string  `json:"segment"`
	Clients           int64   `json:"clients"`
	Share             float64 `json:"share"`
	TotalCLV          float64 `json:"total_clv"`
	CLVShare          float64 `json:"clv_share"`
	MeanCLV           float64 `json:"mean_clv"`
	ExpectedPurchases float64 `json:"expected_purchases"`
	MeanChurnRisk30   float64 `json:"mean_churn_risk_30"`
	MeanChurnRisk90   float64 `json:"mean_churn_risk_90"`
}

// Distribution is how a number is spread over clients.
type Distribution struct {
	Quantiles []struct {
		P     float64 `json:"p"`
		Value float64 `json:"value"`
	} `json:"quantiles"`
	Histogram []Bin `json:"histogram"`
}

// Bin counts the clients whose value is at least From and less than To.
type Bin struct {
	From    float64  `json:"from"`
	To      *float64 `json:"to"`
	Clients int64    `json:"clients"`
	Sum     float64  `json:"sum"`
}

// BackTest is a model of a run, and what it would have promised of the last part
// of history.
type BackTest struct {
	Model          string          `json:"model"`
	Chosen         bool            `json:"chosen"`
	LowConfidence  bool            `json:"low_confidence"`
	Fit            json.RawMessage `json:"fit"`
	CutOn          *string         `json:"cut_on"`
	EndOn          *string         `json:"end_on"`
	Clients        *int            `json:"clients"`
	Predicted      *float64        `json:"predicted"`
	PredictedLow   *float64        `json:"predicted_low"`
	PredictedHigh  *float64        `json:"predicted_high"`
	SimpleForecast *float64        `json:"simple_predicted"`
	SimpleMAE      *float64        `json:"simple_mae"`
	Bought         *int            `json:"bought"`
	OffPercent     *float64        `json:"off_percent"`
	MAE            *float64        `json:"mae"`
	RMSE           *float64        `json:"rmse"`
	Correlation    *float64        `json:"correlation"`
	Reason         *string         `json:"reason"`
}

// SegmentChange is a client that a run put into another segment than the run before.
type SegmentChange struct {
	ID                  int64     `json:"id"`
	ClientID            string    `json:"client_id"`
	From                string    `json:"from"`
	To                  string    `json:"to"`
	EndedAt             time.Time `json:"ended_at"`
	ExecutionID         string    `json:"execution_id"`
	PreviousExecutionID string    `json:"previous_execution_id"`
}

// SegmentChangePage is one page of changes, with the names of their clients that are
// known, by client id. NextAfter is what to ask for next where after was given.
type SegmentChangePage struct {
	Changes    []SegmentChange   `json:"changes"`
	Names      map[string]string `json:"names"`
	NamesError *string           `json:"names_error"`
	NextCursor *string           `json:"next_cursor"`
	NextAfter  *int64            `json:"next_after"`
}

// ClientValues returns a page of a run's scores. The query is the API's: execution,
// segment, min_churn_risk, low_confidence, sort, cursor, limit.
func (c *Client) ClientValues(ctx context.Context, query url.Values) (ValuePage, error) {
	return answer[ValuePage](ctx, c, http.MethodGet, "/clients/values", query, nil)
}

// ValueSummary summarises the scores of a run, or of the last one where it is empty.
func (c *Client) ValueSummary(ctx context.Context, execution string) (ValueSummary, error) {
	query := url.Values{}
	if execution != "" {
		query.Set("execution", execution)
	}
	return answer[ValueSummary](ctx, c, http.MethodGet, "/clients/values/summary", query, nil)
}

// ClientHistory returns a page of a client's scores. The query is the API's: cursor, limit.
func (c *Client) ClientHistory(ctx context.Context, id string, query url.Values) (History, error) {
	return answer[History](ctx, c, http.MethodGet, "/clients/"+url.PathEscape(id)+"/values", query, nil)
}

// SegmentChanges returns a page of changes. The query is the API's: client, to,
// after, cursor, limit.
func (c *Client) SegmentChanges(ctx context.Context, query url.Values) (SegmentChangePage, error) {
	return answer[SegmentChangePage](ctx, c, http.MethodGet, "/clients/segment-changes", query, nil)
}

// ExportClientValues writes a run's scores into w as CSV, as the API sends them.
// The query is that of ClientValues without cursor and limit. What was cut off is
// an error, whatever has been written.
func (c *Client) ExportClientValues(ctx context.Context, query url.Values, w io.Writer) error {
	return c.download(ctx, "/clients/values.csv", query, w)
}

// download writes an answer into w, however long it takes.
func (c *Client) download(ctx context.Context, path string, query url.Values, w io.Writer) error {
	return c.copyOf(ctx, c.target(path, query), w)
}

func (c *Client) copyOf(ctx context.Context, target string, w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	lasting := *c.httpClient()
	lasting.Timeout = 0 // it takes as long as there is something
	resp, err := lasting.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return readProblem(resp)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("read the answer of GET %s: %w", target, err)
	}
	return nil
}
