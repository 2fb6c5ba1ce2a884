package extraction

import (
	"net/url"
	"regexp"
	"strings"

	"mvdan.cc/xurls/v2"
)

// longestURL is in bytes; what is longer is data.
const longestURL = 2048

// topLevels are the domains that there are.
var topLevels = func() map[string]bool {
	all := map[string]bool{}
	for _, name := range xurls.TLDs {
		all[name] = true
	}
	return all
}()

// bareLevels are those after which a name with one dot, and nothing else to show it,
// is taken for a site: no words (.me, .so), no endings of files (.md, .sh, .zip).
var bareLevels = set("com net org info biz edu gov int mil app dev tech online shop store cloud asia id it io ai co eu uk au sg jp cn fr nl ch es ru br kr hk tw nz ca law legal travel tax")

// wordLevels are those of bareLevels that are words of the demo's languages too: a
// site where its sentence ends behind it ("studies.it makes" is two sentences).
var wordLevels = set("it io ai")

// urlReader finds URLs: whole ones by xurls, which knows where they end, and sites
// without http:// more narrowly than xurls would.
type urlReader struct{ scheme, path *regexp.Regexp }

func newURLReader() (urlReader, error) {
	scheme, err := xurls.StrictMatchingScheme(`^https?://`)
	if err != nil {
		return urlReader{}, err
	}
	path, err := xurls.StrictMatchingScheme(`^[/?]`)
	return urlReader{scheme: scheme, path: path}, err
}

// find gives the URLs of text, from left to right. Their normal form is the host
// without www. and the path, so that a site is one however it is written; user
// names, fragments and the scheme are left out.
func (u urlReader) find(text string) []contactMatch {
	var found []contactMatch
	for at := 0; at < len(text); {
		dot := strings.IndexAny(text[at:], ".:")
		if dot < 0 {
			return found
		}
		dot += at
		start, end := u.around(text, at, dot)
		at = max(end, dot+1)
		if start == end {
			continue
		}
		if value := siteOf(text[start:end]); value != "" && end-start <= longestURL {
			found = append(found, contactMatch{start: start, end: end, value: value})
		}
	}
	return found
}

// around is the place of the URL whose first dot, or colon behind the scheme, is at
// dot; it doesn't begin before from. Both ends are equal where there is none.
func (u urlReader) around(text string, from, dot int) (start, end int) {
	reach := text[:min(len(text), dot+longestURL+16)]
	if text[dot] == ':' {
		start = hostStart(text, from, dot)
		if place := u.scheme.FindStringIndex(reach[start:]); place != nil {
			return start, start + place[1]
		}
		return dot, dot
	}
	start = hostStart(text, from, dot)
	end = dot
	labels, label := 0, start
	for end < len(reach) {
		if hostByte(text[end]) {
			end++
			continue
		}
		if text[end] != '.' || end == label || end+1 == len(text) || !hostByte(text[end+1]) {
			break
		}
		labels++
		end++
		label = end
	}
	host := text[start:end]
	if labels == 0 || start > 0 && (text[start-1] == '@' || text[start-1] == '.' || text[start-1] >= 0x80 || text[start-1] == '_') || end < len(text) && (text[end] == '@' || text[end] == '_') {
		return end, end
	}
	path := u.path.FindStringIndex(reach[end:])
	if !site(host, labels, path != nil) || path == nil && labels == 1 && wordLevels[host[label-start:]] && !endsSentence(text[end:]) {
		return end, end
	}
	if path != nil {
		end += path[1]
	}
	return start, end
}

func hostByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-'
}

// hostStart is where the label that ends at end begins, no longer than labels may be.
func hostStart(text string, from, end int) int {
	start := end
	for start > from && end-start < 64 && hostByte(text[start-1]) {
		start--
	}
	return start
}

// site reports whether a host without http:// is meant as one: "file.Then", "e.g."
// and "done.it" are sentences.
func site(host string, dots int, path bool) bool {
	labels := strings.Split(host, ".")
	top := labels[dots]
	name := labels[dots-1]
	if dots > 8 || !topLevels[strings.ToLower(top)] || strings.HasPrefix(host, "-") {
		return false
	}
	if lower := strings.ToLower(top); top != lower && host != strings.ToUpper(host) {
		return false
	}
	switch {
	case strings.EqualFold(labels[0], "www"):
		return true
	case len(name) < 2, strings.Trim(name, "0123456789") == "": // p.m.so, 3.5.it
		return false
	case path, dots > 1:
		return !common[strings.ToLower(name)]
	}
	return bareLevels[top] && !common[strings.ToLower(name)]
}

// endsSentence reports whether text goes on with no word, but a sign or a line break.
func endsSentence(text string) bool {
	rest := strings.TrimLeft(text, ".,;:!?)\"'")
	return rest == "" || rest[0] == '\n' || len(rest) < len(text) && rest[0] == ' '
}

// siteOf is a URL's normal form, empty where it has no host in the net.
func siteOf(written string) string {
	if !strings.Contains(written, "://") {
		written = "http://" + written
	}
	parsed, err := url.Parse(written)
	if err != nil {
		return ""
	}
	host := strings.TrimPrefix(strings.ToLower(parsed.Host), "www.")
	if !strings.Contains(parsed.Hostname(), ".") {
		return ""
	}
	value := strings.TrimSuffix(host+parsed.EscapedPath(), "/")
	if parsed.RawQuery != "" {
		value += "?" + parsed.RawQuery
	}
	return value
}
