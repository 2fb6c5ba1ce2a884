package clientvalue

import (
	"errors"
	"math"
	"testing"
)

func TestCLVAgainstItsDefinition(t *testing.T) {
	t.Parallel()
	const spend, margin, rate = 30, .5, .1
	for _, m := range models {
		for _, h := range sampleHistories {
			for _, weeks := range []float64{0, .5, 1, 10.3, 52, 60} {
				want, before := 0.0, 0.0
				for j := 1.; before < weeks; j++ {
					end := math.Min(j, weeks)
					y, err := m.ExpectedPurchases(sampleParams, h, end)
					if err != nil {
						t.Fatal(err)
					}
					y0, err := m.ExpectedPurchases(sampleParams, h, before)
					if err != nil {
						t.Fatal(err)
					}
					want += spend * margin * (y - y0) / math.Pow(1+rate, end/52)
					before = end
				}
				got, err := m.CLV(sampleParams, h, spend, weeks, margin, rate)
				if err != nil {
					t.Fatal(err)
				}
				if math.Abs(got-want) > 1e-11*want {
					t.Errorf("%s: CLV(%v) of %+v = %v, want %v", m, weeks, h, got, want)
				}
			}
		}
	}
	h := sampleHistories[0]
	for _, args := range [][4]float64{{-1, 1, 1, 0}, {1, -1, 1, 0}, {1, 1, -1, 0}, {1, 1, 1, -1}, {1, 1e9, 1, 0}, {1, math.NaN(), 1, 0}} {
		if v, err := BGNBD.CLV(sampleParams, h, args[0], args[1], args[2], args[3]); !errors.Is(err, ErrBadInput) {
			t.Errorf("CLV of %v = %v, %v; want %v", args, v, err, ErrBadInput)
		}
	}
}
