package clientvalue

import (
	"math"
	"testing"
)

func TestEigen(t *testing.T) {
	t.Parallel()
	a := [][]float64{{4, 1, .5, 0}, {1, 3, .2, .1}, {.5, .2, 2, .3}, {0, .1, .3, 1e-9}}
	values, vectors := eigen(a)
	for i := range a {
		for j := range a {
			sum := 0.0
			for k, v := range values {
				sum += v * vectors[k][i] * vectors[k][j]
			}
			if math.Abs(sum-a[i][j]) > 1e-12 {
				t.Errorf("element %d, %d is %v, of the eigenvectors %v", i, j, a[i][j], sum)
			}
		}
	}
}

func TestCovarianceOfAQuadratic(t *testing.T) {
	t.Parallel()
	// -1/2 theta' information theta has the gradient -information theta.
	information := [][]float64{{4, 1}, {1, 2}}
	got := covarianceAt([]float64{.3, -2}, func(theta, gradient []float64) {
		for i, row := range information {
			gradient[i] = -dot(row, theta)
		}
	})
	want := [][]float64{{2. / 7, -1. / 7}, {-1. / 7, 4. / 7}}
	for i := range want {
		for j := range want {
			if math.Abs(got[i][j]-want[i][j]) > 1e-9 {
				t.Errorf("covariance %v, want %v", got, want)
			}
		}
	}
	points := pointsAround([]float64{0, 0}, want)
	values := make([]float64, len(points))
	for i, p := range points {
		values[i] = 3*p[0] + 5*p[1]
	}
	if got := deviation(values); math.Abs(got-math.Sqrt(9*want[0][0]+30*want[0][1]+25*want[1][1])) > 1e-9 {
		t.Errorf("deviation of a linear quantity = %v", got)
	}
}

// TestFlatIsWide holds that what the clients say nothing about gets the widest
// interval, not the narrowest.
func TestFlatIsWide(t *testing.T) {
	t.Parallel()
	for name, slope := range map[string]float64{"flat": 0, "no maximum": 3, "not a number": math.NaN()} {
		got := covarianceAt([]float64{0}, func(theta, gradient []float64) { gradient[0] = slope * theta[0] })
		if math.Abs(got[0][0]-widest*widest) > 1e-9 || identified(got) {
			t.Errorf("%s: covariance %v", name, got)
		}
	}
	if low, high := around(2, math.Inf(1)); !(low < 1e-6 && high > 1e6 && high <= math.MaxFloat64) {
		t.Errorf("around: %v to %v", low, high)
	}
}
