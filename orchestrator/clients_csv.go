package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// exportPath is of a download, which lasts as long as its reader takes.
const exportPath = "/clients/values.csv"

const (
	// exportBatch is how many rows of an export are in memory, and how many names
	// the firm's view is asked for at once.
	exportBatch = 5000
	// exportPatience is how long the reader of an export may take for a batch.
	exportPatience = 30 * time.Second
	// maxExport is how long an export may take altogether.
	maxExport = time.Hour
)

// exportHead are the columns; exported are their cells.
const exportHead = "client_id,name,segment,previous_segment,clv,clv_low,clv_high,clv_12_months,clv_36_months,churn_risk_30,churn_risk_90,p_alive," +
	"expected_purchases,expected_purchases_low,expected_purchases_high,purchases_low,purchases_high,expected_spend,expected_value,repeat_purchases,first_purchase_on,last_purchase_on," +
	"recency_weeks,age_weeks,mean_spend,total_spend,low_confidence,as_of,execution_id\r\n"

// exportClientValues writes a run's scores as CSV (RFC 4180, UTF-8), all that the
// filters let pass. It is read in batches, each by a statement of its own, for
// what a complete run wrote doesn't change: a slow reader holds neither a
// connection nor a snapshot, and one that goes away ends it. What can't be told to
// the end is cut off, so that nobody takes a part for the whole.
func (o *Orchestrator) exportClientValues(c echo.Context) error {
	query := c.QueryParams()
	f, wrong := readValueFilter(query)
	var p *problem
	if err := onlyQuery(query, "execution", "segment", "min_churn_risk", "low_confidence", "sort"); errors.As(err, &p) {
		wrong = append(wrong, p.Fields...)
	}
	if len(wrong) > 0 {
		return invalid(wrong...)
	}
	ctx, end := context.WithTimeout(c.Request().Context(), maxExport)
	defer end()
	run, err := o.store.ValueRun(ctx, f.Execution)
	if err != nil {
		return err
	}
	f.Execution, f.Limit = run.ExecutionID, exportBatch
	e := &export{o: o, ctx: ctx, filter: f, writing: http.NewResponseController(c.Response().Writer)}
	batch, err := e.next()
	if err != nil {
		return err
	}
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, "text/csv; charset=utf-8; header=present")
	header.Set(echo.HeaderContentDisposition, `attachment; filename="client-values-`+run.EndedAt.UTC().Format(time.DateOnly)+`.csv"`)
	header.Set(echo.HeaderXContentTypeOptions, "nosniff")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Ciclo-Execution", run.ExecutionID)
	c.Response().WriteHeader(http.StatusOK)
	text := []byte(exportHead)
	for {
		for _, one := range batch {
			text = appendRow(text, one)
		}
		// A reader that reads nothing is let go. A test's recorder knows no deadline.
		if err = e.writing.SetWriteDeadline(time.Now().Add(exportPatience)); err == nil || errors.Is(err, http.ErrNotSupported) {
			_, err = c.Response().Write(text)
		}
		if err == nil && len(batch) == exportBatch {
			text = text[:0]
			batch, err = e.next()
		} else if err == nil {
			return nil
		}
		if err != nil {
			o.cfg.Log.Warn("an export of client values was cut off", "execution_id", run.ExecutionID, "error", err)
			panic(http.ErrAbortHandler) //nolint:forbidigo // the one way to end an answer so that its reader sees it
		}
	}
}

// export is how far an export is.
type export struct {
	o       *Orchestrator
	ctx     context.Context //nolint:containedctx // it lives as long as the request
	filter  postgres.ValueFilter
	writing *http.ResponseController
	// nameless is set where the firm's view did not answer: it is not asked again.
	nameless bool
}

// next reads the next batch.
func (e *export) next() ([]clientValue, error) {
	ctx, cancel := context.WithTimeout(e.ctx, requestTimeout)
	defer cancel()
	scores, err := e.o.store.Scores(ctx, e.filter)
	if err != nil || len(scores) == 0 {
		return nil, err
	}
	last := scores[len(scores)-1]
	e.filter.After = &postgres.ValuePlace{Key: last.Key, ClientID: last.ClientID}
	if e.nameless {
		values := make([]clientValue, len(scores))
		for i, s := range scores {
			values[i].ClientScore = s.ClientScore
		}
		return values, nil
	}
	values, why := e.o.named(ctx, scores)
	e.nameless = why != nil
	return values, nil
}

func appendRow(b []byte, v clientValue) []byte {
	number := func(f float64) { b = append(strconv.AppendFloat(b, f, 'f', -1, 64), ',') }
	maybe := func(f *float64) {
		if f != nil {
			b = strconv.AppendFloat(b, *f, 'f', -1, 64)
		}
		b = append(b, ',')
	}
	plain := func(s *string) {
		if s != nil {
			b = append(b, *s...)
		}
		b = append(b, ',')
	}
	b = append(appendText(b, v.ClientID), ',')
	if v.Name != nil {
		b = appendText(b, *v.Name)
	}
	b = append(b, ',')
	plain(&v.Segment)
	plain(v.PreviousSegment)
	number(v.CLV)
	maybe(v.CLVLow)
	maybe(v.CLVHigh)
	number(v.CLV12Months)
	maybe(v.CLV36Months)
	number(v.ChurnRisk30)
	number(v.ChurnRisk90)
	number(v.PAlive)
	number(v.ExpectedPurchases)
	maybe(v.ExpectedPurchasesLow)
	maybe(v.ExpectedPurchasesHigh)
	for _, n := range []*int{v.PurchasesLow, v.PurchasesHigh} {
		if n != nil {
			b = strconv.AppendInt(b, int64(*n), 10)
		}
		b = append(b, ',')
	}
	number(v.ExpectedSpend)
	number(v.ExpectedValue)
	b = append(strconv.AppendInt(b, int64(v.RepeatPurchases), 10), ',')
	plain(v.FirstPurchaseOn)
	plain(v.LastPurchaseOn)
	number(v.RecencyWeeks)
	number(v.AgeWeeks)
	number(v.MeanSpend)
	maybe(v.TotalSpend)
	b = append(strconv.AppendBool(b, v.LowConfidence), ',')
	plain(&v.AsOf)
	return append(append(b, v.ExecutionID...), '\r', '\n')
}

// formula is what a spreadsheet takes for one, also behind apostrophes that were
// put before it: so that one apostrophe less gives the text again.
var formula = regexp.MustCompile(`^'*[=+\-@\t\r\n＝＋－＠]`)

// appendText writes other people's text as a cell: an apostrophe goes before what
// a spreadsheet would compute. encoding/csv drops carriage returns, so it is
// written here.
func appendText(b []byte, text string) []byte {
	text = strings.ToValidUTF8(text, "�")
	if formula.MatchString(text) {
		text = "'" + text
	}
	if !strings.ContainsAny(text, "\",\r\n") && strings.TrimSpace(text) == text {
		return append(b, text...)
	}
	return fmt.Appendf(b, `"%s"`, strings.ReplaceAll(text, `"`, `""`))
}
