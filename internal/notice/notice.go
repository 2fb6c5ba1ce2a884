// Package notice carries notices to the operator: by webhook, by mail, or, where
// neither is configured, into the log. It knows nothing of the database; the
// orchestrator says what is to be sent, and when again.
//
// Imports: go-mail, internal/mailserver and internal/webhook. Never another package of Ciclo.
package notice

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"
)

// Notice is what the operator is told, as the webhook's JSON has it.
type Notice struct {
	// ID is the same in every repetition.
	ID string `json:"id"`
	// Kind is failed or paused.
	Kind string `json:"kind"`
	// Agent is "*" where all are meant.
	Agent       string  `json:"agent"`
	ExecutionID *string `json:"execution_id"`
	Subject     string  `json:"subject"`
	// Text is what happened and what to do next.
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

// Channel is a way to the operator.
type Channel interface {
	// Name is webhook, mail or log.
	Name() string
	// Send returns nil once the other side has taken the notice. Its errors name
	// no password and no path of a URL.
	Send(ctx context.Context, n Notice) error
}

// Config is the channels' configuration; each may be empty.
type Config struct {
	// Webhook is the URL that a notice is posted to.
	Webhook string
	// SMTP is the mail server, such as smtp://user:password@host:587.
	SMTP string
	// From and To are the mail's addresses; To are several with commas between.
	From, To string
}

// The variables that hold the configuration, for errors.
const (
	webhookVariable = "CICLO_NOTICE_WEBHOOK"
	smtpVariable    = "CICLO_NOTICE_SMTP"
	fromVariable    = "CICLO_NOTICE_FROM"
	toVariable      = "CICLO_NOTICE_TO"
)

// Channels are the ways that the configuration names. An error names the variable
// that is wrong, and no value that may hold a secret.
func Channels(cfg Config) ([]Channel, error) {
	var channels []Channel
	var all []error
	if cfg.Webhook != "" {
		w, err := newWebhook(cfg.Webhook)
		channels, all = append(channels, w), append(all, err)
	}
	switch {
	case cfg.SMTP != "":
		m, err := newMail(cfg.SMTP, cfg.From, cfg.To)
		channels, all = append(channels, m), append(all, err)
	case strings.TrimSpace(cfg.From+cfg.To) != "":
		all = append(all, errors.New(fromVariable+" and "+toVariable+" are of no use without "+smtpVariable))
	}
	if err := errors.Join(all...); err != nil {
		return nil, err
	}
	return channels, nil
}

// Log is the channel of those who configured none: their log's own alerts.
type Log struct{ Logger *slog.Logger }

// Name is log.
func (Log) Name() string { return "log" }

// Send writes one line at level WARN.
func (l Log) Send(ctx context.Context, n Notice) error {
	attributes := []any{"notice_id", n.ID, "kind", n.Kind, "agent", n.Agent, "subject", n.Subject, "text", n.Text}
	if n.ExecutionID != nil {
		attributes = append(attributes, "execution_id", *n.ExecutionID)
	}
	l.Logger.WarnContext(ctx, "notice to the operator: no mail and no webhook is configured", attributes...)
	return nil
}
