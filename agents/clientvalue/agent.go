package clientvalue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
)

// Name is the agent's name in the catalogue.
const Name = "client-value-predictor"

// Agent is the Client Value Predictor: it reads source.payments and writes
// ciclo.client_scores.
type Agent struct{}

// parameters are agent.json's.
type parameters struct {
	AsOf         *string `json:"as_of"`
	DaysBack     int     `json:"days_back"`
	HorizonDays  int     `json:"horizon_days"`
	Margin       float64 `json:"margin"`
	DiscountRate float64 `json:"discount_rate"`
	Currency     string  `json:"currency"`
}

// Result is what a completed execution shows.
type Result struct {
	AsOf         string         `json:"as_of"`
	HorizonDays  int            `json:"horizon_days"`
	Currency     string         `json:"currency"`
	Payments     int            `json:"payments"`
	Omitted      []Omission     `json:"payments_omitted"`
	Conversions  []Conversion   `json:"conversions"`
	Clients      int            `json:"clients"`
	RepeatBuyers int            `json:"repeat_buyers"`
	Model        string         `json:"model"`
	Fits         []Fitted       `json:"fits"`
	Spend        SpendFit       `json:"spend"`
	BackTest     BackTestReport `json:"back_test"`
	Segments     map[string]int `json:"segments"`
	TotalCLV     float64        `json:"total_clv"`
	Top          []TopClient    `json:"top_clients"`
	// LowConfidence says that the numbers rest on too few clients.
	LowConfidence bool     `json:"low_confidence"`
	Notes         []string `json:"notes"`
}

// Omission counts payments that were left out, and why.
type Omission struct {
	Reason   string `json:"reason"`
	Payments int    `json:"payments"`
}

// TopClient is one of the most valuable clients.
type TopClient struct {
	ClientID          string  `json:"client_id"`
	Name              *string `json:"name"`
	Segment           Segment `json:"segment"`
	CLV               float64 `json:"clv"`
	ExpectedPurchases float64 `json:"expected_purchases"`
	ChurnRisk90       float64 `json:"churn_risk_90"`
	PAlive            float64 `json:"p_alive"`
}

const (
	topClients = 10
	// writeBatch is how many scores one step writes.
	writeBatch = 20_000
)

// Run scores every client that has paid.
func (Agent) Run(ctx context.Context, task *agents.Task) (agents.Result, error) {
	var p parameters
	if err := task.Decode(&p); err != nil {
		return nil, err
	}
	w, err := p.window(task.StartedAt)
	if err != nil {
		return nil, agents.Permanent(err)
	}
	task.Progress(0, 1, "reading payments")
	var read payments
	err = task.Read(ctx, func(tx pgx.Tx) (err error) {
		read, err = readPayments(ctx, tx, w)
		return err
	})
	if err != nil {
		return nil, err
	}
	options := DefaultOptions(read.asOf)
	options.HorizonDays, options.Margin, options.DiscountRate = p.HorizonDays, p.Margin, p.DiscountRate

	task.Progress(0, 1, fmt.Sprintf("fitting models to %d payments", len(read.purchases)))
	training, err := agents.Step(ctx, task, "fit", func(ctx context.Context) (Training, error) {
		return Train(ctx, read.purchases, options)
	})
	if err != nil {
		return nil, hopeless(err)
	}
	scores, err := training.Score(ctx, read.purchases)
	if err != nil {
		return nil, hopeless(err)
	}
	if worthless(scores) {
		training.note("nothing is expected to be spent: segments follow client ids alone")
	}
	if err := writeScores(ctx, task, scores, read.asOf); err != nil {
		return nil, err
	}
	return summarise(ctx, task, read, training)
}

// hopeless marks the errors that the same payments give again.
func hopeless(err error) error {
	if errors.Is(err, ErrBadInput) || errors.Is(err, ErrNoClients) || errors.Is(err, ErrNoConvergence) {
		return agents.Permanent(err)
	}
	return err
}

func (p parameters) window(accepted time.Time) (window, error) {
	w := window{today: dayOf(accepted), daysBack: p.DaysBack, currency: p.Currency}
	switch {
	case p.AsOf == nil:
		today := dayOf(accepted)
		w.asOf = &today
	case *p.AsOf != "last_payment":
		t, err := time.Parse(time.DateOnly, *p.AsOf)
		if err != nil {
			return w, fmt.Errorf("as_of: %w", err)
		}
		day := dayOf(t)
		w.asOf = &day
	}
	return w, nil
}

// written is the output of a step that wrote scores.
type written struct {
	Scores int64  `json:"scores"`
	Last   string `json:"last_client_id"`
}

// writeScores writes a row for each client, in the order of ids, a batch a step,
// so that a killed run goes on where it was and writes none twice. A batch
// begins after the last client of the one before, whatever payments have come in
// between two attempts.
func writeScores(ctx context.Context, task *agents.Task, scores []Score, asOf int32) error {
	day := endOf(asOf - 1)
	for batch, rest := 1, scores; len(rest) > 0; batch++ {
		w, err := agents.StepTx(ctx, task, fmt.Sprintf("write scores %d", batch), func(ctx context.Context, tx pgx.Tx) (written, error) {
			rows := rest[:min(writeBatch, len(rest))]
			n, err := copyScores(ctx, tx, task.ExecutionID, day, rows)
			return written{n, rows[len(rows)-1].ClientID}, err
		})
		if err != nil {
			return err
		}
		next, found := slices.BinarySearchFunc(rest, w.Last, func(s Score, id string) int { return strings.Compare(s.ClientID, id) })
		if found {
			next++
		}
		rest = rest[next:]
		task.Progress(int64(len(scores)-len(rest)), int64(len(scores)), "writing scores")
	}
	return nil
}

func copyScores(ctx context.Context, tx pgx.Tx, execution string, day time.Time, scores []Score) (int64, error) {
	return tx.CopyFrom(ctx, pgx.Identifier{"ciclo", "client_scores"}, []string{
		"execution_id", "client_id", "as_of", "segment", "repeat_purchases", "recency_weeks", "age_weeks", "mean_spend",
		"p_alive", "churn_risk_30", "churn_risk_90", "expected_purchases", "expected_spend", "expected_value",
		"clv", "clv_12_months", "low_confidence",
	}, pgx.CopyFromSlice(len(scores), func(i int) ([]any, error) {
		s := scores[i]
		return []any{
			execution, s.ClientID, day, string(s.Segment), int32(s.X), s.Recency, s.Age, money(s.Spend),
			s.PAlive, s.ChurnRisk30, s.ChurnRisk90, s.ExpectedPurchases, money(s.ExpectedSpend), money(s.ExpectedValue),
			money(s.CLV), money(s.CLV12Months), s.LowConfidence,
		}, nil
	}))
}

// money keeps six decimals of an estimated amount.
func money(v float64) float64 {
	if math.Abs(v) >= 1<<53/1e6 {
		return math.Round(v)
	}
	return math.Round(v*1e6) / 1e6
}

// summarise reads back what was written and makes the result of it.
func summarise(ctx context.Context, task *agents.Task, read payments, t Training) (Result, error) {
	r := Result{
		AsOf: date(read.asOf), HorizonDays: t.Options.HorizonDays, Currency: read.currency,
		Payments: t.Payments, Omitted: read.omissions(), Conversions: read.conversions, Clients: t.Clients, RepeatBuyers: t.RepeatBuyers,
		Model: t.Chosen.String(), Fits: t.Fits, Spend: t.Spend, BackTest: t.BackTest,
		Segments: map[string]int{}, LowConfidence: t.LowConfidence, Notes: t.Notes,
	}
	err := task.Read(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT segment, count(*)::int, sum(clv)::float8 FROM ciclo.client_scores WHERE execution_id = $1
			GROUP BY segment ORDER BY segment`, task.ExecutionID)
		if err != nil {
			return err
		}
		var segment string
		var clients int
		var clv float64
		_, err = pgx.ForEachRow(rows, []any{&segment, &clients, &clv}, func() error {
			r.Segments[segment] = clients
			r.TotalCLV = money(r.TotalCLV + clv)
			return nil
		})
		if err != nil {
			return err
		}
		rows, err = tx.Query(ctx, `
			SELECT s.client_id, c.name, s.segment, s.clv::float8, s.expected_purchases, s.churn_risk_90, s.p_alive
			FROM ciclo.client_scores s LEFT JOIN source.clients c ON c.id = s.client_id
			WHERE s.execution_id = $1 ORDER BY s.clv DESC, s.client_id LIMIT $2`, task.ExecutionID, topClients)
		if err != nil {
			return err
		}
		r.Top, err = pgx.CollectRows(rows, pgx.RowToStructByPos[TopClient])
		return err
	})
	if err != nil {
		return r, fmt.Errorf("read the scores back: %w", err)
	}
	return r, nil
}
