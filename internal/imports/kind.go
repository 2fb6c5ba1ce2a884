package imports

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Kind is what a file holds: its columns, and how they get into the tables.
type Kind struct {
	// Name is such as payments.
	Name string
	// columns are the file's, in the order of the table incoming.
	columns []column
	// named is the column by which a row is known again; a row without it would be
	// taken twice from a file that is imported twice. Empty where each row has a key.
	named string
	// check marks the bad rows of incoming that only the database can tell.
	check func(ctx context.Context, tx pgx.Tx, in *intake) error
	// write writes the good rows, and counts.
	write func(ctx context.Context, tx pgx.Tx, in *intake, imported int64, r *Report) error
}

// Kinds are all that there are.
var Kinds = []*Kind{Clients, Payments, Interactions, Rates, Conversations, Messages, Names}

// column is one column of a file.
type column struct {
	name string
	// sql is the type in the table incoming.
	sql string
	// required is of columns that must be there and have no empty cell.
	required bool
	// byOption is of a column whose empty cells are Options.Currency.
	byOption bool
	// takes are the JSON types of a value.
	takes shape
	// parse appends the cell as COPY's text format has it, or says what is wrong,
	// in words that follow the column's name. The cell isn't empty.
	parse func(dst []byte, c cell, in *intake) ([]byte, error)
}

// createIncoming makes the table that a file is read into: line is where the row
// begins, reason why it is bad, given has a bit for each column that the row has,
// the first column's being 1.
func (k *Kind) createIncoming(ctx context.Context, tx pgx.Tx) error {
	var columns strings.Builder
	for _, c := range k.columns {
		fmt.Fprintf(&columns, ", %s %s", pgx.Identifier{c.name}.Sanitize(), c.sql)
	}
	_, err := tx.Exec(ctx, `CREATE TEMP TABLE incoming (line bigint NOT NULL, reason text, given integer`+columns.String()+`) ON COMMIT DROP`)
	return err
}

// names lists the columns for a message.
func (k *Kind) names() string {
	names := make([]string, len(k.columns))
	for i, c := range k.columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// refuseTwice marks each row whose key an earlier row of the file has. The key is
// a list of columns, what is its name for people.
func refuseTwice(ctx context.Context, tx pgx.Tx, what, key string) error {
	if _, err := tx.Exec(ctx, `
		UPDATE incoming i SET reason = format('%s %s is in line %s already', $1::text, concat_ws(' ', `+prefixed("i", key)+`), first)
		FROM (SELECT `+key+`, min(line) AS first FROM incoming WHERE reason IS NULL GROUP BY `+key+` HAVING count(*) > 1) t
		WHERE (`+prefixed("i", key)+`) = (`+prefixed("t", key)+`) AND i.line > t.first AND i.reason IS NULL`, what); err != nil {
		return fmt.Errorf("look for rows that are there twice: %w", err)
	}
	return nil
}

func prefixed(table, key string) string {
	return table + "." + strings.ReplaceAll(key, ", ", ", "+table+".")
}
