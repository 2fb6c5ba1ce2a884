package clientvalue

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// objective returns the value at theta, the logs of the parameters, and writes
// its gradient.
type objective func(theta, gradient []float64) float64

// maximum is where a search ended.
type maximum struct {
	theta       []float64
	value       float64
	evaluations int
	converged   bool // the gradient is within looseTolerance
}

const (
	// gradientTolerance ends a search. It is on the mean log-likelihood of a
	// client, of which rounding leaves about 1e-13.
	gradientTolerance = 1e-9
	// looseTolerance is the gradient at which a search that ended because
	// rounding left nothing to gain counts as converged.
	looseTolerance = 1e-6
	maxIterations  = 300
	maxSteps       = 40 // of one line search
	// wall is the distance in logs from a search's centre beyond which a
	// quadratic penalty pulls it back, so that a likelihood that goes on rising
	// towards infinite parameters still has a finite maximum.
	wall = 14
)

// maximise searches the maximum of f from each start and returns the highest,
// of equals the first. Parameters stay finite by a wall around centre.
// ErrNoConvergence is returned where no search reaches a finite value, the
// context's error where it ended.
func maximise(ctx context.Context, f objective, centre []float64, starts [][]float64) (maximum, error) {
	var best maximum
	evaluations := 0
	for _, start := range starts {
		found, err := climb(ctx, walled(f, centre), start)
		if err != nil {
			return maximum{}, fmt.Errorf("maximise likelihood: %w", err)
		}
		evaluations += found.evaluations
		// A smaller gain on the mean of a client is rounding.
		if found.theta != nil && (best.theta == nil || found.value > best.value+1e-12*math.Abs(best.value)) {
			best = found
		}
	}
	if best.theta == nil {
		return maximum{}, fmt.Errorf("maximise likelihood: %w", ErrNoConvergence)
	}
	best.evaluations = evaluations
	return best, nil
}

// walled returns f with the wall around centre, -Inf where f is not a number.
func walled(f objective, centre []float64) objective {
	return func(theta, gradient []float64) float64 {
		value := f(theta, gradient)
		for i := range theta {
			if beyond := math.Abs(theta[i]-centre[i]) - wall; beyond > 0 {
				value -= beyond * beyond
				gradient[i] -= math.Copysign(2*beyond, theta[i]-centre[i])
			}
			if math.IsNaN(gradient[i]) || math.IsInf(gradient[i], 0) {
				return math.Inf(-1)
			}
		}
		if math.IsNaN(value) || math.IsInf(value, 1) {
			return math.Inf(-1)
		}
		return value
	}
}

// climb searches from one start by BFGS (Nocedal & Wright, Numerical
// Optimization, 2006, alg. 6.1): with four parameters the whole inverse Hessian
// is kept, of which limited memory is an approximation. theta is nil where the
// start has no finite value.
func climb(ctx context.Context, f objective, start []float64) (maximum, error) {
	n := len(start)
	theta, gradient := slices.Clone(start), make([]float64, n)
	next, nextGradient := make([]float64, n), make([]float64, n)
	value := f(theta, gradient)
	evaluations := 1
	if math.IsInf(value, 0) {
		return maximum{value: value, evaluations: evaluations}, nil
	}
	inverse := identity(n) // of the negative Hessian
	fresh := true          // inverse has not seen a step yet
	for range maxIterations {
		if err := ctx.Err(); err != nil {
			return maximum{}, err
		}
		if largest(gradient) <= gradientTolerance {
			break
		}
		direction := multiply(inverse, gradient)
		slope := dot(direction, gradient)
		if !(slope > 0) {
			inverse, fresh = identity(n), true
			direction = slices.Clone(gradient)
			slope = dot(gradient, gradient)
		}
		// No step moves a parameter by more than a factor of e^2.
		if size := largest(direction); size > 2 {
			slope *= 2 / size
			scale(direction, 2/size)
		}
		step, nextValue, used := search(f, theta, direction, value, slope, next, nextGradient)
		evaluations += used
		if step == 0 {
			if fresh {
				break
			}
			inverse, fresh = identity(n), true
			continue
		}
		moved, change := make([]float64, n), make([]float64, n)
		for i := range n {
			moved[i] = next[i] - theta[i]
			change[i] = gradient[i] - nextGradient[i]
		}
		gained := nextValue - value
		copy(theta, next)
		copy(gradient, nextGradient)
		value = nextValue
		if curvature := dot(moved, change); curvature > 1e-14*math.Sqrt(dot(moved, moved)*dot(change, change)) {
			if fresh {
				scaleMatrix(inverse, curvature/dot(change, change))
			}
			update(inverse, moved, change, curvature)
			fresh = false
		}
		if gained <= 4*epsilon*math.Abs(value) && largest(gradient) <= looseTolerance {
			break // what is left to gain is rounding
		}
	}
	return maximum{theta, value, evaluations, largest(gradient) <= looseTolerance}, nil
}

// search looks along direction for a step of the weak Wolfe conditions by
// doubling and bisection (Lewis & Overton, Mathematical Programming 141, 2013)
// and leaves the new location and gradient in next and nextGradient. Its step is
// 0 where none was found.
func search(f objective, theta, direction []float64, value, slope float64, next, nextGradient []float64) (step, nextValue float64, used int) {
	low, high := 0.0, math.Inf(1)
	step = 1
	// Differences of values below this are rounding.
	noise := 2 * epsilon * math.Abs(value)
	for used < maxSteps {
		for i := range theta {
			next[i] = theta[i] + step*direction[i]
		}
		nextValue = f(next, nextGradient)
		used++
		switch {
		case !(nextValue >= value+1e-4*step*slope-noise):
			high = step
		case dot(direction, nextGradient) > .9*slope:
			low = step
		default:
			return step, nextValue, used
		}
		if math.IsInf(high, 1) {
			step *= 2
		} else {
			step = (low + high) / 2
		}
		if step < 1e-12 {
			break
		}
	}
	return 0, value, used
}

// update is the BFGS update of the inverse Hessian for a step moved on which
// the gradient fell by change; curvature is their product, > 0.
func update(inverse [][]float64, moved, change []float64, curvature float64) {
	product := multiply(inverse, change)
	factor := (1 + dot(change, product)/curvature) / curvature
	for i := range inverse {
		for j := range inverse {
			inverse[i][j] += factor*moved[i]*moved[j] - (product[i]*moved[j]+moved[i]*product[j])/curvature
		}
	}
}

func identity(n int) [][]float64 {
	matrix := make([][]float64, n)
	for i := range matrix {
		matrix[i] = make([]float64, n)
		matrix[i][i] = 1
	}
	return matrix
}

func multiply(matrix [][]float64, v []float64) []float64 {
	product := make([]float64, len(v))
	for i, row := range matrix {
		product[i] = dot(row, v)
	}
	return product
}

func scaleMatrix(matrix [][]float64, by float64) {
	for _, row := range matrix {
		scale(row, by)
	}
}

func scale(v []float64, by float64) {
	for i := range v {
		v[i] *= by
	}
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// largest returns the largest absolute value.
func largest(v []float64) float64 {
	size := 0.0
	for _, x := range v {
		size = math.Max(size, math.Abs(x))
	}
	return size
}
