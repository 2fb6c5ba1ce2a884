package imports

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// maxRow bounds a row, in bytes, and so the memory that a file takes.
const maxRow = 64 << 10

// window is the part of a file that is in memory.
type window struct {
	file   io.Reader
	buf    []byte
	lo, hi int // what isn't taken yet is buf[lo:hi]
	eof    bool
	err    error
	line   int64 // of lo, from 1
	read   int64 // bytes of the file
}

// heeding reads until its context is done, whatever there is still to read.
type heeding struct {
	ctx  context.Context //nolint:containedctx // Read takes none
	file io.Reader
}

func (h *heeding) Read(p []byte) (int, error) {
	if err := h.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := h.file.Read(p)
	if ended := h.ctx.Err(); ended != nil && err != nil {
		err = ended
	}
	return n, err
}

func newWindow(file io.Reader) *window {
	// Twice a row, so that a whole one fits wherever it begins.
	return &window{file: file, buf: make([]byte, 4*maxRow), line: 1}
}

// rest is what is in memory and not taken yet.
func (w *window) rest() []byte { return w.buf[w.lo:w.hi] }

// more reads on and reports whether there is more in memory than before.
func (w *window) more() bool {
	if w.eof || w.hi-w.lo == len(w.buf) {
		return false
	}
	if w.lo > 0 {
		w.hi = copy(w.buf, w.buf[w.lo:w.hi])
		w.lo = 0
	}
	for range 100 { // a reader that gives nothing so often is broken
		n, err := w.file.Read(w.buf[w.hi:])
		w.hi += n
		w.read += int64(n)
		if err != nil {
			w.eof = true
			if !errors.Is(err, io.EOF) {
				w.err = err
			}
		}
		if n > 0 || w.eof {
			return n > 0
		}
	}
	w.eof, w.err = true, io.ErrNoProgress
	return false
}

// end is io.EOF, or why the file can't be read on.
func (w *window) end() error {
	if w.err != nil {
		return w.err
	}
	return io.EOF
}

// take goes on after n bytes that hold so many line ends.
func (w *window) take(n int, lines int64) {
	w.lo += n
	w.line += lines
}

// physical returns the line that begins here, without its end, and its length
// with it. The line is nil where it is longer than a row may be; it is then to be
// left by skip. The error is io.EOF at the end of the file.
func (w *window) physical() (line []byte, length int, err error) {
	from := 0
	for {
		if i := bytes.IndexByte(w.rest()[from:], '\n'); i >= 0 {
			i += from
			if i > maxRow {
				return nil, 0, nil
			}
			return bytes.TrimSuffix(w.rest()[:i], []byte("\r")), i + 1, nil
		}
		if from = len(w.rest()); from > maxRow {
			return nil, 0, nil
		}
		if !w.more() {
			break
		}
	}
	if w.err != nil || len(w.rest()) == 0 {
		return nil, 0, w.end()
	}
	return bytes.TrimSuffix(w.rest(), []byte("\r")), len(w.rest()), nil
}

// skip goes on after the end of the line that begins here, however long it is.
func (w *window) skip() {
	for {
		if i := bytes.IndexByte(w.rest(), '\n'); i >= 0 {
			w.take(i+1, 1)
			return
		}
		w.take(len(w.rest()), 0)
		if !w.more() {
			return
		}
	}
}

func tooLong() string { return fmt.Sprintf("the row is longer than %d bytes", maxRow) }

// refuseEncodings looks at the file's first bytes, and leaves out the mark that
// says UTF-8.
func (w *window) refuseEncodings() error {
	for len(w.rest()) < 4 && w.more() {
	}
	head := w.rest()
	switch {
	case w.err != nil:
		return w.err
	case len(head) == 0:
		return errors.New("the file is empty")
	case bytes.HasPrefix(head, []byte("\ufeff")):
		w.take(3, 0)
		if len(w.rest()) == 0 && !w.more() {
			return errors.New("the file is empty")
		}
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}), len(head) >= 2 && (head[0] == 0) != (head[1] == 0):
		return errors.New("line 1: the file is UTF-16: save it as UTF-8")
	}
	return nil
}
