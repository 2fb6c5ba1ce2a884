package main

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/nuzantara/ciclo/internal/conformance"
)

// judge says what is wrong with an answer.
type judge struct {
	document *conformance.Document

	// seen are answers that were held against the document already, by their sum.
	mu   sync.Mutex
	seen map[uint64]bool
	seed maphash.Seed
}

func newJudge(text []byte) (*judge, error) {
	document, err := conformance.Read(text)
	return &judge{document: document, seen: map[uint64]bool{}, seed: maphash.MakeSeed()}, err
}

// check is nil where the answer is as it has to be.
func (j *judge) check(r *request, a answer) error {
	if a.status == 0 {
		return nil // the sender went away
	}
	byLibrary := r.unhttp && a.closed && (strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") || a.status == http.StatusExpectationFailed)
	switch {
	// net/http's own answers to what is no HTTP, or not one that it speaks.
	case byLibrary && (a.status < http.StatusInternalServerError || a.status == http.StatusNotImplemented || a.status == http.StatusHTTPVersionNotSupported):
		return nil
	case r.halfClosed && a.status == http.StatusServiceUnavailable:
		return nil // for all that can be told, nobody reads it
	case a.status == http.StatusSeeOther && strings.HasPrefix(a.header.Get("Location"), "/sign-in"):
		return nil // a page for people, who have to sign in
	case a.status >= http.StatusInternalServerError:
		return fmt.Errorf("answered %d", a.status)
	case r.want == refused && a.status < http.StatusBadRequest:
		return fmt.Errorf("it was to be refused, and answered %d", a.status)
	case r.want == taken && malformed(a):
		return fmt.Errorf("the document allows it, and it was refused by %d", a.status)
	}
	return j.conforms(r, a)
}

// malformed reports whether the answer blames the request itself, not what it is
// about: a key that stands for another request is of the second kind.
func malformed(a answer) bool {
	switch a.status {
	case http.StatusNotFound, http.StatusConflict, http.StatusNotModified:
		return false
	case http.StatusTooManyRequests:
		return a.header.Get("Retry-After") == "" // else it is right later
	default:
		return a.status >= http.StatusBadRequest && !bytes.Contains(a.body, []byte("urn:ciclo:idempotency-key-reused"))
	}
}

// conforms holds the answer against the document, each different one once.
func (j *judge) conforms(r *request, a answer) error {
	if r.class == "raw" || r.method == http.MethodHead {
		return nil // the requests of a pipeline are checked by themselves elsewhere; HEAD has no body
	}
	if r.method == http.MethodOptions && (r.target == "*" || a.status == http.StatusNoContent && a.header.Get("Allow") != "") {
		return nil // what HTTP says of OPTIONS
	}
	path := r.path()
	if target, err := url.ParseRequestURI(r.target); err == nil {
		path = target.EscapedPath()
	}
	body := a.body
	if a.cut {
		if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream") {
			return nil
		}
		body = body[:bytes.LastIndex(body, []byte("\n\n"))+1]
	}
	var h maphash.Hash
	h.SetSeed(j.seed)
	fmt.Fprint(&h, r.method, " ", path, " ", a.status, " ", a.header.Get("Content-Type"), " ")
	if r.op != nil && len(r.op.inPath) > 0 && path != r.op.path {
		h.Reset()
		fmt.Fprint(&h, r.method, " ", r.op.path, " ", a.status, " ", a.header.Get("Content-Type"), " ", r.class == "hostile", " ")
		if r.class == "hostile" {
			fmt.Fprint(&h, path, " ")
		}
	}
	_, _ = h.Write(body) // it never fails
	sum := h.Sum64()
	j.mu.Lock()
	known := j.seen[sum]
	j.mu.Unlock()
	if known {
		return nil
	}
	if err := j.document.Check(r.method, path, a.status, a.header, body); err != nil {
		return fmt.Errorf("not as the document says: %w", err)
	}
	j.mu.Lock()
	j.seen[sum] = true
	j.mu.Unlock()
	return nil
}
