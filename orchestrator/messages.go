package orchestrator

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// messageStatuses are where a message may stand.
var messageStatuses = []string{"draft", "approved", "sending", "sent", "unknown", "failed", "rejected", "expired"}

// messages is one page of messages.
type messages struct {
	Messages   []postgres.Message `json:"messages"`
	Names      map[string]string  `json:"names" jsonschema:"The names of their clients that the firm's view knows, by client_id."`
	NamesError *string            `json:"names_error" jsonschema:"Why names are missing: the firm's view of clients is broken, or did not answer within a second; else null."`
	NextCursor *string            `json:"next_cursor" jsonschema:"For the next page's cursor; null on the last one."`
}

// approveRequest may change what goes out. The body may be left out.
type approveRequest struct {
	Subject *string `json:"subject,omitempty" jsonschema:"Another subject: 1 to 200 characters on one line."`
	Body    *string `json:"body,omitempty" jsonschema:"Another text: 1 to 1600 characters."`
}

// rejectRequest says why. The body may be left out.
type rejectRequest struct {
	Reason string `json:"reason,omitempty" jsonschema:"At most 500 characters."`
}

// resolveRequest says what a person found.
type resolveRequest struct {
	Outcome string `json:"outcome" jsonschema:"sent: the client has it; send_again: it did not leave, and shall; dropped: it did not leave, and shall not."`
}

const (
	maxSubject = 200
	maxMessage = 1600
	maxWhy     = 500
)

func (o *Orchestrator) listMessages(c echo.Context) (messages, error) {
	query := c.QueryParams()
	f := postgres.MessageFilter{Statuses: query["status"], Client: query.Get("client_id")}
	for _, s := range f.Statuses {
		if !slices.Contains(messageStatuses, s) {
			return messages{}, invalid(agents.FieldError{Field: "status", Detail: fmt.Sprintf("%q is not one of %s", s, strings.Join(messageStatuses, ", "))})
		}
	}
	if _, given := query["client_id"]; given && f.Client == "" || len(query["client_id"]) > 1 {
		return messages{}, invalid(agents.FieldError{Field: "client_id", Detail: "is one client's id"})
	}
	limit, cursor, err := readPage(query, "status", "client_id")
	if err != nil {
		return messages{}, err
	}
	if cursor != "" && !messagePattern.MatchString(cursor) {
		return messages{}, invalid(agents.FieldError{Field: "cursor", Detail: "is not one that a list gave"})
	}
	f.Before, f.Limit = cursor, limit+1
	list, err := o.store.Messages(c.Request().Context(), f)
	if err != nil {
		return messages{}, err
	}
	page := messages{Messages: list}
	if len(list) > limit {
		page.Messages = list[:limit]
		page.NextCursor = &list[limit-1].ID
	}
	page.Names, page.NamesError = namesOf(c.Request().Context(), o, page.Messages, func(m postgres.Message) string { return m.ClientID })
	return page, nil
}

// namesOf are the names of the clients of a page's rows, by their ids, or why there
// are none.
func namesOf[R any](ctx context.Context, o *Orchestrator, rows []R, client func(R) string) (names map[string]string, why *string) {
	ids := make([]string, 0, len(rows))
	for _, row := range rows {
		ids = append(ids, client(row))
	}
	names, why = o.clientNames(ctx, ids)
	if names == nil {
		names = map[string]string{}
	}
	return names, why
}

func (o *Orchestrator) getMessage(c echo.Context) (postgres.Message, error) {
	if err := noQuery(c); err != nil {
		return postgres.Message{}, err
	}
	id, err := messageID(c)
	if err != nil {
		return postgres.Message{}, err
	}
	return o.store.Message(c.Request().Context(), id)
}

var messagePattern = regexp.MustCompile(`^message_[0-9a-z_-]{1,80}$`)

// messageID is the message that the path names; what can't be one is not looked for.
func messageID(c echo.Context) (string, error) {
	if id := c.Param("id"); messagePattern.MatchString(id) {
		return id, nil
	}
	return "", postgres.ErrNoMessage
}

// onMessage reads a request and does something with the message that the path names.
func onMessage[R any](c echo.Context, check func(R) []agents.FieldError, do func(id, by string, request R) (postgres.Message, error)) (postgres.Message, error) {
	var request R
	if err := noQuery(c); err != nil {
		return postgres.Message{}, err
	}
	if err := readJSON(c, &request); err != nil {
		return postgres.Message{}, err
	}
	if wrong := check(request); len(wrong) > 0 {
		return postgres.Message{}, invalid(wrong...)
	}
	id, err := messageID(c)
	if err != nil {
		return postgres.Message{}, err
	}
	return do(id, granted(c).name, request)
}

func (o *Orchestrator) approveMessage(c echo.Context) (postgres.Message, error) {
	check := func(r approveRequest) (wrong []agents.FieldError) {
		wrong = append(wrong, textBounds("subject", r.Subject, maxSubject)...)
		wrong = append(wrong, textBounds("body", r.Body, maxMessage)...)
		wrong = append(wrong, noPlaceholders("subject", r.Subject)...)
		return append(wrong, noPlaceholders("body", r.Body)...)
	}
	m, err := onMessage(c, check, func(id, by string, r approveRequest) (postgres.Message, error) {
		return o.store.ApproveMessage(c.Request().Context(), id, by, r.Subject, r.Body)
	})
	if err == nil {
		o.dispatcher.wake()
	}
	return m, err
}

// textBounds refuses a text that is given and has no character or too many.
func textBounds(field string, text *string, most int) []agents.FieldError {
	if text == nil {
		return nil
	}
	if n := len([]rune(*text)); n == 0 || n > most {
		return []agents.FieldError{{Field: field, Detail: fmt.Sprintf("has %d characters, not 1 to %d", n, most)}}
	}
	if strings.TrimSpace(*text) == "" || strings.ContainsFunc(*text, misleading) {
		return []agents.FieldError{{Field: field, Detail: "is blank, or holds characters that can't be seen and move others"}}
	}
	return nil
}

// misleading reports whether a character is none that a person reads: controls other
// than line breaks and tabs, and those that turn the direction of what follows.
func misleading(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// noPlaceholders refuses a text for one client that holds what is filled in for each.
func noPlaceholders(field string, text *string) []agents.FieldError {
	if text == nil || !placeholders.MatchString(*text) {
		return nil
	}
	return []agents.FieldError{{Field: field, Detail: "holds a placeholder such as {name}, which is filled in for templates alone"}}
}

func (o *Orchestrator) rejectMessage(c echo.Context) (postgres.Message, error) {
	check := func(r rejectRequest) []agents.FieldError {
		if r.Reason == "" {
			return nil
		}
		return textBounds("reason", &r.Reason, maxWhy)
	}
	return onMessage(c, check, func(id, by string, r rejectRequest) (postgres.Message, error) {
		if r.Reason == "" {
			r.Reason = "no"
		}
		return o.store.RejectMessage(c.Request().Context(), id, by, r.Reason)
	})
}

func (o *Orchestrator) resolveMessage(c echo.Context) (postgres.Message, error) {
	outcomes := []string{postgres.MessageSent, postgres.MessageSendAgain, postgres.MessageDropped}
	check := func(r resolveRequest) []agents.FieldError {
		if slices.Contains(outcomes, r.Outcome) {
			return nil
		}
		return []agents.FieldError{{Field: "outcome", Detail: "must be one of " + strings.Join(outcomes, ", ")}}
	}
	m, err := onMessage(c, check, func(id, by string, r resolveRequest) (postgres.Message, error) {
		return o.store.ResolveMessage(c.Request().Context(), id, by, r.Outcome)
	})
	if err == nil {
		o.dispatcher.wake()
	}
	return m, err
}
