package erasure_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/erasure"
)

// Every column that can hold a text is decided, and nothing else is: a migration that
// adds one fails here until it is.
func TestEveryColumnIsDecided(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	decided := []string{}
	for _, d := range erasure.Decisions {
		for column := range strings.FieldsSeq(d.Columns) {
			decided = append(decided, d.Table+"."+column)
		}
		if d.What == erasure.Stays && d.Why == "" {
			t.Errorf("%s %s stays, and nothing says why", d.Table, d.Columns)
		}
	}
	// All types but those of numbers, times, truth and UUIDs.
	rows, err := f.pool.Query(t.Context(), `
		SELECT c.relnamespace::regnamespace || '.' || c.relname || '.' || a.attname
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		JOIN pg_type y ON y.oid = a.atttypid
		WHERE c.relnamespace IN ('ciclo'::regnamespace, 'crm'::regnamespace) AND c.relkind IN ('r', 'p', 'm', 'f')
		  AND y.typcategory NOT IN ('N', 'D', 'B', 'T', 'V') AND y.typname <> 'uuid'`)
	if err != nil {
		t.Fatal(err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(decided)
	slices.Sort(columns)
	if diff := cmp.Diff(columns, decided); diff != "" {
		t.Errorf("columns without a decision (-), and decisions about no column (+): %s", diff)
	}
}

// The document shows the decisions as they are.
func TestTheDecisionsAreWrittenDown(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	for _, d := range erasure.Decisions {
		fmt.Fprintf(&want, "| %s | %s | %s | %s |\n", d.Table, strings.ReplaceAll(d.Columns, " ", ", "), d.What, d.Why)
	}
	page, err := os.ReadFile("../../docs/erasure.md")
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(string(page), "|---|---|---|---|\n")
	got, _, _ = strings.Cut(got, "\n\n")
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(want.String()), "\n"), strings.Split(strings.TrimSpace(got), "\n")); diff != "" {
		t.Errorf("docs/erasure.md has another table: %s", diff)
	}
}
