// Package retention prunes history by policy: executions that ended before some
// time with all that happened to them, cycles and slots, workers' sessions, notices.
// Results stay, with the rows of the executions that wrote them.
//
// What may go is decided by functions of the database (migrations/00027), each call
// one batch and one short transaction; nothing else may delete history. Here is what
// goes round them: how large batches are, how long the pauses between them, what is
// told. `ciclo prune` and the orchestrator's loop both call Prune. Imports: pgx.
package retention
