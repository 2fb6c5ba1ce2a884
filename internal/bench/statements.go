package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
)

// counter stands between a service and Postgres and counts the statements that go
// by: pg_stat_database would count everybody's.
type counter struct {
	url string // what the service connects to

	listener   net.Listener
	target     string
	statements atomic.Int64
	mu         sync.Mutex
	open       map[net.Conn]struct{}
	closed     bool
	serving    sync.WaitGroup
}

func openCounter(ctx context.Context, database string) (*counter, error) {
	address, err := url.Parse(database)
	if err != nil {
		return nil, errors.New("the database's address is not a URL") // without its text, which may hold a password
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &counter{listener: listener, target: address.Host, open: map[net.Conn]struct{}{}}
	if address.Port() == "" {
		c.target = net.JoinHostPort(address.Hostname(), "5432")
	}
	query := address.Query()
	query.Set("sslmode", "disable") // else there is nothing to count
	address.Host, address.RawQuery = listener.Addr().String(), query.Encode()
	c.url = address.String()
	c.serving.Go(c.accept)
	return c, nil
}

// close cuts all connections and waits for their goroutines.
func (c *counter) close() error {
	err := c.listener.Close()
	c.mu.Lock()
	c.closed = true
	for conn := range c.open {
		_ = conn.Close() // its goroutines end by it
	}
	c.mu.Unlock()
	c.serving.Wait()
	return err
}

// keep has close cut the connection; false where close was before.
func (c *counter) keep(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = conn.Close() // nobody uses it
		return false
	}
	c.open[conn] = struct{}{}
	return true
}

func (c *counter) drop(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
	_ = conn.Close() // the other end sees it, whatever it says
}

func (c *counter) accept() {
	for {
		from, err := c.listener.Accept()
		if err != nil {
			return // closed
		}
		if !c.keep(from) {
			return
		}
		to, err := net.Dial("tcp", c.target)
		if err != nil {
			c.drop(from)
			continue
		}
		if !c.keep(to) {
			return
		}
		c.serving.Go(func() {
			defer c.drop(from)
			_, _ = io.Copy(from, to) // until either end closes
		})
		c.serving.Go(func() {
			defer c.drop(to)
			_, _ = io.Copy(to, &frontend{from: from, count: &c.statements}) // until either end closes
		})
	}
}

// frontend reads what a client of Postgres says and counts its statements: the
// messages Query and Execute. Only the first message has no type, and a request to
// cancel is a connection of one message.
type frontend struct {
	from    io.Reader
	count   *atomic.Int64
	begun   bool
	head    []byte // of the next message, so far
	payload int    // of the current one, still to come
}

func (f *frontend) Read(p []byte) (int, error) {
	n, err := f.from.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		if skip := min(f.payload, len(rest)); skip > 0 {
			f.payload -= skip
			rest = rest[skip:]
			continue
		}
		f.head, rest = append(f.head, rest[0]), rest[1:]
		length := f.head
		if f.begun {
			length = f.head[1:]
		}
		if len(length) < 4 {
			continue
		}
		f.payload = int(binary.BigEndian.Uint32(length)) - 4
		if f.begun && (f.head[0] == 'Q' || f.head[0] == 'E') {
			f.count.Add(1)
		}
		f.begun, f.head = true, f.head[:0]
	}
	return n, err
}
