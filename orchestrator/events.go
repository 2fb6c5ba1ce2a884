package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
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
// transitions and finished steps, and the latest progress, by its sum. Both lists
// only grow, under the lock of the execution's row, so that a count is a place in
// them. Its text is the id of the events.
type position struct {
	transitions, steps int
	progress           int64
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
	ctx, end := context.WithTimeout(c.Request().Context(), maxStream)
	defer end()
	found, steps, err := o.look(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	at := parsePosition(c.Request().Header.Get("Last-Event-ID"))
	steps = steps[min(at.steps, len(steps)):]
	if events, _ := news(found, steps, at); len(events) == 0 && found.Execution.Status.Final() {
		return c.NoContent(http.StatusNoContent) // what tells an EventSource not to come back
	}
	response := c.Response()
	writing := http.NewResponseController(response.Writer)
	response.Header().Set(echo.HeaderContentType, "text/event-stream")
	response.Header().Set("Cache-Control", "no-store")
	response.Header().Set("X-Accel-Buffering", "no") // proxies pass each event on at once
	response.WriteHeader(http.StatusOK)
	for {
		var events []event
		events, at = news(found, steps, at)
		// A reader that reads nothing is let go. A test's recorder knows no deadline.
		if err := writing.SetWriteDeadline(time.Now().Add(keepAlive)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return nil // the reader is gone
		}
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
		became, changed := o.watch.next(waiting, found.Execution.ID, found.Version, at.steps)
		cancel()
		switch {
		case ctx.Err() != nil || o.watch.ended():
			return nil
		case !changed: // also while the database is away
			steps = nil
			if _, err := fmt.Fprint(response, ": nothing new\n\n"); err != nil {
				return nil // the reader is gone
			}
		case became.found == nil:
			return nil // it is no longer kept
		default:
			found, steps = became.found, became.steps
		}
	}
}

// look reads an execution and its steps in bounded time.
func (o *Orchestrator) look(ctx context.Context, id string) (*postgres.Found, []postgres.Step, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	found, err := o.findID(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	steps, err := o.store.Steps(ctx, id)
	return found, steps, err
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
	if p := found.Execution.Progress; p != nil && found.Execution.Status == execution.Running {
		if sum := sumOf(*p, found.Execution.Attempt); sum != at.progress {
			at.progress = sum
			events = append(events, event{at, "progress", p})
		}
	}
	return events, at
}

// sumOf tells one progress from another by what it says, not by its time, which
// finished steps move too.
func sumOf(p execution.Progress, attempt int) int64 {
	h := fnv.New32a()
	fmt.Fprintf(h, "%d %d %d %s", attempt, p.Done, p.Total, p.Text)
	return int64(h.Sum32())
}

func (e event) write(w http.ResponseWriter) error {
	text, err := json.Marshal(e.data)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	_, err = fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", e.id, e.kind, text)
	return err
}
