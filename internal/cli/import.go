package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/internal/imports"
	"github.com/nuzantara/ciclo/internal/postgres"
)

type importCommand struct {
	Demo          importDemo          `cmd:"" help:"Fill an empty database with a made-up consultancy, to try things on."`
	Clients       importClients       `cmd:"" help:"Import clients: id, and optionally name, email, phone, whatsapp, language, status, consent_marketing, tags, created_at."`
	Payments      importPayments      `cmd:"" help:"Import payments: client_id, paid_at, amount, and optionally id, currency, refunded."`
	Interactions  importInteractions  `cmd:"" help:"Import interactions: client_id, channel, direction, kind, occurred_at, and optionally id, sentiment."`
	Conversations importConversations `cmd:"" help:"Import conversations: id, started_at, and optionally client_id, agent_version, channel, segment, ended_at, outcome, outcome_at, rating."`
	Messages      importMessages      `cmd:"" help:"Import messages of conversations: id, conversation_id, role, body, sent_at."`
	Names         importNames         `cmd:"" help:"Import names that messages are about, of companies, places, laws, documents: type, id, name."`
	Rates         importRates         `cmd:"" help:"Import exchange rates: currency, into, day, rate."`
}

// importFlags are those of every kind of file.
type importFlags struct {
	File      string `arg:"" type:"existingfile" help:"The file: CSV whose first line names the columns, or one JSON object a line."`
	Format    string `enum:",csv,jsonl" default:"" help:"csv or jsonl. Default: by the name, jsonl for .jsonl and .ndjson, else csv."`
	Separator string `help:"What separates the fields of a CSV file: a comma, ';', '|' or tab." default:""`
	SkipBad   bool   `help:"Take the good rows of a file that has bad ones."`
	Again     bool   `help:"Take a file once more that was imported before and whose rows have no ids."`
	DryRun    bool   `help:"Read and check everything, say what would be done, and write nothing."`
	BadRows   string `type:"path" placeholder:"FILE" help:"Write every bad row's line and reason to this file, as JSON lines."`
}

type (
	importClients  struct{ importFlags }
	importPayments struct {
		importFlags
		Currency string `help:"Currency of payments that name none, such as USD."`
	}
	importInteractions  struct{ importFlags }
	importRates         struct{ importFlags }
	importConversations struct{ importFlags }
	importMessages      struct{ importFlags }
	importNames         struct{ importFlags }
)

func (c importClients) Run(ctx context.Context, g *Globals) error {
	return c.run(ctx, g, imports.Clients, "")
}

func (c importPayments) Run(ctx context.Context, g *Globals) error {
	return c.run(ctx, g, imports.Payments, c.Currency)
}

func (c importInteractions) Run(ctx context.Context, g *Globals) error {
	return c.run(ctx, g, imports.Interactions, "")
}

func (c importConversations) Run(ctx context.Context, g *Globals) error {
	return c.run(ctx, g, imports.Conversations, "")
}

func (c importMessages) Run(ctx context.Context, g *Globals) error {
	return c.run(ctx, g, imports.Messages, "")
}

func (c importRates) Run(ctx context.Context, g *Globals) error {
	return c.run(ctx, g, imports.Rates, "")
}

func (c importNames) Run(ctx context.Context, g *Globals) error {
	return c.run(ctx, g, imports.Names, "")
}

func (f importFlags) run(ctx context.Context, g *Globals, kind *imports.Kind, currency string) (err error) {
	o := imports.Options{
		Format: imports.Format(f.Format), Currency: currency, SkipBad: f.SkipBad, Again: f.Again, DryRun: f.DryRun,
	}
	if o.Separator, err = separator(f.Separator); err != nil {
		return usageError{err}
	}
	url, err := g.database()
	if err != nil {
		return err
	}
	if f.BadRows != "" {
		bad, err := f.createBadRows()
		if err != nil {
			return err
		}
		// What isn't on the disk yet is lost where Close fails.
		defer func() { err = errors.Join(err, bad.Close()) }()
		o.BadRows = bad
	}
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: "ciclo import", MaxConns: 2, Pooled: true})
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := postgres.CheckSchema(ctx, pool); err != nil {
		return err
	}
	clear := func() {}
	if terminal(g.err) {
		o.Progress, clear = showImport(g.err, kind.Name)
	}
	report, err := imports.File(ctx, pool, kind, f.File, o)
	clear()
	if err != nil && !errors.Is(err, imports.ErrBadRows) {
		return err
	}
	if g.JSON {
		return errors.Join(g.printJSON(report), err)
	}
	for _, bad := range report.BadRows {
		g.say("line %d: %s", bad.Line, bad.Reason)
	}
	if more := report.Bad - int64(len(report.BadRows)); more > 0 {
		where := "--bad-rows FILE writes all of them"
		if f.BadRows != "" {
			where = "all are in " + f.BadRows
		}
		g.say("… and %d more bad rows (%s)", more, where)
	}
	if err != nil {
		return err
	}
	g.say("%s", said(report))
	return nil
}

// createBadRows makes the file of bad rows, which must not be the one that is read.
func (f importFlags) createBadRows() (*os.File, error) {
	read, err := os.Stat(f.File)
	if err != nil {
		return nil, err
	}
	if there, err := os.Stat(f.BadRows); err == nil && os.SameFile(read, there) {
		return nil, usageError{fmt.Errorf("--bad-rows %s is the file to import", f.BadRows)}
	}
	return os.Create(f.BadRows)
}

func separator(text string) (byte, error) {
	switch {
	case text == "tab" || text == `\t`:
		return '\t', nil
	case text == "":
		return 0, nil
	case len(text) == 1:
		return text[0], nil
	}
	return 0, fmt.Errorf("--separator %q is not one character, nor tab", text)
}

// said is what an import did, or would do, for a person.
func said(r imports.Report) string {
	did := "Imported"
	if r.DryRun {
		did = "Would import"
	}
	text := fmt.Sprintf("%s %d %s", did, r.Rows, r.Kind)
	if r.Kind == imports.Payments.Name {
		text += fmt.Sprintf("; %d clients are new", r.NewClients)
	}
	if r.Changed > 0 {
		text += fmt.Sprintf("; %d are changed", r.Changed)
	}
	if r.AlreadyThere > 0 {
		text += fmt.Sprintf("; %d were already there", r.AlreadyThere)
	}
	text += fmt.Sprintf("; %d rows were left out.", r.Bad)
	if r.DryRun {
		text += " Nothing was written."
	}
	return text
}

// showImport shows, in one line that is written over, how far an import is, once
// it has taken a second; the other function clears that line.
func showImport(w io.Writer, kind string) (show func(imports.Progress), clear func()) {
	began, width := time.Now(), 0
	show = func(p imports.Progress) {
		if time.Since(began) < time.Second {
			return
		}
		text := fmt.Sprintf("%s %d %s", p.Stage, p.Rows, kind)
		if p.Stage == imports.StageReading && p.Size > 0 {
			text += fmt.Sprintf(", %d %%", min(100, 100*p.Bytes/p.Size))
		}
		fmt.Fprintf(w, "\r%-*s", width, text)
		width = max(width, len(text))
	}
	return show, func() {
		if width > 0 {
			fmt.Fprintf(w, "\r%s\r", strings.Repeat(" ", width))
		}
	}
}
