package dashboard

import (
	"bytes"
	"encoding/json"
	"strings"
)

// nested is a value of JSON as a page shows it: a text, or what it holds, by name
// for an object and without names for a list. More says how many others were left out.
type nested struct {
	Name, Text string
	Holds      []nested
	List       bool
	More       int
}

const (
	// nestedValues bounds the values of one tree, nestedDepth how deep it goes and
	// nestedList how many of a list are shown.
	nestedValues = 300
	nestedDepth  = 6
	nestedList   = 20
	// nestedText bounds a text, in characters.
	nestedText = 400
)

// nestedOf reads JSON; nil where it is none, or null.
func nestedOf(text json.RawMessage) *nested {
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	left := nestedValues
	n, err := readNested(decoder, &left, 0)
	if err != nil {
		return nil // what isn't JSON is shown raw
	}
	return &n
}

// readNested reads the next value. All of it is read, also what isn't kept.
func readNested(decoder *json.Decoder, left *int, depth int) (nested, error) {
	token, err := decoder.Token()
	if err != nil {
		return nested{}, err
	}
	*left--
	var n nested
	switch token := token.(type) {
	case json.Delim:
		n.List = token == '['
		for decoder.More() {
			var name string
			if !n.List {
				key, err := decoder.Token()
				if err != nil {
					return n, err
				}
				name, _ = key.(string)
			}
			keep := *left > 0 && depth < nestedDepth && (!n.List || len(n.Holds) < nestedList)
			if !keep {
				n.More++
				var skipped json.RawMessage
				if err := decoder.Decode(&skipped); err != nil {
					return n, err
				}
				continue
			}
			one, err := readNested(decoder, left, depth+1)
			if err != nil {
				return n, err
			}
			one.Name = name
			n.Holds = append(n.Holds, one)
		}
		_, err = decoder.Token() // the closing one
		if len(n.Holds) == 0 && n.More == 0 {
			n.Text = "none"
		}
		return n, err
	case string:
		n.Text = clip(nestedText, token)
	case json.Number:
		n.Text = token.String()
		if f, err := token.Float64(); err == nil && len(n.Text) < 16 {
			n.Text = number(f)
			if f != 0 && f < .1 && f > -.1 { // two decimals would hide it
				n.Text = token.String()
			}
		}
	case bool:
		n.Text = "no"
		if token {
			n.Text = "yes"
		}
	case nil:
		n.Text = "–"
	}
	return n, nil
}

// Leaf reports whether it is a text.
func (n nested) Leaf() bool { return len(n.Holds) == 0 }

// Plain reports whether it is a list of texts alone.
func (n nested) Plain() bool {
	for _, one := range n.Holds {
		if !one.Leaf() {
			return false
		}
	}
	return n.List
}

// Columns are the names of a list's objects where all of them hold the same few
// texts, so that it is a table; nil where it is none.
func (n nested) Columns() []string {
	if !n.List || len(n.Holds) < 2 {
		return nil
	}
	var columns []string
	for i, row := range n.Holds {
		if row.List || row.Leaf() || row.More > 0 || len(row.Holds) > 8 || i > 0 && len(row.Holds) != len(columns) {
			return nil
		}
		for j, cell := range row.Holds {
			switch {
			case !cell.Leaf():
				return nil
			case i == 0:
				columns = append(columns, cell.Name)
			case columns[j] != cell.Name:
				return nil
			}
		}
	}
	return columns
}

// rawBytes bounds JSON that is shown as it is.
const rawBytes = 20_000

// raw is JSON as text, in lines; cut where it is too long.
type raw struct {
	Text string
	// Bytes is its whole length, Cut whether it is more than is shown.
	Bytes int
	Cut   bool
}

// rawOf is nil where there is nothing.
func rawOf(text json.RawMessage) *raw {
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	r := raw{Bytes: len(text)}
	shown := string(text)
	if len(text) <= 4*rawBytes { // what is much longer isn't worth the lines
		var lines bytes.Buffer
		if err := json.Indent(&lines, text, "", "  "); err == nil {
			shown = lines.String()
		}
	}
	if r.Cut = len(shown) > rawBytes; r.Cut {
		shown = strings.ToValidUTF8(shown[:rawBytes], "")
	}
	r.Text = shown
	return &r
}
