package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/nuzantara/ciclo/internal/dev"
)

// replayCommand has the worker beside ciclo, or on PATH, do it: the present agent is
// that program's.
type replayCommand struct {
	ID   string `arg:"" help:"The execution, which has ended."`
	Live bool   `help:"Ask models what has no recorded answer. That is paid, and no ledger has it."`
}

// replayed is what the worker prints.
type replayed struct {
	ExecutionID string `json:"execution_id"`
	Agent       string `json:"agent_name"`
	Was         string `json:"was"`
	Is          string `json:"is"`
	Result      []struct {
		At  string          `json:"at"`
		Was json.RawMessage `json:"was"`
		Is  json.RawMessage `json:"is"`
	} `json:"result"`
	StepsGone     []string `json:"steps_gone"`
	StepsNew      []string `json:"steps_new"`
	StepsChanged  []string `json:"steps_changed"`
	CallsRecorded int      `json:"calls_recorded"`
	CallsLive     int      `json:"calls_live"`
	CallsUnused   int      `json:"calls_unused"`
	DollarsWas    float64  `json:"dollars_was"`
	DollarsIs     float64  `json:"dollars_is"`
	DollarsPaid   float64  `json:"dollars_paid"`
	Effects       []string `json:"effects"`
}

func (c replayCommand) Run(ctx context.Context, g *Globals) error {
	path, err := dev.Find("worker")
	if err != nil {
		return err
	}
	url, err := g.database()
	if err != nil {
		return err
	}
	args := []string{"--replay", c.ID}
	if c.Live {
		args = append(args, "--replay-live")
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+url, "DATABASE_URL_FILE=")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %s", path, lastError(said.Bytes(), err))
	}
	if g.JSON {
		_, err := g.out.Write(out.Bytes())
		return err
	}
	var r replayed
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return fmt.Errorf("read what %s says: %w", path, err)
	}
	r.print(g)
	return nil
}

// lastError is the error of the service's last line in the log.
func lastError(log []byte, ended error) string {
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	var line struct{ Error, Problem string }
	if json.Unmarshal([]byte(lines[len(lines)-1]), &line) == nil && line.Error != "" {
		return line.Error
	}
	return errors.Join(ended, errors.New(oneLine(string(log)))).Error()
}

func (r replayed) print(g *Globals) {
	fmt.Fprintf(g.out, "%s of %s, run again: nothing was written\n", r.ExecutionID, r.Agent)
	fmt.Fprintf(g.out, "  was %s\n  is  %s\n", oneLine(r.Was), oneLine(r.Is))
	if len(r.Result)+len(r.StepsGone)+len(r.StepsNew)+len(r.StepsChanged) == 0 && r.Was == r.Is {
		fmt.Fprintln(g.out, "  the same result by the same steps")
	}
	for _, d := range r.Result {
		fmt.Fprintf(g.out, "  %s: %s → %s\n", d.At, shortJSON(d.Was), shortJSON(d.Is))
	}
	for _, of := range []struct {
		what  string
		names []string
	}{{"steps that are gone", r.StepsGone}, {"new steps", r.StepsNew}, {"steps with another output", r.StepsChanged}, {"effects left out", r.Effects}} {
		if len(of.names) > 0 {
			fmt.Fprintf(g.out, "  %s: %s\n", of.what, strings.Join(of.names, ", "))
		}
	}
	if r.CallsRecorded+r.CallsLive+r.CallsUnused > 0 {
		fmt.Fprintf(g.out, "  calls to models: %d by their recorded answers, %d asked live, %d recorded ones unused; %s dollars then, %s now; this replay paid %s\n",
			r.CallsRecorded, r.CallsLive, r.CallsUnused, dollars(r.DollarsWas), dollars(r.DollarsIs), dollars(r.DollarsPaid))
	}
}

// shortJSON is a value in one line of some length.
func shortJSON(v json.RawMessage) string {
	const most = 80
	text := []rune(string(v))
	switch {
	case len(text) == 0 || string(text) == "null":
		return "(nothing)"
	case len(text) > most:
		return string(text[:most]) + "…"
	default:
		return string(text)
	}
}
