package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/client"
)

type runCommand struct {
	Agent string   `arg:"" help:"The agent, such as client-value-predictor; ciclo agents NAME shows its parameters."`
	Args  []string `arg:"" optional:"" passthrough:"" help:"--wait, --follow (the same with a bar), --timeout 10m, --json, --dry-run (compute and show, write and send nothing), --key NAME (again with the same key is the same execution), and the agent's parameters as flags, such as --horizon-days 90, or --from-file parameters.json (- is stdin)."`
}

// runFlags are what follows the agent's name: the command's own flags and the
// agent's parameters, which the orchestrator checks.
type runFlags struct {
	wait       bool
	follow     bool
	json       bool
	dryRun     bool
	timeout    time.Duration
	key        string
	parameters url.Values
	// file holds the parameters as a JSON object instead; "-" is stdin.
	file string
}

// ownFlags are the command's flags that aren't parameters, for completion.
func (runCommand) ownFlags() []completionFlag {
	return []completionFlag{
		{name: "wait", help: "Wait for its end, and show its result."},
		{name: "follow", help: "The same, with a bar on a terminal."},
		{name: "dry-run", help: "Compute and show, but write and send nothing."},
		{name: "timeout", help: "Wait no longer than this, such as 10m.", takes: true},
		{name: "key", help: "Again with the same key is the same execution.", takes: true},
		{name: "from-file", help: "Take the parameters from a file that holds a JSON object; - is stdin.", takes: true, file: true},
	}
}

func parseRunFlags(args []string) (runFlags, error) {
	f := runFlags{parameters: url.Values{}}
	for len(args) > 0 {
		flag := args[0]
		args = args[1:]
		if !strings.HasPrefix(flag, "--") || len(flag) == 2 {
			return f, fmt.Errorf("%q is not a flag: parameters are given as --name value", flag)
		}
		name, value, given := strings.Cut(flag[2:], "=")
		switch name {
		case "wait":
			f.wait = true
			continue
		case "follow":
			f.wait, f.follow = true, true
			continue
		case "json":
			f.json = true
			continue
		}
		if name == "dry-run" {
			if given {
				return f, errors.New("--dry-run takes no value")
			}
			f.dryRun = true
			continue
		}
		if !given {
			if len(args) == 0 {
				return f, fmt.Errorf("--%s needs a value", name)
			}
			value, args = args[0], args[1:]
		}
		switch name {
		case "key":
			f.key = value
			continue
		case "from-file":
			if value == "" {
				return f, errors.New("--from-file needs a file, or - for stdin")
			}
			f.file = value
			continue
		case "timeout":
			d, err := time.ParseDuration(value)
			if err != nil || d <= 0 {
				return f, fmt.Errorf("--timeout %q is not a duration such as 10m", value)
			}
			f.timeout = d
			continue
		}
		f.parameters.Add(strings.ReplaceAll(name, "-", "_"), value)
	}
	if f.file != "" && len(f.parameters) > 0 {
		return f, errors.New("parameters are given by --from-file or as flags, not both")
	}
	return f, nil
}

// maxParameters is the most that the API reads, in bytes.
const maxParameters = 1 << 20

// parametersOf reads a file, or stdin by "-", that holds a JSON object.
func parametersOf(ctx context.Context, path string, stdin io.Reader) (json.RawMessage, error) {
	name := path
	if path == "-" {
		name = "stdin"
	} else {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("--from-file: %w", err)
		}
		defer file.Close()
		stdin = file
	}
	type content struct {
		text []byte
		err  error
	}
	read := make(chan content, 1)
	go func() { // a read of a terminal or pipe can't be ended; Ctrl-C ends the wait for it
		text, err := io.ReadAll(io.LimitReader(stdin, maxParameters+1))
		read <- content{text, err}
	}()
	var got content
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case got = <-read:
	}
	var object map[string]json.RawMessage
	switch {
	case got.err != nil:
		return nil, fmt.Errorf("--from-file: read %s: %w", name, got.err)
	case len(got.text) > maxParameters:
		return nil, fmt.Errorf("--from-file: %s has more than 1 MiB", name)
	case len(bytes.TrimSpace(got.text)) == 0:
		return nil, fmt.Errorf("--from-file: %s is empty: {} is no parameters", name)
	}
	var kind *json.UnmarshalTypeError
	if err := json.Unmarshal(got.text, &object); errors.As(err, &kind) || err == nil && object == nil {
		return nil, fmt.Errorf("--from-file: %s holds JSON, but no object such as {\"horizon_days\": 90}", name)
	} else if err != nil {
		return nil, fmt.Errorf("--from-file: %s is not JSON: %w", name, err)
	}
	return got.text, nil
}

func (c runCommand) Run(ctx context.Context, g *Globals) error {
	flags, err := parseRunFlags(c.Args)
	var parameters json.RawMessage
	if err == nil && flags.file != "" {
		parameters, err = parametersOf(ctx, flags.file, g.in)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return usageError{err}
	}
	g.JSON = g.JSON || flags.json
	api, err := g.client()
	if err != nil {
		return err
	}
	var e client.Execution
	switch {
	case flags.file != "" && flags.dryRun:
		e, err = api.DryRun(ctx, flags.key, c.Agent, parameters)
	case flags.file != "":
		e, err = api.RunOnce(ctx, flags.key, c.Agent, parameters)
	default:
		if flags.dryRun {
			flags.parameters.Set("dry_run", "true")
		}
		e, err = api.RunQuery(ctx, flags.key, c.Agent, flags.parameters)
	}
	if err != nil {
		return err
	}
	if !flags.wait {
		if g.JSON {
			return g.printJSON(e)
		}
		what := "accepted"
		if e.DryRun {
			what += " as a dry run"
		}
		g.say("%s is %s; `ciclo status %s` shows how it stands.", e.ID, what, e.ID)
		return nil
	}
	g.say("%s", e.ID)
	waitCtx := ctx
	if flags.timeout > 0 {
		var cancel context.CancelFunc
		waitCtx, cancel = context.WithTimeout(ctx, flags.timeout)
		defer cancel()
	}
	if flags.follow {
		e, err = follow(waitCtx, g, api, e.ID)
	} else {
		e, err = api.Wait(waitCtx, e.ID, func(e client.Execution) { g.say("  %s", line(e)) })
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		fmt.Fprintf(g.err, "ciclo: it goes on after %s; `ciclo status %s` shows how it stands\n", flags.timeout, e.ID)
		return exit{ExitTimedOut}
	}
	if err != nil {
		return err
	}
	if g.JSON {
		err = g.printJSON(e)
	} else {
		printResult(g.out, e)
	}
	return errors.Join(err, outcome(e))
}

// outcome is the exit code of a final execution.
func outcome(e client.Execution) error {
	switch e.Status {
	case "failed":
		return exit{ExitFailed}
	case "cancelled":
		return exit{ExitCancelled}
	default:
		return nil
	}
}

// line is a moment of an execution in one line.
func line(e client.Execution) string {
	if e.Status == "running" && e.Progress != nil {
		return fmt.Sprintf("%-9s %s (%d of %d)", e.Status, e.Progress.Text, e.Progress.Done, e.Progress.Total)
	}
	return fmt.Sprintf("%-9s %s", e.Status, e.Message)
}
