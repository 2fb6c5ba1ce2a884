// Package llm asks language models for agents: metered, remembered and bounded. A
// model is a dependency like a database: it may be slow, ill, expensive or wrong, and
// no agent has to have one.
//
// An agent has a *Model, which is nil where none is configured, and calls Ask. What it
// asks is reserved in the ledger before it is sent (agents.Calls), so that budgets hold
// and a request is paid once, whatever is killed; the answer is stored in the
// transaction that books its cost, and a later attempt gets it from there.
//
// It imports agents, the providers' official clients and a validator of JSON Schema; it
// never sees the database. Prompts belong to the agents.
package llm
