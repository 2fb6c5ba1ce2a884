// Package relations finds what a sentence says of two mentions in it: by patterns
// of words, and by a logistic model that learns from pairs whose relation is known.
// What is said in the first person is of a message's writer, where the message names
// them. It sees messages and mentions alone: no clock, no database, no other extractor.
package relations
