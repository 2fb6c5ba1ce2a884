package outside

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// What a person sees of a graph, by every command of ciclo kg.
func TestKnowledgeForPeople(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testdatabase.New(t), quick...)
	c := commandLine(s)
	has := func(name, text string, words ...string) {
		t.Helper()
		for _, w := range words {
			if !strings.Contains(text, w) {
				t.Errorf("%s: %q is not in:\n%s", name, w, text)
			}
		}
	}
	out, said, code := c.ciclo("kg", "top")
	if has("nothing", out, "no such entity"); code != 0 {
		t.Errorf("nothing: %d %s", code, said)
	}
	out, _, _ = c.ciclo("kg", "summary")
	has("nothing read", out, "0 messages, none was read yet")
	out, _, _ = c.ciclo("kg", "reviews")
	has("no review", out, "No review is open")
	for _, sql := range []string{
		`INSERT INTO ciclo.entities (id, type, name, mentions, conversations, degree, first_at, last_at, client_ids) VALUES
			('entity_00000000000anna1', 'person', 'Anna' || chr(27) || '[31m Ruíz', 1200, 1000, 1, '2026-01-01', '2026-02-01', '{c/1}'),
			('entity_000000000nordvik', 'company', 'Nordvik AS', 5, 2, 1, '2026-01-01', '2026-02-01', '{}')`,
		`INSERT INTO ciclo.entities (id, type, name, expired_at) VALUES ('entity_00000000000anna2', 'person', 'A. Ruiz', now())`,
		`INSERT INTO ciclo.entity_merges (kind, from_id, to_id, records, decided_by) VALUES ('merge', 'entity_00000000000anna2', 'entity_00000000000anna1', '{record_00000000000anna2}', 'lea')`,
		`INSERT INTO ciclo.entity_aliases (entity_id, alias, folded, mentions) VALUES ('entity_00000000000anna1', 'Anna Ruíz', 'anna ruiz', 3), ('entity_000000000nordvik', 'Nordvik AS', 'nordvik as', 5)`,
		`INSERT INTO ciclo.graph_records (id, type, scope, key, name, entity_id) VALUES
			('record_00000000000anna1', 'person', 'c1', 'anna ruiz', 'Anna Ruíz', 'entity_00000000000anna1'), ('record_00000000000anna2', 'person', 'c2', 'a ruiz', 'A. Ruiz', 'entity_00000000000anna1'),
			('record_000000000nordvik', 'company', '', 'nordvik', 'Nordvik AS', 'entity_000000000nordvik')`,
		`INSERT INTO ciclo.executions (id, agent, status, tries, timeout_seconds, next_attempt_at) VALUES ('noop_test', 'test-noop', 'started', 1, 60, now() + interval '1 hour')`,
		`INSERT INTO ciclo.graph_messages (id, conversation_id, sent_at, body_hash, versions, execution_id) VALUES ('m1', 'c1', '2026-01-05', decode(repeat('00', 32), 'hex'), '{}', 'noop_test')`,
		`INSERT INTO ciclo.mentions VALUES ('m1', 3, 12, 'Anna Ruíz', 'person', 'record_00000000000anna1', 'tagger', '7', .93)`,
		`INSERT INTO ciclo.edges (id, subject_id, relation, object_id, valid_at, confidence, evidence, conversations) VALUES
			('edge_0000000000000001', 'entity_00000000000anna1', 'works_for', 'entity_000000000nordvik', '2026-01-05', .87, 2, 1)`,
		`INSERT INTO ciclo.edge_evidence VALUES ('m1', 'record_00000000000anna1', 'works_for', 'record_000000000nordvik', 3, 34, E'Anna Ruíz of our client\nNordvik', 'pattern', '2', .8)`,
		`INSERT INTO ciclo.entity_reviews (id, record_a, record_b, probability, fields) VALUES ('review_0000000000000001', 'record_00000000000anna1', 'record_00000000000anna2', .713, '[{"name": "surname", "level": "exact", "bits": 7.5}, {"name": "given", "level": "initial", "bits": -0.4}]')`,
		`INSERT INTO ciclo.record_attributes VALUES ('m1', 'record_00000000000anna1', 'email', 'anna@nordvik.example', 'contacts', '1')`,
	} {
		execute(t, c.pool(), sql)
	}
	anna, nordvik := "entity_00000000000anna1", "entity_000000000nordvik"
	file := filepath.Join(c.dir, "graph.graphml")
	for name, run := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"top":              {[]string{"top"}, 0, []string{"CONVERSATIONS", "1,000", "Anna�[31m Ruíz", "Nordvik AS", "2026-02-01"}},
		"hubs":             {[]string{"hubs", "--limit", "1"}, 0, []string{"There are more: --cursor"}},
		"of a type":        {[]string{"top", "--type", "company"}, 0, []string{"Nordvik"}},
		"of no type":       {[]string{"top", "--type", "animal"}, 2, []string{"animal"}},
		"a search":         {[]string{"search", "anna ruis"}, 0, []string{"FOUND AS", "Anna Ruíz", anna}},
		"a search of none": {[]string{"search", "zzz"}, 0, []string{"no such entity"}},
		"an entity":        {[]string{"show", anna}, 0, []string{"1,200 mentions in 1,000 conversations", "client c/1", "Anna Ruíz (3)", "merge 1: A. Ruiz", "by lea", "tagger 7", "3–12", "0.93"}},
		"a part of it":     {[]string{"show", "entity_00000000000anna2"}, 0, []string{"entity_00000000000anna2 is part of it now"}},
		"nobody":           {[]string{"show", "entity_0000000000nobody"}, 1, []string{"No such entity"}},
		"neighbours":       {[]string{"neighbours", anna, "--depth", "2"}, 0, []string{"1 neighbours", "works_for", "Nordvik AS", "0.87", "2 in 1", "edge_0000000000000001"}},
		"too deep":         {[]string{"neighbours", anna, "--depth", "4"}, 2, []string{"depth"}},
		"before it":        {[]string{"neighbours", anna, "--as-of", "2025-12-31"}, 0, []string{"0 neighbours"}},
		"a path":           {[]string{"path", nordvik, anna}, 0, []string{"← works_for —", "Nordvik AS", "0.87"}},
		"no path":          {[]string{"path", nordvik, anna, "--as-of", "2025-01-01"}, 0, []string{"No path of 6 edges"}},
		"evidence":         {[]string{"evidence", "edge_0000000000000001"}, 0, []string{"“Anna Ruíz of our client Nordvik”", "conversation c1, message m1, characters 3–34", "pattern 2"}},
		"reviews":          {[]string{"reviews"}, 0, []string{"probability 0.713", "anna@nordvik.example", "surname exact +7.5, given initial -0.4"}},
		"summary":          {[]string{"summary"}, 0, []string{"1 messages", "2 entities", "1 edges that hold", "1 open reviews", "works_for"}},
		"an export":        {[]string{"export", "--format", "graphml", "--output", file}, 0, []string{"bytes into"}},
		"to stdout":        {[]string{"export", "--format", "csv", "--part", "edges", "--output", "-"}, 0, []string{"edge_id,subject_id", "edge_0000000000000001," + anna}},
		"both to stdout":   {[]string{"export", "--format", "csv", "--output", "-", "--json"}, 2, []string{"name a file"}},
		"over a file":      {[]string{"export", "--format", "csv", "--output", c.file("there.csv", "mine")}, 2, []string{"there already"}},
		"as of nonsense":   {[]string{"export", "--format", "csv", "--as-of", "then", "--output", filepath.Join(c.dir, "never.csv")}, 2, []string{"as_of"}},
		"without a format": {[]string{"export", "--output", file}, 2, []string{"--format"}},
	} {
		out, said, code := c.ciclo(append([]string{"kg"}, run.args...)...)
		has(name, out+said, run.want...)
		if code != run.code || strings.Contains(out+said, "\x1b") {
			t.Errorf("%s: exit code %d, want %d: %q", name, code, run.code, out+said)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil || xml.Unmarshal(text, new(struct{ XMLName xml.Name })) != nil || !strings.Contains(string(text), `target="`+nordvik+`"`) {
		t.Errorf("%v: %s", err, text)
	}
	if left, err := filepath.Glob(filepath.Join(c.dir, "*.part*")); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if _, err := os.Lstat(filepath.Join(c.dir, "never.csv")); !os.IsNotExist(err) {
		t.Errorf("what was refused is there: %v", err)
	}
	out, _, _ = c.ciclo("kg", "export", "--format", "jsonld", "--output", "-")
	if !json.Valid([]byte(out)) {
		t.Errorf("no JSON: %s", out)
	}
}
