package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// next makes the next request: half of them right, a third nearly.
func (g *generator) next() *request {
	op := g.operation()
	switch roll := g.random.Float64(); {
	case roll < 0.5:
		return g.valid(op).request(g)
	case roll < 0.8:
		return g.spoiled(op)
	case roll < 0.985:
		return g.attack(op)
	default:
		return g.raw(op)
	}
}

func (g *generator) operation() *operation {
	var whole float64
	for _, op := range g.document.operations {
		whole += op.weight
	}
	at := g.random.Float64() * whole
	for _, op := range g.document.operations {
		if at -= op.weight; at < 0 {
			return op
		}
	}
	return g.document.operations[0]
}

// draft is a request in its parts, which can be spoilt one by one.
type draft struct {
	op     *operation
	path   map[string]string
	query  []field
	header []field
	body   any // nil is none
	sure   bool
	// inQuery are the parameters of the query that could as well be in the body.
	inQuery bool
}

// lasting are longer than what a sender waits for.
const lasting = 40 * time.Millisecond

// valid makes a request that the operation allows.
func (g *generator) valid(op *operation) *draft {
	d := &draft{op: op, path: map[string]string{}, sure: true}
	for _, name := range slices.Sorted(maps.Keys(op.inPath)) {
		d.path[name] = g.inPath(op, name)
	}
	// Where a body is taken, parameters go into it or into the query.
	d.inQuery = op.body == nil || len(op.query) > 0 && g.chance(0.4)
	if d.inQuery {
		for _, p := range op.query {
			if p.required || g.chance(0.3) {
				g.addQuery(d, p)
			}
		}
	} else if op.requiresBody || g.chance(0.85) {
		value, sure := g.value(op.body, "")
		if object, ok := value.(map[string]any); ok {
			if step := g.known.any(g.random, "from_step"); object["from_step"] != nil && step != "" && g.chance(0.7) {
				object["from_step"] = step
			}
		}
		d.body, d.sure = value, d.sure && sure
	} else if _, sure := g.value(op.body, ""); !sure { // prose may ask for one
		d.sure = false
	}
	for _, p := range op.header {
		if !p.required && g.chance(0.6) {
			continue
		}
		value := g.known.any(g.random, p.name)
		if value == "" || g.chance(0.3) {
			made, _ := g.value(p.schema, p.name)
			value = strings.Map(func(r rune) rune {
				if r < ' ' || r > '~' {
					return 'x'
				}
				return r
			}, plain(made))
			value = strings.TrimSpace(value)
			if value == "" {
				value = "x"
			}
		}
		if p.name == "Idempotency-Key" {
			g.known.add(p.name, value) // some come again, with the same request and with another
		}
		d.header = append(d.header, field{p.name, value})
	}
	return d
}

func (g *generator) inPath(op *operation, name string) string {
	if g.document.resolve(op.inPath[name])["enum"] != nil {
		value, _ := g.value(op.inPath[name], name)
		return plain(value)
	}
	// The only worker is not asked to stop.
	if id := g.known.any(g.random, kindOf(op.path, name)); id != "" && op.id != "drainWorker" {
		return id
	}
	return g.uuid()
}

func (g *generator) uuid() string {
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", g.random.Uint32(), g.random.IntN(1<<16), g.random.IntN(1<<12), g.random.IntN(1<<12), g.random.Int64N(1<<48))
}

func (g *generator) addQuery(d *draft, p parameter) {
	if p.name == "cursor" || p.name == "after" { // no more is promised than that those of answers are taken, one at a time
		placed := slices.ContainsFunc(d.query, func(f field) bool { return f.name == "cursor" || f.name == "after" })
		if value := g.known.any(g.random, d.op.path+" "+p.name); value != "" && !placed {
			d.query = append(d.query, field{p.name, value})
		}
		return
	}
	value, sure := g.value(p.schema, p.name)
	d.sure = d.sure && sure
	if list, ok := value.([]any); ok {
		for _, one := range list {
			d.query = append(d.query, field{p.name, plain(one)})
		}
		return
	}
	d.query = append(d.query, field{p.name, plain(value)})
}

// request writes a draft out.
func (d *draft) request(g *generator) *request {
	r := &request{op: d.op, class: "valid", method: d.op.method, target: d.target(), header: d.header}
	if d.sure {
		r.want = taken
	}
	if d.op.secured {
		r.header = append([]field{{"Authorization", "Bearer " + g.token}}, r.header...)
	}
	if d.body != nil {
		r.body = encode(d.body)
		r.header = append(r.header, field{"Content-Type", "application/json"})
	}
	if d.op.streams || strings.Contains(r.target, "wait=") {
		r.patience = lasting
	}
	return r
}

func (d *draft) target() string {
	target := d.op.path
	for name, value := range d.path {
		target = strings.Replace(target, "{"+name+"}", url.PathEscape(value), 1)
	}
	for i, f := range d.query {
		target += map[bool]string{true: "?", false: "&"}[i == 0] + url.QueryEscape(f.name) + "=" + url.QueryEscape(f.value)
	}
	return target
}

// encode writes JSON without escaping what need not be.
func encode(value any) []byte {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Append(nil, value) // no JSON then, which is an attack too
	}
	return []byte(strings.TrimSuffix(text.String(), "\n"))
}
