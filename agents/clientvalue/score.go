package clientvalue

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sort"
)

// Score is what is predicted of one client, with the numbers it follows from.
//
// It has intervals of 90 % of two kinds, which answer different questions.
// ExpectedPurchasesLow to High and CLVLow to High are of the expectation: they
// cover that the models' parameters are only estimated, not what chance has in
// store for this client, so that in a large population they are narrow. They are
// for comparing and adding up. PurchasesLow to High is of the number that this
// client will really make, chance and parameters both: of such clients nine in
// ten or more stay within it. It is the one to read for a single client. Neither
// covers that the models may be wrong, which the back-test shows.
type Score struct {
	ClientID string `json:"client_id"`
	// PAlive is the probability that the client still buys at all.
	PAlive float64 `json:"p_alive"`
	// ChurnRisk30 and ChurnRisk90 are the probabilities that the client buys
	// nothing within 30 and 90 days.
	ChurnRisk30 float64 `json:"churn_risk_30"`
	ChurnRisk90 float64 `json:"churn_risk_90"`
	// ExpectedPurchases is over the horizon, ExpectedSpend the amount of one
	// purchase, ExpectedValue their product and the margin, not discounted.
	ExpectedPurchases     float64 `json:"expected_purchases"`
	ExpectedPurchasesLow  float64 `json:"expected_purchases_low"`
	ExpectedPurchasesHigh float64 `json:"expected_purchases_high"`
	// PurchasesLow is the most that fewer are made than with at most 5 %,
	// PurchasesHigh the least that more are made than with at most 5 %. Where
	// the expectation is small both may be 0.
	PurchasesLow  int     `json:"purchases_low"`
	PurchasesHigh int     `json:"purchases_high"`
	ExpectedSpend float64 `json:"expected_spend"`
	ExpectedValue float64 `json:"expected_value"`
	// CLV is the discounted value over the horizon, CLV12Months over 52 weeks,
	// CLV36Months over 156, whatever the horizon.
	CLV         float64 `json:"clv"`
	CLVLow      float64 `json:"clv_low"`
	CLVHigh     float64 `json:"clv_high"`
	CLV12Months float64 `json:"clv_12_months"`
	CLV36Months float64 `json:"clv_36_months"`
	Segment     Segment `json:"segment"`
	// PreviousSegment is that of the complete run before, empty without one.
	PreviousSegment Segment `json:"previous_segment,omitempty"`
	LowConfidence   bool    `json:"low_confidence"`
	// The reasons: see History. FirstDay and LastDay are the days of the first
	// and the last purchase, TotalSpend is the amount of all.
	X          int     `json:"x"`
	Recency    float64 `json:"recency"` // weeks
	Age        float64 `json:"age"`     // weeks
	Spend      float64 `json:"spend"`
	FirstDay   int32   `json:"first_day"`
	LastDay    int32   `json:"last_day"`
	TotalSpend float64 `json:"total_spend"`
}

// Options are what a prediction is for. DefaultOptions has those that are
// usual; none is implied by a zero.
type Options struct {
	// AsOf is the day, since 1970-01-01 UTC, at whose end clients are scored;
	// later purchases are not looked at.
	AsOf int32 `json:"as_of"`
	// HorizonDays is how far ahead is looked, 1 to 3,660.
	HorizonDays int `json:"horizon_days"`
	// Margin is the part of an amount that is earned.
	Margin float64 `json:"margin"`
	// DiscountRate is a year's.
	DiscountRate float64 `json:"discount_rate"`
	Shares       Shares  `json:"shares"`
}

// maxHorizonDays is ten years.
const maxHorizonDays = 3660

// DefaultOptions are a horizon of 365 days, a margin of 1, a discount rate of
// .10 a year and DefaultShares, as of a day.
func DefaultOptions(asOf int32) Options {
	return Options{AsOf: asOf, HorizonDays: 365, Margin: 1, DiscountRate: .10, Shares: DefaultShares()}
}

// Check returns ErrBadInput for options outside their domains.
func (o Options) Check() error {
	switch {
	case o.HorizonDays < 1 || o.HorizonDays > maxHorizonDays:
		return fmt.Errorf("horizon of %d days: %w", o.HorizonDays, ErrBadInput)
	case !(o.Margin >= 0) || math.IsInf(o.Margin, 0):
		return fmt.Errorf("margin %v: %w", o.Margin, ErrBadInput)
	case !(o.DiscountRate >= 0) || math.IsInf(o.DiscountRate, 0):
		return fmt.Errorf("discount rate %v: %w", o.DiscountRate, ErrBadInput)
	}
	return o.Shares.Check()
}

// scoreBatch is the number of histories between two looks at the context.
const scoreBatch = 4096

// ScoreAll scores each history, in their order, under fitted parameters and
// spend. Segments are left empty: they need all clients (see AssignSegments).
// ErrNoClients without histories; ErrBadInput for a history, parameter or
// option outside its domain and for values beyond floating point;
// ErrNoConvergence as from ExpectedPurchases; the context's error.
func ScoreAll(ctx context.Context, histories []History, fitted Fitted, spend SpendFit, options Options) ([]Score, error) {
	s, err := newScorer(ctx, histories, fitted, spend, options)
	if err != nil {
		return nil, err
	}
	return s.scores(ctx, 0, len(histories))
}

// scorer scores any of its histories. What depends on x and age alone is
// computed once, when it is made.
type scorer struct {
	histories []History
	fitted    Fitted
	spend     SpendFit
	options   Options
	// points stand for the uncertainty of the fits: see pointsAround.
	points      []Params
	spendPoints []GammaGamma
	prospects   []prospects
	index       []int32 // of each history's prospects
}

// prospects are what is expected of clients of one x and age who are alive.
type prospects struct {
	outlook
	square float64 // of the purchases within the horizon, expected
	// At each point, in logs.
	logPurchases, logDiscounted []float64
	// tail[n-1] are the probabilities of at least n purchases at each point, or
	// of the parameters alone where there are no points.
	tail [][]float32
}

func newScorer(ctx context.Context, histories []History, fitted Fitted, spend SpendFit, options Options) (*scorer, error) {
	for _, check := range []func() error{
		func() error { return checkAll(histories) }, fitted.Check, spend.Check, options.Check,
	} {
		if err := check(); err != nil {
			return nil, fmt.Errorf("score clients: %w", err)
		}
	}
	s := &scorer{
		histories: histories, fitted: fitted, spend: spend, options: options,
		points: fitted.points(), spendPoints: spend.points(),
	}
	var err error
	s.prospects, s.index, err = forProspects(ctx, histories, runtime.GOMAXPROCS(0), s.prospectsOf)
	if err != nil {
		return nil, fmt.Errorf("score clients: %w", err)
	}
	return s, nil
}

// horizon is in weeks.
func (s *scorer) horizon() float64 { return float64(s.options.HorizonDays) / daysPerWeek }

func (s *scorer) prospectsOf(of prospect) (p prospects, err error) {
	m := s.fitted.Model
	if p.outlook, err = m.outlookIfAlive(s.fitted.Params, of, s.horizon(), s.options.DiscountRate); err != nil {
		return p, err
	}
	p.square = m.countsIfAlive(s.fitted.Params, of, s.horizon()).square()
	at := s.points
	if len(at) == 0 {
		at = []Params{s.fitted.Params}
	}
	var tails [][]float64
	longest := 0
	for k, point := range at {
		tails = append(tails, m.countsIfAlive(point, of, s.horizon()).tail())
		longest = max(longest, len(tails[k]))
		if len(s.points) == 0 {
			break
		}
		purchases, discounted, err := m.sketchIfAlive(point, of, s.horizon(), s.options.DiscountRate)
		if err != nil {
			return p, err
		}
		p.logPurchases, p.logDiscounted = append(p.logPurchases, logOf(purchases)), append(p.logDiscounted, logOf(discounted))
	}
	all := make([]float32, longest*len(at))
	p.tail = make([][]float32, longest)
	for n := range p.tail {
		p.tail[n] = all[n*len(at) : (n+1)*len(at)]
		for k, tail := range tails {
			if n < len(tail) {
				p.tail[n][k] = float32(tail[n])
			}
		}
	}
	return p, nil
}

// scores scores the histories from one to before another.
func (s *scorer) scores(ctx context.Context, from, to int) ([]Score, error) {
	scores := make([]Score, to-from)
	batches := (len(scores) + scoreBatch - 1) / scoreBatch
	parallel(batches, runtime.GOMAXPROCS(0), func(batch int) {
		if ctx.Err() != nil {
			return
		}
		var room scratch
		for i := batch * scoreBatch; i < min((batch+1)*scoreBatch, len(scores)); i++ {
			scores[i] = s.score(from+i, &room)
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("score clients: %w", err)
	}
	for i := range scores {
		// Amounts near the end of floating point are the one way to get here.
		for _, v := range [...]float64{scores[i].ExpectedValue, scores[i].CLV36Months, scores[i].TotalSpend} {
			if math.IsInf(v, 0) || math.IsNaN(v) {
				return nil, fmt.Errorf("score client %q: value %v: %w", scores[i].ClientID, v, ErrBadInput)
			}
		}
	}
	return scores, nil
}

// clv is the value over the horizon of the history, as in its score.
func (s *scorer) clv(i int) float64 {
	h := s.histories[i]
	return s.fitted.Model.PAlive(s.fitted.Params, h) * s.prospects[s.index[i]].discounted * s.spend.Expected(h) * s.options.Margin
}

// Total is the purchases expected of all clients together, with an interval of
// 90 % of the number that will really be made: it covers chance and the
// uncertainty of the parameters, not that the model may be wrong.
type Total struct {
	Expected float64 `json:"expected"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

// totals are sums over clients: of expected purchases, of their variances, and of
// what is expected at each point.
type totals struct {
	expected, variance float64
	at                 []float64
}

func (t *totals) add(other totals) {
	t.expected += other.expected
	t.variance += other.variance
	if t.at == nil {
		t.at = make([]float64, len(other.at))
	}
	for k, v := range other.at {
		t.at[k] += v
	}
}

// interval is by the normal distribution, which a sum over many clients has;
// purchases are not negative.
func (t *totals) interval() Total {
	half := quantile90 * math.Hypot(math.Sqrt(t.variance), deviation(t.at))
	return Total{Expected: t.expected, Low: math.Max(t.expected-half, 0), High: t.expected + half}
}

// survey returns the value of each history over the horizon, and the total of
// their purchases within it.
func (s *scorer) survey(ctx context.Context) ([]float64, Total, error) {
	values := make([]float64, len(s.histories))
	batches := make([]totals, (len(values)+scoreBatch-1)/scoreBatch)
	parallel(len(batches), runtime.GOMAXPROCS(0), func(batch int) {
		if ctx.Err() != nil {
			return
		}
		t := totals{at: make([]float64, len(s.points))}
		for i := batch * scoreBatch; i < min((batch+1)*scoreBatch, len(values)); i++ {
			values[i] = s.clv(i)
			of := &s.prospects[s.index[i]]
			t.include(s.fitted.Model, s.fitted.Params, s.points, s.histories[i], of)
		}
		batches[batch] = t
	})
	if err := ctx.Err(); err != nil {
		return nil, Total{}, fmt.Errorf("survey clients: %w", err)
	}
	var sum totals
	for _, t := range batches {
		sum.add(t)
	}
	return values, sum.interval(), nil
}

func (t *totals) include(m Model, p Params, points []Params, h History, of *prospects) {
	alive := m.PAlive(p, h)
	expected := alive * of.purchases
	t.expected += expected
	t.variance += math.Max(alive*of.square-expected*expected, 0)
	for k, point := range points {
		t.at[k] += math.Exp(of.logPurchases[k] - softplus(m.logDropoutOdds(point, h)))
	}
}

// scratch are values at the points, kept between two clients.
type scratch struct{ alive, purchases, discounted, spend []float64 }

func (s *scorer) score(i int, room *scratch) Score {
	m, p, h, of := s.fitted.Model, s.fitted.Params, s.histories[i], &s.prospects[s.index[i]]
	alive, worth := m.PAlive(p, h), s.spend.Expected(h)
	out := Score{
		ClientID:          h.ClientID,
		PAlive:            alive,
		ChurnRisk30:       m.ChurnRisk(p, h, 30./daysPerWeek),
		ChurnRisk90:       m.ChurnRisk(p, h, 90./daysPerWeek),
		ExpectedPurchases: alive * of.purchases,
		ExpectedSpend:     worth,
		ExpectedValue:     alive * of.purchases * worth * s.options.Margin,
		CLV:               s.clv(i),
		CLV12Months:       alive * of.discountedYear * worth * s.options.Margin,
		CLV36Months:       alive * of.discountedThreeYears * worth * s.options.Margin,
		LowConfidence:     s.fitted.LowConfidence || s.spend.LowConfidence,
		X:                 h.X, Recency: h.Recency, Age: h.Age, Spend: h.Spend,
		FirstDay:   s.options.AsOf - int32(math.Round(h.Age*daysPerWeek)),
		LastDay:    s.options.AsOf - int32(math.Round((h.Age-h.Recency)*daysPerWeek)),
		TotalSpend: h.FirstSpend + float64(h.X)*h.Spend,
	}
	room.alive, room.purchases, room.discounted, room.spend = room.alive[:0], room.purchases[:0], room.discounted[:0], room.spend[:0]
	for k, point := range s.points {
		odds := m.logDropoutOdds(point, h)
		logAlive := -softplus(odds)
		room.alive = append(room.alive, math.Exp(logAlive))
		room.purchases = append(room.purchases, logAlive+of.logPurchases[k])
		room.discounted = append(room.discounted, logAlive+of.logDiscounted[k])
	}
	if len(s.points) == 0 {
		room.alive = append(room.alive, alive)
	}
	for _, point := range s.spendPoints {
		room.spend = append(room.spend, logOf(point.ExpectedSpend(h.X, h.Spend)))
	}
	out.ExpectedPurchasesLow, out.ExpectedPurchasesHigh = around(out.ExpectedPurchases, deviation(room.purchases))
	ofSpend := deviation(room.spend)
	if s.spend.Method == SpendPooled {
		ofSpend = s.spend.PooledError
	}
	out.CLVLow, out.CLVHigh = around(out.CLV, math.Hypot(deviation(room.discounted), ofSpend))
	out.PurchasesLow = of.fewest(room.alive, (1+confidence)/2)
	out.PurchasesHigh = of.fewest(room.alive, (1-confidence)/2)
	return out
}

// fewest returns the smallest number of purchases that is exceeded with at most
// the probability, given the probabilities of being alive at each point.
func (p *prospects) fewest(alive []float64, probability float64) int {
	return sort.Search(len(p.tail), func(n int) bool {
		sum := 0.0
		for k, tail := range p.tail[n] {
			sum += alive[k] * float64(tail)
		}
		return sum <= probability*float64(len(alive))
	})
}
