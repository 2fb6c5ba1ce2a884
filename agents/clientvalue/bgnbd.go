package clientvalue

import (
	"fmt"
	"math"
)

// Model is a buy-till-you-die model. Both say: while alive a client buys as a
// Poisson process whose rate (purchases a week) is gamma distributed over
// clients with shape r and rate alpha, and drops out with a probability that is
// beta(a, b) distributed. They differ in when a client can drop out.
type Model int

const (
	// BGNBD lets a client drop out after each repeat purchase (Fader, Hardie
	// & Lee 2005).
	BGNBD Model = iota
	// MBGNBD lets a client drop out after the first purchase too (Batislam,
	// Denizel & Filiztekin 2007).
	MBGNBD
)

// models are the models in the order in which they are fitted and shown.
var models = [...]Model{BGNBD, MBGNBD}

// String returns "BG/NBD" or "MBG/NBD".
func (m Model) String() string {
	switch m {
	case BGNBD:
		return "BG/NBD"
	case MBGNBD:
		return "MBG/NBD"
	}
	return fmt.Sprintf("Model(%d)", int(m))
}

// MarshalText returns the model's name.
func (m Model) MarshalText() ([]byte, error) {
	if m != BGNBD && m != MBGNBD {
		return nil, fmt.Errorf("model %d: %w", int(m), ErrBadInput)
	}
	return []byte(m.String()), nil
}

// UnmarshalText takes a model's name.
func (m *Model) UnmarshalText(text []byte) error {
	for _, known := range models {
		if string(text) == known.String() {
			*m = known
			return nil
		}
	}
	return fmt.Errorf("model %q: %w", text, ErrBadInput)
}

// Params are the parameters of either model: of the purchase rate, shape R and
// rate Alpha (weeks), of the dropout probability, beta's A and B. All are
// positive.
type Params struct {
	R     float64 `json:"r"`
	Alpha float64 `json:"alpha"`
	A     float64 `json:"a"`
	B     float64 `json:"b"`
}

// Check returns ErrBadInput unless all four parameters are positive and finite.
func (p Params) Check() error {
	for _, v := range [...]float64{p.R, p.Alpha, p.A, p.B} {
		if !(v > 0) || math.IsInf(v, 0) {
			return fmt.Errorf("parameters %+v: %w", p, ErrBadInput)
		}
	}
	return nil
}

// chances is the number of times that a client with x repeat purchases could
// have dropped out.
func (m Model) chances(x int) int {
	if m == MBGNBD {
		return x + 1
	}
	return x
}

// logDropoutOdds is the log of the odds that the client has dropped out against
// being alive, ln (a/(b+k-1) ((alpha+T)/(alpha+t_x))^(r+x)) with k chances; -Inf
// where the client never could have.
func (m Model) logDropoutOdds(p Params, h History) float64 {
	k := m.chances(h.X)
	if k == 0 {
		return math.Inf(-1)
	}
	// b+k-1 is b itself at k = 1, however small b is.
	survivals := p.B + float64(k-1)
	return math.Log(p.A) - math.Log(survivals) +
		(p.R+float64(h.X))*math.Log1p((h.Age-h.Recency)/(p.Alpha+h.Recency))
}

// LogLikelihood returns the log-likelihood of one history (Fader, Hardie & Lee
// 2005, eq. 6; Batislam, Denizel & Filiztekin 2007). p and h must pass their
// Check.
func (m Model) LogLikelihood(p Params, h History) float64 {
	x, k := float64(h.X), float64(m.chances(h.X))
	return lgamma(p.R+x) - lgamma(p.R) + p.R*math.Log(p.Alpha) +
		lgamma(p.A+p.B) + lgamma(p.B+k) - lgamma(p.B) - lgamma(p.A+p.B+k) -
		(p.R+x)*math.Log(p.Alpha+h.Age) + softplus(m.logDropoutOdds(p, h))
}

// PAlive returns the probability, in [0, 1], that the client is still alive at
// the end of the history. Under BG/NBD it is 1 for a client without a repeat
// purchase. p and h must pass their Check.
func (m Model) PAlive(p Params, h History) float64 {
	return sigmoid(-m.logDropoutOdds(p, h))
}

// PBuysWithin returns the probability, in [0, 1], that the client buys at least
// once in the h weeks after the history: alive, and a purchase of the
// gamma-mixed Poisson process falls within them. p and history must pass their
// Check; within h <= 0 nothing is bought.
func (m Model) PBuysWithin(p Params, history History, h float64) float64 {
	if !(h > 0) {
		return 0
	}
	rate := p.R + float64(history.X)
	return m.PAlive(p, history) * -math.Expm1(-rate*math.Log1p(h/(p.Alpha+history.Age)))
}

// ChurnRisk returns the probability, in [0, 1], that the client buys nothing in
// the h weeks after the history, 1 - PBuysWithin. (1 - PAlive alone would say 0
// for every client who has bought once.)
func (m Model) ChurnRisk(p Params, history History, h float64) float64 {
	return 1 - m.PBuysWithin(p, history, h)
}

// ExpectedPurchases returns E[Y(t)], the number of purchases expected of the
// client in the t weeks after the history (Fader, Hardie & Lee 2005, eq. 10;
// Batislam, Denizel & Filiztekin 2007), to about 12 digits. It is never NaN,
// infinite or negative: parameters, histories and times outside their domains
// are ErrBadInput, and a sum that does not settle is ErrNoConvergence.
func (m Model) ExpectedPurchases(p Params, h History, t float64) (float64, error) {
	if err := p.Check(); err != nil {
		return 0, err
	}
	if err := h.Check(); err != nil {
		return 0, err
	}
	if !(t >= 0) || math.IsInf(t, 0) {
		return 0, fmt.Errorf("expected purchases in %v weeks: %w", t, ErrBadInput)
	}
	alive, err := m.expectedIfAlive(p, h.X, h.Age, t)
	if err != nil {
		return 0, fmt.Errorf("expected purchases of client %q: %w", h.ClientID, err)
	}
	// The sum over D, in logs, for D overflows: e^-softplus(u) = 1/(1+e^u).
	return math.Exp(math.Log(alive) - softplus(m.logDropoutOdds(p, h))), nil
}

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// softplus returns ln(1 + e^u) without overflow.
func softplus(u float64) float64 {
	return math.Max(u, 0) + math.Log1p(math.Exp(-math.Abs(u)))
}

// sigmoid returns 1/(1 + e^-u) without overflow.
func sigmoid(u float64) float64 {
	e := math.Exp(-math.Abs(u))
	if u >= 0 {
		return 1 / (1 + e)
	}
	return e / (1 + e)
}
