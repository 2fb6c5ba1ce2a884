package erasure

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// searched is a table in whose texts and JSON the name and the addresses are looked
// for, page by page in the order of its key.
type searched struct {
	table   string
	columns []searchedColumn
	key     []keyColumn
}

type searchedColumn struct{ Name, Type string }

type keyColumn struct{ Name, Type string }

// searchSteps are those of the decisions, by the catalogue's types and keys.
func searchSteps(ctx context.Context, tx pgx.Tx) ([]step, error) {
	var steps []step
	for _, d := range Decisions {
		if d.What != Searched {
			continue
		}
		s := searched{table: d.Table}
		rows, err := tx.Query(ctx, `
			SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute
			WHERE attrelid = $1::text::regclass AND attname = ANY (string_to_array($2, ' ')) ORDER BY attnum`, d.Table, d.Columns)
		if err == nil {
			s.columns, err = pgx.CollectRows(rows, pgx.RowToStructByPos[searchedColumn])
		}
		if err != nil {
			return nil, fmt.Errorf("look at the columns of %s: %w", d.Table, err)
		}
		rows, err = tx.Query(ctx, `
			SELECT quote_ident(a.attname), format_type(a.atttypid, a.atttypmod)
			FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, n)
			JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
			WHERE i.indrelid = $1::text::regclass AND i.indisprimary ORDER BY k.n`, d.Table)
		if err == nil {
			s.key, err = pgx.CollectRows(rows, pgx.RowToStructByPos[keyColumn])
		}
		if err != nil {
			return nil, fmt.Errorf("look at the key of %s: %w", d.Table, err)
		}
		first, err := s.sql(true)
		if err != nil {
			return nil, err
		}
		next, err := s.sql(false)
		if err != nil {
			return nil, err
		}
		steps = append(steps, s.step(first, next))
	}
	return steps, nil
}

// step searches a page a call.
func (s searched) step(first, next string) step {
	var after []string
	return step{table: s.table, do: func(ctx context.Context, tx pgx.Tx, p *pass, rows map[string]int64) (more bool, err error) {
		if len(p.patterns) == 0 && len(p.conversations) == 0 && s.textsAlone() {
			return false, nil // there is nothing to look for
		}
		args, sql := p.args(), first
		args["page"] = page
		for i := range after {
			sql = next
			args[fmt.Sprintf("after%d", i)] = after[i]
		}
		var changed, seen int64
		var last []string
		if err := tx.QueryRow(ctx, sql, args).Scan(&changed, &seen, &last); err != nil {
			return false, err
		}
		rows[s.table] += changed
		after = last
		return seen == page, nil
	}}
}

// textsAlone reports whether no column is JSON, of which the client's id is enough.
func (s searched) textsAlone() bool {
	for _, c := range s.columns {
		if strings.HasPrefix(c.Type, "jsonb") {
			return false
		}
	}
	return true
}

// sql is the statement of one page: a row is changed where a text in it holds what is
// looked for. JSON is looked at as text first, which is much faster; backslashes are
// JSON's own.
func (s searched) sql(first bool) (string, error) {
	var sets, wheres []string
	for _, c := range s.columns {
		call := map[string]string{
			"text": "erase_text(%s, @patterns)", "text[]": "erase_texts(%s, @patterns)",
			"jsonb": "erase_document(%s, @client, @conversations, @patterns)", "jsonb[]": "erase_documents(%s, @client, @conversations, @patterns)",
		}[c.Type]
		if call == "" {
			return "", fmt.Errorf("column %s of %s is %s, which nothing searches", c.Name, s.table, c.Type)
		}
		erased := "ciclo." + fmt.Sprintf(call, "t."+c.Name)
		if s.table == "ciclo.schedules" && c.Type == "text" {
			erased = "left(" + erased + ", 500)" // where a long description gets longer
		}
		sets = append(sets, c.Name+" = "+erased)
		where := "t." + c.Name + " IS DISTINCT FROM " + erased
		if strings.HasPrefix(c.Type, "jsonb") {
			text := "replace(t." + c.Name + `::text, '\', '')`
			where = "CASE WHEN strpos(" + text + `, '"client_id": "' || @client || '"') > 0 OR strpos(` + text + `, '"examples"') > 0 OR ciclo.erase_text(` + text + ", @patterns) <> " + text +
				" THEN " + where + " END"
		}
		wheres = append(wheres, where)
	}
	var names, casts, same []string
	for i, k := range s.key {
		names = append(names, k.Name)
		casts = append(casts, fmt.Sprintf("@after%d::text::%s", i, k.Type))
		same = append(same, "t."+k.Name+" = page."+k.Name)
	}
	keys := strings.Join(names, ", ")
	texts := strings.Join(names, "::text, ") + "::text"
	where, after := strings.Join(wheres, " OR "), ""
	if !first {
		after = " WHERE (" + keys + ") > (" + strings.Join(casts, ", ") + ")"
	}
	if s.table == "ciclo.steps" {
		// An execution that is sending needs its words to ask whether they left.
		where = "(" + where + ") AND NOT EXISTS (SELECT FROM ciclo.executions e WHERE e.id = t.execution_id AND e.agent = 'message-sender' AND e.ended_at IS NULL)"
	}
	return `
		WITH page AS (
			SELECT ` + keys + ` FROM ` + s.table + after + ` ORDER BY ` + keys + ` LIMIT @page
		), changed AS (
			UPDATE ` + s.table + ` t SET ` + strings.Join(sets, ", ") + ` FROM page WHERE ` + strings.Join(same, " AND ") + ` AND (` + where + `) RETURNING 1
		)
		SELECT (SELECT count(*) FROM changed), (SELECT count(*) FROM page),
		       (SELECT ARRAY[` + texts + `] FROM page ORDER BY ` + orderDown(names) + ` LIMIT 1)`, nil
}

func orderDown(names []string) string { return strings.Join(names, " DESC, ") + " DESC" }
