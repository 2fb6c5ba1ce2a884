package worker

import (
	"context"
	"sync"
)

// held is what this process runs, by execution. An execution is here from
// before its claim until after its last word.
type held struct {
	mu   sync.Mutex
	runs map[string]*run
	beat uint64
}

// run is one execution that this process claims or runs.
type run struct {
	attempt int // 0 while the claim's answer is on its way
	// sinceBeat is the number of the beat that was the latest when the claim's
	// answer came: beats up to it say nothing about this run.
	sinceBeat uint64
	cancel    context.CancelCauseFunc
}

func newHeld() *held { return &held{runs: map[string]*run{}} }

func (h *held) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.runs)
}

// claiming notes that the execution's claim is on its way. False where this
// process has it already (a second delivery).
func (h *held) claiming(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.runs[id] != nil {
		return false
	}
	h.runs[id] = &run{}
	return true
}

// claimed notes that the claim's answer came.
func (h *held) claimed(id string, attempt int, cancel context.CancelCauseFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.runs[id] = &run{attempt: attempt, sinceBeat: h.beat, cancel: cancel}
}

func (h *held) release(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.runs, id)
}

// beatBegins numbers a beat.
func (h *held) beatBegins() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.beat++
	return h.beat
}

// answered is one line of a beat's answer.
type answered struct {
	attempt         int
	cancelRequested bool
}

// compare reads a beat's answer both ways. It cancels the runs that were taken
// away or are to be cancelled, and returns the executions that the database
// says are this process's and are not.
func (h *held) compare(beat uint64, answer map[string]answered) (unknown []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, r := range h.runs {
		if r.attempt == 0 {
			continue // the claim may have happened or not
		}
		switch a, mine := answer[id]; {
		case mine && a.attempt == r.attempt:
			if a.cancelRequested {
				r.cancel(errCancelled)
			}
		case r.sinceBeat < beat:
			r.cancel(errTaken)
		}
	}
	for id := range answer {
		if h.runs[id] == nil {
			unknown = append(unknown, id)
		}
	}
	return unknown
}
