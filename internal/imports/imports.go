// Package imports takes files into the default source tables (schema crm). A
// file is taken whole or, where its bad rows are to be left out, without exactly
// those; each bad row is reported by line and reason. The file is read once, in
// bounded memory, into a temporary table, where it is checked against itself and
// against what is there. Imports: pgx alone.
package imports

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Options of an import.
type Options struct {
	// Format is CSV, JSONLines, or empty: by the file's name.
	Format Format
	// Separator is between the fields of a CSV file; 0 is a comma.
	Separator byte
	// Currency is of payments that name none; empty means that each must.
	Currency string
	// SkipBad takes the good rows of a file that has bad ones.
	SkipBad bool
	// Again takes a file whose very bytes were taken before, though its rows have
	// no ids by which they would be known.
	Again bool
	// DryRun does all, reports, and takes everything back.
	DryRun bool
	// BadRows, where it isn't nil, gets every bad row as a line of JSON.
	BadRows io.Writer
	// Progress, where it isn't nil, is told now and then how far the import is.
	Progress func(Progress)
}

// Stages of an import.
const (
	StageReading  = "reading"
	StageChecking = "checking"
	StageWriting  = "writing"
)

// Progress is how far an import is.
type Progress struct {
	Stage string
	Rows  int64
	// Bytes of Size were read; Size is 0 where the file doesn't say it.
	Bytes, Size int64
}

// Report is what an import did or, with Options.DryRun, would do.
type Report struct {
	Kind string `json:"kind"`
	// Read counts the file's rows, the bad ones too.
	Read int64 `json:"read"`
	// Rows were new and are written.
	Rows int64 `json:"rows"`
	// Changed were there with other content, which is replaced.
	Changed int64 `json:"changed"`
	// AlreadyThere were there with the same content.
	AlreadyThere int64 `json:"already_there"`
	// NewClients were made for payments of clients that weren't known.
	NewClients int64    `json:"new_clients"`
	Bad        int64    `json:"bad"`
	BadRows    []BadRow `json:"bad_rows"` // the first MaxBadShown
	DryRun     bool     `json:"dry_run"`
}

var (
	// ErrBadRows says that the file has rows that can't be taken, so none was.
	ErrBadRows = errors.New("the file has bad rows and nothing was imported: mend them, or leave them out with --skip-bad")
	// ErrImported says that the same bytes were taken before.
	ErrImported = errors.New("this very file was imported before, and its rows have no ids to know them by: --again imports it once more")

	errDryRun = errors.New("a dry run is taken back")
)

// File imports a file of a kind. The report is of use with ErrBadRows too.
func File(ctx context.Context, pool *pgxpool.Pool, kind *Kind, path string, o Options) (Report, error) {
	report, err := importFile(ctx, pool, kind, path, o)
	if err != nil {
		report.Rows, report.Changed, report.AlreadyThere, report.NewClients = 0, 0, 0, 0
		return report, fmt.Errorf("import %s from %s: %w", kind.Name, path, err)
	}
	return report, nil
}

func importFile(ctx context.Context, pool *pgxpool.Pool, kind *Kind, path string, o Options) (Report, error) {
	report := Report{Kind: kind.Name, BadRows: []BadRow{}, DryRun: o.DryRun}
	file, err := os.Open(path)
	if err != nil {
		return report, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return report, err
	}
	if o.Format == "" {
		o.Format = formatOf(path)
	}
	// What is hashed is what is read, whatever happens to the file meanwhile.
	sum := sha256.New()
	in := &intake{kind: kind, options: o, now: time.Now(), size: max(info.Size(), 0)}
	// A pipe that gives nothing is left when ctx is done; a file knows no deadline.
	defer context.AfterFunc(ctx, func() { _ = file.SetReadDeadline(time.Now()) })()
	if err := in.open(io.TeeReader(&heeding{ctx, file}, sum)); err != nil {
		return report, err
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if err := in.copyInto(ctx, tx); err != nil {
			return err
		}
		report.Read = in.read
		in.tell(StageChecking)
		// One import at a time checks and writes: what one has checked, no other changes.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('ciclo import', 0))`); err != nil {
			return err
		}
		if err := kind.check(ctx, tx, in); err != nil {
			return err
		}
		if err := report.collectBad(ctx, tx, o.BadRows); err != nil {
			return err
		}
		if report.Bad > 0 && !o.SkipBad {
			return ErrBadRows
		}
		imported, err := registerFile(ctx, tx, in, path, sum.Sum(nil))
		if err != nil {
			return err
		}
		in.tell(StageWriting)
		if err := kind.write(ctx, tx, in, imported, &report); err != nil {
			return err
		}
		report.AlreadyThere = report.Read - report.Bad - report.Rows - report.Changed
		if _, err := tx.Exec(ctx, `UPDATE crm.imports SET rows = $2 WHERE id = $1`, imported, report.Rows+report.Changed); err != nil {
			return err
		}
		if o.DryRun {
			return errDryRun
		}
		return nil
	})
	if o.DryRun && errors.Is(err, errDryRun) {
		err = nil
	}
	return report, err
}

// registerFile notes the file. It refuses one whose bytes were taken before where
// it has rows that would be taken twice.
func registerFile(ctx context.Context, tx pgx.Tx, in *intake, path string, sum []byte) (int64, error) {
	if in.nameless > 0 && !in.options.Again {
		var before *time.Time
		err := tx.QueryRow(ctx, `SELECT max(imported_at) FROM crm.imports WHERE kind = $1 AND sha256 = $2 AND rows > 0`, in.kind.Name, sum).Scan(&before)
		if err != nil {
			return 0, err
		}
		if before != nil {
			return 0, fmt.Errorf("%w (it was on %s)", ErrImported, before.UTC().Format(time.RFC3339))
		}
	}
	var id int64
	err := tx.QueryRow(ctx, `INSERT INTO crm.imports (kind, file, sha256, rows) VALUES ($1, $2, $3, 0) RETURNING id`,
		in.kind.Name, filepath.Base(path), sum).Scan(&id)
	return id, err
}
