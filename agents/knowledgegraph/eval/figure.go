// Package eval measures the Knowledge Graph Builder's parts against their targets,
// for make eval and for tests.
package eval

// Figure is one line of the table: what was measured, against what.
type Figure struct {
	Name, Target, Measured string
	Pass                   bool
}
