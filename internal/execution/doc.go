// Package execution is the state machine of an execution: its statuses, the
// moves between them and the records that the rest of Ciclo exchanges.
//
// It is pure: standard library only, no clock, no I/O. The table of moves is
// written once, here; SQL receives the allowed sources as a parameter, and a
// trigger in the database refuses the same moves (a test compares the two pair
// by pair).
package execution
