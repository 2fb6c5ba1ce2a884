// Command chaos runs the real services while everything around them breaks, and
// then proves from what is left that nothing was lost, done twice or overwritten.
//
//	make chaos DURATION=20m SEED=7
//
// cluster.go starts two orchestrators and three workers with the test agents,
// each behind a TCP proxy of its own to one durable Postgres; load.go is the
// clients; ledger.go is the outside world that effects happen in, models.go a
// provider of language models; faults.go is what breaks, nemesis.go breaks it;
// failover.go has a replica take over; checker.go reads the database, the ledger, what
// the provider is paid for and what the clients saw, and finds. The seed decides which faults come in
// which order; what they meet is the machine's.
//
// With -containers the same clients, ledger and checker look at the containers of
// docker-compose.yml, with the test agents in the image: stack.go brings them up and
// takes them down, containers.go kills, pauses, cuts off and replaces them.
package main
