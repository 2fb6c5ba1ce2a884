package execution

import (
	"fmt"
	"slices"
)

// Status is where an execution stands. Its text is the same in Go, SQL, JSON
// and on pages.
type Status string

const (
	// Started means accepted and durable: no worker holds the execution, either
	// for the first time or between two attempts.
	Started Status = "started"
	// Running means that one worker holds attempt n.
	Running Status = "running"
	// Completed is final: the agent's result is stored.
	Completed Status = "completed"
	// Failed is final: tries are spent, or the error is permanent.
	Failed Status = "failed"
	// Cancelled is final: someone asked for it.
	Cancelled Status = "cancelled"
)

// Statuses are all there are, in the order of a life.
var Statuses = []Status{Started, Running, Completed, Failed, Cancelled}

// moves is the only table of allowed moves. Running to started is an attempt
// that failed, was interrupted by a deploy or was lost, where another will
// come; running an execution again after a final status makes a new one.
var moves = map[Status][]Status{
	Started: {Running, Failed, Cancelled},
	Running: {Started, Completed, Failed, Cancelled},
}

// CanMove reports whether the table allows the move.
func CanMove(from, to Status) bool { return slices.Contains(moves[from], to) }

// Sources are the statuses from which an execution may move to the given one.
func Sources(to Status) []Status {
	var from []Status
	for _, s := range Statuses {
		if CanMove(s, to) {
			from = append(from, s)
		}
	}
	return from
}

// Final reports whether nothing can follow.
func (s Status) Final() bool { return s == Completed || s == Failed || s == Cancelled }

// ParseStatus reads a status; the error names the allowed ones.
func ParseStatus(text string) (Status, error) {
	if s := Status(text); slices.Contains(Statuses, s) {
		return s, nil
	}
	return "", fmt.Errorf("status %q is not one of %v", text, Statuses)
}
