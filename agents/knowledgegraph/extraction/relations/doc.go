// Package relations finds what a sentence says of two mentions in it: by patterns
// of words, and by a logistic model that learns from pairs whose relation is known.
// It sees words and mentions alone: no clock, no database, no other extractor.
package relations
