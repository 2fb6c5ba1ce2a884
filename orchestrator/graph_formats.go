package orchestrator

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strconv"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/internal/graph"
)

// instantText is a time in exports; empty for none.
func instantText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// csvGraph writes one table as CSV (RFC 4180), its texts as appendText does. Lists
// are JSON.
type csvGraph struct{ edges bool }

func (w csvGraph) head(b []byte) []byte {
	if w.edges {
		return append(b, "edge_id,subject_id,relation,object_id,valid_at,invalid_at,confidence,evidence,conversations\r\n"...)
	}
	return append(b, "entity_id,type,name,aliases,client_ids,mentions,conversations,degree,first_at,last_at\r\n"...)
}

func (csvGraph) entity(b []byte, e graph.ExportedEntity) []byte {
	b = append(append(append(append(b, e.ID...), ','), e.Type...), ',')
	b = append(appendText(b, e.Name), ',')
	for _, list := range [][]string{e.Aliases, e.ClientIDs} {
		b = append(appendText(b, string(jsonText(append([]string{}, list...)))), ',')
	}
	for _, n := range []int{e.Mentions, e.Conversations, e.Degree} {
		b = append(strconv.AppendInt(b, int64(n), 10), ',')
	}
	b = append(append(b, instantText(e.FirstAt)...), ',')
	return append(append(b, instantText(e.LastAt)...), '\r', '\n')
}

func (csvGraph) edge(b []byte, e graph.Edge) []byte {
	for _, text := range []string{e.ID, e.SubjectID, e.Relation, e.ObjectID, instantText(&e.ValidAt), instantText(e.InvalidAt)} {
		b = append(append(b, text...), ',')
	}
	b = append(strconv.AppendFloat(b, e.Confidence, 'f', -1, 64), ',')
	b = append(strconv.AppendInt(b, int64(e.Evidence), 10), ',')
	return append(strconv.AppendInt(b, int64(e.Conversations), 10), '\r', '\n')
}

func (csvGraph) tail(b []byte) []byte { return b }

// graphML writes GraphML (http://graphml.graphdrawing.org/specification.html).
type graphML struct{}

// graphMLKeys are the data of nodes and edges.
var graphMLKeys = [][3]string{
	{"node", "type", "string"}, {"node", "name", "string"}, {"node", "aliases", "string"}, {"node", "client_ids", "string"},
	{"node", "mentions", "int"}, {"node", "conversations", "int"}, {"node", "degree", "int"}, {"node", "first_at", "string"}, {"node", "last_at", "string"},
	{"edge", "relation", "string"}, {"edge", "valid_at", "string"}, {"edge", "invalid_at", "string"}, {"edge", "confidence", "double"},
	{"edge", "evidence", "int"}, {"edge", "edge_conversations", "int"},
}

func (graphML) head(b []byte) []byte {
	b = append(b, xml.Header+`<graphml xmlns="http://graphml.graphdrawing.org/xmlns">`+"\n"...)
	for _, k := range graphMLKeys {
		b = append(b, `<key id="`+k[1]+`" for="`+k[0]+`" attr.name="`+strings.TrimPrefix(k[1], "edge_")+`" attr.type="`+k[2]+`"/>`+"\n"...)
	}
	return append(b, `<graph edgedefault="directed">`+"\n"...)
}

// data appends what is there of one key.
func data(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return append(append(append(b, `<data key="`+key+`">`...), xmlText(value)...), "</data>"...)
}

// xmlText is a text as XML: what XML can't hold becomes U+FFFD.
func xmlText(text string) []byte {
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(text)) // a buffer takes all
	return escaped.Bytes()
}

func (graphML) entity(b []byte, e graph.ExportedEntity) []byte {
	b = append(b, `<node id="`+e.ID+`">`...)
	b = data(data(b, "type", e.Type), "name", e.Name)
	if len(e.Aliases) > 0 {
		b = data(b, "aliases", string(jsonText(e.Aliases)))
	}
	if len(e.ClientIDs) > 0 {
		b = data(b, "client_ids", string(jsonText(e.ClientIDs)))
	}
	b = data(data(data(b, "mentions", strconv.Itoa(e.Mentions)), "conversations", strconv.Itoa(e.Conversations)), "degree", strconv.Itoa(e.Degree))
	return append(data(data(b, "first_at", instantText(e.FirstAt)), "last_at", instantText(e.LastAt)), "</node>\n"...)
}

func (graphML) edge(b []byte, e graph.Edge) []byte {
	b = append(b, `<edge id="`+e.ID+`" source="`+e.SubjectID+`" target="`+e.ObjectID+`">`...)
	b = data(data(data(b, "relation", e.Relation), "valid_at", instantText(&e.ValidAt)), "invalid_at", instantText(e.InvalidAt))
	b = data(data(b, "confidence", strconv.FormatFloat(e.Confidence, 'f', -1, 64)), "evidence", strconv.Itoa(e.Evidence))
	return append(data(b, "edge_conversations", strconv.Itoa(e.Conversations)), "</edge>\n"...)
}

func (graphML) tail(b []byte) []byte { return append(b, "</graph>\n</graphml>\n"...) }

// jsonLD writes JSON-LD 1.1 (https://www.w3.org/TR/json-ld11/): entities in terms of
// schema.org where it has them, each edge as a property of its subject, and, for
// what is known of it, as an rdf:Statement of its own.
type jsonLD struct{ begun bool }

const jsonLDHead = `{"@context":{"@version":1.1,"schema":"https://schema.org/","rdf":"http://www.w3.org/1999/02/22-rdf-syntax-ns#","xsd":"http://www.w3.org/2001/XMLSchema#","ciclo":"urn:ciclo:",` +
	`"name":"schema:name","alternateName":"schema:alternateName","client_ids":"ciclo:client_ids","mentions":"ciclo:mentions","conversations":"ciclo:conversations","degree":"ciclo:degree",` +
	`"first_at":{"@id":"ciclo:first_at","@type":"xsd:dateTime"},"last_at":{"@id":"ciclo:last_at","@type":"xsd:dateTime"},` +
	`"valid_at":{"@id":"schema:validFrom","@type":"xsd:dateTime"},"invalid_at":{"@id":"schema:validThrough","@type":"xsd:dateTime"},"confidence":"ciclo:confidence","evidence":"ciclo:evidence",` +
	`"subject":{"@id":"rdf:subject","@type":"@id"},"predicate":{"@id":"rdf:predicate","@type":"@id"},"object":{"@id":"rdf:object","@type":"@id"},` +
	`"works_for":{"@id":"schema:worksFor","@type":"@id"},"located_in":{"@id":"schema:containedInPlace","@type":"@id"},` +
	`"requires":{"@id":"ciclo:requires","@type":"@id"},"governed_by":{"@id":"ciclo:governed_by","@type":"@id"},"relates_to":{"@id":"ciclo:relates_to","@type":"@id"},` +
	`"conflicts_with":{"@id":"ciclo:conflicts_with","@type":"@id"},"example_of":{"@id":"ciclo:example_of","@type":"@id"},"client_of":{"@id":"ciclo:client_of","@type":"@id"}},` + "\n" + `"@graph":[`

// schemaTypes are entities' types in terms of schema.org.
var schemaTypes = map[string]string{
	"person": "schema:Person", "company": "schema:Organization", "location": "schema:Place", "law": "schema:Legislation", "topic": "schema:DefinedTerm",
	"practice_type": "schema:Service", "document": "schema:DigitalDocument", "money": "schema:MonetaryAmount", "date": "ciclo:date",
}

// schemaRelations are relations in such terms, where they have some.
var schemaRelations = map[string]string{"works_for": "schema:worksFor", "located_in": "schema:containedInPlace"}

// linkedEntity and linkedEdge are what they look like.
type linkedEntity struct {
	ID            string     `json:"@id"`
	Type          []string   `json:"@type"`
	Name          string     `json:"name"`
	Aliases       []string   `json:"alternateName,omitempty"`
	ClientIDs     []string   `json:"client_ids,omitempty"`
	Mentions      int        `json:"mentions"`
	Conversations int        `json:"conversations"`
	Degree        int        `json:"degree"`
	FirstAt       *time.Time `json:"first_at,omitempty"`
	LastAt        *time.Time `json:"last_at,omitempty"`
}

type linkedEdge struct {
	ID            string     `json:"@id"`
	Type          string     `json:"@type"`
	Subject       string     `json:"subject"`
	Predicate     string     `json:"predicate"`
	Object        string     `json:"object"`
	ValidAt       time.Time  `json:"valid_at"`
	InvalidAt     *time.Time `json:"invalid_at,omitempty"`
	Confidence    float64    `json:"confidence"`
	Evidence      int        `json:"evidence"`
	Conversations int        `json:"conversations"`
}

func (*jsonLD) head(b []byte) []byte { return append(b, jsonLDHead...) }

func (w *jsonLD) add(b []byte, v any) []byte {
	if w.begun {
		b = append(b, ',')
	}
	w.begun = true
	return append(append(b, '\n'), jsonText(v)...)
}

func (w *jsonLD) entity(b []byte, e graph.ExportedEntity) []byte {
	types := []string{schemaTypes[e.Type]}
	if types[0] != "ciclo:"+e.Type {
		types = append(types, "ciclo:"+e.Type)
	}
	return w.add(b, linkedEntity{"ciclo:" + e.ID, types, e.Name, e.Aliases, e.ClientIDs, e.Mentions, e.Conversations, e.Degree, e.FirstAt, e.LastAt})
}

func (w *jsonLD) edge(b []byte, e graph.Edge) []byte {
	predicate, known := schemaRelations[e.Relation]
	if !known {
		predicate = "ciclo:" + e.Relation
	}
	b = w.add(b, map[string]string{"@id": "ciclo:" + e.SubjectID, e.Relation: "ciclo:" + e.ObjectID})
	return w.add(b, linkedEdge{
		"ciclo:" + e.ID, "rdf:Statement", "ciclo:" + e.SubjectID, predicate, "ciclo:" + e.ObjectID,
		e.ValidAt, e.InvalidAt, e.Confidence, e.Evidence, e.Conversations,
	})
}

func (*jsonLD) tail(b []byte) []byte { return append(b, "\n]}\n"...) }

// jsonText is a value as JSON.
func jsonText(v any) []byte {
	text, _ := json.Marshal(v) // texts, numbers and times of the database always encode
	return text
}
