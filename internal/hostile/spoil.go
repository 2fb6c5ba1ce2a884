package main

import (
	"bytes"
	"maps"
	"slices"
	"strings"
)

// spoil makes one thing of a request wrong. It returns nil where the operation has
// nothing of the kind.
type spoil struct {
	about string
	make  func(g *generator, op *operation) *request
}

var spoils = []spoil{
	{"a parameter that is not of the query", func(g *generator, op *operation) *request {
		if !op.secured {
			return nil // what probes send along is no mistake
		}
		d := g.valid(op)
		if d.body != nil && !d.inQuery && len(op.query) > 0 {
			d.body = nil
		}
		d.query = append(d.query, field{g.word() + "-no", g.word()})
		return d.request(g)
	}},
	{"a parameter out of what is allowed", func(g *generator, op *operation) *request {
		if len(op.query) == 0 {
			return nil
		}
		p := pick(g, op.query)
		value, ok := g.wrong(p.schema, true)
		if !ok {
			return nil
		}
		d := g.valid(op)
		d.body = nil
		d.query = slices.DeleteFunc(d.query, func(f field) bool { return f.name == p.name })
		d.query = append(d.query, field{p.name, plain(value)})
		return d.request(g)
	}},
	{"a parameter twice", func(g *generator, op *operation) *request {
		if len(op.query) == 0 {
			return nil
		}
		p := pick(g, op.query)
		if slices.Contains(kinds(g.document.resolve(p.schema)), "array") {
			return nil
		}
		d := g.valid(op)
		d.body = nil
		for range 2 {
			value, _ := g.value(p.schema, p.name)
			d.query = append(d.query, field{p.name, plain(value)})
		}
		return d.request(g)
	}},
	{"a malformed escape in the query", func(g *generator, op *operation) *request {
		r := g.valid(op).request(g)
		r.target += map[bool]string{true: "&", false: "?"}[strings.Contains(r.target, "?")] + pick(g, []string{"a=%", "a=%zz", "%u0041=1", "a;b=1"})
		return r
	}},
	{"a header out of what is allowed", func(g *generator, op *operation) *request {
		if len(op.header) == 0 {
			return nil
		}
		p := pick(g, op.header)
		value, ok := g.wrong(p.schema, true)
		if !ok {
			return nil
		}
		d := g.valid(op)
		d.header = slices.DeleteFunc(d.header, func(f field) bool { return f.name == p.name })
		d.header = append(d.header, field{p.name, strings.ReplaceAll(plain(value), "\x7f", "")})
		return d.request(g)
	}},
	{"a member that is unknown", func(g *generator, op *operation) *request {
		return g.changed(op, func(s schema, object map[string]any) bool {
			name := g.word() + "_no"
			if names := properties(s); len(names) > 0 && g.chance(0.3) {
				if name = strings.ToUpper(pick(g, names)); slices.Contains(names, name) {
					return false
				}
				maps.DeleteFunc(object, func(n string, _ any) bool { return strings.EqualFold(n, name) && !requires(s, n) })
			}
			object[name] = 1
			return s["additionalProperties"] == false || sealed(g.document.resolve(s))
		})
	}},
	{"a member of what is not allowed", func(g *generator, op *operation) *request {
		return g.changed(op, func(s schema, object map[string]any) bool {
			names := properties(s)
			if len(names) == 0 {
				return false
			}
			name := pick(g, names)
			value, ok := g.wrong(of(s, "properties", name), false)
			object[name] = value
			return ok
		})
	}},
	{"a member that is missing", func(g *generator, op *operation) *request {
		return g.changed(op, func(s schema, object map[string]any) bool {
			for _, name := range properties(s) {
				if requires(s, name) {
					delete(object, name)
					return true
				}
			}
			return false
		})
	}},
	{"a body that is no object", func(g *generator, op *operation) *request {
		return g.withBody(op, pick(g, []string{"[]", "null", `"text"`, "1", "true", "[{}]"}))
	}},
	{"a body that is not JSON", func(g *generator, op *operation) *request {
		return g.withBody(op, pick(g, []string{"{", `{"a":}`, "{} {}", "{'a': 1}", `{"a": 01}`, "\x00", `{"a": "\x"}`, "a=1", `{"a": NaN}`, `{"a": 1,}`, "\ufeff{}", `{"a": "` + "\n" + `"}`}))
	}},
	{"parameters in the body and in the query", func(g *generator, op *operation) *request {
		if op.body == nil || len(op.query) == 0 {
			return nil
		}
		p := pick(g, op.query)
		if p.name == "dry_run" { // not the agent's: it may stand in the query of a body
			return nil
		}
		value, _ := g.value(p.schema, p.name)
		d := g.valid(op)
		d.body, d.query = map[string]any{}, []field{{p.name, plain(value)}}
		return d.request(g)
	}},
	{"a body that is too large", func(g *generator, op *operation) *request {
		if !g.chance(0.02) { // a MiB each
			return nil
		}
		return g.withBody(op, `{"a": "`+string(bytes.Repeat([]byte("a"), 1<<20))+`"}`)
	}},
	{"another method", func(g *generator, op *operation) *request {
		method := pick(g, []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "get", "BREW"})
		for _, other := range g.document.operations {
			if other.path == op.path && other.method == method {
				return nil
			}
		}
		r := g.valid(op).request(g)
		r.method, r.patience = method, 0
		return r
	}},
	{"no token, or another", func(g *generator, op *operation) *request {
		if !op.secured {
			return nil
		}
		r := g.valid(op).request(g)
		r.remove("Authorization")
		if value := pick(g, []string{"", "Bearer", "Bearer ", "Bearer  " + g.token, "Bearer " + g.token + "x", "Basic " + g.token, g.token, "Bearer " + strings.ToUpper(g.token), "Digest " + g.token}); value != "" {
			r.header = append(r.header, field{"Authorization", value})
		}
		return r
	}},
	{"what nobody knows", func(g *generator, op *operation) *request {
		if len(op.inPath) == 0 {
			return nil
		}
		d := g.valid(op)
		for name := range d.path {
			d.path[name] = pick(g, []string{g.uuid(), "x_" + g.uuid(), g.word() + "-" + g.word() + "-no", strings.Repeat("a", 300), "é", "a b", "0", "-1", "9223372036854775808"})
		}
		return d.request(g)
	}},
}

// sealed reports whether no member but the known ones is allowed, which the
// generator of the document writes as a schema that nothing fits.
func sealed(s schema) bool {
	more, ok := s["additionalProperties"].(map[string]any)
	return ok && len(more) == 1 && more["not"] != nil
}

// changed is a valid request with one change of its body.
func (g *generator) changed(op *operation, change func(s schema, object map[string]any) bool) *request {
	if op.body == nil {
		return nil
	}
	s := g.document.resolve(op.body)
	d := g.valid(op)
	object, ok := d.body.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	d.body, d.query = object, nil
	if !change(s, object) {
		return nil
	}
	return d.request(g)
}

func (g *generator) withBody(op *operation, text string) *request {
	if op.body == nil {
		return nil
	}
	d := g.valid(op)
	d.body, d.query = nil, nil
	r := d.request(g)
	r.body = []byte(text)
	r.set("Content-Type", "application/json")
	return r
}

// spoiled makes a request with one thing wrong, which has to be refused.
func (g *generator) spoiled(op *operation) *request {
	for range 40 {
		s := pick(g, spoils)
		if r := s.make(g, op); r != nil {
			r.class, r.about, r.want = "near-valid", s.about, refused
			return r
		}
	}
	return g.valid(op).request(g)
}
