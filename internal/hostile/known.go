package main

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"sync"
)

// known are what answers gave: ids, cursors and the like, the latest of each kind.
type known struct {
	mu    sync.Mutex
	kinds map[string]*ring
}

// ring holds the latest values of a kind.
type ring struct {
	values [256]string
	added  int
}

func (k *known) add(kind, value string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.kinds[kind]
	if r == nil {
		r = &ring{}
		k.kinds[kind] = r
	}
	r.values[r.added%len(r.values)] = value
	r.added++
}

// any is one of a kind; empty where none is known.
func (k *known) any(random *rand.Rand, kind string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.kinds[kind]
	if r == nil {
		return ""
	}
	return r.values[random.IntN(min(r.added, len(r.values)))]
}

// kindOf names what a parameter of a path holds: that of /executions/{id} is an
// execution_id, that of /schedules/{name} a schedules/name.
func kindOf(path, name string) string {
	before, _, _ := strings.Cut(path, "/{"+name+"}")
	of := before[strings.LastIndex(before, "/")+1:]
	if name == "name" {
		return of + "/name"
	}
	if one, ok := strings.CutSuffix(of, "ies"); ok {
		return one + "y_id"
	}
	return strings.TrimSuffix(of, "s") + "_id"
}

// most bounds how many values of a kind one answer adds.
const most = 4

// learn keeps what an answer gave.
func (k *known) learn(op *operation, a answer) {
	for _, name := range []string{"execution_id", "worker_id", "webhook_id", "delivery_id", "cycle_id", "entity_id", "edge_id", "review_id"} {
		k.scan(a.body, name, name)
	}
	k.scan(a.body, "next_cursor", op.path+" cursor")
	k.scan(a.body, "next_after", op.path+" after")
	switch {
	case strings.Contains(op.path, "/schedules"):
		k.scan(a.body, "name", "schedules/name")
	case strings.HasSuffix(op.path, "/steps"):
		k.scan(a.body, "name", "from_step")
	}
	if etag := a.header.Get("ETag"); etag != "" {
		k.add("If-None-Match", etag)
	}
	if i := bytes.LastIndex(a.body, []byte("id: ")); op.streams && i >= 0 {
		line, _, _ := bytes.Cut(a.body[i+len("id: "):], []byte("\n"))
		k.add("Last-Event-ID", string(line))
	}
}

// scan adds the members of a name in JSON that are plain texts or numbers.
func (k *known) scan(body []byte, name, kind string) {
	start := []byte(`"` + name + `":`)
	for range most {
		i := bytes.Index(body, start)
		if i < 0 {
			return
		}
		body = body[i+len(start):]
		end := bytes.IndexAny(body, ",}\n")
		if end < 0 {
			return
		}
		if value := strings.Trim(string(body[:end]), `"`); value != "" && value != "null" && !strings.Contains(value, `\`) {
			k.add(kind, value)
		}
	}
}
