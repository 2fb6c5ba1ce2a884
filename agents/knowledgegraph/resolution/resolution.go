// Package resolution finds which records are of one person, company or thing:
// blocking, comparison levels, Fellegi-Sunter weights by EM, and clusters under
// what people decided. The outcome is a function of the set of records and
// decisions, whatever their order.
package resolution

// Record is one thing as one conversation, or the firm's own table, has it.
type Record struct {
	ID string
	// Type is one of the graph's; records of different types are never one.
	Type string
	Name string
	// Conversation is where it was mentioned; empty for what the firm's tables say.
	Conversation string
	// ClientID is the firm's id, where it is known to be that client.
	ClientID string
	// Emails, Phones and URLs are in normal form; Employers are names of companies.
	Emails, Phones, URLs, Employers []string
}

// Decision is a person's: two records are one, or are not.
type Decision struct {
	A, B string
	Same bool
}

// Field is one comparison of a pair: its level and what it weighs, in bits for or
// against a match.
type Field struct {
	Name  string  `json:"name"`
	Level string  `json:"level"`
	Bits  float64 `json:"bits"`
}

// Pair is two records, A before B in order of ids, and the probability that they
// are one.
type Pair struct {
	A, B        string
	Probability float64
	Fields      []Field
}

// Resolved is the outcome, in order: clusters by their first record, each in order
// of ids; every record is in one.
type Resolved struct {
	Clusters [][]string
	// Joined are the pairs by which clusters of more than one came about.
	Joined []Pair
	// Reviews are pairs across clusters that a person should look at: at most one of
	// two clusters, the likeliest.
	Reviews []Pair
	// Ignored are decisions that are not kept, in order of their records: those about
	// records that aren't there or are of two types, and that two are one where others
	// say that they are not.
	Ignored []Decision
}
