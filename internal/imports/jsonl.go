package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Format is how a file is written.
type Format string

// The formats.
const (
	CSV       Format = "csv"
	JSONLines Format = "jsonl"
)

// formatOf is a file's format by its name.
func formatOf(path string) Format {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jsonl", ".ndjson":
		return JSONLines
	}
	return CSV
}

// jsonReader reads one JSON object a line.
type jsonReader struct {
	window *window
	kind   *Kind
	cells  []cell
}

func newJSONReader(w *window, kind *Kind) *jsonReader {
	return &jsonReader{window: w, kind: kind, cells: make([]cell, len(kind.columns))}
}

func (r *jsonReader) next() (row, error) {
	for {
		text, length, err := r.window.physical()
		if err != nil {
			return row{}, err
		}
		line := r.window.line
		if text == nil {
			r.window.skip()
			return row{line: line, bad: tooLong()}, nil
		}
		r.window.take(length, 1)
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		if bad := r.object(text); bad != nil {
			return row{line: line, bad: bad.Error()}, nil //nolint:nilerr // what is wrong with the row is told with it
		}
		return row{line: line, cells: r.cells}, nil
	}
}

// object reads the cells of one line. That it is JSON is for encoding/json to say;
// what follows may take it for granted.
func (r *jsonReader) object(text []byte) error {
	if !utf8.Valid(text) {
		return fmt.Errorf("the line %w", errEncoding)
	}
	if !json.Valid(text) {
		var syntax *json.SyntaxError
		err := json.Unmarshal(text, new(json.RawMessage))
		if errors.As(err, &syntax) && syntax.Offset >= int64(len(text)) {
			return errors.New("the line is cut off: it must hold one whole JSON object")
		}
		return fmt.Errorf("the line is not JSON: %w", err)
	}
	if text[0] != '{' {
		return errors.New("the line is not a JSON object: each line must hold one, and no list around them")
	}
	clear(r.cells)
	v := value{text: text, at: 1}
	for v.space(); v.text[v.at] != '}'; v.space() {
		name, err := v.word()
		if err != nil {
			return err
		}
		v.space()
		v.at++ // the colon
		v.space()
		c, err := v.cell()
		if err != nil {
			return fmt.Errorf("%.40q %w", name, err)
		}
		i := 0
		for i < len(r.kind.columns) && r.kind.columns[i].name != string(name) {
			i++
		}
		if i == len(r.kind.columns) {
			return fmt.Errorf("%.60q is not one of %s", name, r.kind.names())
		}
		if r.cells[i].shape != 0 {
			return fmt.Errorf("%q is there twice", name)
		}
		r.cells[i] = c
		if v.space(); v.text[v.at] == ',' {
			v.at++
		}
	}
	return nil
}

// value walks over JSON that is known to be right.
type value struct {
	text []byte
	at   int
}

func (v *value) space() {
	for v.at < len(v.text) && (v.text[v.at] == ' ' || v.text[v.at] == '\t' || v.text[v.at] == '\r' || v.text[v.at] == '\n') {
		v.at++
	}
}

// raw is the string that begins here, as it is written, its quotes too.
func (v *value) raw() []byte {
	from := v.at
	for v.at++; v.text[v.at] != '"'; v.at++ {
		if v.text[v.at] == '\\' {
			v.at++
		}
	}
	v.at++
	return v.text[from:v.at]
}

var errSurrogate = errors.New(`has a \u escape of half a character`)

func (v *value) word() ([]byte, error) {
	raw := v.raw()
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, err
	}
	// encoding/json writes U+FFFD for a surrogate without its other half.
	if n := strings.Count(text, "\ufffd"); n > bytes.Count(raw, []byte("\ufffd"))+strings.Count(strings.ToLower(string(raw)), `\ufffd`) {
		return nil, errSurrogate
	}
	return []byte(text), nil
}

func (v *value) cell() (cell, error) {
	switch b := v.text[v.at]; b {
	case '"':
		text, err := v.word()
		return cell{shape: word, text: bytes.TrimSpace(text)}, err
	case 't', 'f', 'n':
		from := v.at
		for v.at < len(v.text) && v.text[v.at] >= 'a' && v.text[v.at] <= 'z' {
			v.at++
		}
		if b == 'n' {
			return cell{shape: null}, nil
		}
		return cell{shape: truth, text: v.text[from:v.at]}, nil
	case '{':
		err := v.whole()
		return cell{shape: object}, err
	case '[':
		return v.words()
	default:
		from := v.at
		for v.at < len(v.text) && strings.IndexByte("+-.0123456789eE", v.text[v.at]) >= 0 {
			v.at++
		}
		return cell{shape: number, text: v.text[from:v.at]}, nil
	}
}

// whole goes on after the object or list that begins here.
func (v *value) whole() error {
	dec := json.NewDecoder(bytes.NewReader(v.text[v.at:]))
	var skipped json.RawMessage
	if err := dec.Decode(&skipped); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	v.at += int(dec.InputOffset())
	return nil
}

// words reads a list of strings.
func (v *value) words() (cell, error) {
	c := cell{shape: list}
	v.at++
	for v.space(); v.text[v.at] != ']'; v.space() {
		if v.text[v.at] != '"' {
			return c, errors.New("is a list of something else than strings")
		}
		text, err := v.word()
		if err != nil {
			return c, err
		}
		c.list = append(c.list, text)
		if v.space(); v.text[v.at] == ',' {
			v.at++
		}
	}
	v.at++
	return c, nil
}
