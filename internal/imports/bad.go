package imports

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
)

// BadRow is one row that can't be taken.
type BadRow struct {
	Line   int64  `json:"line"`
	Reason string `json:"reason"`
}

// MaxBadShown is how many bad rows a report holds; Options.BadRows gets all.
const MaxBadShown = 20

// collectBad reports the bad rows, by line.
func (r *Report) collectBad(ctx context.Context, tx pgx.Tx, all io.Writer) error {
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM incoming WHERE reason IS NOT NULL`).Scan(&r.Bad); err != nil || r.Bad == 0 {
		return err
	}
	shown := int64(MaxBadShown)
	var out *bufio.Writer
	var enc *json.Encoder
	if all != nil {
		shown = r.Bad
		out = bufio.NewWriter(all)
		enc = json.NewEncoder(out)
		enc.SetEscapeHTML(false)
	}
	rows, err := tx.Query(ctx, `SELECT line, reason FROM incoming WHERE reason IS NOT NULL ORDER BY line LIMIT $1`, shown)
	if err != nil {
		return err
	}
	var bad BadRow
	_, err = pgx.ForEachRow(rows, []any{&bad.Line, &bad.Reason}, func() error {
		if len(r.BadRows) < MaxBadShown {
			r.BadRows = append(r.BadRows, bad)
		}
		if enc == nil {
			return nil
		}
		return enc.Encode(bad)
	})
	if err == nil && out != nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("report the bad rows: %w", err)
	}
	return nil
}
