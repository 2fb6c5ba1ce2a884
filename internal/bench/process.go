package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/nuzantara/ciclo/internal/process"
)

// start starts a child with its output in the bench's directory.
func (b *bench) start(name, path string, args []string, env ...string) (*process.Process, error) {
	return process.Start(process.Config{Name: name, Path: path, Args: args, Env: env, LogDir: b.dir})
}

// api is a child that serves HTTP.
type api struct {
	*process.Process
	url   string
	token string
	// database is the URL of the orchestrator's.
	database string
}

// startOrchestrator starts the real service on the database.
func (b *bench) startOrchestrator(ctx context.Context, database string) (*api, error) {
	address, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	a := &api{url: "http://" + address, token: rand.Text(), database: database}
	a.Process, err = b.start("orchestrator", filepath.Join(b.dir, "orchestrator"), nil,
		"DATABASE_URL="+database, "CICLO_LISTEN="+address, "CICLO_TOKEN="+a.token)
	if err != nil {
		return nil, err
	}
	return a, a.await(ctx, "/readyz")
}

// startFloor starts this program again, as the bare handlers.
func (b *bench) startFloor(ctx context.Context) (*api, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	address, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	a := &api{url: "http://" + address, token: rand.Text()} // the token is sent, and not looked at
	if a.Process, err = b.start("floor", self, []string{"-floor", address}, "DATABASE_URL="+b.url); err != nil {
		return nil, err
	}
	return a, a.await(ctx, "/readyz")
}

// startWorker starts the real service. Extra environment overrides its defaults.
func (b *bench) startWorker(database string, env ...string) (*process.Process, error) {
	return b.start("worker", filepath.Join(b.dir, "worker"), nil, append(env, "DATABASE_URL="+database)...)
}

// await returns when the path answers 200.
func (a *api) await(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client := newClient()
	for {
		err := client.do(ctx, request{http.MethodGet, a.url + path, "", http.StatusOK}, nil)
		if err == nil {
			return nil
		}
		select {
		case <-a.Done():
			return fmt.Errorf("%s died; its last words:\n%s", a.Name, a.LastWords())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s does not answer: %w; its last words:\n%s", a.Name, err, a.LastWords()), a.Kill())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
