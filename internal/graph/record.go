package graph

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// Record is one thing as one conversation, the whole firm, or the firm's table of
// clients has it. Its type, scope and key make its id.
type Record struct {
	Type, Scope, Key string
	// Name is how it is shown until a mention says how it is written.
	Name string
	// ClientID is the firm's client that it surely is; empty where that isn't known.
	ClientID string
}

// ClientScope is the scope of a client's own record.
func ClientScope(clientID string) string { return "client:" + clientID }

// ConversationScope is the scope of what is only known to be one within a
// conversation.
func ConversationScope(conversationID string) string { return "conversation:" + conversationID }

// FirmScope is the scope of what is one wherever it is named.
const FirmScope = ""

// Resolved says whether records of a type are put together by resolution; of the
// others each is an entity by itself.
func Resolved(recordType string) bool { return recordType == "person" || recordType == "company" }

// ID is the record's, by content.
func (r Record) ID() string { return "record_" + digest(r.Type, r.Scope, r.Key) }

// EntityOf is the id of the entity whose first record this is.
func EntityOf(recordID string) string { return "entity_" + strings.TrimPrefix(recordID, "record_") }

// digest is a hash of texts in 80 bits: 16 letters and digits.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0}) // never part of a text in Postgres
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(h.Sum(nil)[:10]))
}

// FirmKey is the key of what the firm's lists know by an id. No normal form of a name
// begins like it.
func FirmKey(id string) string { return "=" + id }
