package graph

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/fold"
)

const (
	// looseEnough is the part of the query's trigrams that a name must have where it
	// has not all of the words.
	looseEnough = .4
	// pairsEach and pairsAll bound how many names are looked at for a pair of
	// trigrams, and for all of them; pairsMost how many pairs of a long query count.
	pairsEach, pairsAll, pairsMost = 2000, 20_000, 40
	// ranked is how many names that share the most pairs are compared whole.
	ranked = 1000
	// wordsMost bounds how many names with the words are looked at; where there are
	// more, those of the wordsTop entities in the most conversations are.
	wordsMost, wordsTop = 2000, 5000
)

// Found is an entity that a search found by a name.
type Found struct {
	Entity
	Alias string  `json:"alias" jsonschema:"The name by which it was found."`
	Score float64 `json:"score" jsonschema:"How well that fits, 1 for the same name but for case, accents and blanks."`
}

// FoundPlace is where an entity lies in what was found.
type FoundPlace struct {
	Score         float64 `json:"s"`
	Conversations int32   `json:"c"`
	ID            string  `json:"i"`
}

// Place is the entity's.
func (f Found) Place() FoundPlace { return FoundPlace{f.Score, int32(f.Conversations), f.ID} } //nolint:gosec // it came from an integer of SQL

// Search is what to look for among the names of entities that have not expired.
type Search struct {
	Text  string
	Types []string
	After *FoundPlace
	Limit int
}

// Search returns a page of the entities with such a name, the best first. A name
// is found where it has all words of the query, or their beginnings, or 40 % of its
// trigrams; names' words may be in any order.
//
// Its score is the mean of two parts, those trigrams that both have of all that
// either has and of the query's, and where the words fit half of that more than one
// half. Candidates share two trigrams in a row with the query: single trigrams are
// too frequent, and a name with 40 % of them hardly ever has no two in a row.
func (s *Store) Search(ctx context.Context, q Search) ([]Found, error) {
	folded := fold.Text(q.Text)
	words := prefixes(folded)
	if words == "" {
		return []Found{}, nil
	}
	args := []any{folded, words}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	where, page := ``, ``
	if len(q.Types) > 0 {
		where = ` AND e.type = ANY (` + arg(q.Types) + `)`
	}
	if q.After != nil {
		score, conversations, id := arg(q.After.Score), arg(q.After.Conversations), arg(q.After.ID)
		page = `WHERE (f.score < ` + score + ` OR f.score = ` + score + ` AND (f.conversations < ` + conversations + ` OR f.conversations = ` + conversations + ` AND f.id > ` + id + `))`
	}
	rows, err := s.Pool.Query(ctx, fmt.Sprintf(`
		WITH asked AS MATERIALIZED (
			SELECT ciclo.trigrams($1) AS trigrams, to_tsquery('simple', $2) AS words
		), pairs AS MATERIALIZED (
			SELECT DISTINCT substr(w.word, n, 3) AS one, substr(w.word, n + 1, 3) AS next
			FROM (SELECT '  ' || m[1] || ' ' AS word FROM regexp_matches($1, %[1]s, 'g') AS m) AS w, generate_series(1, char_length(w.word) - 3) AS n
			ORDER BY 1, 2 LIMIT %[2]d
		), by_pairs AS (
			SELECT a.entity_id, a.alias FROM pairs p CROSS JOIN LATERAL (
				SELECT entity_id, alias FROM ciclo.entity_aliases WHERE trigrams @> ARRAY[p.one, p.next] LIMIT least(%[3]d, %[4]d / (SELECT count(*) FROM pairs))) a
			GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2 LIMIT %[5]d
		), by_words AS MATERIALIZED (
			SELECT a.entity_id, a.alias FROM ciclo.entity_aliases a WHERE a.words @@ (SELECT words FROM asked) LIMIT %[6]d
		), by_top AS (
			SELECT a.entity_id, a.alias FROM (
				SELECT e.id FROM ciclo.entities e WHERE e.expired_at IS NULL AND (SELECT count(*) FROM by_words) = %[6]d ORDER BY e.conversations DESC, e.id LIMIT %[7]d) e
			JOIN ciclo.entity_aliases a ON a.entity_id = e.id WHERE a.words @@ (SELECT words FROM asked)
		), candidates AS (
			SELECT * FROM by_pairs UNION SELECT * FROM by_words UNION SELECT * FROM by_top
		), compared AS MATERIALIZED (
			SELECT a.entity_id, a.alias, a.mentions, a.words @@ q.words AS fits, a.folded = $1 AS same,
			       cardinality(q.trigrams)::float8 AS asked, cardinality(a.trigrams)::float8 AS has,
			       (SELECT count(*) FROM unnest(a.trigrams) t WHERE t = ANY (q.trigrams))::float8 AS shared
			FROM candidates JOIN ciclo.entity_aliases a USING (entity_id, alias) CROSS JOIN asked q
		), scored AS MATERIALIZED (
			SELECT entity_id, alias, mentions, fits, shared / asked AS part,
			       CASE WHEN same THEN 1 ELSE (shared / (asked + has - shared) + shared / asked) / 2 END AS alike
			FROM compared
		), best AS (
			SELECT DISTINCT ON (entity_id) entity_id, alias, CASE WHEN fits THEN (1 + alike) / 2 ELSE alike END AS score
			FROM scored WHERE fits OR part >= %[8]g ORDER BY entity_id, 3 DESC, mentions DESC, alias
		)
		SELECT `+foundColumns+` FROM (
			SELECT e.*, b.alias, b.score FROM best b JOIN ciclo.entities e ON e.id = b.entity_id WHERE e.expired_at IS NULL%[9]s) f
		%[10]s ORDER BY f.score DESC, f.conversations DESC, f.id LIMIT %[11]d`,
		wordsOf, pairsMost, pairsEach, pairsAll, ranked, wordsMost, wordsTop, looseEnough, where, page, q.Limit), args...)
	if err != nil {
		return nil, fmt.Errorf("search the graph: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Found])
	if err != nil {
		return nil, fmt.Errorf("search the graph: %w", err)
	}
	return list, nil
}

// wordsOf is the regular expression of words in ciclo.trigrams.
const wordsOf = `'[^\x01-\x2f\x3a-\x60\x7b-\x7f]+'`

// foundColumns are entityColumns of f, with what it was found by.
var foundColumns = strings.ReplaceAll(entityColumns, "e.", "f.") + `, f.alias, f.score`

// prefixes is the query of a text's words, each of which may go on; empty where it
// has none. Words are letters and digits alone, which need no quotes.
func prefixes(folded string) string {
	words := strings.FieldsFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
	if len(words) == 0 {
		return ""
	}
	return strings.Join(words, ":* & ") + ":*"
}
