// Package played is the world outside for tests: a Twilio and a mail server on
// this machine, which misbehave on command. It is in no shipped binary.
//
// Imports: go-smtp and go-sasl. Never a package of Ciclo.
package played

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio's protocol
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sent is a message that Twilio accepted.
type Sent struct {
	SID, To, From, Service, Body, ContentSID, Variables string
	At                                                  time.Time
}

// Twilio answers the Messages API at URL, and commands at URL/played.
type Twilio struct {
	*control
	URL string
	// Texts are the registered templates, by content SID: {{name}} stands for a
	// variable. Set before the first message.
	Texts map[string]string

	account, token string
	server         *http.Server
	served         chan struct{}
	sent           []Sent // under mu
}

// NewTwilio serves until Close.
func NewTwilio(account, token string) (*Twilio, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	t := &Twilio{URL: "http://" + listener.Addr().String(), account: account, token: token, served: make(chan struct{}), control: &control{closed: make(chan struct{})}}
	mux := http.NewServeMux()
	path := "/2010-04-01/Accounts/" + account + "/Messages.json"
	mux.HandleFunc("POST "+path, t.create)
	mux.HandleFunc("GET "+path, t.list)
	t.serve(mux, func() any { return t.Messages() })
	t.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = t.server.Serve(listener); close(t.served) }()
	return t, nil
}

// Close ends it and every answer that hangs.
func (t *Twilio) Close() {
	close(t.closed)
	t.server.Close()
	<-t.served
}

// Messages are those that were really accepted, oldest first.
func (t *Twilio) Messages() []Sent {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.sent)
}

func (t *Twilio) known(w http.ResponseWriter, r *http.Request) bool {
	user, password, _ := r.BasicAuth()
	if user != t.account || password != t.token {
		answer(w, http.StatusUnauthorized, map[string]any{"code": 20003, "message": "Authenticate", "status": 401})
		return false
	}
	return true
}

func (t *Twilio) create(w http.ResponseWriter, r *http.Request) {
	if !t.known(w, r) {
		return
	}
	if err := r.ParseForm(); err != nil {
		http.Error(w, "form", http.StatusBadRequest)
		return
	}
	t.mu.Lock()
	c := t.next("", "create")
	var sent Sent
	if c.Do == "" || c.Do == "slow" || c.Accept {
		f := r.PostForm
		sent = Sent{fmt.Sprintf("SM%032x", len(t.sent)+1), f.Get("To"), f.Get("From"), f.Get("MessagingServiceSid"), f.Get("Body"), f.Get("ContentSid"), f.Get("ContentVariables"), time.Now().UTC()}
		t.sent = append(t.sent, sent)
	}
	t.mu.Unlock()
	if !t.misbehaves(c, w, r, http.StatusCreated) {
		answer(w, http.StatusCreated, t.resource(sent))
	}
}

// misbehaves answers as the command says; false where the answer is still to come.
func (t *Twilio) misbehaves(c Command, w http.ResponseWriter, r *http.Request, status int) bool {
	switch c.Do {
	case "status":
		if c.RetryAfter != "" {
			w.Header().Set("Retry-After", c.RetryAfter)
		}
		if c.Status >= 300 && c.Status < 400 {
			w.Header().Set("Location", r.URL.Path)
		}
		if c.Code == 0 {
			http.Error(w, "no JSON", c.Status)
			return true
		}
		answer(w, c.Status, map[string]any{"code": c.Code, "message": "no: " + r.PostForm.Get("Body"), "status": c.Status})
	case "cut":
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to cut a connection
	case "half":
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"sid": "SM`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to cut a connection
	case "malformed":
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"sid": `)
	case "long":
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"sid": "SM`+strings.Repeat("0", 5<<20)+`"}`)
	case "hang":
		t.hold(c, r.Context().Done())
	case "slow":
		t.hold(c, r.Context().Done())
		return false
	default:
		return false
	}
	return true
}

func (t *Twilio) resource(s Sent) map[string]any {
	if s.ContentSID != "" {
		s.Body = t.filled(s)
	}
	return map[string]any{"sid": s.SID, "status": "queued", "to": s.To, "from": s.From, "body": s.Body, "messaging_service_sid": s.Service,
		"direction": "outbound-api", "date_created": s.At.Format(time.RFC1123Z), "date_sent": nil}
}

// filled is a registered template's text with the variables in their places.
func (t *Twilio) filled(s Sent) string {
	var variables map[string]string
	_ = json.Unmarshal([]byte(s.Variables), &variables) // none were given
	text := t.Texts[s.ContentSID]
	for name, value := range variables {
		text = strings.ReplaceAll(text, "{{"+name+"}}", value)
	}
	return text
}

// list is newest first. A filter by DateSent leaves out what is queued: the worst
// that Twilio may do; here that is what is younger than a second.
func (t *Twilio) list(w http.ResponseWriter, r *http.Request) {
	if !t.known(w, r) {
		return
	}
	t.mu.Lock()
	c := t.next("list")
	t.mu.Unlock()
	if t.misbehaves(c, w, r, http.StatusOK) {
		return
	}
	q := r.URL.Query()
	size, _ := strconv.Atoi(q.Get("PageSize"))
	page, _ := strconv.Atoi(q.Get("Page"))
	size = max(size, 1)
	matching := []map[string]any{}
	for _, s := range slices.Backward(t.Messages()) {
		after := q.Get("DateSent>")
		if s.To == q.Get("To") && (after == "" || (s.At.Format(time.DateOnly) >= after && time.Since(s.At) > time.Second)) {
			matching = append(matching, t.resource(s))
		}
	}
	from := min(page*size, len(matching))
	to := min(from+size, len(matching))
	next := any(nil)
	if to < len(matching) {
		q.Set("Page", strconv.Itoa(page+1))
		next = r.URL.Path + "?" + q.Encode()
	}
	if c.Do == "next" {
		next = c.Next
	}
	answer(w, http.StatusOK, map[string]any{"messages": matching[from:to], "next_page_uri": next})
}

// Inbound makes a signed webhook as Twilio posts it to target.
func (t *Twilio) Inbound(ctx context.Context, target string, form url.Values) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("make a webhook: %w", err)
	}
	text := target
	for _, key := range slices.Sorted(maps.Keys(form)) {
		text += key + form.Get(key)
	}
	mac := hmac.New(sha1.New, []byte(t.token))
	mac.Write([]byte(text))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	req.Header.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return req, nil
}
