// Command hostile sends the real services what a client could send, right, nearly
// right and out to break them, and holds every answer against the API's own
// document.
//
//	make fuzz N=100000
//	go run ./internal/hostile -requests 100000 -seed 7
//
// system.go starts Postgres, an orchestrator and a worker with the test agents;
// document.go reads /openapi.json, and from that alone generate.go (values.go,
// patterns.go) makes requests, spoil.go those with one thing wrong and attack.go
// those with anything wrong; known.go keeps the ids that answers gave, which later
// requests ask for. lane.go sends what a connection carries, raw.go what no client
// would send. judge.go says what is wrong with an answer: a 5xx, none in time, one
// that is not as the document says, or one that lets pass what is wrong. The audit
// is asked all along, and at the end, when what was accepted has come to its end.
// The seed decides what is made; the ids in it are the run's.
package main
