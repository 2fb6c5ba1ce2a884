package clientvalue

import (
	"math"
)

// What is known of fitted log-parameters, and what follows for what is computed
// from them.
//
// The covariance is the inverse of the observed information: of minus the
// Hessian of the log-likelihood (with priors: of the log-posterior) at its
// maximum, by central differences of the analytic gradient. It is carried on to
// expectations by points, two a principal axis, that have its mean and
// covariance (Julier & Uhlmann, Unscented filtering and nonlinear estimation,
// Proceedings of the IEEE 92(3), 2004); with their secants in the place of
// derivatives this is the delta method, without a step to choose.
const (
	// widest is the standard error in logs, a factor of 150, at which a
	// direction that the clients say nothing about is cut off. Where the
	// information is flat or not positive the error is this, not 0.
	widest = 5
	// identifiedWithin is the standard error in logs, a factor of e, beyond
	// which a parameter counts as not identified.
	identifiedWithin = 1
	// confidence is of all intervals: 90 %, half of the rest on either side.
	confidence = .9
	// quantile90 is the standard normal's at 95 %.
	quantile90 = 1.6448536269514722
	// farthest bounds the standard deviation of the log of an expectation, so
	// that ends of intervals stay numbers: a factor of 10^7 either way.
	farthest = 10
)

// covarianceAt returns the covariance of the log-parameters whose summed
// log-likelihood or log-posterior has its maximum at theta; gradient writes the
// gradient of the sum there.
func covarianceAt(theta []float64, gradient func(theta, gradient []float64)) [][]float64 {
	const step = 1e-4
	n := len(theta)
	information := make([][]float64, n)
	above, below, moved := make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range n {
		copy(moved, theta)
		moved[i] = theta[i] + step
		gradient(moved, above)
		moved[i] = theta[i] - step
		gradient(moved, below)
		information[i] = make([]float64, n)
		for j := range n {
			information[i][j] = (below[j] - above[j]) / (2 * step)
			if math.IsNaN(information[i][j]) || math.IsInf(information[i][j], 0) {
				information[i][j] = 0 // nothing is known
			}
		}
	}
	for i := range n {
		for j := range i {
			mean := information[i][j]/2 + information[j][i]/2
			information[i][j], information[j][i] = mean, mean
		}
	}
	values, vectors := eigen(information)
	covariance := make([][]float64, n)
	for i := range n {
		covariance[i] = make([]float64, n)
		for j := range n {
			for k, value := range values {
				covariance[i][j] += vectors[k][i] * vectors[k][j] / math.Max(value, 1./(widest*widest))
			}
		}
	}
	return covariance
}

// errorsOf are the standard errors of a covariance.
func errorsOf(covariance [][]float64) []float64 {
	out := make([]float64, len(covariance))
	for i := range covariance {
		out[i] = math.Sqrt(math.Max(covariance[i][i], 0))
	}
	return out
}

func identified(covariance [][]float64) bool {
	return largest(errorsOf(covariance)) <= identifiedWithin
}

// pointsAround returns the points that stand for a normal distribution of theta:
// one on either side along each principal axis, at a distance of the root of
// their number of axes in standard deviations, in pairs. None without a
// covariance.
func pointsAround(theta []float64, covariance [][]float64) [][]float64 {
	var points [][]float64
	values, vectors := eigen(covariance)
	for k, value := range values {
		distance := math.Sqrt(float64(len(theta)) * math.Max(value, 0))
		for _, side := range [...]float64{1, -1} {
			point := make([]float64, len(theta))
			for i := range theta {
				point[i] = theta[i] + side*distance*vectors[k][i]
			}
			points = append(points, point)
		}
	}
	return points
}

// deviation returns the standard deviation of a quantity from its values at the
// points of pointsAround, by the secants of each pair.
func deviation(values []float64) float64 {
	sum := 0.0
	for k := 0; k+1 < len(values); k += 2 {
		half := (values[k] - values[k+1]) / 2
		sum += half * half
	}
	return math.Sqrt(2 * sum / float64(max(len(values), 1)))
}

// around returns the interval of a positive quantity whose log has the standard
// deviation.
func around(value, deviation float64) (low, high float64) {
	if !(deviation < farthest) {
		deviation = farthest
	}
	factor := math.Exp(quantile90 * deviation)
	return value / factor, math.Min(value*factor, math.MaxFloat64)
}

// logOf is a logarithm that stays a number at 0 and beyond.
func logOf(v float64) float64 {
	return math.Log(math.Min(math.Max(v, 1e-300), 1e300))
}

// eigen returns the eigenvalues of a small symmetric matrix and their vectors, by
// Jacobi's rotations (Golub & Van Loan, Matrix Computations, 2013, ch. 8.5).
func eigen(symmetric [][]float64) (values []float64, vectors [][]float64) {
	n := len(symmetric)
	a, v := identity(n), identity(n)
	for i := range n {
		copy(a[i], symmetric[i])
	}
	for range 64 {
		off, size := 0.0, 0.0
		for i := range n {
			for j := range n {
				size = math.Max(size, math.Abs(a[i][j]))
				if i != j {
					off = math.Max(off, math.Abs(a[i][j]))
				}
			}
		}
		if off <= epsilon/4*size {
			break
		}
		for p := range n {
			for q := p + 1; q < n; q++ {
				rotate(a, v, p, q)
			}
		}
	}
	values = make([]float64, n)
	for i := range n {
		values[i] = a[i][i]
	}
	return values, v
}

// rotate makes a[p][q] zero and turns the vectors, the rows of v, with it.
func rotate(a, v [][]float64, p, q int) {
	if a[p][q] == 0 {
		return
	}
	theta := (a[q][q] - a[p][p]) / (2 * a[p][q])
	t := math.Copysign(1, theta) / (math.Abs(theta) + math.Hypot(theta, 1))
	c := 1 / math.Hypot(t, 1)
	s := t * c
	for k := range a {
		a[k][p], a[k][q] = c*a[k][p]-s*a[k][q], s*a[k][p]+c*a[k][q]
	}
	for k := range a {
		a[p][k], a[q][k] = c*a[p][k]-s*a[q][k], s*a[p][k]+c*a[q][k]
		v[p][k], v[q][k] = c*v[p][k]-s*v[q][k], s*v[p][k]+c*v[q][k]
	}
}
