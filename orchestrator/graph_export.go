package orchestrator

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/internal/graph"
)

// graphExportPath is of a download, which lasts as long as its reader takes.
const graphExportPath = "/graph/export"

const (
	// graphExports is how many exports of the graph there may be at a time: each holds
	// a connection.
	graphExports = 2
	// maxGraphExport is how long one may hold its snapshot.
	maxGraphExport = 15 * time.Minute
)

var errExportsBusy = newProblem(http.StatusTooManyRequests, "exports-busy", "Other exports of the graph are being read", "two at a time; try again when one has ended")

// graphFormats are those of exports, the default first; graphParts those of CSV.
var (
	graphFormats = []string{"jsonld", "graphml", "csv"}
	graphParts   = []string{"entities", "edges"}
)

var graphExportParameters = []parameter{
	{"format", "JSON-LD, GraphML, or CSV, which is one table a call.", enumerated(graphFormats)},
	{"part", "Of CSV: which table. Other formats have both, whatever it says.", enumerated(graphParts)},
	asOfParameter,
}

// graphWriter writes a graph in one format. What it appends to is sent away after
// each batch.
type graphWriter interface {
	head(b []byte) []byte
	entity(b []byte, e graph.ExportedEntity) []byte
	edge(b []byte, e graph.Edge) []byte
	tail(b []byte) []byte
}

// exportGraph writes the whole graph as of a time, in batches of one snapshot, so
// that each edge's entities are there. What can't be told to the end is cut off, so
// that nobody takes a part for the whole.
func (o *Orchestrator) exportGraph(c echo.Context) error {
	q, _, _ := readGraphQuery(c, false, "format", "part", "as_of")
	format, part, asOf := q.oneOf("format", graphFormats), q.oneOf("part", graphParts), q.asOf()
	if err := q.err(); err != nil {
		return err
	}
	select {
	case o.exports <- struct{}{}:
		defer func() { <-o.exports }()
	default:
		c.Response().Header().Set("Retry-After", "30")
		return errExportsBusy
	}
	ctx, end := context.WithTimeout(c.Request().Context(), maxGraphExport)
	defer end()
	e := &graphExport{c: c, writing: http.NewResponseController(c.Response().Writer)}
	entities, edges := true, true
	name, media := "graph", ""
	switch format {
	case "csv":
		entities, edges = part == "entities", part == "edges"
		e.writer, media, name = csvGraph{edges: edges}, "text/csv; charset=utf-8; header=present", "graph-"+part
	case "graphml":
		e.writer, media = graphML{}, "application/graphml+xml"
	default:
		e.writer, media = &jsonLD{}, "application/ld+json"
	}
	e.start = func() {
		header := c.Response().Header()
		header.Set(echo.HeaderContentType, media)
		header.Set(echo.HeaderContentDisposition, `attachment; filename="`+name+`-`+asOf.Format(time.DateOnly)+`.`+format+`"`)
		header.Set(echo.HeaderXContentTypeOptions, "nosniff")
		header.Set("Cache-Control", "no-store")
		c.Response().WriteHeader(http.StatusOK)
		e.text = e.writer.head(e.text)
	}
	takeEntities := func(batch []graph.ExportedEntity) error { return send(e, batch, e.writer.entity) }
	takeEdges := func(batch []graph.Edge) error { return send(e, batch, e.writer.edge) }
	if !entities {
		takeEntities = nil
	}
	if !edges {
		takeEdges = nil
	}
	err := o.graph.Export(ctx, asOf, takeEntities, takeEdges)
	if err == nil {
		e.text = e.writer.tail(e.text)
		err = e.flush()
	}
	if err != nil && c.Response().Committed {
		o.cfg.Log.Warn("an export of the graph was cut off", "format", format, "error", err)
		panic(http.ErrAbortHandler) //nolint:forbidigo // the one way to end an answer so that its reader sees it
	}
	return err
}

// graphExport is an export that is being sent.
type graphExport struct {
	c       echo.Context
	writing *http.ResponseController
	writer  graphWriter
	// start begins the answer, once the first batch is there: what goes wrong before
	// is an answer of its own.
	start func()
	text  []byte
}

// send writes a batch and sends it away.
func send[T any](e *graphExport, batch []T, write func([]byte, T) []byte) error {
	if e.start != nil {
		e.start()
		e.start = nil
	}
	for _, one := range batch {
		e.text = write(e.text, one)
	}
	return e.flush()
}

// flush sends what was written. A reader that reads nothing is let go; a test's
// recorder knows no deadline.
func (e *graphExport) flush() error {
	err := e.writing.SetWriteDeadline(time.Now().Add(exportPatience))
	if err == nil || errors.Is(err, http.ErrNotSupported) {
		_, err = e.c.Response().Write(e.text)
	}
	e.text = e.text[:0]
	return err
}
