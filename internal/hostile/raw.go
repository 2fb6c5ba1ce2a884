package main

import (
	"bytes"
	"fmt"
	"strings"
)

// raw is a request, or several, as no client writes them; it has a connection of
// its own.
func (g *generator) raw(op *operation) *request {
	r := g.valid(op).request(g)
	for op.streams || op.id == "drainWorker" || len(r.body) == 0 && g.chance(0.5) {
		op = g.operation()
		r = g.valid(op).request(g)
	}
	r.class, r.want, r.unhttp, r.patience = "raw", anything, true, 4*lasting
	whole := r.bytes("localhost")
	head, _, _ := bytes.Cut(whole, []byte("\r\n\r\n"))
	line, fields, _ := bytes.Cut(head, []byte("\r\n"))
	rebuilt := func(more string) []byte {
		return fmt.Appendf(nil, "%s\r\n%s\r\n%s\r\n\r\n%s", line, withoutLength(fields), more, r.body)
	}
	kinds := []struct {
		about      string
		wire       []byte
		halfClosed bool
	}{
		{"broken off", whole[:g.random.IntN(len(whole))+1], false},
		{"half closed, broken off", whole[:g.random.IntN(len(whole))+1], true},
		{"half closed", whole, true},
		{"two lengths", rebuilt(fmt.Sprintf("Content-Length: %d\r\nContent-Length: %d", len(r.body), len(r.body)+1)), false},
		{"a length and chunks", rebuilt(fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked", len(r.body))), false},
		{"chunks that are none", rebuilt("Transfer-Encoding: chunked"), false},
		{"an encoding that is none", rebuilt("Transfer-Encoding: gzip, chunked"), false},
		{"a body longer than it says", append(bytes.Clone(whole), strings.Repeat("x", 100)...), false},
		{"another version", bytes.Replace(whole, []byte("HTTP/1.1"), []byte(pick(g, []string{"HTTP/1.0", "HTTP/2.0", "HTTP/3", "HTTP/0.9", "HTCPCP/1.0", "http/1.1", ""})), 1), false},
		{"no host", bytes.Replace(whole, []byte("Host: localhost\r\n"), nil, 1), false},
		{"bare line feeds", bytes.ReplaceAll(whole, []byte("\r\n"), []byte("\n")), false},
		{"carriage returns", bytes.ReplaceAll(whole, []byte("\r\n"), []byte("\r")), false},
		{"some bytes changed", mangled(g.random, whole), false},
		{"HTTP/2", []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"), false},
		{"TLS", []byte("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03aaaaaaaaaaaaaaaa"), false},
		{"no HTTP", []byte(strings.Repeat("\x00\xff\r\n", 50)), false},
	}
	if g.chance(0.3) {
		r.about, r.wire, r.answers = "pipelined", nil, 2+g.random.IntN(4)
		for i := 0; i < r.answers; {
			one := g.valid(g.operation()).request(g)
			if one.method != "GET" || one.patience > 0 {
				continue
			}
			r.wire = append(r.wire, one.bytes("localhost")...)
			r.method, i = one.method, i+1
		}
		r.op, r.target, r.unhttp, r.patience = nil, "", false, 0
		return r
	}
	k := pick(g, kinds)
	r.about, r.wire, r.halfClosed = k.about, k.wire, k.halfClosed
	return r
}

// withoutLength drops the length of a header.
func withoutLength(fields []byte) []byte {
	var rest [][]byte
	for line := range bytes.SplitSeq(fields, []byte("\r\n")) {
		if !bytes.HasPrefix(line, []byte("Content-Length:")) {
			rest = append(rest, line)
		}
	}
	return bytes.Join(rest, []byte("\r\n"))
}
