package cli

import (
	"context"
	"errors"

	"github.com/nuzantara/ciclo/internal/imports"
	"github.com/nuzantara/ciclo/internal/postgres"
)

type importCommand struct {
	Payments importPayments `cmd:"" help:"Import payments from a CSV file with the columns client_id, paid_at, amount and optionally currency, refunded."`
}

type importPayments struct {
	File     string `arg:"" type:"existingfile" help:"The file."`
	Currency string `help:"Currency of rows that name none, such as USD."`
	SkipBad  bool   `help:"Take the good rows of a file that has bad ones."`
	Again    bool   `help:"Take a file that was imported before once more."`
}

func (c importPayments) Run(ctx context.Context, g *Globals) error {
	url, err := g.database()
	if err != nil {
		return err
	}
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: "ciclo import", MaxConns: 2})
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := postgres.CheckSchema(ctx, pool); err != nil {
		return err
	}
	report, err := imports.Payments(ctx, pool, c.File, imports.Options{Currency: c.Currency, SkipBad: c.SkipBad, Again: c.Again})
	if err != nil && !errors.Is(err, imports.ErrBadRows) {
		return err
	}
	if g.JSON {
		return errors.Join(g.printJSON(report), err)
	}
	for _, bad := range report.BadRows {
		g.say("line %d: %s", bad.Line, bad.Reason)
	}
	if more := report.Bad - len(report.BadRows); more > 0 {
		g.say("… and %d more bad rows", more)
	}
	if err != nil {
		return err
	}
	g.say("Imported %d payments; %d clients are new; %d rows were left out.", report.Rows, report.NewClients, report.Bad)
	return nil
}
