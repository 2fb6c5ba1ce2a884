package imports

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// csvReader reads CSV as RFC 4180 has it, from a first line that names the columns.
// After a row that can't be told from the next it goes on with the next line.
type csvReader struct {
	window    *window
	separator byte
	// columns are the kind's columns that the file's stand for.
	columns []int
	cells   []cell
	fields  [][]byte
	scratch []byte // of quoted fields, without the doubled quotes
}

func newCSVReader(w *window, kind *Kind, o Options) (*csvReader, error) {
	r := &csvReader{window: w, separator: o.Separator, cells: make([]cell, len(kind.columns))}
	if r.separator == 0 {
		r.separator = ','
	}
	if strings.IndexByte("\"\r\n", r.separator) >= 0 || r.separator >= utf8.RuneSelf {
		return nil, fmt.Errorf("separator %q can't separate fields", r.separator)
	}
	looksLikeJSON := len(w.rest()) > 0 && (w.rest()[0] == '{' || w.rest()[0] == '[')
	bad, err := r.record()
	if looksLikeJSON {
		return nil, errors.New("line 1: this looks like JSON: name the format with --format jsonl")
	}
	if err != nil {
		return nil, fmt.Errorf("there is no line that names the columns: the file is empty or %w", err)
	}
	if bad != "" {
		return nil, fmt.Errorf("line 1: %s (the first line must name the columns)", bad)
	}
	if err := r.setColumns(kind, o); err != nil {
		return nil, fmt.Errorf("line 1: %w", err)
	}
	return r, nil
}

func (r *csvReader) setColumns(kind *Kind, o Options) error {
	there := map[string]bool{}
	for _, field := range r.fields {
		name := strings.ToLower(string(bytes.TrimSpace(field)))
		i := 0
		for i < len(kind.columns) && kind.columns[i].name != name {
			i++
		}
		if i == len(kind.columns) {
			return fmt.Errorf("column %.60q is not one of %s (the first line must name the columns%s)", name, kind.names(), r.hint(field))
		}
		if there[name] {
			return fmt.Errorf("column %q is there twice", name)
		}
		there[name] = true
		r.columns = append(r.columns, i)
	}
	for _, c := range kind.columns {
		switch {
		case there[c.name]:
		case c.required:
			return fmt.Errorf("column %q is missing", c.name)
		case c.byOption && o.Currency == "":
			return fmt.Errorf("there is no column %s: name that of all rows with --%s", c.name, c.name)
		}
	}
	return nil
}

// hint says what a first line looks like that names no column we know.
func (r *csvReader) hint(field []byte) string {
	switch {
	case bytes.IndexByte(field, 0) >= 0:
		return "; is the file UTF-16? Save it as UTF-8"
	case !utf8.Valid(field):
		return "; the file is not UTF-8: save it as UTF-8"
	case bytes.IndexByte(field, '\r') >= 0:
		return "; lines must end in LF or CR LF, not in CR alone"
	}
	for _, other := range []byte(",;\t|") {
		if other != r.separator && len(r.fields) == 1 && bytes.IndexByte(field, other) >= 0 {
			name := string(other)
			if other == '\t' {
				name = "tab"
			}
			return fmt.Sprintf("; the fields seem to be separated otherwise: try --separator '%s'", name)
		}
	}
	return ""
}

func (r *csvReader) next() (row, error) {
	line := r.window.line
	bad, err := r.record()
	for err == nil && bad == "" && len(r.fields) == 1 && len(r.fields[0]) == 0 { // an empty line is no row
		line = r.window.line
		bad, err = r.record()
	}
	switch {
	case err != nil:
		return row{}, err
	case bad != "":
		return row{line: line, bad: bad}, nil
	case len(r.fields) != len(r.columns):
		return row{line: line, bad: fmt.Sprintf("wrong number of fields: %d, the first line names %d", len(r.fields), len(r.columns))}, nil
	}
	for i, field := range r.fields {
		r.cells[r.columns[i]] = cell{shape: word, text: bytes.TrimSpace(field)}
	}
	return row{line: line, cells: r.cells}, nil
}

// record reads the fields of one record, or says why it isn't one.
func (r *csvReader) record() (bad string, err error) {
	line, length, err := r.window.physical()
	if err != nil {
		return "", err
	}
	if line == nil {
		r.window.skip()
		return tooLong(), nil
	}
	if bytes.IndexByte(line, '"') < 0 {
		r.fields = r.fields[:0]
		for {
			i := bytes.IndexByte(line, r.separator)
			if i < 0 {
				break
			}
			r.fields = append(r.fields, line[:i])
			line = line[i+1:]
		}
		r.fields = append(r.fields, line)
		r.window.take(length, 1)
		return "", nil
	}
	for {
		n, bad, cut := r.quoted(r.window.rest())
		if !cut {
			if bad != "" {
				r.window.skip()
				return bad, nil
			}
			if n > maxRow {
				r.window.skip()
				return tooLong(), nil
			}
			r.window.take(n, int64(bytes.Count(r.window.rest()[:n], []byte("\n"))))
			return "", nil
		}
		if len(r.window.rest()) > maxRow || !r.window.more() {
			if r.window.err != nil {
				return "", r.window.err
			}
			if len(r.window.rest()) > maxRow {
				r.window.skip()
				return fmt.Sprintf("a quote opens that isn't closed within %d bytes", maxRow), nil
			}
			n, bad, _ := r.quoted(append(bytes.Clone(r.window.rest()), '\n')) // the last line, without its end
			if bad == "" && n <= len(r.window.rest()) {
				bad = "a quote opens that isn't closed"
			}
			return r.last(bad)
		}
	}
}

// last takes the file's last record, whose fields are read already.
func (r *csvReader) last(bad string) (string, error) {
	if bad != "" {
		r.window.skip()
		return bad, nil
	}
	n := len(r.window.rest())
	r.window.take(n, int64(bytes.Count(r.window.rest(), []byte("\n"))))
	return "", nil
}

// quoted reads the fields of the record that text begins with, and how long it is.
// Cut says that it doesn't end within the text.
func (r *csvReader) quoted(text []byte) (length int, bad string, cut bool) {
	r.fields, r.scratch = r.fields[:0], r.scratch[:0]
	at := 0
	for {
		var field []byte
		if at < len(text) && text[at] == '"' {
			at++
			from := len(r.scratch)
			for {
				i := bytes.IndexByte(text[at:], '"')
				if i < 0 || at+i+1 == len(text) {
					return 0, "", true
				}
				r.scratch = append(r.scratch, text[at:at+i]...)
				at += i + 1
				if text[at] != '"' {
					break
				}
				r.scratch = append(r.scratch, '"')
				at++
			}
			field = r.scratch[from:len(r.scratch):len(r.scratch)]
			if text[at] == '\r' {
				if at+1 == len(text) {
					return 0, "", true
				}
				if text[at+1] == '\n' {
					at++
				}
			}
			if text[at] != r.separator && text[at] != '\n' {
				return 0, "there is text after the quote that closes a field", false
			}
		} else {
			i := at
			for i < len(text) && text[i] != r.separator && text[i] != '\n' {
				if text[i] == '"' {
					return 0, "there is a quote in a field that doesn't begin with one", false
				}
				i++
			}
			if i == len(text) {
				return 0, "", true
			}
			field = text[at:i]
			at = i
			if text[at] == '\n' {
				field = bytes.TrimSuffix(field, []byte("\r"))
			}
		}
		r.fields = append(r.fields, field)
		at++
		if text[at-1] == '\n' {
			return at, "", false
		}
	}
}
