package eval

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/nuzantara/ciclo/agents/clientvalue"
)

// Population is a simulated population of known parameters.
type Population struct {
	Model   clientvalue.Model
	Params  clientvalue.Params
	Spend   clientvalue.GammaGamma
	Clients int
	// Weeks is how long the population is observed; first purchases fall evenly
	// on its first Intake weeks.
	Weeks, Intake int
	Seed          uint64
}

// CDNOWLike is a population with the parameters, the 39 weeks and the 12 weeks'
// intake of the CDNOW sample.
func CDNOWLike(clients int) Population {
	return Population{
		Model: clientvalue.BGNBD, Params: ReferenceParams, Spend: ReferenceSpend,
		Clients: clients, Weeks: 39, Intake: 12, Seed: 1,
	}
}

// populationStart is the day of the first purchases: 2020-01-01.
const populationStart = 18262

// Cut is the last day of the observation, at which the ages of clients end.
func (p Population) Cut() int32 { return populationStart + int32(7*p.Weeks) }

// Purchases draws the purchases of the population, by client and time, to the
// day. The same population gives the same purchases.
func (p Population) Purchases() []clientvalue.Purchase {
	var purchases []clientvalue.Purchase
	for i := range p.Clients {
		source := rand.NewPCG(p.Seed, uint64(i))
		random := rand.New(source)
		rate := distuv.Gamma{Alpha: p.Params.R, Beta: p.Params.Alpha, Src: source}.Rand()
		dropout := distuv.Beta{Alpha: p.Params.A, Beta: p.Params.B, Src: source}.Rand()
		amountRate := distuv.Gamma{Alpha: p.Spend.Q, Beta: p.Spend.Gamma, Src: source}.Rand()
		amount := distuv.Gamma{Alpha: p.Spend.P, Beta: amountRate, Src: source}
		first := int32(random.IntN(7 * p.Intake))
		week, last := 0.0, float64(7*p.Weeks-int(first))/7
		for n := 0; week <= last; n++ {
			purchases = append(purchases, clientvalue.Purchase{
				ClientID: populationID(i),
				Day:      populationStart + first + int32(math.Floor(7*week)),
				Amount:   math.Round(100*amount.Rand()) / 100,
			})
			if (n > 0 || p.Model == clientvalue.MBGNBD) && random.Float64() < dropout {
				break
			}
			week += random.ExpFloat64() / rate
		}
	}
	return purchases
}

// populationID is a fixed-width id, so that the order of ids is that of
// numbers.
func populationID(i int) string {
	id := [8]byte{}
	for place := len(id) - 1; place >= 0; place-- {
		id[place] = byte('0' + i%10)
		i /= 10
	}
	return string(id[:])
}
