package llm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Roles of messages.
const (
	User      = "user"
	Assistant = "assistant"
)

// Message is one of a conversation with a model.
type Message struct {
	Role string `json:"role"`
	Text string `json:"text"`
}

// Request is what is asked of a model.
type Request struct {
	System   string    `json:"system"`
	Messages []Message `json:"messages"`
	// Schema is the JSON Schema that the answer, an object, has to fit; nil for text.
	Schema json.RawMessage `json:"schema,omitempty"`
	// MaxTokens bounds the answer.
	MaxTokens int64 `json:"max_tokens"`
	// About are the ids of the clients whose data are in it: they are not sent.
	About []string `json:"-"`
	// Names are what is redacted besides addresses and numbers, where that is asked for.
	Names []string `json:"-"`
}

// Usage is what a call took, in tokens.
type Usage struct {
	Input  int64 `json:"input_tokens"`
	Output int64 `json:"output_tokens"`
}

// Answer is what a model said.
type Answer struct {
	Text string `json:"text"`
	// Truncated says that it ended at MaxTokens.
	Truncated bool  `json:"truncated,omitempty"`
	Usage     Usage `json:"usage"`
	// ID is the provider's, Model what it says answered.
	ID    string `json:"id"`
	Model string `json:"model"`
	// Engine is who wrote it, provider/model as configured.
	Engine string `json:"engine"`
}

// hash is of what is asked and of whom: 64 hexadecimal digits. Go encodes structs in
// the order of their fields, so that it is the same in every process.
func (r Request) hash(engine string) (hash string, text []byte, err error) {
	text, err = json.Marshal(struct {
		Engine string `json:"engine"`
		Request
	}{engine, r})
	if err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), text, nil
}
