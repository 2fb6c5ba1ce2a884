// Package extraction finds in messages who and what they are about, and what they
// say of them, each with its place to the character. Everything in it is a function
// of the message and of what an extractor was made from: no clock, no database.
package extraction

import (
	"context"
	"time"
)

// Type is what a mention is of.
type Type string

// The types of the graph's entities.
const (
	Person       Type = "person"
	Company      Type = "company"
	Location     Type = "location"
	Law          Type = "law"
	Topic        Type = "topic"
	PracticeType Type = "practice_type"
	Document     Type = "document"
	Money        Type = "money"
	Date         Type = "date"
)

// Predicate is a relation that an edge may have.
type Predicate string

// The relations of the graph's edges, read from subject to object.
const (
	Requires      Predicate = "requires"
	GovernedBy    Predicate = "governed_by"
	RelatesTo     Predicate = "relates_to"
	ConflictsWith Predicate = "conflicts_with"
	ExampleOf     Predicate = "example_of"
	WorksFor      Predicate = "works_for"
	LocatedIn     Predicate = "located_in"
	ClientOf      Predicate = "client_of"
)

// Message is one to read. Its body is valid UTF-8.
type Message struct {
	ID, ConversationID string
	// ClientID is the conversation's client, where the firm knows one.
	ClientID string
	// Role is client, agent or system.
	Role   string
	Body   string
	SentAt time.Time
}

// Span is a place in a message's body: bytes from 0, the end excluded, both at
// beginnings of characters. What is stored counts characters (Characters).
type Span struct{ Start, End int }

// Mention is a place that names something.
type Mention struct {
	Span
	Type Type
	// Key is the normal form: mentions of one type and key in one conversation are of
	// one thing. Name is how to show it.
	Key, Name string
	// FirmID is the id in source.names, or in source.clients for a client (IsClient),
	// where the firm knows the name and only one thing has it.
	FirmID   string
	IsClient bool
	// Extractor and Version are those that found it; Confidence, in (0, 1], is the
	// chance that the place and type are right.
	Extractor, Version string
	Confidence         float64
}

// Contact is a place that says how somebody or something is reached.
type Contact struct {
	Span
	Kind  ContactKind
	Value string // the normal form
	// Of is the index of its owner among the mentions, or -1 where nothing tells.
	Of                 int
	Extractor, Version string
}

// ContactKind is email, phone or url.
type ContactKind string

// The kinds of contacts.
const (
	Email ContactKind = "email"
	Phone ContactKind = "phone"
	URL   ContactKind = "url"
)

// Writer in place of a relation's subject is the conversation's client, who writes
// the message and says something of themselves without being named in it.
const Writer = -1

// Relation is what a message says of two mentions, by their indexes, or of its Writer;
// its place is the words that say so.
type Relation struct {
	Span
	Subject, Object    int
	Predicate          Predicate
	Extractor, Version string
	Confidence         float64
}

// Found is what is found in one message. Mentions don't overlap.
type Found struct {
	Mentions  []Mention
	Contacts  []Contact
	Relations []Relation
}

// Extractor reads a message after others, adding to what they have found, or
// taking away what it knows better; it never changes what it is given. Version is
// another where it could find something else in some message, so that what it has
// read is read again. A language model's place is here too.
type Extractor interface {
	Name() string
	Version() string
	Extract(ctx context.Context, m Message, found Found) (Found, error)
}
