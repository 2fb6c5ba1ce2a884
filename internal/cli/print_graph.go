package cli

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/nuzantara/ciclo/client"
)

// printable is other people's text on one line, without what moves a terminal's cursor.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || unicode.IsSpace(r) {
			return r
		}
		return '�'
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// dayOf is the day of a time in UTC.
func dayOf(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

func confidence(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

func whole(n int) string { return grouped(strconv.Itoa(n)) }

// printEntities writes a list, which is not empty.
func printEntities(w io.Writer, entities []client.ListedEntity) {
	table(w, func(row func(...any)) {
		heads := []any{"NAME", "TYPE", "CONVERSATIONS", "MENTIONS", "EDGES", "LAST SEEN", "ID"}
		if entities[0].Alias != nil {
			heads = append(heads, "FOUND AS", "SCORE")
		}
		row(heads...)
		for _, e := range entities {
			cells := []any{printable(e.Name), e.Type, whole(e.Conversations), whole(e.Mentions), whole(e.Degree), dayOf(e.LastAt), e.ID}
			if e.Alias != nil && e.Score != nil {
				cells = append(cells, printable(*e.Alias), confidence(*e.Score))
			}
			row(cells...)
		}
	})
}

func printEntity(w io.Writer, e client.EntityDetail) {
	fmt.Fprintf(w, "%s (%s), %s\n", printable(e.Name), e.Type, e.ID)
	if e.MergedFrom != nil {
		fmt.Fprintf(w, "  %s is part of it now\n", *e.MergedFrom)
	}
	if e.ExpiredAt != nil {
		fmt.Fprintf(w, "  nothing is it any more, since %s\n", dayOf(e.ExpiredAt))
	}
	fmt.Fprintf(w, "  %s mentions in %s conversations, %s to %s; %s edges\n", whole(e.Mentions), whole(e.Conversations), dayOf(e.FirstAt), dayOf(e.LastAt), whole(e.Degree))
	if len(e.ClientIDs) > 0 {
		fmt.Fprintf(w, "  the firm's client %s\n", printable(strings.Join(e.ClientIDs, ", ")))
	}
	var names []string
	for _, a := range e.Aliases {
		names = append(names, fmt.Sprintf("%s (%s)", printable(a.Alias), whole(a.Mentions)))
	}
	if len(names) > 0 {
		fmt.Fprintf(w, "  names: %s\n", strings.Join(names, ", "))
	}
	for _, m := range e.Merges {
		who := "by " + cmp.Or(text(m.DecidedBy), text(m.ExecutionID))
		if m.Probability != nil {
			who = fmt.Sprintf("%.3f, %s", *m.Probability, who)
		}
		fmt.Fprintf(w, "  %s %s %d: %s (%s) → %s (%s), records: %d, %s\n", dayOf(&m.MergedAt), m.Kind, m.ID, mergedName(m.FromName), m.FromID, mergedName(m.ToName), m.ToID, len(m.Records), printable(who))
	}
}

// mergedName is the name of what a merge was of, where it has one.
func mergedName(name *string) string { return cmp.Or(printable(text(name)), "?") }

func printMentions(w io.Writer, mentions []client.Mention) {
	if len(mentions) == 0 {
		return
	}
	fmt.Fprintln(w)
	table(w, func(row func(...any)) {
		row("SENT", "SURFACE", "CONVERSATION", "MESSAGE", "CHARACTERS", "FOUND BY", "CONFIDENCE")
		for _, m := range mentions {
			row(clock(m.SentAt), printable(m.Surface), printable(m.ConversationID), printable(m.MessageID), fmt.Sprintf("%d–%d", m.Start, m.End), m.Extractor+" "+m.Version, confidence(m.Confidence))
		}
	})
}

func printNeighbours(w io.Writer, n client.Neighbourhood) {
	fmt.Fprintf(w, "%s (%s) as of %s: %d neighbours", printable(n.Entity.Name), n.Entity.Type, clock(n.AsOf), len(n.Nodes))
	if n.Truncated {
		fmt.Fprint(w, ", and there are more")
	}
	fmt.Fprintln(w)
	if len(n.Nodes) == 0 {
		return
	}
	names := map[string]string{n.Entity.ID: printable(n.Entity.Name)}
	table(w, func(row func(...any)) {
		row("DEPTH", "NAME", "TYPE", "EDGES", "ID")
		for _, one := range n.Nodes {
			names[one.ID] = printable(one.Name)
			row(one.Depth, names[one.ID], one.Type, whole(one.Degree), one.ID)
		}
	})
	fmt.Fprintln(w)
	table(w, func(row func(...any)) {
		row("SUBJECT", "RELATION", "OBJECT", "CONFIDENCE", "SINCE", "UNTIL", "SAID", "EDGE")
		for _, e := range n.Edges {
			row(names[e.SubjectID], e.Relation, names[e.ObjectID], confidence(e.Confidence), dayOf(&e.ValidAt), dayOf(e.InvalidAt), timesSaid(e), e.ID)
		}
	})
}

// timesSaid is how often, and in how many conversations, an edge is said.
func timesSaid(e client.Edge) string {
	return fmt.Sprintf("%s in %s", whole(e.Evidence), whole(e.Conversations))
}

func printPath(w io.Writer, p client.GraphPath) {
	table(w, func(row func(...any)) {
		row("BY", "ENTITY", "TYPE", "CONFIDENCE", "SINCE", "EDGE")
		row("", printable(p.Nodes[0].Name), p.Nodes[0].Type, "", "", "")
		for i, e := range p.Edges {
			way := "— " + e.Relation + " →"
			if e.SubjectID != p.Nodes[i].ID {
				way = "← " + e.Relation + " —"
			}
			next := p.Nodes[i+1]
			row(way, printable(next.Name), next.Type, confidence(e.Confidence), dayOf(&e.ValidAt), e.ID)
		}
	})
}

func printEvidence(w io.Writer, page client.EvidencePage) {
	e := page.Edge
	fmt.Fprintf(w, "%s — %s → %s, confidence %s, since %s", printable(page.Subject.Name), e.Relation, printable(page.Object.Name), confidence(e.Confidence), dayOf(&e.ValidAt))
	if e.InvalidAt != nil {
		fmt.Fprintf(w, " until %s", dayOf(e.InvalidAt))
	} else if e.ExpiredAt != nil {
		fmt.Fprintf(w, ", no longer held since %s", dayOf(e.ExpiredAt))
	}
	fmt.Fprintln(w)
	for _, one := range page.Evidence {
		said := ""
		if one.Role != nil {
			said = printable(*one.Role) + ", "
		}
		fmt.Fprintf(w, "\n  “%s”\n  %s%s, conversation %s, message %s, characters %d–%d, %s %s, confidence %s\n",
			printable(one.Quote), said, clock(one.SentAt), printable(one.ConversationID), printable(one.MessageID), one.Start, one.End, one.Extractor, one.Version, confidence(one.Confidence))
	}
}

func printReviews(w io.Writer, reviews []client.Review) {
	for i, r := range reviews {
		if i > 0 {
			fmt.Fprintln(w)
		}
		likely := "put here by a person"
		if r.Probability != nil {
			likely = fmt.Sprintf("probability %.3f", *r.Probability)
		}
		fmt.Fprintf(w, "%s  %s, %s", r.ID, r.Type, likely)
		if r.DecidedAt != nil {
			fmt.Fprintf(w, "; %s, by %s on %s", r.Status, printable(text(r.DecidedBy)), dayOf(r.DecidedAt))
		}
		fmt.Fprintln(w)
		table(w, func(row func(...any)) {
			for _, one := range []client.ReviewRecord{r.A, r.B} {
				var contacts []string
				for _, c := range one.Contacts {
					contacts = append(contacts, printable(c.Value))
				}
				row(printable(one.Name), cmp.Or(printable(one.Scope), "the whole firm"), strings.Join(contacts, ", "), text(one.EntityID))
			}
		})
		var fields []string
		for _, f := range r.Fields {
			fields = append(fields, fmt.Sprintf("%s %s %+.1f", f.Name, f.Level, f.Bits))
		}
		if len(fields) > 0 {
			fmt.Fprintf(w, "  bits: %s\n", printable(strings.Join(fields, ", ")))
		}
	}
}

func printGraphSummary(w io.Writer, s client.GraphSummary) {
	read := "none was read yet"
	if s.LastReadAt != nil {
		read = "the last one read at " + clock(*s.LastReadAt)
	}
	count := func(n int64) string { return grouped(strconv.FormatInt(n, 10)) }
	fmt.Fprintf(w, "%s messages, %s\n%s entities, %s edges that hold, %s open reviews\n", count(s.Messages), read, count(s.Entities), count(s.Edges), count(s.OpenReviews))
	for _, list := range []struct {
		name   string
		counts []client.GraphCount
	}{{"TYPE", s.Types}, {"RELATION", s.Relations}} {
		if len(list.counts) == 0 {
			continue
		}
		fmt.Fprintln(w)
		table(w, func(row func(...any)) {
			row(list.name, "COUNT")
			for _, c := range list.counts {
				row(c.Name, count(c.Count))
			}
		})
	}
}
