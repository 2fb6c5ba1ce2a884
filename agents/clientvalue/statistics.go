package clientvalue

import "math"

// correlation returns Pearson's correlation, 0 where either doesn't vary.
func correlation(xs, ys []float64) float64 {
	n := float64(len(xs))
	var meanX, meanY float64
	for i := range xs {
		meanX += xs[i] / n
		meanY += ys[i] / n
	}
	var xx, yy, xy float64
	for i := range xs {
		dx, dy := xs[i]-meanX, ys[i]-meanY
		xx += dx * dx
		yy += dy * dy
		xy += dx * dy
	}
	r := xy / (math.Sqrt(xx) * math.Sqrt(yy))
	if math.IsNaN(r) || math.IsInf(r, 0) {
		return 0
	}
	return r
}
