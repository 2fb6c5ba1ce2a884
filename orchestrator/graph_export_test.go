package orchestrator_test

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// asked asks a server, whose answer is read by and by.
func (a *api) asked(server *httptest.Server, path string) (status int, header http.Header, body io.Reader) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, server.URL+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := server.Client().Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = resp.Body.Close() }) // it was read as far as it is of interest
	return resp.StatusCode, resp.Header, resp.Body
}

func (a *api) serve() *httptest.Server {
	server := httptest.NewServer(a.handler)
	a.t.Cleanup(server.Close)
	return server
}

// One of each format is read by somebody else's reader, hostile texts and all.
func TestExportsOfTheGraph(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	hostile := "=1+1 \"Anna\", <b>&amp;</b>\x01\u202e\r\n]]> ö"
	a.entity("a", "person", hostile, 2, 3)
	a.alias("a", "Annie, \"A\"")
	a.exec(`UPDATE ciclo.entities SET client_ids = '{c/1,c 2}'`)
	a.entity("b", "location", "Bali", 1, 1)
	a.entity("late", "law", "Law 11", 1, 5)
	a.exec(`UPDATE ciclo.entities SET first_at = '2026-01-05' WHERE id = $1`, graphID("entity", "late"))
	a.entity("gone", "person", "Gone", 1, 1)
	a.edge("ab", "a", "located_in", "b", .5)
	a.edge("al", "a", "governed_by", "late", .25)
	a.exec(`UPDATE ciclo.edges SET valid_at = '2026-01-05' WHERE id = $1`, graphID("edge", "al"))
	a.merged("gone", "a")
	get := func(query string) answer {
		t.Helper()
		r := a.send("GET", knowledge+"/export"+query, "")
		if r.status != http.StatusOK {
			t.Fatalf("%s: %d %s", query, r.status, r.body)
		}
		return r
	}
	for query, want := range map[string][]int{"": {3, 2}, "as_of=2026-01-02": {2, 1}, "as_of=2025-01-01": {0, 0}} {
		var linked struct {
			Context map[string]any   `json:"@context"`
			Graph   []map[string]any `json:"@graph"`
		}
		if err := json.Unmarshal(get("?"+query).body, &linked); err != nil {
			t.Fatal(err)
		}
		entities, statements := 0, 0
		for _, one := range linked.Graph {
			if one["@type"] == "rdf:Statement" {
				statements++
			} else if one["name"] != nil {
				entities++
			}
			for name := range one {
				if _, defined := linked.Context[name]; !defined && !strings.HasPrefix(name, "@") {
					t.Errorf("the context says nothing of %s", name)
				}
			}
		}
		if entities != want[0] || statements != want[1] || len(linked.Graph) != want[0]+2*want[1] {
			t.Errorf("%s: %d entities and %d statements: %v", query, entities, statements, linked.Graph)
		}
		var ml struct {
			XMLName xml.Name `xml:"http://graphml.graphdrawing.org/xmlns graphml"`
			Keys    []struct {
				ID string `xml:"id,attr"`
			} `xml:"key"`
			Nodes []struct {
				ID   string `xml:"id,attr"`
				Data []struct {
					Key  string `xml:"key,attr"`
					Text string `xml:",chardata"`
				} `xml:"data"`
			} `xml:"graph>node"`
			Edges []struct {
				Source string `xml:"source,attr"`
				Target string `xml:"target,attr"`
			} `xml:"graph>edge"`
		}
		if err := xml.Unmarshal(get("?format=graphml&"+query).body, &ml); err != nil {
			t.Fatal(err)
		}
		if len(ml.Nodes) != want[0] || len(ml.Edges) != want[1] {
			t.Errorf("%s: %d nodes and %d edges", query, len(ml.Nodes), len(ml.Edges))
		}
		if len(ml.Nodes) > 0 && (ml.Nodes[0].Data[1].Key != "name" || ml.Nodes[0].Data[1].Text != strings.ReplaceAll(hostile, "\x01", "\uFFFD")) {
			t.Errorf("the name is %+v", ml.Nodes[0].Data)
		}
		for i, part := range []string{"entities", "edges"} {
			r := get("?format=csv&part=" + part + "&" + query)
			rows, err := csv.NewReader(strings.NewReader(string(r.body))).ReadAll()
			if err != nil || len(rows) != want[i]+1 {
				t.Errorf("%s %s: %v, %v", query, part, rows, err)
			}
			if part == "entities" && len(rows) > 1 && (!strings.HasPrefix(rows[1][2], "'=1+1") || rows[1][3] != `["Annie, \"A\""]` || rows[1][4] != `["c/1","c 2"]`) {
				t.Errorf("the entity is %q", rows[1])
			}
			if got := r.header.Get("Content-Disposition"); !strings.Contains(got, "graph-"+part+"-") || !strings.HasSuffix(got, `.csv"`) {
				t.Errorf("it is called %s", got)
			}
		}
	}
}

// More than one batch comes whole and in order; what breaks on the way is cut off.
func TestALargeExport(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.exec(`INSERT INTO ciclo.entities (id, type, name, mentions, conversations, first_at, last_at)
		SELECT 'entity_' || lpad(i::text, 16, '0'), 'topic', 'n' || i, 1, 1, '2026-01-01', '2026-01-01' FROM generate_series(1, 12345) i`)
	r := a.send("GET", knowledge+"/export?format=csv", "")
	rows, err := csv.NewReader(strings.NewReader(string(r.body))).ReadAll()
	if err != nil || len(rows) != 12346 || rows[12345][2] != "n12345" || !slices.IsSortedFunc(rows[1:], func(x, y []string) int { return strings.Compare(x[0], y[0]) }) {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	server := a.serve()
	_, _, body := a.asked(server, knowledge+"/export?format=csv&part=edges")
	if text, err := io.ReadAll(body); err != nil || !strings.HasPrefix(string(text), "edge_id,") {
		t.Errorf("%s, %v", text, err)
	}
	// The second batch of edges can't be read: a cell of theirs divides by nothing.
	a.exec(`ALTER TABLE ciclo.edges RENAME TO real_edges`)
	a.exec(`CREATE VIEW ciclo.edges AS SELECT 'edge_' || lpad(i::text, 16, '0') COLLATE "C" AS id, $$entity_0000000000000001$$::text COLLATE "C" AS subject_id, 'requires' AS relation,
		'entity_0000000000000002' COLLATE "C" AS object_id, timestamptz '2026-01-01' AS valid_at, NULL::timestamptz AS invalid_at, NULL::timestamptz AS expired_at, now() AS created_at,
		CASE WHEN i > 6000 THEN 1 / (6001 - i) ELSE .5 END::float8 AS confidence, 1 AS evidence, 1 AS conversations FROM generate_series(1, 20000) i`)
	_, _, body = a.asked(server, knowledge+"/export?format=graphml")
	if text, err := io.ReadAll(body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a part looks like the whole: %d bytes, %v", len(text), err)
	}
}

func TestTwoExportsAtATime(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.exec(`INSERT INTO ciclo.entities (id, type, name, mentions, conversations, first_at, last_at)
		SELECT 'entity_' || lpad(i::text, 16, '0'), 'topic', repeat('n', 4000), 1, 1, '2026-01-01', '2026-01-01' FROM generate_series(1, 6000) i`)
	server := a.serve()
	var readers []io.Reader
	for range 2 { // they read nothing: more than the buffers of a connection waits
		_, _, body := a.asked(server, knowledge+"/export")
		readers = append(readers, body)
	}
	if status, header, _ := a.asked(server, knowledge+"/export"); status != http.StatusTooManyRequests || header.Get("Retry-After") == "" {
		t.Errorf("a third: %d", status)
	}
	for _, r := range readers {
		if text, err := io.ReadAll(r); err != nil || !json.Valid(text) {
			t.Errorf("%d bytes, %v", len(text), err)
		}
	}
	if status, _, _ := a.asked(server, knowledge+"/export?format=csv&as_of=2020-01-01"); status != http.StatusOK {
		t.Errorf("after them: %d", status)
	}
}
