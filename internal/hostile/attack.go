package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// texts trip parsers, databases and paths; their escapes are in place.
var texts = []string{
	"%00", "%0d%0aSet-Cookie:%20a=b", "%c0%80", "%ff%fe", "%ed%a0%80", "%f4%90%80%80", "%e2%80%ae", "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%2f", "%5c", ".", "%20",
	"'%20OR%201=1--", "%27;DROP%20TABLE%20executions;--", "$1", "{}", "{{7*7}}", "${jndi:ldap://127.0.0.1:9/a}", "%25s%25n%25d", "null", "undefined", "-0", "1e400", "1e-400",
	"99999999999999999999999999", "-9223372036854775808", "9223372036854775807", "NaN", "Infinity", "0x7fffffff", "true", "[]", "[1]", "*", "%2a", "~", "%7e", "a;b", "a,b", "%2525", "%u0000",
}

// values are JSON, or nearly, for a member of a body.
var values = []string{
	`"\u0000"`, `"\ud800"`, `"\udc00\ud800"`, "\"\xff\xfe\"", "\"\xc0\x80\"", `1e999999`, `-1e999999`, `1e-999999`, `-0`, `-0.0`, `0.1e1`, `99999999999999999999999999999999`,
	`9223372036854775808`, `1E400`, `""`, `" "`, `"\u2028"`, `{}`, `[]`, `[[]]`, `null`, `true`, `{"":""}`, `{"\u0000":1}`, `{"__proto__":{}}`, `"2026-02-30T00:00:00Z"`, `"0000-00-00T00:00:00Z"`, `"9999-12-31T23:59:60Z"`, `"-0001-01-01T00:00:00Z"`, `"2026-01-01T00:00:00+99:99"`,
}

// attack is a request with anything in it that a client could come up with; only
// that it is answered, and not by a 5xx, is expected.
func (g *generator) attack(op *operation) *request {
	r := g.valid(op).request(g)
	r.class, r.want = "hostile", anything
	var about []string
	for range 1 + g.random.IntN(2) {
		a := pick(g, attacks)
		a.change(g, r)
		about = append(about, a.about)
	}
	if r.has("Transfer-Encoding") || r.has("Content-Length") {
		r.patience = lasting // more may be waited for than is sent
	}
	slices.Sort(about)
	r.about = strings.Join(slices.Compact(about), ", ")
	if op.id == "drainWorker" && strings.HasPrefix(r.target, g.document.prefixOf(op)) {
		r.target = strings.NewReplacer("workers/", "workers/x").Replace(r.target)
	}
	return r
}

// prefixOf is an operation's path up to what is filled in.
func (d *document) prefixOf(op *operation) string {
	before, _, _ := strings.Cut(op.path, "{")
	return before
}

type attack struct {
	about  string
	change func(g *generator, r *request)
}

var attacks = []attack{
	{"a part of the path", func(g *generator, r *request) {
		path, query, asked := strings.Cut(r.target, "?")
		parts := strings.Split(path, "/")
		parts[g.random.IntN(len(parts))] = g.anyText()
		r.target = strings.Join(parts, "/")
		if asked {
			r.target += "?" + query
		}
		r.unhttp = true
	}},
	{"a path of another form", func(g *generator, r *request) {
		path := r.target
		r.target = pick(g, []string{
			"/" + path, path + "/", strings.ReplaceAll(path, "/", "//"), "/." + path, "/x/.." + path, "/x/%2e%2e" + path, path + "/../..", path + "%00", path + "#a", path + "?",
			"http://elsewhere.example" + path, "*", "/", "//", "/" + strings.Repeat("a/", 2000), path + "/" + strings.Repeat("a", 30_000), strings.ToUpper(path), strings.ReplaceAll(path, "/", "%2f"), strings.ReplaceAll(path, "/", `\`), "x" + path,
		})
		r.unhttp = true
	}},
	{"the query", func(g *generator, r *request) {
		names := []string{g.anyText(), "limit", "cursor", "agent", "status", "since", "wait"}
		for _, p := range r.op.query {
			names = append(names, p.name, p.name, p.name)
		}
		for range 1 + g.random.IntN(3) {
			r.target += map[bool]string{true: "&", false: "?"}[strings.Contains(r.target, "?")] + pick(g, names) + "=" + g.anyText()
		}
		r.patience, r.unhttp = lasting, true
	}},
	{"a very long query", func(g *generator, r *request) {
		r.target += map[bool]string{true: "&", false: "?"}[strings.Contains(r.target, "?")] + strings.Repeat(pick(g, []string{"a=1&", "status=started&", "a", "%20", "a[]=1&"}), 100+g.random.IntN(9000))
		r.unhttp = true
	}},
	{"a header", func(g *generator, r *request) {
		f := pick(g, []field{
			{"X-HTTP-Method-Override", "DELETE"}, {"X-Forwarded-For", "127.0.0.1"}, {"X-Original-URL", "/"}, {"Range", "bytes=0-0"}, {"If-Match", "*"}, {"If-None-Match", "*"}, {"Accept", "text/html"}, {"Accept", strings.Repeat("a/b,", 2000)},
			{"Accept-Encoding", "gzip, br"}, {"Expect", "100-continue"}, {"Expect", "201-created"}, {"Upgrade", "websocket"}, {"Connection", "upgrade"}, {"Connection", "close"}, {"Connection", "Authorization"}, {"TE", "trailers"}, {"Cookie", strings.Repeat("a=b; ", 1000)},
			{"Host", ""}, {"Host", "a b"}, {"Host", "elsewhere.example"}, {"Host", "127.0.0.1:99999"}, {"Content-Encoding", "gzip"}, {"Content-Type", "text/xml"}, {"Content-Type", "application/json; charset=utf-7"}, {"Content-Type", "multipart/form-data"},
			{"Idempotency-Key", strings.Repeat("k", 256)}, {"Idempotency-Key", "\xff\xfe"}, {"Idempotency-Key", "a\tb"}, {"Idempotency-Key", ""}, {"Last-Event-ID", "9223372036854775807.9223372036854775807.9223372036854775807"}, {"Last-Event-ID", "-1.-1.-1"}, {"Last-Event-ID", "1.2"}, {"If-None-Match", `W/"`}, {"If-None-Match", `W/"1", W/"2"`}, {"If-None-Match", "\x80"},
			{"X-Long", strings.Repeat("x", 70_000)}, {"Bad Name", "x"}, {"X-Bad\x01", "y"}, {"X-NUL", "a\x00b"}, {"X-Folded", "a\r\n b"}, {"Content-Length", "-1"}, {"Content-Length", "99999999999999999999"}, {"Content-Length", "0"}, {"Transfer-Encoding", "identity"}, {"Authorization", "Bearer " + g.token},
		})
		r.header = append(r.header, f)
		r.unhttp = true
	}},
	{"the method", func(g *generator, r *request) {
		r.method = pick(g, []string{"OPTIONS", "HEAD", "CONNECT", "TRACE", "PROPFIND", "get", "G", "GET\t", "\x00", strings.Repeat("A", 5000), "PRI", "QUERY"})
		r.unhttp = true
	}},
	{"a member of the body", func(g *generator, r *request) {
		names := []string{g.word(), "__proto__", `\u0000`, ""}
		if r.op.body != nil {
			names = append(properties(g.document.resolve(r.op.body)), names...)
		}
		members := make([]string, 1+g.random.IntN(3))
		for i := range members {
			members[i] = fmt.Sprintf(`"%s":%s`, pick(g, names), pick(g, values))
		}
		r.body = []byte("{" + strings.Join(members, ",") + "}")
	}},
	{"a body of another form", func(g *generator, r *request) {
		deep := 1 + g.random.IntN(20_000)
		r.body = []byte(pick(g, []string{
			strings.Repeat("[", deep), strings.Repeat("[", deep) + strings.Repeat("]", deep), strings.Repeat(`{"a":`, deep) + "1" + strings.Repeat("}", deep), `{"parameters":` + strings.Repeat(`[`, 9000) + strings.Repeat(`]`, 9000) + "}",
			`{"a":"` + strings.Repeat("x", 100_000) + `"}`, strings.Repeat(" ", 5000) + "{}", "{" + strings.Repeat(`"a":1,`, 2000) + `"a":1}`, `{"a":` + strings.Repeat("9", 5000) + "}", `{"millis":1e` + strings.Repeat("9", 300) + "}", "\xef\xbb\xbf{}", "\x1f\x8b\x08\x00", "<?xml version='1.0'?>", "--a\r\n\r\n--a--", "\xff", strings.Repeat("\x00", 100),
			"[" + strings.Repeat("{},", 5000) + "{}]", `"` + strings.Repeat(`\ud800`, 3000) + `"`,
		}))
	}},
	{"bytes of the body", func(g *generator, r *request) {
		r.body = mangled(g.random, r.body)
	}},
	{"a body in chunks", func(g *generator, r *request) {
		if len(r.body) == 0 || r.has("Transfer-Encoding") {
			return
		}
		var chunks strings.Builder
		for rest := r.body; ; {
			n := min(1+g.random.IntN(len(rest)+1), len(rest))
			if n == 0 {
				break
			}
			fmt.Fprintf(&chunks, "%x;x=y\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		r.body = []byte(chunks.String() + "0\r\nX-Trailer: a\r\n\r\n")
		r.header = append(r.header, field{"Transfer-Encoding", "chunked"})
		r.unhttp = true
	}},
}

// anyText is for a place in a path or a query.
func (g *generator) anyText() string {
	switch g.random.IntN(4) {
	case 0:
		text := make([]byte, 0, 64)
		for range 1 + g.random.IntN(20) {
			text = fmt.Appendf(text, "%%%02x", g.random.IntN(256))
		}
		return string(text)
	case 1:
		if id := g.known.any(g.random, "execution_id"); id != "" {
			return strings.Map(func(r rune) rune {
				if r <= ' ' || r > '~' {
					return -1
				}
				return r
			}, string(mangled(g.random, []byte(id))))
		}
	}
	return pick(g, texts)
}

// mangled changes a few bytes.
func mangled(random *rand.Rand, text []byte) []byte {
	changed := slices.Clone(text)
	for range 1 + random.IntN(3) {
		if len(changed) == 0 {
			return []byte{byte(random.IntN(256))}
		}
		i := random.IntN(len(changed))
		switch random.IntN(3) {
		case 0:
			changed[i] = byte(random.IntN(256))
		case 1:
			changed = slices.Delete(changed, i, i+1)
		default:
			changed = slices.Insert(changed, i, changed[random.IntN(len(changed))])
		}
	}
	return changed
}
