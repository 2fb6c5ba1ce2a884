package chart

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
	"unicode"
)

// Node is one of a neighbourhood: what lies there, and the edge by which it was found.
type Node struct {
	// Name is written beside it, cut to the room that there is. Type gives shape and colour.
	Name, Type, Href string
	// Parent is the index of the node that it hangs on, which comes before it; -1 for
	// the first one, which all lies around.
	Parent int
	// Edge is written beneath the name and says of the edge to the parent what it is;
	// EdgeTitle says more on hovering.
	Edge, EdgeTitle, EdgeHref string
	// Weight of that edge, 0..1, is how thick its line is.
	Weight float64
}

// Tie is another edge between two nodes, by their indices.
type Tie struct {
	From, To    int
	Title, Href string
}

const (
	nameSize, edgeSize = 13., 11. // of letters
	rowHeight          = 38.      // of a node with its two lines of text
	firstRing          = 150.     // how far the nearest nodes lie from the middle
	ringGap            = 250.     // and how far apart rings are
	labelRoom          = 200.     // for the text beside a node
	nodeSize           = 7.
)

// spot is where a node lies.
type spot struct {
	x, y  float64
	side  float64 // 1 to the right, -1 to the left, 0 in the middle
	depth int
}

// Neighbourhood draws what lies around the first node: rings by how many edges away,
// each node in a row of its own on its side, so that no text lies on another. The
// same nodes are always drawn the same. Its links are for the mouse: the page lists
// them again beneath for everybody.
func Neighbourhood(title, description string, nodes []Node, ties []Tie) template.HTML {
	spots, width, height := rings(nodes)
	d := begin(width, height, title, description)
	for _, t := range ties {
		a, b := spots[t.From], spots[t.To]
		// Bent towards the middle, away from the rows of text.
		path := fmt.Sprintf("M%s %sQ%s %s %s %s", num(a.x), num(a.y), num((a.x+b.x+width)/4), num((a.y+b.y)/2), num(b.x), num(b.y))
		d.edge("tie", path, 1, t.Href, t.Title)
	}
	for i, n := range nodes {
		if n.Parent < 0 {
			continue
		}
		from, to := spots[n.Parent], spots[i]
		begins := from.x
		if from.side != 0 { // the line underlines its parent's name first
			begins += from.side * (labelRoom + 2*nodeSize)
		}
		middle := (begins + to.x) / 2
		path := fmt.Sprintf("M%s %s", num(from.x), num(from.y))
		if begins != from.x {
			path += "H" + num(begins)
		}
		path += fmt.Sprintf("C%s %s %s %s %s %s", num(middle), num(from.y), num(middle), num(to.y), num(to.x), num(to.y))
		d.edge("edge", path, n.Weight, n.EdgeHref, n.EdgeTitle)
	}
	for i, n := range nodes {
		s := spots[i]
		if s.side == 0 {
			d.node(n, s, 2*nodeSize)
			d.words(n.Href, "name centre", "middle", s.x, s.y+2*nodeSize+nameSize+3, fitted(n.Name, 2*firstRing-4*nodeSize, nameSize), n.Name)
			continue
		}
		d.node(n, s, nodeSize)
		anchor := "start"
		if s.side < 0 {
			anchor = "end"
		}
		x := s.x + s.side*(nodeSize+6)
		d.words(n.Href, "name", anchor, x, s.y-4, fitted(n.Name, labelRoom, nameSize), n.Name)
		d.words(n.EdgeHref, "relation", anchor, x, s.y+edgeSize+2, fitted(n.Edge, labelRoom, edgeSize), "")
	}
	return d.end()
}

// NarrowNeighbourhood draws the same for narrow screens: one below the other, each
// beneath what it hangs on. Ties are left to the list.
func NarrowNeighbourhood(title, description string, nodes []Node) template.HTML {
	const width, indent = 340., 22.
	spots := make([]spot, len(nodes))
	children := childrenOf(nodes)
	y := 0.
	var place func(i, depth int)
	place = func(i, depth int) {
		spots[i] = spot{x: 12 + indent*float64(depth), y: y + rowHeight/2, depth: depth}
		y += rowHeight
		for _, c := range children[i] {
			place(c, depth+1)
		}
	}
	place(0, 0)
	d := begin(width, y, title, description)
	for i, n := range nodes {
		if n.Parent >= 0 {
			from, to := spots[n.Parent], spots[i]
			d.edge("edge", fmt.Sprintf("M%s %sV%sH%s", num(from.x), num(from.y), num(to.y), num(to.x)), n.Weight, n.EdgeHref, n.EdgeTitle)
		}
	}
	for i, n := range nodes {
		s := spots[i]
		d.node(n, s, nodeSize)
		x := s.x + nodeSize + 6
		class := "name"
		if i == 0 {
			class = "name centre"
		}
		d.words(n.Href, class, "start", x, s.y-4, fitted(n.Name, width-x, nameSize), n.Name)
		d.words(n.EdgeHref, "relation", "start", x, s.y+edgeSize+2, fitted(n.Edge, width-x, edgeSize), "")
	}
	return d.end()
}

// childrenOf are the indices of what hangs on each node.
func childrenOf(nodes []Node) [][]int {
	children := make([][]int, len(nodes))
	for i, n := range nodes {
		if n.Parent >= 0 {
			children[n.Parent] = append(children[n.Parent], i)
		}
	}
	return children
}

// rings gives each node its place in a drawing of that size.
func rings(nodes []Node) (spots []spot, width, height float64) {
	spots = make([]spot, len(nodes))
	children := childrenOf(nodes)
	rows := make([]int, len(nodes)) // that a node takes with all that hangs on it
	deepest := 0
	for i := len(nodes) - 1; i >= 0; i-- { // what hangs on a node comes after it
		rows[i] = max(1, rows[i])
		if p := nodes[i].Parent; p >= 0 {
			rows[p] += rows[i]
		}
	}
	// Each of the nearest goes to the side that has fewer rows, the right one first.
	var sides [2][]int
	var taken [2]int
	for _, c := range children[0] {
		side := 0
		if taken[1] < taken[0] {
			side = 1
		}
		sides[side], taken[side] = append(sides[side], c), taken[side]+rows[c]
	}
	height = math.Max(float64(max(taken[0], taken[1]))*rowHeight, 4*rowHeight)
	for side, of := range sides {
		y := (height - float64(taken[side])*rowHeight) / 2
		var place func(i, depth int) (at float64)
		place = func(i, depth int) (at float64) {
			deepest = max(deepest, depth)
			if len(children[i]) == 0 {
				at = y + rowHeight/2
				y += rowHeight
			} else {
				for _, c := range children[i] {
					at += place(c, depth+1) / float64(len(children[i]))
				}
			}
			spots[i] = spot{y: at, side: 1 - 2*float64(side), depth: depth}
			return at
		}
		for _, c := range of {
			place(c, 1)
		}
	}
	width = 2 * (firstRing + float64(max(deepest, 1)-1)*ringGap + labelRoom + 3*nodeSize)
	spots[0] = spot{x: width / 2, y: height / 2}
	bend := math.Min(60, height/8)
	for i := range spots {
		if s := &spots[i]; s.side != 0 {
			off := (s.y - height/2) / (height / 2) // rings are round, not straight
			s.x = width/2 + s.side*(firstRing+float64(s.depth-1)*ringGap-bend*off*off)
		}
	}
	return spots, width, height
}

// edge draws a line that leads to what it stands on.
func (d *drawing) edge(class, path string, weight float64, href, title string) {
	fmt.Fprintf(d, `<a href="%s" tabindex="-1"><path class="hit" d="%s"/><path class="%s" d="%s" stroke-width="%s">`, html.EscapeString(href), path, class, path, num(1+2*weight))
	d.title(title)
	d.WriteString("</path></a>")
}

// words writes a text that is a link.
func (d *drawing) words(href, class, anchor string, x, y float64, text, title string) {
	if text == "" {
		return
	}
	fmt.Fprintf(d, `<a href="%s" tabindex="-1"><text class="%s" text-anchor="%s" x="%s" y="%s">%s`, html.EscapeString(href), class, anchor, num(x), num(y), html.EscapeString(text))
	if title != text {
		d.title(title)
	}
	d.WriteString("</text></a>")
}

// node draws a node's shape.
func (d *drawing) node(n Node, s spot, size float64) {
	fmt.Fprintf(d, `<a href="%s" tabindex="-1" aria-label="%s">`, html.EscapeString(n.Href), html.EscapeString(n.Name))
	d.shape(n.Type, s.x, s.y, size, "") // its name stands beside it
	d.WriteString("</a>")
}

// Shape is the sign of a type by itself, for a legend that names it.
func Shape(kind string) template.HTML {
	d := &drawing{}
	d.WriteString(`<svg class="chart shape" viewBox="0 0 18 18" aria-hidden="true">`)
	d.shape(kind, 9, 9, nodeSize, "")
	return d.end()
}

// outlines are the corners that each type has, and by what part of a turn the first
// one lies off the top. A type that is not among them is round.
var outlines = map[string]struct {
	corners int
	turned  float64
}{
	"company": {4, 1. / 8}, "location": {4, 0}, "law": {3, 0}, "date": {3, .5}, "topic": {6, 0}, "practice_type": {5, 0}, "money": {8, 1. / 16},
}

func (d *drawing) shape(kind string, x, y, size float64, title string) {
	class := "type"
	if letters := strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz_"); letters == "" {
		class += " type-" + kind
	}
	if kind == "document" { // a page
		d.rect(class, x-.75*size, y-size, 1.5*size, 2*size, title)
		return
	}
	s, cornered := outlines[kind]
	if !cornered {
		d.circle(class, x, y, size, title)
		return
	}
	var points []string
	for i := range s.corners {
		angle := 2 * math.Pi * (float64(i)/float64(s.corners) + s.turned)
		points = append(points, num(x+1.15*size*math.Sin(angle))+","+num(y-1.15*size*math.Cos(angle)))
	}
	fmt.Fprintf(d, `<polygon class="%s" points="%s">`, class, strings.Join(points, " "))
	d.title(title)
	d.WriteString("</polygon>")
}

// fitted shortens a text to about that much room in letters of a size. What has no
// width, or turns the direction of what follows, is left out.
func fitted(text string, room, size float64) string {
	var kept []rune
	var used float64
	for _, r := range strings.Join(strings.Fields(text), " ") {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			continue
		}
		wide := .6
		switch {
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r):
			wide = 0 // on top of the one before
			if len(kept) > 100 {
				continue
			}
		case r >= 0x1100:
			wide = 1.05
		case unicode.IsUpper(r) || strings.ContainsRune("mw%@&", r):
			wide = .78
		}
		used += wide * size
		if used > room-1.3*size { // an ellipsis has room too
			return strings.TrimSpace(string(kept)) + "…"
		}
		kept = append(kept, r)
	}
	return string(kept)
}
