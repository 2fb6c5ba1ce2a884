package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Message is a message that an agent drafted for a client, and its fate.
type Message struct {
	ID          string          `json:"message_id"`
	ClientID    string          `json:"client_id"`
	Status      string          `json:"status"`
	StatusAt    time.Time       `json:"status_at"`
	Reason      *string         `json:"reason"`
	Channel     string          `json:"channel"`
	Address     string          `json:"address"`
	Zone        string          `json:"zone"`
	Language    string          `json:"language"`
	Template    string          `json:"template"`
	Subject     string          `json:"subject"`
	Body        string          `json:"body"`
	Reasons     json.RawMessage `json:"reasons"`
	DraftedBy   string          `json:"drafted_by"`
	CreatedAt   time.Time       `json:"created_at"`
	ExpiresAt   time.Time       `json:"expires_at"`
	ApprovedBy  *string         `json:"approved_by"`
	ApprovedAt  *time.Time      `json:"approved_at"`
	NotBefore   time.Time       `json:"not_before"`
	ExecutionID *string         `json:"execution_id"`
	SentAt      *time.Time      `json:"sent_at"`
	ProviderID  *string         `json:"provider_id"`
}

// MessagePage is one page of messages, with the names of their clients that are known,
// by client id; NextCursor is nil on the last one. NamesError says why names are missing.
type MessagePage struct {
	Messages   []Message         `json:"messages"`
	Names      map[string]string `json:"names"`
	NamesError *string           `json:"names_error"`
	NextCursor *string           `json:"next_cursor"`
}

// ContactPolicy is the firm's rules of writing to clients. See the API for the fields.
type ContactPolicy struct {
	Channels      []string  `json:"channels"`
	AutoTemplates []string  `json:"auto_templates"`
	CooldownHours float64   `json:"cooldown_hours"`
	DailyCap      int       `json:"daily_cap"`
	QuietFrom     string    `json:"quiet_from"`
	QuietUntil    string    `json:"quiet_until"`
	Zone          string    `json:"zone"`
	Region        string    `json:"region"`
	Firm          string    `json:"firm"`
	ChangedAt     time.Time `json:"changed_at"`
	ChangedBy     string    `json:"changed_by"`
}

// MessageTemplate is a text of messages in one language.
type MessageTemplate struct {
	Name      string    `json:"name"`
	Language  string    `json:"language"`
	Subject   string    `json:"subject"`
	Body      string    `json:"body"`
	ChangedAt time.Time `json:"changed_at"`
	ChangedBy string    `json:"changed_by"`
}

// OptOut is somebody who wants to hear no more.
type OptOut struct {
	ID       int64      `json:"opt_out_id"`
	Address  *string    `json:"address"`
	ClientID *string    `json:"client_id"`
	Source   string     `json:"source"`
	Detail   string     `json:"detail"`
	At       time.Time  `json:"at"`
	EndedAt  *time.Time `json:"ended_at"`
	EndedBy  *string    `json:"ended_by"`
}

// OptOutPage is one page of opt-outs; NextCursor is nil on the last one.
type OptOutPage struct {
	OptOuts    []OptOut `json:"opt_outs"`
	NextCursor *string  `json:"next_cursor"`
}

func messagePath(id string) string { return "/messages/" + url.PathEscape(id) }

// Messages returns a page of messages, newest first. The query is the API's:
// status, client_id, cursor, limit.
func (c *Client) Messages(ctx context.Context, query url.Values) (MessagePage, error) {
	return answer[MessagePage](ctx, c, http.MethodGet, "/messages", query, nil)
}

// Message returns one message.
func (c *Client) Message(ctx context.Context, id string) (Message, error) {
	return answer[Message](ctx, c, http.MethodGet, messagePath(id), nil, nil)
}

// ApproveMessage lets a draft go out, with another subject or body where they are given.
func (c *Client) ApproveMessage(ctx context.Context, id string, subject, body *string) (Message, error) {
	return answer[Message](ctx, c, http.MethodPost, messagePath(id)+"/approve", nil, struct {
		Subject *string `json:"subject,omitempty"`
		Body    *string `json:"body,omitempty"`
	}{subject, body})
}

// RejectMessage drops a message that has not begun to leave.
func (c *Client) RejectMessage(ctx context.Context, id, reason string) (Message, error) {
	return answer[Message](ctx, c, http.MethodPost, messagePath(id)+"/reject", nil, map[string]string{"reason": reason})
}

// ResolveMessage says what a person found of an unknown message: sent, send_again or dropped.
func (c *Client) ResolveMessage(ctx context.Context, id, outcome string) (Message, error) {
	return answer[Message](ctx, c, http.MethodPost, messagePath(id)+"/resolve", nil, map[string]string{"outcome": outcome})
}

// ContactPolicy returns the firm's rules.
func (c *Client) ContactPolicy(ctx context.Context) (ContactPolicy, error) {
	return answer[ContactPolicy](ctx, c, http.MethodGet, "/messages/policy", nil, nil)
}

// ChangeContactPolicy changes the API's fields that are given.
func (c *Client) ChangeContactPolicy(ctx context.Context, fields map[string]any) (ContactPolicy, error) {
	return answer[ContactPolicy](ctx, c, http.MethodPatch, "/messages/policy", nil, fields)
}

// MessageTemplates lists the texts.
func (c *Client) MessageTemplates(ctx context.Context) ([]MessageTemplate, error) {
	all, err := answer[struct{ Templates []MessageTemplate }](ctx, c, http.MethodGet, "/messages/templates", nil, nil)
	return all.Templates, err
}

// SetMessageTemplate makes a text in a language, or replaces it.
func (c *Client) SetMessageTemplate(ctx context.Context, name, language, subject, body string) (MessageTemplate, error) {
	return answer[MessageTemplate](ctx, c, http.MethodPut, "/messages/templates/"+url.PathEscape(name)+"/"+url.PathEscape(language), nil,
		map[string]string{"subject": subject, "body": body})
}

// OptOuts returns a page of opt-outs, newest first. The query is the API's: cursor, limit.
func (c *Client) OptOuts(ctx context.Context, query url.Values) (OptOutPage, error) {
	return answer[OptOutPage](ctx, c, http.MethodGet, "/messages/opt-outs", query, nil)
}

// AddOptOut writes down that an address, a client or both want to hear no more, and
// returns how many messages that waited for them were rejected.
func (c *Client) AddOptOut(ctx context.Context, address, clientID, detail string) (rejected int, err error) {
	written, err := answer[struct{ Rejected int }](ctx, c, http.MethodPost, "/messages/opt-outs", nil, struct {
		Address  string `json:"address,omitempty"`
		ClientID string `json:"client_id,omitempty"`
		Detail   string `json:"detail,omitempty"`
	}{address, clientID, detail})
	return written.Rejected, err
}

// EndOptOut ends an opt-out, with those of its address.
func (c *Client) EndOptOut(ctx context.Context, id int64) error {
	_, err := answer[struct{}](ctx, c, http.MethodDelete, "/messages/opt-outs/"+strconv.FormatInt(id, 10), nil, nil)
	return err
}
