package clientvalue

import (
	"fmt"
	"math"
)

// weeksPerYear turns the yearly discount rate into the weekly factor
// (1+rate)^(1/52); 12 months of value are 52 weeks, 36 are 156.
const weeksPerYear = 52

// CLV returns the value of a client over the weeks after the history, in money
// discounted to its end (Fader, Hardie & Lee 2005, RFM and CLV):
//
//	spend margin sum over j of (E[Y(j)] - E[Y(j-1)]) / (1+rate)^(j/52)
//
// j counts weeks, so that what is bought in a week is discounted from its end; a
// last part of a week from its own end. spend is the expected amount of a
// purchase, margin the part of it that is earned, rate the discount rate a year.
// Errors are those of ExpectedPurchases, and ErrBadInput for a spend, margin or
// rate that is negative or not finite or more than ten years of weeks.
func (m Model) CLV(p Params, h History, spend, weeks, margin, rate float64) (float64, error) {
	for _, v := range [...]float64{spend, margin, rate} {
		if !(v >= 0) || math.IsInf(v, 0) {
			return 0, fmt.Errorf("value of client %q at spend %v, margin %v, discount rate %v: %w", h.ClientID, spend, margin, rate, ErrBadInput)
		}
	}
	if weeks > maxHorizonDays/daysPerWeek {
		return 0, fmt.Errorf("value of client %q over %v weeks: %w", h.ClientID, weeks, ErrBadInput)
	}
	// The last week's expectation checks p, h and weeks.
	if _, err := m.ExpectedPurchases(p, h, weeks); err != nil {
		return 0, err
	}
	o, err := m.outlookIfAlive(p, prospect{h.X, h.Age}, weeks, rate)
	if err != nil {
		return 0, fmt.Errorf("value of client %q: %w", h.ClientID, err)
	}
	return spend * margin * o.discounted * m.PAlive(p, h), nil
}

// outlook is what is expected of a client who is alive: purchases within the
// horizon, and discounted purchases within it and within 52 and 156 weeks.
type outlook struct {
	purchases, discounted, discountedYear, discountedThreeYears float64
}

// outlookIfAlive sums the outlook week by week. Multiplied by PAlive it is exact
// for the client: E[Y(j)] is the same multiple of the expectation if alive for
// every j.
func (m Model) outlookIfAlive(p Params, of prospect, weeks, rate float64) (outlook, error) {
	discount := func(week float64) float64 { return math.Exp(-math.Log1p(rate) * week / weeksPerYear) }
	var o outlook
	whole := math.Floor(weeks)
	sum, before := 0.0, 0.0
	for j := 0.0; ; j++ {
		if j > 0 {
			y, err := m.expectedIfAlive(p, of.x, of.age, j)
			if err != nil {
				return outlook{}, err
			}
			sum += (y - before) * discount(j)
			before = y
		}
		switch j {
		case weeksPerYear:
			o.discountedYear = sum
		case 3 * weeksPerYear:
			o.discountedThreeYears = sum
		}
		if j == whole {
			o.purchases, o.discounted = before, sum
			if weeks > whole {
				y, err := m.expectedIfAlive(p, of.x, of.age, weeks)
				if err != nil {
					return outlook{}, err
				}
				o.purchases = y
				o.discounted += (y - before) * discount(weeks)
			}
		}
		if j >= whole && j >= 3*weeksPerYear {
			return o, nil
		}
	}
}

// sketchIfAlive returns purchases and discounted purchases within the horizon as
// outlookIfAlive does, but for the discounted ones, which are discounted
// continuously and integrated by parts from three values (Gauss-Legendre): good
// to a few thousandths, which is enough for how they change with parameters.
func (m Model) sketchIfAlive(p Params, of prospect, weeks, rate float64) (purchases, discounted float64, err error) {
	purchases, err = m.expectedIfAlive(p, of.x, of.age, weeks)
	if err != nil || rate == 0 {
		return purchases, purchases, err
	}
	force := math.Log1p(rate) / weeksPerYear
	discounted = purchases * math.Exp(-force*weeks)
	for i, place := range [...]float64{.5 - .3872983346207417, .5, .5 + .3872983346207417} {
		y, err := m.expectedIfAlive(p, of.x, of.age, place*weeks)
		if err != nil {
			return 0, 0, err
		}
		discounted += [...]float64{5. / 18, 8. / 18, 5. / 18}[i] * weeks * force * math.Exp(-force*place*weeks) * y
	}
	return purchases, discounted, nil
}
