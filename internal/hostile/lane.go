package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// limit is in what time every request has to be answered.
const limit = 15 * time.Second

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
	// closed says that the server ends the connection with it.
	closed bool
	// cut says that the sender went away before the end, as it meant to.
	cut bool
}

var (
	errSilent = fmt.Errorf("no answer within %s", limit)
	// errLeft is of a connection that ended without an answer where one is due.
	errLeft = errors.New("the connection ended without an answer")
)

// lane is one connection, kept as long as it can be.
type lane struct {
	address string
	conn    net.Conn
	in      *bufio.Reader
}

func (l *lane) dial() error {
	conn, err := net.DialTimeout("tcp", l.address, limit)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	l.conn, l.in = conn, bufio.NewReader(conn)
	return nil
}

func (l *lane) close() {
	if l.conn != nil {
		_ = l.conn.Close() // nothing more is read from it
		l.conn = nil
	}
}

// exchange sends a request and reads its answer. A kept connection may have ended
// meanwhile, and a request with it before it was read: that is sent again.
func (l *lane) exchange(r *request) (answer, error) {
	for {
		kept := l.conn != nil
		if !kept {
			if err := l.dial(); err != nil {
				return answer{}, err
			}
		}
		a, begun, err := l.once(r)
		if err != nil || a.cut {
			l.close()
		}
		if err != nil && kept && !begun && !errors.Is(err, errSilent) {
			continue
		}
		return a, err
	}
}

func (l *lane) once(r *request) (a answer, begun bool, err error) {
	began := time.Now()
	patience := limit
	if r.patience > 0 {
		patience = r.patience
	}
	if err := l.conn.SetDeadline(began.Add(limit)); err != nil {
		return a, false, err
	}
	_, written := l.conn.Write(r.bytes(l.address)) // a server may answer and close before it has read all
	if err := l.conn.SetReadDeadline(began.Add(patience)); err != nil {
		return a, false, err
	}
	for a.status < http.StatusOK { // 100 Continue comes before the answer
		if _, err := l.in.Peek(1); err != nil {
			return l.ended(r, a, errors.Join(err, written))
		}
		begun = true
		resp, err := http.ReadResponse(l.in, &http.Request{Method: r.method})
		if err != nil {
			return a, begun, fmt.Errorf("read the answer: %w", err)
		}
		a.status, a.header, a.closed = resp.StatusCode, resp.Header, resp.Close
		a.body, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		a.took = time.Since(began)
		switch {
		case err != nil && r.patience > 0:
			a.cut = true
			return a, begun, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return a, begun, errSilent
		case err != nil:
			return a, begun, fmt.Errorf("read the answer's body: %w", err)
		}
		// What a broken request leaves behind would be taken for the next one.
		if resp.Close || written != nil || r.unhttp && len(r.body) > 0 {
			l.close()
		}
	}
	return a, begun, nil
}

// ended is of a connection that gave no answer.
func (l *lane) ended(r *request, a answer, err error) (answer, bool, error) {
	a = answer{cut: r.patience > 0} // 100 Continue is none
	switch {
	case a.cut:
		return a, false, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return a, false, errSilent
	default:
		return a, false, fmt.Errorf("%w: %w", errLeft, err)
	}
}

// wired sends what has a connection of its own, and reads the answers to it.
func wired(address string, r *request) ([]answer, error) {
	l := &lane{address: address}
	if err := l.dial(); err != nil {
		return nil, err
	}
	defer l.close()
	began := time.Now()
	wait := limit
	if r.answers == 0 {
		wait = r.patience
	}
	if err := l.conn.SetDeadline(began.Add(wait)); err != nil {
		return nil, err
	}
	_, written := l.conn.Write(r.wire)
	if tcp, ok := l.conn.(*net.TCPConn); ok && r.halfClosed && written == nil {
		written = tcp.CloseWrite()
	}
	var all []answer
	for r.answers == 0 || len(all) < r.answers {
		resp, err := http.ReadResponse(l.in, &http.Request{Method: r.method})
		if err != nil {
			if len(all) < r.answers {
				return all, fmt.Errorf("%d answers, not %d: %w", len(all), r.answers, errors.Join(err, written))
			}
			return all, nil // there need not be one
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		all = append(all, answer{status: resp.StatusCode, header: resp.Header, body: body, took: time.Since(began), closed: resp.Close, cut: err != nil})
		if err != nil || resp.Close {
			return all, nil
		}
	}
	return all, nil
}
