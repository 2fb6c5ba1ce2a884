package ddl

import (
	"regexp"
	"strings"
)

// pieces are what SQL is cut into: comments, literals of every kind, semicolons,
// and the rest, a character at a time.
var pieces = regexp.MustCompile(`(?s)--[^\n]*|/\*.*?\*/|[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?:[A-Za-z_]\w*)?\$|.`)

// scan calls fn for each piece; the text between dollar quotes is one.
func scan(sql string, fn func(piece string)) {
	for len(sql) > 0 {
		at := pieces.FindStringIndex(sql)
		if at == nil {
			return
		}
		piece := sql[:at[1]]
		if len(piece) > 1 && piece[0] == '$' {
			if end := strings.Index(sql[len(piece):], piece); end >= 0 {
				piece = sql[:2*len(piece)+end]
			}
		}
		fn(piece)
		sql = sql[len(piece):]
	}
}

// split cuts SQL into its statements, without those that are empty.
func split(sql string) []string {
	var all []string
	var one strings.Builder
	end := func() {
		if plain(one.String()) != "" {
			all = append(all, strings.TrimSpace(one.String()))
		}
		one.Reset()
	}
	scan(sql, func(piece string) {
		if piece == ";" {
			end()
			return
		}
		one.WriteString(piece)
	})
	end()
	return all
}

// plain is a statement in one line, its keywords as they stand, without comments
// and with every literal empty: what is in them is nobody's to lock.
func plain(sql string) string {
	var out strings.Builder
	scan(sql, func(piece string) {
		switch {
		case strings.HasPrefix(piece, "--"), strings.HasPrefix(piece, "/*"):
			out.WriteByte(' ')
		case len(piece) > 1 && (piece[0] == '\'' || piece[0] == '$' || strings.HasSuffix(piece, "'")):
			out.WriteString("''")
		default:
			out.WriteString(piece)
		}
	})
	return strings.Join(strings.Fields(out.String()), " ")
}
