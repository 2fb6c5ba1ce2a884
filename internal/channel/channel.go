// Package channel holds the ways by which a message leaves for a client, behind
// one interface, and reads what comes back by Twilio's webhook. It knows nothing
// of executions, consent or the database.
//
// Imports: go-mail, internal/phone, and internal/mailserver, which notices share.
// Never another package of Ciclo.
package channel

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// Message is what leaves.
type Message struct {
	// Key is the effect's: the same in every repetition.
	Key string
	// To is a number in E.164 (WhatsApp) or one mail address.
	To string
	// Subject is the mail's; WhatsApp has none.
	Subject string
	// Body is plain text. With a Template it is that template as the receiver sees
	// it, which Find compares.
	Body string
	// Template names one of the configured WhatsApp templates; Variables are its
	// values, by placeholder. Outside the 24 hours after a client's last message,
	// WhatsApp takes nothing else. One that isn't configured is sent as its Body,
	// as mail is.
	Template  string
	Variables map[string]string
}

// Receipt is the provider's word that it has a message.
type Receipt struct {
	// ProviderID is Twilio's message SID, or the mail's Message-ID.
	ProviderID string `json:"provider_id"`
	// State is Twilio's status (queued, sent, delivered, failed …), or accepted.
	State string `json:"state"`
}

// Channel is a way out. Where Send's error is a *Refusal the message surely did
// not leave; any other error leaves that open.
type Channel interface {
	// Name is whatsapp or email.
	Name() string
	Send(ctx context.Context, m Message) (Receipt, error)
}

// Finder is a channel whose provider can be asked for a message.
type Finder interface {
	Channel
	// Find looks for a message that was handed over at since or later. A message
	// accepted this moment may not be listed yet: who asks waits a minute first.
	Find(ctx context.Context, m Message, since time.Time) (Receipt, bool, error)
}

// Refusal says that the message surely did not leave.
type Refusal struct {
	// Permanent says that this message never will, whoever tries again: a bad
	// number, a receiver who opted out. Otherwise it may later.
	Permanent bool
	// RetryAfter is how long the provider asks to wait; 0 where it doesn't.
	RetryAfter time.Duration
	// Code is the provider's own, "http 401" or "smtp 550 5.1.1" where it has none,
	// "unreachable", or "invalid" where it was never asked.
	Code string
	// Text says what happened, without the message and without secrets.
	Text string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s (%s)", r.Text, r.Code) }

// invalid refuses a message that no provider is asked to take.
func invalid(text string) *Refusal { return &Refusal{Permanent: true, Code: "invalid", Text: text} }

// secret is a value, or what a file holds instead.
func secret(variable, value, file string) (string, error) {
	if file == "" {
		return value, nil
	}
	if value != "" {
		return "", fmt.Errorf("%s is given both as a value and by a file", variable)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", variable, err)
	}
	return strings.TrimSpace(string(text)), nil
}
