// Package cli is the command ciclo: one file a command. It talks to the API by
// the package client, to the database for migrate, import and prune, and starts
// processes by the package dev. Exit codes are ExitCompleted and its fellows.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/dev"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/service"
)

// Exit codes that scripts can use.
const (
	ExitCompleted = 0
	ExitFailed    = 1
	ExitUsage     = 2
	ExitCancelled = 3
	ExitTimedOut  = 4
)

// commands are what ciclo can do.
type commands struct {
	Globals

	Dev        devCommand        `cmd:"" help:"Run everything on this machine: a database of its own, the orchestrator, two workers."`
	Migrate    migrateCommand    `cmd:"" help:"Bring the database of DATABASE_URL to this version's schema."`
	Import     importCommand     `cmd:"" help:"Take a file into the source tables."`
	Run        runCommand        `cmd:"" help:"Run an agent."`
	Status     statusCommand     `cmd:"" help:"Show how the system, or one execution, stands."`
	List       listCommand       `cmd:"" help:"List executions, newest first."`
	Agents     agentsCommand     `cmd:"" help:"List the agents, or show one with its parameters."`
	Workers    workersCommand    `cmd:"" help:"List the worker processes."`
	Watch      watchCommand      `cmd:"" help:"Follow an execution to its end, and show its result."`
	Events     eventsCommand     `cmd:"" help:"Print an execution's transitions, steps and progress as they happen."`
	Cancel     cancelCommand     `cmd:"" help:"Ask for an execution's end."`
	Retry      retryCommand      `cmd:"" help:"Run an execution that has ended once more, as a new one."`
	Steps      stepsCommand      `cmd:"" help:"Show the steps that an execution has finished."`
	Effects    effectsCommand    `cmd:"" help:"Show what an execution did to the outside world."`
	Calls      callsCommand      `cmd:"" help:"Show what an execution asked of language models, and what that cost."`
	Costs      costsCommand      `cmd:"" help:"Show what language models cost by day and agent, and what was paid for nothing."`
	Replay     replayCommand     `cmd:"" help:"Run the agent of an execution that has ended once more, as the worker here has it, write nothing, and show what is other."`
	Pause      pauseCommand      `cmd:"" help:"Let nobody run an agent for now."`
	Resume     resumeCommand     `cmd:"" help:"End an agent's pause."`
	Drain      drainCommand      `cmd:"" help:"Stop a worker, saying first what that loses."`
	Audit      auditCommand      `cmd:"" help:"Check the invariants; the exit code is 1 where one is broken."`
	Doctor     doctorCommand     `cmd:"" help:"Say what is wrong here, and what to do next; exit 0 where nothing is."`
	Config     configCommand     `cmd:"" help:"Show and check how the services are configured."`
	Token      tokenCommand      `cmd:"" help:"Make, list and end API tokens, in the database of DATABASE_URL."`
	Schedules  schedulesCommand  `cmd:"" help:"Show and change when agents run."`
	Cycles     cyclesCommand     `cmd:"" help:"Show what schedules opened, and why agents ran or did not."`
	Clients    clientsCommand    `cmd:"" help:"Show what the Client Value Predictor found of clients."`
	Restored   restoredCommand   `cmd:"" help:"Take over the database of DATABASE_URL after it was restored from a backup, before any service runs."`
	Prune      pruneCommand      `cmd:"" help:"Remove history that is older than some age, in the database of DATABASE_URL; results stay."`
	Erase      eraseCommand      `cmd:"" help:"Erase a person's data on request."`
	Messages   messagesCommand   `cmd:"" help:"Read, approve and reject the messages that agents drafted for clients; the rules of writing to them."`
	Prompts    promptsCommand    `cmd:"" help:"Show changes of prompts that the trainer proposed, and what became of them."`
	Patterns   patternsCommand   `cmd:"" help:"Show what won conversations have more often than lost ones."`
	Kg         graphCommand      `cmd:"" help:"Ask the knowledge graph: who and what conversations are about, and what is said of them."`
	Webhooks   webhooksCommand   `cmd:"" help:"Tell other systems of executions' moves over HTTP."`
	Health     healthCommand     `cmd:"" help:"Ask the orchestrator whether it is ready; exit 0 or 1, without a token."`
	Completion completionCommand `cmd:"" help:"Print a script that completes this command in a shell."`
	Version    kong.VersionFlag  `help:"Print the version."`
}

// Globals are every command's flags.
type Globals struct {
	Data      string `name:"data" env:"CICLO_DATA" default:"./.ciclo" type:"path" help:"Folder of ciclo dev: its database, logs, address and token."`
	URL       string `name:"url" env:"CICLO_URL" help:"The orchestrator's address. Default: where ciclo dev serves."`
	Token     string `name:"token" env:"CICLO_TOKEN" help:"The API token. Default: ciclo dev's."`
	TokenFile string `name:"token-file" env:"CICLO_TOKEN_FILE" help:"File that holds the API token."`
	JSON      bool   `name:"json" help:"Print JSON alone."`

	in  io.Reader
	out io.Writer
	err io.Writer
}

// exit is an error that decides the exit code; its text was said already.
type exit struct{ code int }

func (e exit) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// usageError is what was asked for wrongly: nothing was done.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Main runs one command and returns the exit code.
func Main(args []string, out, errOut io.Writer) int {
	var c commands
	c.in, c.out, c.err = os.Stdin, out, errOut
	code := ExitCompleted
	exited := false
	parser, err := kong.New(&c,
		kong.Name("ciclo"),
		kong.Description("Autonomous agents as durable executions on Postgres."),
		kong.Writers(out, errOut),
		kong.Exit(func(n int) { code, exited = n, true }),
		kong.UsageOnError(),
		kong.Vars{"version": service.Version()},
	)
	if err != nil {
		fmt.Fprintln(errOut, "ciclo:", err)
		return ExitUsage
	}
	kctx, err := parser.Parse(args)
	if exited { // help or version was shown
		return code
	}
	if err != nil {
		fmt.Fprintf(errOut, "ciclo: %v (ciclo --help shows the commands)\n", err)
		return ExitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	kctx.BindTo(ctx, (*context.Context)(nil))
	err = kctx.Run(&c.Globals)
	var e exit
	var u usageError
	var p *client.Problem
	switch {
	case err == nil:
		return ExitCompleted
	case errors.As(err, &e):
		return e.code
	case errors.As(err, &u), errors.As(err, &p) && (p.Status == 422 || p.Status == 400):
		fmt.Fprintln(errOut, "ciclo:", err)
		return ExitUsage
	default:
		if postgres.Forbidden(err) {
			err = fmt.Errorf("%w: the role of DATABASE_URL may not do that; SECURITY.md says which one may", err)
		}
		fmt.Fprintln(errOut, "ciclo:", err)
		return ExitFailed
	}
}

// where is which orchestrator to talk to, and who says so.
type where struct {
	url, urlFrom, token, tokenFrom string
	// err says why the token can't be known.
	err error
}

const fromDev = "the folder of ciclo dev"

// where finds the address and the token by flags, environment, or the folder of
// ciclo dev; what nothing gives is empty.
func (g *Globals) where() where {
	w := where{url: g.URL, urlFrom: "--url", token: g.Token, tokenFrom: "--token"}
	if g.URL == os.Getenv("CICLO_URL") {
		w.urlFrom = "CICLO_URL"
	}
	if g.Token == os.Getenv("CICLO_TOKEN") {
		w.tokenFrom = "CICLO_TOKEN"
	}
	if g.TokenFile != "" && (g.Token == "" || w.tokenFrom == "CICLO_TOKEN") { // --token has the last word
		w.tokenFrom = "CICLO_TOKEN_FILE"
		if w.token, w.err = service.Secret(g.Token, g.TokenFile); w.err != nil {
			w.err = fmt.Errorf("CICLO_TOKEN: %w", w.err)
		}
	}
	return w.here(g)
}

// here fills in what the folder of ciclo dev gives.
func (w where) here(g *Globals) where {
	// A file of the folder that can't be read gives nothing. Its token is for its own
	// orchestrator alone: no other is to see it.
	address, _ := dev.Dir(g.Data).Address()
	if w.url == "" {
		w.url, w.urlFrom = address, fromDev
	}
	if w.token == "" && w.err == nil && strings.TrimSuffix(w.url, "/") == strings.TrimSuffix(address, "/") {
		w.token, _ = dev.Dir(g.Data).Token()
		w.tokenFrom = fromDev
	}
	return w
}

// client is the API client by flags, environment, or the folder of ciclo dev.
func (g *Globals) client() (*client.Client, error) {
	w := g.where()
	if w.url == "" {
		return nil, errors.New("no orchestrator is known: start one with `ciclo dev`, or set CICLO_URL and CICLO_TOKEN; `ciclo doctor` says more")
	}
	if w.err != nil {
		return nil, w.err
	}
	if w.token == "" {
		return nil, errors.New("no API token is known: set CICLO_TOKEN or CICLO_TOKEN_FILE")
	}
	return &client.Client{URL: w.url, Token: w.token}, nil
}

// direct is the database's URL past a pooler, where there is one for the same role: who it
// is that asks, DATABASE_URL says.
func (g *Globals) direct() (string, error) {
	url, err := g.database()
	if err != nil {
		return "", err
	}
	direct, err := service.Secret(os.Getenv("DATABASE_DIRECT_URL"), os.Getenv("DATABASE_DIRECT_URL_FILE"))
	if err != nil || direct == "" {
		return url, err
	}
	through, err := pgx.ParseConfig(url)
	if err != nil {
		return url, nil //nolint:nilerr // whoever connects says so
	}
	past, err := pgx.ParseConfig(direct)
	if err != nil || past.User != through.User {
		return url, nil //nolint:nilerr // as above
	}
	return direct, nil
}

// database is the database's URL by the environment or the folder of ciclo dev.
func (g *Globals) database() (string, error) {
	url, err := service.Secret(os.Getenv("DATABASE_URL"), os.Getenv("DATABASE_URL_FILE"))
	if url != "" || err != nil {
		return url, err
	}
	if url, err = dev.Dir(g.Data).DatabaseURL(); err != nil {
		return "", errors.New("no database is known: set DATABASE_URL, or start one with `ciclo dev`")
	}
	return url, nil
}

func (g *Globals) printJSON(v any) error {
	enc := json.NewEncoder(g.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// say tells a person something; with --json stdout is kept for the JSON.
func (g *Globals) say(format string, args ...any) {
	w := g.out
	if g.JSON {
		w = g.err
	}
	fmt.Fprintf(w, format+"\n", args...)
}
