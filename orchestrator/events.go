package orchestrator

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// keepAlive is the longest silence of a stream of events.
const keepAlive = 15 * time.Second

// maxStream is how long a stream lasts: a token that was revoked ends with it, and
// the others come back.
const maxStream = 10 * time.Minute

// position is how much of an execution a stream has told: so many of its
// transitions and finished steps, and the progress of that instant. Both lists
// only grow, under the lock of the execution's row, so that a count is a place in
// them. Its text is the id of the events.
type position struct {
	transitions, steps int
	progress           int64 // microseconds since 1970
}

func (p position) String() string { return fmt.Sprintf("%d.%d.%d", p.transitions, p.steps, p.progress) }

// parsePosition reads a Last-Event-ID; the beginning where it is none of ours.
func parsePosition(text string) position {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return position{}
	}
	var numbers [3]int64
	for i, part := range parts {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil || n < 0 {
			return position{}
		}
		numbers[i] = n
	}
	return position{int(numbers[0]), int(numbers[1]), numbers[2]}
}

// event is one line of an execution's story.
type event struct {
	id   position
	kind string // transition, step or progress
	data any
}

// streamEvents tells an execution's transitions, finished steps and progress as
// server-sent events, from Last-Event-ID on, until it is final. Who comes back
// with the last id that it saw misses nothing and gets nothing twice, from any
// orchestrator.
func (o *Orchestrator) streamEvents(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	found, err := o.find(c)
	if err != nil {
		return err
	}
	at := parsePosition(c.Request().Header.Get("Last-Event-ID"))
	response := c.Response()
	response.Header().Set(echo.HeaderContentType, "text/event-stream")
	response.Header().Set("Cache-Control", "no-store")
	response.Header().Set("X-Accel-Buffering", "no") // proxies pass each event on at once
	response.WriteHeader(http.StatusOK)
	ctx, end := context.WithTimeout(c.Request().Context(), maxStream)
	defer end()
	for {
		steps, err := o.store.Steps(ctx, found.Execution.ID, at.steps)
		if err != nil {
			return err // the stream ends; its reader comes back
		}
		var events []event
		events, at = news(found, steps, at)
		for _, e := range events {
			if err := e.write(response); err != nil {
				return nil // the reader is gone
			}
		}
		response.Flush()
		if found.Execution.Status.Final() {
			return nil
		}
		waiting, cancel := context.WithTimeout(ctx, keepAlive)
		changed := o.watch.wait(waiting, found.Execution.ID, found.Version)
		cancel()
		switch {
		case ctx.Err() != nil || o.watch.ended():
			return nil
		case !changed:
			if _, err := fmt.Fprint(response, ": nothing new\n\n"); err != nil {
				return nil // the reader is gone
			}
		}
		if found, err = o.find(c); err != nil {
			return err
		}
	}
}

// news are the events between a position and what was found, in the order of
// their times, and the position after them. The steps are those after the
// position's; they were read later, so those of attempts that were not found yet
// wait for the next time.
func news(found *postgres.Found, steps []postgres.Step, at position) ([]event, position) {
	var events []event
	transitions := found.Transitions[min(at.transitions, len(found.Transitions)):]
	for i, s := range steps {
		if s.CopiedFrom == nil && s.Attempt > found.Execution.Attempt {
			steps = steps[:i]
			break
		}
	}
	for len(transitions) > 0 || len(steps) > 0 {
		if len(steps) == 0 || len(transitions) > 0 && !transitions[0].At.After(steps[0].EndedAt) {
			at.transitions++
			events = append(events, event{at, "transition", transitions[0]})
			transitions = transitions[1:]
			continue
		}
		at.steps++
		events = append(events, event{at, "step", steps[0]})
		steps = steps[1:]
	}
	if p := found.Execution.Progress; p != nil && p.At.UnixMicro() > at.progress && found.Execution.Status == execution.Running {
		at.progress = p.At.UnixMicro()
		events = append(events, event{at, "progress", p})
	}
	return events, at
}

func (e event) write(w http.ResponseWriter) error {
	text, err := json.Marshal(e.data)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	_, err = fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", e.id, e.kind, text)
	return err
}
