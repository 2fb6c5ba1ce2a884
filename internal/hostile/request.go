package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// field is one line of a header.
type field struct{ name, value string }

// request is one request as it goes out.
type request struct {
	op *operation
	// class is valid, near-valid, hostile or raw; about says what is wrong with it.
	class, about   string
	method, target string
	header         []field
	body           []byte
	want           want
	// wire is all that goes out, where that is no ordinary request; halfClosed closes
	// this side after it.
	wire       []byte
	halfClosed bool
	// answers is how many answers wire is to get; 0 where there may be none.
	answers int
	// patience is after how long the sender goes away, where that is no failure.
	patience time.Duration
	// unhttp says that HTTP itself may be broken: the server's library answers.
	unhttp bool
}

// want is what an answer may be, beside never a 5xx and as the document says.
type want int

const (
	anything want = iota
	// taken is not refused as malformed; what it is about may be gone, or in the way.
	taken
	// refused is a 4xx.
	refused
)

func (r *request) set(name, value string) {
	for i := range r.header {
		if strings.EqualFold(r.header[i].name, name) {
			r.header[i].value = value
			return
		}
	}
	r.header = append(r.header, field{name, value})
}

func (r *request) remove(name string) {
	for i := range r.header {
		if strings.EqualFold(r.header[i].name, name) {
			r.header = append(r.header[:i:i], r.header[i+1:]...)
			return
		}
	}
}

func (r *request) has(name string) bool {
	for _, f := range r.header {
		if strings.EqualFold(f.name, name) {
			return true
		}
	}
	return false
}

// path is the target without its query.
func (r *request) path() string {
	path, _, _ := strings.Cut(r.target, "?")
	return path
}

// bytes are the request on the wire.
func (r *request) bytes(host string) []byte {
	if r.wire != nil {
		return r.wire
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", r.method, r.target)
	if !r.has("Host") {
		fmt.Fprintf(&b, "Host: %s\r\n", host)
	}
	for _, f := range r.header {
		fmt.Fprintf(&b, "%s: %s\r\n", f.name, f.value)
	}
	if len(r.body) > 0 && !r.has("Content-Length") && !r.has("Transfer-Encoding") {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.body))
	}
	b.WriteString("\r\n")
	b.Write(r.body)
	return b.Bytes()
}

// curl is a command that sends the request again; the file holds its body, or all
// of it where no client would send it so.
func (r *request) curl(address, token, file string) string {
	if r.wire != nil {
		return fmt.Sprintf("curl -sN telnet://%s < %s", address, file)
	}
	line := []string{"curl -isg --path-as-is -X", quote(r.method)}
	for _, f := range r.header {
		value := ": " + f.value
		if f.value == "" {
			value = ";" // curl's way to send an empty one
		}
		line = append(line, "-H", strings.ReplaceAll(quote(f.name+value), token, `'"$CICLO_TOKEN"'`))
	}
	if len(r.body) > 0 {
		if !r.has("Content-Type") {
			line = append(line, "-H 'Content-Type:'")
		}
		line = append(line, "--data-binary @"+file)
	}
	if strings.HasPrefix(r.target, "/") {
		return strings.Join(append(line, quote("http://"+address+r.target)), " ")
	}
	return strings.Join(append(line, "--request-target", quote(r.target), "http://"+address), " ")
}

// quote is for a shell, with what can't be seen escaped as bash and zsh read it.
func quote(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || r == '\'' }) {
		return "'" + text + "'"
	}
	quoted := strings.ReplaceAll(strconv.QuoteToASCII(text), `\"`, `"`)
	return "$'" + strings.ReplaceAll(quoted[1:len(quoted)-1], "'", `\'`) + "'"
}
