package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"

	"github.com/nuzantara/ciclo/client"
)

type graphCommand struct {
	Top        graphTop        `cmd:"" help:"List who and what the most conversations are about."`
	Hubs       graphHubs       `cmd:"" help:"List who and what has the most edges."`
	Search     graphSearch     `cmd:"" help:"Find entities by name, typos forgiven."`
	Show       graphShow       `cmd:"" help:"Show an entity: its names, where it is mentioned, what was merged into it."`
	Neighbours graphNeighbours `cmd:"" help:"Show what lies around an entity."`
	Path       graphPath       `cmd:"" help:"Show how two entities hang together."`
	Evidence   graphEvidence   `cmd:"" help:"Show the very words behind an edge."`
	Reviews    graphReviews    `cmd:"" help:"List pairs that may be one person or company, the likeliest first."`
	Decide     graphDecide     `cmd:"" help:"Say whether both of a pair are one."`
	Merge      graphMerge      `cmd:"" help:"Say that two people, or two companies, are one."`
	Undo       graphUndo       `cmd:"" help:"Take a merge back."`
	Summary    graphSummary    `cmd:"" help:"Show how much the graph holds."`
	Export     graphExport     `cmd:"" help:"Write the whole graph into a file."`
}

// graphList are the flags of lists of entities.
type graphList struct {
	Type   []string `help:"Those of a type, such as person or company; more than one by repeating the flag."`
	Limit  int      `default:"20" help:"How many."`
	Cursor string   `help:"Go on after the page that gave it."`
}

// paged are the flags of a list that is given in pages, as its query.
func paged(limit int, cursor string) url.Values {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return query
}

// list prints a page of entities.
func (l graphList) list(ctx context.Context, g *Globals, name, value string) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	query := paged(l.Limit, l.Cursor)
	query.Set(name, value)
	query["type"] = l.Type
	page, err := api.Entities(ctx, query)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(page)
	}
	if len(page.Entities) == 0 {
		fmt.Fprintln(g.out, "The graph has no such entity.")
		return nil
	}
	printEntities(g.out, page.Entities)
	g.sayMore(page.NextCursor)
	return nil
}

// sayMore says how to go on where there is another page.
func (g *Globals) sayMore(cursor *string) {
	if cursor != nil {
		g.say("There are more: --cursor %s", *cursor)
	}
}

type graphTop struct{ graphList }

func (c graphTop) Run(ctx context.Context, g *Globals) error {
	return c.list(ctx, g, "sort", "conversations")
}

type graphHubs struct{ graphList }

func (c graphHubs) Run(ctx context.Context, g *Globals) error {
	return c.list(ctx, g, "sort", "degree")
}

type graphSearch struct {
	Text string `arg:"" help:"A name, or a part of it."`
	graphList
}

func (c graphSearch) Run(ctx context.Context, g *Globals) error { return c.list(ctx, g, "q", c.Text) }

type graphShow struct {
	ID     string `arg:"" help:"The entity's id."`
	Limit  int    `default:"10" help:"How many mentions, the last sent first."`
	Cursor string `help:"Go on with the mentions after the page that gave it."`
}

func (c graphShow) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	e, err := api.Entity(ctx, c.ID)
	if err != nil {
		return err
	}
	mentions, err := api.Mentions(ctx, c.ID, paged(c.Limit, c.Cursor))
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(struct {
			client.EntityDetail
			Mentions   []client.Mention `json:"latest_mentions"`
			NextCursor *string          `json:"next_cursor"`
		}{e, mentions.Mentions, mentions.NextCursor})
	}
	printEntity(g.out, e)
	printMentions(g.out, mentions.Mentions)
	g.sayMore(mentions.NextCursor)
	return nil
}

type graphNeighbours struct {
	ID            string   `arg:"" help:"The entity's id."`
	Depth         int      `default:"1" help:"The most edges away, 1 to 3."`
	Relation      []string `help:"By edges of a relation, such as works_for; more than one by repeating the flag."`
	Type          []string `help:"To and through entities of a type; more than one by repeating the flag."`
	AsOf          string   `help:"As it was then: a date, or a time as RFC 3339."`
	MinConfidence float64  `help:"By edges with that confidence or more, 0 to 1."`
	PerNode       int      `help:"The most edges followed of each node. Default: 25, and with --depth 1 as many as --limit."`
	Limit         int      `default:"50" help:"The most neighbours."`
}

func (c graphNeighbours) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	query := url.Values{"depth": {strconv.Itoa(c.Depth)}, "limit": {strconv.Itoa(c.Limit)}, "relation": c.Relation, "type": c.Type}
	if c.AsOf != "" {
		query.Set("as_of", c.AsOf)
	}
	if c.MinConfidence != 0 {
		query.Set("min_confidence", strconv.FormatFloat(c.MinConfidence, 'g', -1, 64))
	}
	if c.PerNode != 0 {
		query.Set("per_node", strconv.Itoa(c.PerNode))
	}
	n, err := api.Neighbours(ctx, c.ID, query)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(n)
	}
	printNeighbours(g.out, n)
	return nil
}

type graphPath struct {
	From      string `arg:"" help:"An entity's id."`
	To        string `arg:"" help:"Another's."`
	AsOf      string `help:"As it was then: a date, or a time as RFC 3339."`
	MaxLength int    `default:"6" help:"The most edges, 1 to 6."`
}

func (c graphPath) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	query := url.Values{"from": {c.From}, "to": {c.To}, "max_length": {strconv.Itoa(c.MaxLength)}}
	if c.AsOf != "" {
		query.Set("as_of", c.AsOf)
	}
	p, err := api.Path(ctx, query)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(p)
	}
	if !p.Found {
		fmt.Fprintf(g.out, "No path of %d edges or fewer leads from one to the other.\n", c.MaxLength)
		return nil
	}
	printPath(g.out, p)
	return nil
}

type graphEvidence struct {
	Edge   string `arg:"" help:"The edge's id."`
	Limit  int    `default:"20" help:"How many."`
	Cursor string `help:"Go on after the page that gave it."`
}

func (c graphEvidence) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	page, err := api.Evidence(ctx, c.Edge, paged(c.Limit, c.Cursor))
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(page)
	}
	printEvidence(g.out, page)
	g.sayMore(page.NextCursor)
	return nil
}

type graphReviews struct {
	Status string `default:"open" enum:"open,same,different,obsolete" help:"open, same, different or obsolete."`
	Limit  int    `default:"20" help:"How many."`
	Cursor string `help:"Go on after the page that gave it."`
}

func (c graphReviews) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	query := paged(c.Limit, c.Cursor)
	query.Set("status", c.Status)
	page, err := api.Reviews(ctx, query)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(page)
	}
	if len(page.Reviews) == 0 {
		fmt.Fprintln(g.out, "No review is "+c.Status+".")
		return nil
	}
	printReviews(g.out, page.Reviews)
	g.sayMore(page.NextCursor)
	return nil
}

type graphSummary struct{}

func (graphSummary) Run(ctx context.Context, g *Globals) error {
	api, err := g.client()
	if err != nil {
		return err
	}
	s, err := api.GraphSummary(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(s)
	}
	printGraphSummary(g.out, s)
	return nil
}

type graphExport struct {
	Format string `required:"" enum:"jsonld,graphml,csv" help:"jsonld, graphml or csv."`
	Part   string `default:"entities" enum:"entities,edges" help:"Of csv, which is one table a file: entities or edges."`
	AsOf   string `help:"As it was then: a date, or a time as RFC 3339."`
	Output string `required:"" type:"path" help:"The file, which must not be there yet; - is stdout."`
}

func (c graphExport) Run(ctx context.Context, g *Globals) error {
	if c.Output == "-" && g.JSON {
		return usageError{errors.New("--json and the graph can't both go to stdout: name a file")}
	}
	api, err := g.client()
	if err != nil {
		return err
	}
	query := url.Values{"format": {c.Format}}
	if c.Format == "csv" {
		query.Set("part", c.Part)
	}
	if c.AsOf != "" {
		query.Set("as_of", c.AsOf)
	}
	if c.Output == "-" {
		return api.ExportGraph(ctx, query, g.out)
	}
	if _, err := os.Lstat(c.Output); err == nil {
		return usageError{fmt.Errorf("%s is there already", c.Output)}
	}
	size, err := exportTo(c.Output, func(w io.Writer) error { return api.ExportGraph(ctx, query, w) })
	if err != nil {
		return err
	}
	if g.JSON {
		return g.printJSON(map[string]any{"file": c.Output, "bytes": size})
	}
	g.say("Wrote %s bytes into %s.", grouped(strconv.FormatInt(size, 10)), c.Output)
	return nil
}
