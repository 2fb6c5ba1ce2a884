package imports

import (
	"context"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// Names are what the firm calls companies, places, laws and whatever else its
// messages are about: rows of one type and id are names of one thing. A row is all
// key, so one that is there again, in the file or the table, is counted and left.
var Names = &Kind{
	Name: "names",
	columns: []column{
		{name: "type", sql: "text", required: true, takes: word, parse: oneOf("person", "company", "location", "law", "topic", "practice_type", "document")},
		{name: "id", sql: "text", required: true, takes: word | number, parse: parseID},
		{name: "name", sql: "text", required: true, takes: word, parse: parseName},
	},
	check: func(context.Context, pgx.Tx, *intake) error { return nil },
	write: writeNames,
}

// maxName is the longest name, in characters.
const maxName = 200

// parseName takes a line that has something to be found in a message.
func parseName(dst []byte, c cell, _ *intake) ([]byte, error) {
	if err := checkText(c.text, maxRow); err != nil {
		return dst, err
	}
	if n := utf8.RuneCount(c.text); n > maxName {
		return dst, fmt.Errorf("%.40q… has %d characters, at most %d are taken", c.text, n, maxName)
	}
	tells := false
	for _, r := range string(c.text) {
		if unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) {
			return dst, fmt.Errorf("%.40q has the control character %U", c.text, r)
		}
		tells = tells || unicode.IsLetter(r) || unicode.IsDigit(r)
	}
	if !tells {
		return dst, fmt.Errorf("%.40q has no letter and no digit", c.text)
	}
	return appendEscaped(dst, c.text), nil
}

func writeNames(ctx context.Context, tx pgx.Tx, _ *intake, _ int64, r *Report) error {
	tag, err := tx.Exec(ctx, `
		INSERT INTO crm.names (type, id, name)
		SELECT DISTINCT type, id, name FROM incoming WHERE reason IS NULL
		ON CONFLICT (type, id, name) DO NOTHING`)
	if err != nil {
		return fmt.Errorf("write names: %w", err)
	}
	r.Rows = tag.RowsAffected()
	return nil
}
