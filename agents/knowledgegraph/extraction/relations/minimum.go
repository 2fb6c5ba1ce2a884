package relations

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
)

const (
	// flat is a gradient's largest part at the minimum.
	flat     = 1e-2
	maxSteps = 500
	// remembered is how many steps the curvature is made of.
	remembered = 7
)

// step is a move and what it did to the gradient.
type step struct {
	move, turn []float64
	along      float64 // their product
}

// minimum is where a convex function of n variables is least, by L-BFGS from 0
// (Nocedal and Wright 2006, algorithm 7.4). The function sets the gradient.
func minimum(n int, f func(x, gradient []float64) float64) ([]float64, error) {
	x, gradient := make([]float64, n), make([]float64, n)
	next, nextGradient := make([]float64, n), make([]float64, n)
	direction := make([]float64, n)
	value := f(x, gradient)
	var steps []step
	for range maxSteps {
		if n == 0 || floats.Norm(gradient, math.Inf(1)) < flat {
			return x, nil
		}
		downhill(direction, gradient, steps)
		slope := floats.Dot(direction, gradient)
		length := 1.
		if len(steps) == 0 {
			length = 1 / floats.Norm(gradient, 2)
		}
		for {
			floats.AddScaledTo(next, x, length, direction)
			nextValue := f(next, nextGradient)
			if nextValue <= value+1e-4*length*slope {
				value = nextValue
				break
			}
			length /= 2
			if length < 1e-12 {
				return nil, errors.New("no step leads downhill")
			}
		}
		s := step{make([]float64, n), make([]float64, n), 0}
		floats.SubTo(s.move, next, x)
		floats.SubTo(s.turn, nextGradient, gradient)
		s.along = floats.Dot(s.move, s.turn)
		if s.along > 0 {
			steps = append(steps, s)
			steps = steps[max(0, len(steps)-remembered):]
		}
		x, next = next, x
		gradient, nextGradient = nextGradient, gradient
	}
	return nil, fmt.Errorf("no minimum within %d steps", maxSteps)
}

// downhill is the gradient turned by the curvature of the last steps, downwards.
func downhill(direction, gradient []float64, steps []step) {
	floats.ScaleTo(direction, -1, gradient)
	if len(steps) == 0 {
		return
	}
	shares := make([]float64, len(steps))
	for i := len(steps) - 1; i >= 0; i-- {
		shares[i] = floats.Dot(steps[i].move, direction) / steps[i].along
		floats.AddScaled(direction, -shares[i], steps[i].turn)
	}
	last := steps[len(steps)-1]
	floats.Scale(last.along/floats.Dot(last.turn, last.turn), direction)
	for i, s := range steps {
		floats.AddScaled(direction, shares[i]-floats.Dot(s.turn, direction)/s.along, s.move)
	}
}
