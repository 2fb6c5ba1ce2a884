package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/nuzantara/ciclo/internal/config"
	"github.com/nuzantara/ciclo/internal/dev"
	"github.com/nuzantara/ciclo/internal/service"
)

// configCommand shows what the services read. They say it themselves, so that it is
// what these very programs do: they are beside ciclo or on PATH.
type configCommand struct {
	Check     configCheck     `cmd:"" help:"Say how the services would be configured here, and all that is wrong with it; exit 0 where nothing is."`
	Variables configVariables `cmd:"" help:"List every variable of every program, with default, unit and meaning."`
}

const (
	orchestratorProgram = "orchestrator"
	workerProgram       = "worker"
)

type configCheck struct {
	Of            string        `enum:"orchestrator,worker,all" default:"all" help:"Whose configuration: orchestrator, worker or all."`
	Offline       bool          `help:"Ask no database."`
	Orchestrators int           `default:"1" help:"How many orchestrators there are to be, for the connections that Postgres must take."`
	Workers       int           `default:"1" help:"How many workers."`
	Timeout       time.Duration `default:"10s" help:"How long all of it may take."`
}

// checked is what ciclo config check found.
type checked struct {
	OK       bool             `json:"ok"`
	Programs []*config.Report `json:"programs"`
	// Databases are in the order of their variables.
	Databases []databaseReport `json:"databases"`
	// Connections are what the services take together, at most; DirectConnections what
	// they take past a pooler.
	Connections       int `json:"connections"`
	DirectConnections int `json:"direct_connections"`
}

func (c configCheck) Validate() error {
	if c.Orchestrators < 0 || c.Workers < 0 {
		return errors.New("--orchestrators and --workers must be 0 or more")
	}
	return nil
}

// Run exits with 1 where something is wrong. Warnings are none.
func (c configCheck) Run(ctx context.Context, g *Globals) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	found := checked{OK: true, Programs: []*config.Report{}, Databases: []databaseReport{}}
	many := map[string]int{orchestratorProgram: c.Orchestrators, workerProgram: c.Workers}
	for _, program := range []string{orchestratorProgram, workerProgram} {
		if c.Of != "all" && c.Of != program {
			continue
		}
		report, err := ask(ctx, program)
		if err != nil {
			return err
		}
		found.Programs = append(found.Programs, report)
		found.Connections += many[program] * report.Connections
		found.DirectConnections += many[program] * report.DirectConnections
		found.OK = found.OK && len(report.Errors) == 0
	}
	if !c.Offline {
		found.Databases = askDatabases(ctx, found, cmp.Or(map[string]string{orchestratorProgram: orchestratorProgram, workerProgram: workerProgram}[c.Of], "all"))
		for _, d := range found.Databases {
			found.OK = found.OK && len(d.Errors) == 0
		}
	}
	if g.JSON {
		if err := g.printJSON(found); err != nil {
			return err
		}
	} else {
		g.printChecked(found)
	}
	if !found.OK {
		return exit{ExitFailed}
	}
	return nil
}

// ask has a program say how it is configured by this environment.
func ask(ctx context.Context, program string) (*config.Report, error) {
	path, err := dev.Find(program)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, "--print-config")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err = cmd.Run()
	var ended *exec.ExitError
	if err != nil && (!errors.As(err, &ended) || ended.ExitCode() != service.ExitConfig) {
		return nil, fmt.Errorf("ask %s for its configuration: %w: %s", path, err, oneLine(said.String()))
	}
	var report config.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		return nil, fmt.Errorf("ask %s for its configuration: %w", path, err)
	}
	return &report, nil
}

// merged are the variables of several programs, each once, in the order of the first
// that has it, with who reads it.
func merged(reports []*config.Report) (all []listed) {
	at := map[string]int{}
	for _, r := range reports {
		for _, v := range r.Variables {
			i, known := at[v.Name]
			if !known {
				i = len(all)
				at[v.Name] = i
				all = append(all, listed{Variable: v})
			}
			one := &all[i]
			one.Of = append(one.Of, r.Program)
			if v.Help != one.Help {
				one.Others = append(one.Others, r.Program+": "+v.Help)
			}
		}
	}
	return all
}

// listed is a variable and who reads it.
type listed struct {
	config.Variable
	Of []string `json:"of"`
	// Others is what it means to others than the first, where that differs.
	Others []string `json:"others,omitempty"`
}

func (g *Globals) printChecked(c checked) {
	table(g.out, func(row func(...any)) {
		row("VARIABLE", "VALUE", "FROM", "OF")
		for _, v := range merged(c.Programs) {
			if !strings.HasSuffix(v.Name, "_FILE") || v.Value != "-" { // a secret's row says enough
				row(v.Name, oneLine(v.Value), v.From, strings.Join(v.Of, ", "))
			}
		}
	})
	for _, d := range c.Databases {
		fmt.Fprintf(g.out, "\n%s\n", d)
	}
	said := map[string]bool{}
	line := func(what, text string) {
		if text = what + "  " + oneLine(text); !said[text] {
			said[text] = true
			fmt.Fprintln(g.out, text)
		}
	}
	fmt.Fprintln(g.out)
	for _, r := range c.Programs {
		for _, p := range r.Warnings {
			line("odd    ", p.Text)
		}
	}
	for _, d := range c.Databases {
		for _, text := range d.Warnings {
			line("odd    ", d.Variable+": "+text)
		}
	}
	for _, r := range c.Programs {
		for _, p := range r.Errors {
			line("problem", p.Text)
		}
	}
	for _, d := range c.Databases {
		for _, text := range d.Errors {
			line("problem", d.Variable+": "+text)
		}
	}
	if c.OK {
		fmt.Fprintln(g.out, "ok       nothing is wrong")
	}
}

type configVariables struct {
	Markdown bool `help:"Print the page docs/configuration.md."`
}

func (c configVariables) Run(ctx context.Context, parsed *kong.Context, g *Globals) error {
	var reports []*config.Report
	for _, program := range []string{orchestratorProgram, workerProgram} {
		r, err := ask(ctx, program)
		if err != nil {
			return err
		}
		reports = append(reports, r)
	}
	reports = append(reports, ownVariables(parsed)...)
	all := merged(reports)
	for i := range all { // how they stand here is `config check`'s
		all[i].Value, all[i].From = "", ""
	}
	switch {
	case g.JSON:
		return g.printJSON(map[string]any{"variables": all})
	case c.Markdown:
		_, err := fmt.Fprint(g.out, page(all))
		return err
	}
	table(g.out, func(row func(...any)) {
		row("VARIABLE", "DEFAULT", "UNIT", "OF", "WHAT")
		for _, v := range all {
			row(v.Name, cmp.Or(v.Default, "-"), v.Unit, strings.Join(v.Of, ", "), v.Help)
		}
	})
	return nil
}

// ownVariables are those of ciclo itself: of its flags, of the database by the struct
// of the services, and of what `ciclo dev` and the tests look for.
func ownVariables(parsed *kong.Context) (reports []*config.Report) {
	var databases []config.Variable
	for _, v := range config.Describe(&service.Database{}) {
		switch v.Name {
		case "DATABASE_URL", "DATABASE_URL_FILE", "DATABASE_DIRECT_URL", "DATABASE_DIRECT_URL_FILE":
			databases = append(databases, v)
		}
	}
	of := config.All(parsed.Model)
	of["ciclo"] = append(databases, of["ciclo"]...)
	of["ciclo dev"] = append(of["ciclo dev"], config.Variable{Name: "PG_BIN", Unit: "folder", Help: "Folder of initdb and postgres, for a database of its own. Default: where they are found."})
	for program, variables := range of {
		reports = append(reports, &config.Report{Program: program, Variables: variables})
	}
	slices.SortFunc(reports, func(a, b *config.Report) int { return strings.Compare(a.Program, b.Program) })
	return reports
}
