// Command bench measures what Ciclo costs beside the least that its parts could
// cost, in one run against one Postgres, and prints one table. docs/benchmarks.md
// says what each figure means and what it does not.
//
// "Floor" is a bare handler, or River alone, that does the same work without
// Ciclo; "ours" is the real binaries of internal/testagents, as separate
// processes over HTTP. Both are driven by the same load generator, in turns, and
// the ratio of each pair of turns is what is judged.
//
// It imports Ciclo's store and queue, to prepare and to count, and never the
// services: those it builds and starts.
package main
