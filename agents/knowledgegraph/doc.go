// Package knowledgegraph is the Knowledge Graph Builder: it reads the messages that
// it hasn't read, finds who and what they are about (extraction), finds out who is
// who (resolution), and brings the graph to it (internal/graph).
//
// agent.go goes through the steps; source.go says what there is to read, learning.go
// what is learned from it, reading.go reads, records.go says which mentions are of
// one record, people.go resolves, result.go tells what came of it. Imports: pgx.
package knowledgegraph
