package llm

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/nuzantara/ciclo/agents"
)

// Price is what a model costs from a day on, in US dollars for a million tokens.
type Price struct {
	Model string `json:"model"`
	// From is a day, such as 2026-01-01.
	From   string  `json:"from"`
	Input  float64 `json:"input"`
	Output float64 `json:"output"`

	from time.Time
}

// maxPrice is far above any model's, and so low that no sum overflows.
const maxPrice = 10_000

func (p *Price) check() error {
	var err error
	if p.from, err = time.Parse(time.DateOnly, p.From); err != nil {
		return fmt.Errorf("the price of %s: from is no day such as 2026-01-01", p.Model)
	}
	for _, v := range []float64{p.Input, p.Output} {
		if !(v >= 0 && v <= maxPrice) {
			return fmt.Errorf("the price of %s: input and output are dollars for a million tokens, in 0..%d", p.Model, maxPrice)
		}
	}
	return nil
}

// cost is what so many tokens cost, rounded up to a billionth of a dollar.
func (p Price) cost(u Usage) agents.Nanodollars {
	// A dollar for a million tokens is a thousand billionths for each.
	return agents.Nanodollars(math.Ceil(float64(u.Input)*p.Input*1000)) + agents.Nanodollars(math.Ceil(float64(u.Output)*p.Output*1000))
}

// prices are a model's, by their days.
type prices []Price

// at is the price that holds then; false before the first.
func (all prices) at(when time.Time) (Price, bool) {
	for _, p := range slices.Backward(all) {
		if !when.Before(p.from) {
			return p, true
		}
	}
	return Price{}, false
}

// overhead is what providers add to a request for roles, tools and the schema, in
// tokens: a bound for what they have said of it, with room.
const overhead = 2000

// most is the most that a request can take: no tokeniser makes more tokens of a text
// than it has bytes.
func (r Request) most() Usage {
	n := len(r.System) + len(r.Schema) + overhead
	for _, m := range r.Messages {
		n += len(m.Text) + 16
	}
	return Usage{Input: int64(n), Output: r.MaxTokens}
}
