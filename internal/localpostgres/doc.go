// Package localpostgres runs a private PostgreSQL server from the binaries of
// this machine: for `ciclo dev`, and for tests where no other server is to be
// had.
//
// The server listens on 127.0.0.1 only, asks every client for a random
// password, belongs to the process that started it and ends with it. Its data
// outlive it: a second Start on the same directory finds them again.
//
// A directory given to Start holds
//
//	password       the superuser's password, 0600
//	postgres.log   the server's log of the last start; postgres.log.old, the one before
//	owner.lock     held by the process that started the server
//	server.lock    held by the server itself and all of its backends
//	data/          the database cluster (elsewhere for root, see Server.DataDir)
//
// On Linux the server is told to shut down when the process that started it
// dies, however it dies. Other systems have no such signal: there a server
// whose parent was killed with -9 lives on until the next Start on its
// directory stops it.
//
// It imports nothing of Ciclo. What Ciclo keeps in the database, and which
// databases there are, never belongs here.
package localpostgres
