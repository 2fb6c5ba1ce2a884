package chart

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// box is what a text or a shape covers.
type box struct {
	left, right, top, bottom float64
	what                     string
}

func (b box) meets(c box) bool {
	return b.left < c.right && c.left < b.right && b.top < c.bottom && c.top < b.bottom
}

// drawn reads an SVG: its size, its texts' boxes, and all attributes and texts.
func drawn(t *testing.T, svg string) (width, height float64, texts []box, hrefs []string) {
	t.Helper()
	reader := xml.NewDecoder(strings.NewReader(svg))
	var open *box
	for {
		token, err := reader.Token()
		if errors.Is(err, io.EOF) {
			return width, height, texts, hrefs
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		switch e := token.(type) {
		case xml.StartElement:
			is := map[string]string{}
			for _, a := range e.Attr {
				is[a.Name.Local] = a.Value
			}
			switch e.Name.Local {
			case "svg":
				if _, err := fmt.Sscanf(is["viewBox"], "0 0 %f %f", &width, &height); err != nil {
					t.Fatal(err)
				}
			case "script", "style", "foreignObject":
				t.Errorf("there is a %s", e.Name.Local)
			case "a":
				hrefs = append(hrefs, is["href"])
			case "text":
				x, err := strconv.ParseFloat(is["x"], 64)
				if err != nil {
					t.Fatal(err)
				}
				y, err := strconv.ParseFloat(is["y"], 64)
				if err != nil {
					t.Fatal(err)
				}
				size := nameSize
				if is["class"] == "relation" {
					size = edgeSize
				}
				open = &box{left: x, right: x, top: y - .8*size, bottom: y + .2*size, what: is["text-anchor"]}
			case "title":
				open = closed(open, &texts)
			}
		case xml.CharData:
			if open != nil {
				size, long := open.bottom-open.top, 0.
				for _, r := range string(e) {
					long += .6 * size
					if r >= 0x1100 {
						long += .45 * size
					}
				}
				switch open.what {
				case "start":
					open.right += long
				case "end":
					open.left -= long
				case "middle":
					open.left, open.right = open.left-long/2, open.right+long/2
				}
				open.what = string(e)
			}
		case xml.EndElement:
			if e.Name.Local == "text" {
				open = closed(open, &texts)
			}
		}
	}
}

func closed(open *box, texts *[]box) *box {
	if open != nil {
		*texts = append(*texts, *open)
	}
	return nil
}

// around makes a neighbourhood of n nodes, of which the first hang on the centre.
func around(random *rand.Rand, n, near int) []Node {
	nodes := []Node{{Name: "the one in the middle", Type: "person", Href: "/graph/entities/0", Parent: -1}}
	kinds := []string{"person", "company", "location", "law", "topic", "practice_type", "document", "money", "date"}
	for i := 1; i <= n; i++ {
		parent := 0
		if i > near {
			parent = 1 + random.IntN(near)
		}
		name := strings.Repeat([]string{"Anna ", "北京市", "مرحبا ", "PT Maju ", "W"}[random.IntN(5)], 1+random.IntN(12))
		nodes = append(nodes, Node{
			Name: name, Type: kinds[random.IntN(len(kinds))], Href: fmt.Sprint("/graph/entities/", i), Parent: parent,
			Edge: "is governed by →", EdgeTitle: "since then", EdgeHref: fmt.Sprint("/graph/edges/", i), Weight: random.Float64(),
		})
	}
	return nodes
}

func TestNoTextLiesOnAnother(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ n, near int }{{0, 0}, {1, 1}, {2, 2}, {7, 3}, {25, 25}, {60, 60}, {60, 1}, {60, 2}, {60, 12}, {60, 30}} {
		for seed := range uint64(8) {
			nodes := around(rand.New(rand.NewPCG(seed, 1)), c.n, c.near)
			var ties []Tie
			if c.n > 3 {
				ties = []Tie{{From: 1, To: 3, Title: "t", Href: "/graph/edges/tie"}}
			}
			wide, narrow := Neighbourhood("Around", "d", nodes, ties), NarrowNeighbourhood("Around", "d", nodes)
			if again := Neighbourhood("Around", "d", nodes, ties); again != wide {
				t.Fatal("the same is drawn in two ways")
			}
			for _, svg := range []string{string(wide), string(narrow)} {
				width, height, texts, hrefs := drawn(t, svg)
				if want := 1 + 2*c.n; len(texts) != want {
					t.Errorf("%v: %d texts, want %d", c, len(texts), want)
				}
				for i, a := range texts {
					if a.left < -.01 || a.right > width+.01 || a.top < 0 || a.bottom > height {
						t.Errorf("%v: %+v lies outside of %v×%v", c, a, width, height)
					}
					for _, b := range texts[:i] {
						if a.meets(b) {
							t.Errorf("%v, seed %d: %+v lies on %+v", c, seed, a, b)
						}
					}
				}
				all := strings.Join(hrefs, " ") + " "
				for _, n := range nodes {
					if !strings.Contains(all, n.Href+" ") || !strings.Contains(all, n.EdgeHref+" ") {
						t.Errorf("no link to %s or %s", n.Href, n.EdgeHref)
					}
				}
			}
			if c.n > 3 && !strings.Contains(string(wide), `href="/graph/edges/tie"`) {
				t.Error("the tie is not drawn")
			}
		}
	}
}

func TestHostileNamesAreDrawnAsText(t *testing.T) {
	t.Parallel()
	bad := `<script>alert(1)</script>"'>&` + "\x00\u202e\u200b" + strings.Repeat("x", 10_000)
	nodes := []Node{
		{Name: bad, Type: bad, Href: `/a"onload="x`, Parent: -1},
		{Name: bad, Type: "company", Href: bad[:20], Parent: 0, Edge: bad, EdgeTitle: bad[:30], EdgeHref: bad[:20], Weight: math.NaN()},
	}
	for _, svg := range []string{string(Neighbourhood(bad[:30], bad[:30], nodes, nil)), string(NarrowNeighbourhood(bad[:30], bad[:30], nodes)), string(Bits(bad[:30], "", []Weighed{{bad, 1}})), string(Shape(bad))} {
		if strings.Contains(svg, "<script") || strings.Contains(svg, `"onload`) {
			t.Errorf("it holds what it was given: %s", svg)
		}
	}
	for _, name := range []string{"", "\u202e\u200b", strings.Repeat("e\u0301\u0301\u0301", 1000), strings.Repeat("北", 1000)} {
		if got := fitted(name, 100, 10); strings.Contains(got, "\u202e") || len(got) > 1000 {
			t.Errorf("%q is cut to %q", name[:min(len(name), 20)], got)
		}
	}
	if got := fitted("Anna Ruiz", 200, 13); got != "Anna Ruiz" {
		t.Errorf("a name that has room is %q", got)
	}
}

func TestBitsForAndAgainst(t *testing.T) {
	t.Parallel()
	svg := string(Bits("What speaks for and against", "", []Weighed{{"name", 8.3}, {"phone", -4}, {"employer", 0}}))
	for _, want := range []string{
		`<rect class="for" x="370" y="27" width="107.9"`, `<rect class="against" x="318" y="51" width="52"`, ">+8.3<", ">−4.0<", ">0<", ">employer<",
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("%s is not in %s", want, svg)
		}
	}
	drawn(t, svg)
}

func TestShapesTellTypesApart(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, kind := range []string{"person", "company", "location", "law", "topic", "practice_type", "document", "money", "date"} {
		_, shape, _ := strings.Cut(strings.Replace(string(Shape(kind)), "type-"+kind, "", 1), ">")
		if other := seen[shape]; other != "" {
			t.Errorf("%s and %s look alike without colour", kind, other)
		}
		seen[shape] = kind
	}
}
