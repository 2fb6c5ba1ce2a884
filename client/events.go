package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Event is one event of an execution's story: a transition, a finished step, or
// progress. ID says from where to go on.
type Event struct {
	ID   string          `json:"id"`
	Kind string          `json:"event"`
	Data json.RawMessage `json:"data"`
}

// Final reports whether the event is the transition to a final status.
func (e Event) Final() bool {
	var t Transition
	return e.Kind == "transition" && json.Unmarshal(e.Data, &t) == nil && Execution{Status: t.To}.Final()
}

// Events tells an execution's events from the one after last on (all where it is
// empty) until the final one. A stream that breaks is taken up where it broke,
// until ctx is done. An error of tell ends it and is returned.
func (c *Client) Events(ctx context.Context, id, last string, tell func(Event) error) error {
	for {
		final, err := c.stream(ctx, id, &last, tell)
		var stopped *tellError
		switch {
		case errors.As(err, &stopped):
			return stopped.error
		case final:
			return nil
		case err != nil && (!Temporary(err) || ctx.Err() != nil):
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// tellError is what the reader of events returned.
type tellError struct{ error }

// stream reads one stream to its end. True where the final event was in it, or was
// told before.
func (c *Client) stream(ctx context.Context, id string, last *string, tell func(Event) error) (final bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.target("/executions/"+url.PathEscape(id)+"/events", nil), nil)
	if err != nil {
		return false, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	if *last != "" {
		req.Header.Set("Last-Event-ID", *last)
	}
	lasting := *c.httpClient()
	lasting.Timeout = 0 // a stream lasts as long as its execution
	resp, err := lasting.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return true, nil // final at the last event already
	}
	if resp.StatusCode != http.StatusOK {
		return false, readProblem(resp)
	}
	var e Event
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 4<<20) // an event holds an error's text at most
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, ":") {
			continue // a sign of life
		}
		field, value, _ := strings.Cut(line, ": ")
		switch field {
		case "id":
			e.ID = value
		case "event":
			e.Kind = value
		case "data":
			e.Data = json.RawMessage(value)
		case "":
			if e.Kind == "" {
				continue // there was none
			}
			if err := tell(e); err != nil {
				return false, &tellError{err}
			}
			*last = e.ID
			if e.Final() {
				return true, nil
			}
			e = Event{}
		}
	}
	return false, nil // it broke off
}
