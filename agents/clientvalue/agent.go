package clientvalue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/agents/llm"
)

// Name is the agent's name in the catalogue.
const Name = "client-value-predictor"

// Agent is the Client Value Predictor: it reads source.payments and writes
// ciclo.client_scores, ciclo.value_models, ciclo.segment_changes and ciclo.messages.
type Agent struct {
	// Model writes the messages that it drafts, of those that leave by e-mail; nil has
	// them all from templates.
	Model *llm.Model
	// Asking is how long an attempt asks it; 0 is ten minutes.
	Asking time.Duration
}

// parameters are agent.json's.
type parameters struct {
	AsOf         *string `json:"as_of"`
	DaysBack     int     `json:"days_back"`
	HorizonDays  int     `json:"horizon_days"`
	Margin       float64 `json:"margin"`
	DiscountRate float64 `json:"discount_rate"`
	Currency     string  `json:"currency"`
	SlippingRisk float64 `json:"slipping_risk"`
	MaxDrafts    int     `json:"max_drafts"`
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
	// Promise is the back-test in one line.
	Promise string `json:"promise"`
	// Purchases are those of all clients within the horizon.
	Purchases Total `json:"purchases"`
	// PreviousExecution is the run that segments were compared with, and
	// SegmentChanges how many clients came into another one.
	PreviousExecution *string        `json:"previous_execution_id"`
	SegmentChanges    int            `json:"segment_changes"`
	Segments          map[string]int `json:"segments"`
	TotalCLV          float64        `json:"total_clv"`
	Top               []TopClient    `json:"top_clients"`
	// Drafts are the messages that were drafted to clients who are slipping.
	Drafts Drafts `json:"drafts"`
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

const topClients = 10

// Run scores every client that has paid.
func (a Agent) Run(ctx context.Context, task *agents.Task) (agents.Result, error) {
	var p parameters
	if err := task.Decode(&p); err != nil {
		return nil, err
	}
	w, err := p.window(task.StartedAt)
	if err != nil {
		return nil, agents.Permanent(err)
	}
	kept, purchases, err := freeze(ctx, task, w)
	if err != nil {
		return nil, err
	}
	options := DefaultOptions(kept.AsOf)
	options.HorizonDays, options.Margin, options.DiscountRate = p.HorizonDays, p.Margin, p.DiscountRate

	task.Progress(0, 1, fmt.Sprintf("fitting models to %d payments", kept.Payments))
	training, err := train(ctx, task, kept, purchases, options)
	if err != nil {
		return nil, hopeless(err)
	}
	if err := writeModels(ctx, task, &training); err != nil {
		return nil, err
	}
	// Payments that aren't there any more were removed with the last score.
	var here standing
	if len(purchases) > 0 {
		if here, err = write(ctx, task, &training, purchases); err != nil {
			return nil, hopeless(err)
		}
	}
	drafts, err := a.draftMessages(ctx, task, p.SlippingRisk, p.MaxDrafts)
	if err != nil {
		return nil, err
	}
	here, err = agents.StepTx(ctx, task, "forget payments", func(ctx context.Context, tx pgx.Tx) (standing, error) {
		return here, forget(ctx, tx, task.ExecutionID)
	})
	if err != nil {
		return nil, err
	}
	return summarise(ctx, task, kept, training, here, drafts)
}

// fitOf is a training and the payments that it is of. A retry is given the
// training of the execution that it tries again, which may be of others.
type fitOf struct {
	Digest   string   `json:"digest"`
	Training Training `json:"training"`
}

func train(ctx context.Context, task *agents.Task, kept frozen, purchases []Purchase, options Options) (Training, error) {
	fit := func(ctx context.Context) (fitOf, error) {
		t, err := Train(ctx, purchases, options)
		return fitOf{kept.Digest, t}, err
	}
	f, err := agents.Step(ctx, task, "fit", fit)
	if err == nil && f.Digest != kept.Digest {
		f, err = agents.Step(ctx, task, "fit to the payments as they are now", fit)
	}
	return f.Training, err
}

// write scores all clients of the purchases and writes them.
func write(ctx context.Context, task *agents.Task, t *Training, purchases []Purchase) (standing, error) {
	histories, err := Summarise(purchases, t.Options.AsOf)
	if err != nil {
		return standing{}, fmt.Errorf("score: %w", err)
	}
	s, err := newScorer(ctx, histories, t.chosenFit(), t.Spend, t.Options)
	if err != nil {
		return standing{}, err
	}
	here, err := stand(ctx, task, s)
	if err != nil {
		return here, err
	}
	return here, writeScores(ctx, task, s, here)
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

// summarise reads back what was written and makes the result of it.
func summarise(ctx context.Context, task *agents.Task, kept frozen, t Training, here standing, drafts Drafts) (Result, error) {
	if drafts.Error != "" {
		t.note("no messages were drafted: %s", drafts.Error)
	}
	if here.Worthless {
		t.note("nothing is expected to be spent: segments follow client ids alone")
	}
	r := Result{
		AsOf: date(kept.AsOf), HorizonDays: t.Options.HorizonDays, Currency: kept.Currency,
		Payments: t.Payments, Omitted: kept.Omitted, Conversions: kept.Conversions, Clients: t.Clients, RepeatBuyers: t.RepeatBuyers,
		Model: t.Chosen.String(), Fits: t.Fits, Spend: t.Spend, BackTest: t.BackTest, Promise: t.BackTest.String(),
		Purchases: here.Purchases, Drafts: drafts,
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
			WHERE s.execution_id = $1 AND s.client_id NOT IN (SELECT client_id FROM ciclo.erasures)
			ORDER BY s.clv DESC, s.client_id LIMIT $2`, task.ExecutionID, topClients)
		if err != nil {
			return err
		}
		if r.Top, err = pgx.CollectRows(rows, pgx.RowToStructByPos[TopClient]); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT count(*) FROM ciclo.segment_changes WHERE execution_id = $1`, task.ExecutionID).Scan(&r.SegmentChanges)
	})
	if err != nil {
		return r, fmt.Errorf("read the scores back: %w", err)
	}
	return r, nil
}
