// Package imports takes files into the default source tables (schema crm). A
// file is taken whole or, where its bad rows are to be left out, without exactly
// those; each bad row is reported by line and reason. Imports: pgx alone.
package imports

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Options of an import.
type Options struct {
	// Currency is of rows that name none; empty means that each must.
	Currency string
	// SkipBad takes the good rows of a file that has bad ones.
	SkipBad bool
	// Again takes a file whose very bytes were taken before.
	Again bool
}

// BadRow is one row that can't be taken.
type BadRow struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// Report is what an import did.
type Report struct {
	Rows       int64    `json:"rows"`
	NewClients int64    `json:"new_clients"`
	Bad        int      `json:"bad"`
	BadRows    []BadRow `json:"bad_rows"` // the first maxBadShown
}

const maxBadShown = 20

var (
	// ErrBadRows says that the file has rows that can't be taken, so none was.
	ErrBadRows = errors.New("the file has bad rows and nothing was imported: mend them, or leave them out with --skip-bad")
	// ErrImported says that the same bytes were taken before.
	ErrImported = errors.New("this very file was imported before: --again imports it once more")
)

// Payments imports a CSV file with a header that names the columns client_id,
// paid_at (a date, or an RFC 3339 instant), amount (a decimal; negative for a
// refund), and optionally currency (three capitals) and refunded (true, false).
// Clients that aren't known are made, with nothing but their id.
func Payments(ctx context.Context, pool *pgxpool.Pool, path string, o Options) (Report, error) {
	var r Report
	sum, err := hashFile(path)
	if err != nil {
		return r, fmt.Errorf("import payments: %w", err)
	}
	file, err := os.Open(path)
	if err != nil {
		return r, fmt.Errorf("import payments: %w", err)
	}
	defer file.Close()
	rows, err := newPaymentReader(file, o, &r)
	if err != nil {
		return r, fmt.Errorf("import payments from %s: %w", path, err)
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		imported, err := registerFile(ctx, tx, "payments", path, sum, o.Again)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			CREATE TEMP TABLE incoming (client_id text, paid_at timestamptz, amount numeric, currency text, refunded boolean)
			ON COMMIT DROP`)
		if err != nil {
			return err
		}
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"incoming"}, []string{"client_id", "paid_at", "amount", "currency", "refunded"}, rows)
		if err != nil {
			return err
		}
		if r.Bad > 0 && !o.SkipBad {
			return ErrBadRows
		}
		clients, err := tx.Exec(ctx, `
			INSERT INTO crm.clients (id, created_at)
			SELECT client_id, min(paid_at) FROM incoming GROUP BY client_id
			ON CONFLICT (id) DO NOTHING`)
		if err != nil {
			return err
		}
		payments, err := tx.Exec(ctx, `
			INSERT INTO crm.payments (client_id, paid_at, amount, currency, refunded, import_id)
			SELECT client_id, paid_at, amount, currency, refunded, $1 FROM incoming`, imported)
		if err != nil {
			return err
		}
		r.NewClients, r.Rows = clients.RowsAffected(), payments.RowsAffected()
		_, err = tx.Exec(ctx, `UPDATE crm.imports SET rows = $2 WHERE id = $1`, imported, r.Rows)
		return err
	})
	if err != nil {
		r.Rows, r.NewClients = 0, 0
		return r, fmt.Errorf("import payments from %s: %w", path, err)
	}
	return r, nil
}

func hashFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// registerFile notes the file and refuses one whose bytes were taken before. Two
// imports of one file at once wait for each other.
func registerFile(ctx context.Context, tx pgx.Tx, kind, path string, sum []byte, again bool) (int64, error) {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, kind+string(fmt.Appendf(nil, "%x", sum))); err != nil {
		return 0, err
	}
	var before *time.Time
	err := tx.QueryRow(ctx, `SELECT max(imported_at) FROM crm.imports WHERE kind = $1 AND sha256 = $2`, kind, sum).Scan(&before)
	if err != nil {
		return 0, err
	}
	if before != nil && !again {
		return 0, fmt.Errorf("%w (it was on %s)", ErrImported, before.Format(time.RFC3339))
	}
	var id int64
	err = tx.QueryRow(ctx, `INSERT INTO crm.imports (kind, file, sha256, rows) VALUES ($1, $2, $3, 0) RETURNING id`,
		kind, filepath.Base(path), sum).Scan(&id)
	return id, err
}

// paymentReader gives COPY the good rows of a CSV file and reports the bad ones.
type paymentReader struct {
	csv     *csv.Reader
	columns map[string]int
	options Options
	report  *Report
	latest  time.Time
	row     []any
	err     error
}

func newPaymentReader(file io.Reader, o Options, report *Report) (*paymentReader, error) {
	buffered := bufio.NewReaderSize(file, 1<<20)
	if bom, err := buffered.Peek(3); err == nil && string(bom) == "\ufeff" {
		if _, err := buffered.Discard(3); err != nil {
			return nil, err
		}
	}
	p := &paymentReader{csv: csv.NewReader(buffered), options: o, report: report, columns: map[string]int{}, latest: time.Now().Add(24 * time.Hour)}
	p.csv.ReuseRecord = true
	header, err := p.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	}
	if err != nil {
		return nil, err
	}
	known := []string{"client_id", "paid_at", "amount", "currency", "refunded"}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("line 1: column %q is not one of %v (the first line must name the columns)", name, known)
		}
		if _, twice := p.columns[name]; twice {
			return nil, fmt.Errorf("line 1: column %q is there twice", name)
		}
		p.columns[name] = i
	}
	for _, name := range known[:3] {
		if _, there := p.columns[name]; !there {
			return nil, fmt.Errorf("line 1: column %q is missing", name)
		}
	}
	if _, there := p.columns["currency"]; !there && o.Currency == "" {
		return nil, errors.New("line 1: there is no column currency: name the payments' currency with --currency")
	}
	return p, nil
}

// Next goes to the next good row.
func (p *paymentReader) Next() bool {
	for {
		record, err := p.csv.Read()
		if errors.Is(err, io.EOF) {
			return false
		}
		var parse *csv.ParseError
		switch {
		case errors.As(err, &parse):
			p.bad(parse.StartLine, parse.Err.Error())
			if !errors.Is(parse.Err, csv.ErrFieldCount) {
				return false // what follows an open quote is not rows
			}
			continue
		case err != nil:
			p.err = err
			return false
		}
		if row, err := p.parse(record); err != nil {
			line, _ := p.csv.FieldPos(0)
			p.bad(line, err.Error())
		} else {
			p.row = row
			return true
		}
	}
}

// Values is the row that Next went to.
func (p *paymentReader) Values() ([]any, error) { return p.row, nil }

// Err is why the file couldn't be read on.
func (p *paymentReader) Err() error { return p.err }

func (p *paymentReader) bad(line int, reason string) {
	p.report.Bad++
	if len(p.report.BadRows) < maxBadShown {
		p.report.BadRows = append(p.report.BadRows, BadRow{line, reason})
	}
}

var (
	amountPattern   = regexp.MustCompile(`^-?[0-9]{1,15}(\.[0-9]{1,6})?$`)
	currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)
)

func (p *paymentReader) parse(record []string) ([]any, error) {
	field := func(name string) string {
		if i, there := p.columns[name]; there {
			return strings.TrimSpace(record[i])
		}
		return ""
	}
	client := strings.Clone(field("client_id"))
	if client == "" || len(client) > 200 || !utf8.ValidString(client) || strings.ContainsRune(client, 0) {
		return nil, fmt.Errorf("client_id %.40q must have 1 to 200 bytes of UTF-8", client)
	}
	paid, err := parseInstant(field("paid_at"))
	if err != nil {
		return nil, err
	}
	if paid.Year() < 1900 || paid.After(p.latest) {
		return nil, fmt.Errorf("paid_at %s is not between 1900 and now", paid.Format(time.RFC3339))
	}
	var amount pgtype.Numeric
	if text := field("amount"); !amountPattern.MatchString(text) {
		return nil, fmt.Errorf("amount %.40q is not a decimal such as 1200.50", text)
	} else if err := amount.Scan(text); err != nil {
		return nil, fmt.Errorf("amount %q: %w", text, err)
	}
	currency := field("currency")
	if currency == "" {
		currency = p.options.Currency
	}
	if !currencyPattern.MatchString(currency) {
		return nil, fmt.Errorf("currency %.40q is not three capitals such as EUR", currency)
	}
	refunded := false
	if text := field("refunded"); text != "" {
		if refunded, err = strconv.ParseBool(text); err != nil {
			return nil, fmt.Errorf("refunded %.40q is not true or false", text)
		}
	}
	return []any{client, paid, amount, strings.Clone(currency), refunded}, nil
}

func parseInstant(text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("paid_at %.40q is not a date such as 2026-01-31 or an instant such as 2026-01-31T10:00:00Z", text)
}
