//go:build race

package eval

// raced: the race detector is on.
const raced = true
