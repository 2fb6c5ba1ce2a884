// Package knowledgegraph is the Knowledge Graph Builder: it reads the messages that
// it hasn't read, finds who and what they are about (extraction), finds out who is
// who (resolution), and brings the graph to it (internal/graph).
//
// agent.go goes through the steps; source.go says what there is to read, learning.go
// what is learned from it, reading.go reads, records.go says which mentions are of
// one record, people.go resolves, result.go tells what came of it.
//
// Where there is a language model, choosing.go chooses what it is asked, asking.go has it
// asked and takes in what it says, hearing.go asks (question.go), answer.go checks, and
// saying.go finds what was said whenever a message is read. Imports: pgx, agents/llm.
package knowledgegraph
