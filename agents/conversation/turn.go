package conversation

import "time"

// Role is who said a turn.
type Role uint8

// The roles whose turns are looked at; those of the system are not.
const (
	Agent Role = iota
	Client
)

// Conversation is what is known of a conversation beside its turns. Times are
// microseconds since 1970-01-01 UTC.
type Conversation struct {
	ID               string
	Channel, Segment string
	StartedAt        int64
	// OutcomeAt is when it was won or lost: what was said then or later is not
	// looked at.
	OutcomeAt int64
	Won       bool
}

// Message is one turn as it is read. Of a client's, the body is ignored.
type Message struct {
	ID, ConversationID string
	Role               Role
	SentAt             int64
	Body               string
}

// Micros is a time as the core counts it.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// month is the calendar month (UTC) of an instant, as a number.
func month(at int64) int {
	t := time.UnixMicro(at).UTC()
	return 12*t.Year() + int(t.Month()) - 1
}
