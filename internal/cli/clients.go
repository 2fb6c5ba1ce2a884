package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/client"
)

type clientsCommand struct {
	Values  clientsValues  `cmd:"" help:"List clients with their value and churn risk, the most valuable first."`
	Summary clientsSummary `cmd:"" help:"Show the segments, how value is spread, and how well the models would have foretold."`
	History clientsHistory `cmd:"" help:"Show what each run found of one client."`
	Changes clientsChanges `cmd:"" help:"List clients that came into another segment, the newest first."`
	Export  clientsExport  `cmd:"" help:"Write all of a run's scores into a CSV file."`
}

// valueFilter are the flags of what narrows a run's scores.
type valueFilter struct {
	Execution     string   `help:"The scores of this run. Default: of the last complete one."`
	Segment       []string `help:"Those in a segment: VIP, HIGH, MEDIUM or LOW; more than one by repeating the flag."`
	MinChurnRisk  *float64 `help:"Those whose risk to buy nothing within 90 days is that or more, 0 to 1."`
	LowConfidence *bool    `negatable:"" help:"Those that rest on too few clients; --no-low-confidence: those that don't."`
	Sort          string   `default:"clv" enum:"clv,churn_risk_90,client_id" help:"clv, churn_risk_90 or client_id."`
}

func (f valueFilter) query() url.Values {
	query := url.Values{"sort": {f.Sort}}
	if f.Execution != "" {
		query.Set("execution", f.Execution)
	}
	for _, s := range f.Segment {
		query.Add("segment", strings.ToUpper(s))
	}
	if f.MinChurnRisk != nil {
		query.Set("min_churn_risk", strconv.FormatFloat(*f.MinChurnRisk, 'g', -1, 64))
	}
	if f.LowConfidence != nil {
		query.Set("low_confidence", strconv.FormatBool(*f.LowConfidence))
	}
	return query
}

type clientsValues struct {
	valueFilter
	Limit  int    `default:"20" help:"How many."`
	Cursor string `help:"Go on after the page that gave it."`
}

func (c clientsValues) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	query := c.query()
	query.Set("limit", strconv.Itoa(c.Limit))
	if c.Cursor != "" {
		query.Set("cursor", c.Cursor)
	}
	page, err := api.ClientValues(ctx, query)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(page)
	}
	printRun(g.out, page.Run)
	table(g.out, func(row func(...any)) {
		row("CLIENT", "NAME", "SEGMENT", "VALUE", "OF THE MEAN", "CHURN RISK 90 D", "PURCHASES", "9 OF 10", "BOUGHT", "LAST", "SPENT")
		for _, v := range page.Values {
			row(v.ClientID, text(v.Name), segmentText(v.Score), money(v.CLV), interval(v.CLVLow, v.CLVHigh, money), share(v.ChurnRisk90),
				purchases(v.ExpectedPurchases), between(v.PurchasesLow, v.PurchasesHigh), v.RepeatPurchases+1, text(v.LastPurchaseOn), maybe(v.TotalSpend, money))
		}
	})
	if page.NamesError != nil {
		g.say("Names are missing: %s", *page.NamesError)
	}
	if page.NextCursor != nil {
		g.say("There are more: --cursor %s", *page.NextCursor)
	}
	return nil
}

// printRun says whose scores follow.
func printRun(w io.Writer, r client.ValueRun) {
	fmt.Fprintf(w, "As of %s, by %s", cmp.Or(text(r.AsOf), "?"), r.ExecutionID)
	if r.HorizonDays != nil {
		fmt.Fprintf(w, ": values in %s over %s days", cmp.Or(text(r.Currency), "?"), grouped(strconv.Itoa(*r.HorizonDays)))
	}
	if r.Model != nil {
		fmt.Fprintf(w, " by %s", *r.Model)
	}
	fmt.Fprintln(w)
	if r.LowConfidence != nil && *r.LowConfidence {
		fmt.Fprintln(w, "Low confidence: the numbers rest on too few clients.")
	}
}

type clientsSummary struct {
	Execution string `help:"Of this run. Default: of the last complete one."`
}

func (c clientsSummary) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	s, err := api.ValueSummary(ctx, c.Execution)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(s)
	}
	printRun(g.out, s.Run)
	fmt.Fprintf(g.out, "%s clients, worth %s, %s each\n\n", grouped(strconv.FormatInt(s.Clients, 10)), money(s.TotalCLV), money(s.MeanCLV))
	table(g.out, func(row func(...any)) {
		row("SEGMENT", "CLIENTS", "SHARE", "VALUE", "OF ALL VALUE", "VALUE EACH", "PURCHASES", "CHURN RISK 30 D", "90 D")
		for _, one := range s.Segments {
			row(one.Segment, grouped(strconv.FormatInt(one.Clients, 10)), share(one.Share), money(one.TotalCLV), share(one.CLVShare), money(one.MeanCLV),
				purchases(one.ExpectedPurchases), share(one.MeanChurnRisk30), share(one.MeanChurnRisk90))
		}
	})
	printHistogram(g.out, "VALUE", s.CLV.Histogram, s.Clients, money)
	printHistogram(g.out, "CHURN RISK 90 D", s.Churn90.Histogram, s.Clients, share)
	if len(s.Models) == 0 {
		return nil
	}
	fmt.Fprintln(g.out)
	table(g.out, func(row func(...any)) {
		row("MODEL", "CHOSEN", "PREDICTED", "BOUGHT", "OFF BY", "WITHOUT A MODEL", "FROM", "TO", "CLIENTS")
		for _, m := range s.Models {
			chosen := ""
			if m.Chosen {
				chosen = "yes"
			}
			if m.Predicted == nil {
				row(m.Model, chosen, "-", "-", text(m.Reason))
				continue
			}
			predicted := purchases(*m.Predicted)
			if m.PredictedLow != nil && m.PredictedHigh != nil {
				predicted += " (" + purchases(*m.PredictedLow) + " to " + purchases(*m.PredictedHigh) + ")"
			}
			row(m.Model, chosen, predicted, grouped(number(m.Bought)), maybe(m.OffPercent, func(f float64) string { return fmt.Sprintf("%+.1f %%", f) }),
				maybe(m.SimpleForecast, purchases), text(m.CutOn), text(m.EndOn), grouped(number(m.Clients)))
		}
	})
	return nil
}

// printHistogram draws how many clients lie in each bin.
func printHistogram(w io.Writer, name string, bins []client.Bin, clients int64, write func(float64) string) {
	var most int64 = 1
	for _, b := range bins {
		most = max(most, b.Clients)
	}
	fmt.Fprintln(w)
	table(w, func(row func(...any)) {
		row(name, "CLIENTS", "SHARE", "")
		for _, b := range bins {
			from := write(b.From) + " –"
			if b.To != nil {
				from += " " + write(*b.To)
			}
			row(from, grouped(strconv.FormatInt(b.Clients, 10)), share(float64(b.Clients)/float64(max(clients, 1))), strings.Repeat("▇", int(30*b.Clients/most)))
		}
	})
}

type clientsHistory struct {
	Client string `arg:"" help:"The client's id."`
	Limit  int    `default:"20" help:"How many runs, the newest first."`
	Cursor string `help:"Go on after the page that gave it."`
}

func (c clientsHistory) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	query := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	if c.Cursor != "" {
		query.Set("cursor", c.Cursor)
	}
	h, err := api.ClientHistory(ctx, c.Client, query)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(h)
	}
	fmt.Fprintln(g.out, strings.TrimSpace(h.ClientID+" "+text(h.Name)))
	table(g.out, func(row func(...any)) {
		row("AS OF", "SEGMENT", "VALUE", "OF THE MEAN", "OVER", "CHURN RISK 90 D", "PURCHASES", "BOUGHT", "LAST", "EXECUTION")
		for _, v := range h.Values {
			horizon := ""
			if v.HorizonDays != nil {
				horizon = fmt.Sprintf("%d days, %s", *v.HorizonDays, cmp.Or(text(v.Currency), "?"))
			}
			row(v.AsOf, segmentText(v.Score), money(v.CLV), interval(v.CLVLow, v.CLVHigh, money), horizon, share(v.ChurnRisk90),
				purchases(v.ExpectedPurchases), v.RepeatPurchases+1, text(v.LastPurchaseOn), v.ExecutionID)
		}
	})
	if h.NextCursor != nil {
		g.say("There are more: --cursor %s", *h.NextCursor)
	}
	return nil
}

type clientsChanges struct {
	Client string   `help:"Those of one client."`
	To     []string `help:"Those into a segment: VIP, HIGH, MEDIUM or LOW; more than one by repeating the flag."`
	After  *int64   `help:"The oldest first, after the change of this id; 0 is from the beginning."`
	Limit  int      `default:"20" help:"How many."`
	Cursor string   `help:"Go on after the page that gave it."`
}

func (c clientsChanges) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	query := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	if c.Client != "" {
		query.Set("client", c.Client)
	}
	for _, s := range c.To {
		query.Add("to", strings.ToUpper(s))
	}
	if c.After != nil {
		query.Set("after", strconv.FormatInt(*c.After, 10))
	}
	if c.Cursor != "" {
		query.Set("cursor", c.Cursor)
	}
	page, err := api.SegmentChanges(ctx, query)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(page)
	}
	table(g.out, func(row func(...any)) {
		row("CHANGE", "AT", "CLIENT", "FROM", "TO", "EXECUTION")
		for _, s := range page.Changes {
			row(s.ID, s.EndedAt.UTC().Format(time.DateTime), s.ClientID, s.From, s.To, s.ExecutionID)
		}
	})
	switch {
	case page.NextCursor != nil:
		g.say("There are more: --cursor %s", *page.NextCursor)
	case page.NextAfter != nil:
		g.say("Go on by --after %d", *page.NextAfter)
	}
	return nil
}

type clientsExport struct {
	valueFilter
	File string `arg:"" type:"path" help:"The file, which must not be there yet; - is stdout."`
}

func (c clientsExport) Run(ctx context.Context, g *Globals) error {
	if c.File == "-" && g.JSON {
		return usageError{errors.New("--json and CSV can't both go to stdout: name a file")}
	}
	api, err := g.client()
	if err != nil {
		return err
	}
	if c.File == "-" {
		return api.ExportClientValues(ctx, c.query(), g.out)
	}
	if _, err := os.Lstat(c.File); err == nil {
		return usageError{fmt.Errorf("%s is there already", c.File)}
	}
	size, err := exportTo(c.File, func(w io.Writer) error { return api.ExportClientValues(ctx, c.query(), w) })
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]any{"file": c.File, "bytes": size})
	}
	g.say("Wrote %s bytes into %s.", grouped(strconv.FormatInt(size, 10)), c.File)
	return nil
}

// exportTo has a file written that appears when it is whole, and returns its size
// in bytes.
func exportTo(path string, write func(io.Writer) error) (size int64, err error) {
	part, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part*")
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part.Name()))
		}
	}()
	buffered := bufio.NewWriterSize(part, 1<<16)
	if err = errors.Join(write(buffered), buffered.Flush()); err == nil {
		size, err = part.Seek(0, io.SeekCurrent)
	}
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", path, err)
	}
	return size, nil
}
