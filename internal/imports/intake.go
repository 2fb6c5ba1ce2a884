package imports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// intake is one file on its way into the table incoming: the reader that COPY
// takes its rows from.
type intake struct {
	kind    *Kind
	options Options
	now     time.Time
	size    int64
	rows    rows
	window  *window

	read     int64 // rows
	named    int64 // good rows with kind.named
	nameless int64 // good rows without, where the kind has such a column
	out      []byte
	given    []byte // rows that COPY hasn't taken yet, of out
	told     time.Time
	// failed is why the file couldn't be read on: whoever reads for COPY may still do so
	// when COPY was told to stop and has returned.
	failed atomic.Pointer[error]
}

// rows are a file's, whatever its format.
type rows interface {
	// next returns the next row's cells, one a column of the kind, that hold until
	// the next call; or the reason why the row is bad. The error is io.EOF at the
	// end, or why the file can't be read on.
	next() (r row, err error)
}

type row struct {
	line  int64 // where it begins
	cells []cell
	bad   string
}

// open reads the file's head.
func (in *intake) open(file io.Reader) error {
	in.window = newWindow(file)
	if err := in.window.refuseEncodings(); err != nil {
		return err
	}
	var err error
	switch in.options.Format {
	case JSONLines:
		if in.options.Separator != 0 {
			return errors.New("JSON lines have no separator")
		}
		in.rows = newJSONReader(in.window, in.kind)
	case CSV:
		in.rows, err = newCSVReader(in.window, in.kind, in.options)
	default:
		err = fmt.Errorf("format %q is not %s or %s", in.options.Format, CSV, JSONLines)
	}
	if err == nil && in.options.Currency != "" && !isCurrency([]byte(in.options.Currency)) {
		err = fmt.Errorf("currency %.40q is not three capitals such as EUR", in.options.Currency)
	}
	return err
}

// copyInto copies the file into a new table incoming.
func (in *intake) copyInto(ctx context.Context, tx pgx.Tx) error {
	// Hashing and sorting a million keys takes this much, whatever the file's size.
	if _, err := tx.Exec(ctx, `SET LOCAL work_mem = '64MB'`); err != nil {
		return err
	}
	if err := in.kind.createIncoming(ctx, tx); err != nil {
		return err
	}
	_, err := tx.Conn().PgConn().CopyFrom(ctx, in, `COPY incoming FROM STDIN`)
	if failed := in.failed.Load(); failed != nil { // the server says the same in more words
		return *failed
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `ANALYZE incoming`)
	return err
}

// Read gives COPY's text format.
func (in *intake) Read(p []byte) (int, error) {
	for len(in.given) == 0 {
		in.out = in.out[:0]
		for len(in.out) < 1<<16 {
			r, err := in.rows.next()
			if errors.Is(err, io.EOF) && len(in.out) > 0 {
				break
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					in.failed.Store(&err)
				}
				return 0, err
			}
			in.read++
			in.out = in.append(in.out, r)
			if in.read%4096 == 0 {
				in.tell(StageReading)
			}
		}
		in.given = in.out
	}
	n := copy(p, in.given)
	in.given = in.given[n:]
	return n, nil
}

// append appends a row's line: a good one with its values, a bad one with its reason.
func (in *intake) append(dst []byte, r row) []byte {
	start := len(dst)
	dst = append(strconv.AppendInt(dst, r.line, 10), '\t')
	if r.bad == "" {
		var err error
		if dst, err = in.appendGood(dst, r); err == nil {
			return append(dst, '\n')
		}
		r.bad = err.Error()
		dst = append(strconv.AppendInt(dst[:start], r.line, 10), '\t')
	}
	dst = appendEscaped(dst, []byte(r.bad))
	for range len(in.kind.columns) + 1 {
		dst = append(dst, '\t', '\\', 'N')
	}
	return append(dst, '\n')
}

func (in *intake) appendGood(dst []byte, r row) ([]byte, error) {
	dst = append(dst, `\N`+"\t"...)
	given := 0
	for i, c := range r.cells {
		if c.shape != 0 {
			given |= 1 << i
		}
	}
	dst = strconv.AppendInt(dst, int64(given), 10)
	named := false
	for i := range in.kind.columns {
		column, c := &in.kind.columns[i], r.cells[i]
		dst = append(dst, '\t')
		if c.empty() && column.byOption {
			c = cell{shape: word, text: []byte(in.options.Currency)}
		}
		switch {
		case c.empty() && column.byOption:
			return dst, fmt.Errorf("%s is missing: name it in each row, or for all with --%s", column.name, column.name)
		case c.empty() && column.required:
			return dst, fmt.Errorf("%s is missing or empty", column.name)
		case c.empty():
			dst = append(dst, '\\', 'N')
			continue
		case c.shape&column.takes == 0:
			return dst, fmt.Errorf("%s is %s, not %s", column.name, c.shape, column.takes)
		}
		var err error
		if dst, err = column.parse(dst, c, in); err != nil {
			return dst, fmt.Errorf("%s %w", column.name, err)
		}
		named = named || column.name == in.kind.named
	}
	switch {
	case in.kind.named == "":
	case named:
		in.named++
	default:
		in.nameless++
	}
	return dst, nil
}

// tell reports progress, at most five times a second while reading.
func (in *intake) tell(stage string) {
	if in.options.Progress == nil || (stage == StageReading && time.Since(in.told) < 200*time.Millisecond) {
		return
	}
	in.told = time.Now()
	in.options.Progress(Progress{Stage: stage, Rows: in.read, Bytes: in.window.read, Size: in.size})
}

// appendEscaped appends a text in COPY's text format.
func appendEscaped(dst, text []byte) []byte {
	for _, b := range text {
		switch b {
		case '\\':
			dst = append(dst, '\\', '\\')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, b)
		}
	}
	return dst
}
