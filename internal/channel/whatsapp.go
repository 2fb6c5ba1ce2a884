package channel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nuzantara/ciclo/internal/phone"
)

const (
	twilioTimeout = 20 * time.Second
	twilioAnswer  = 4 << 20 // bytes of one answer: a hundred messages with room
	twilioPages   = 20      // of a hundred messages each
	longestWait   = time.Hour
	clockDrift    = 2 * time.Minute // of ours against Twilio's
)

// WhatsAppConfig is Twilio's account; without an account the channel is off. kong
// reads it.
type WhatsAppConfig struct {
	AccountSID    string            `name:"twilio-account-sid" env:"CICLO_TWILIO_ACCOUNT_SID" help:"Twilio's account for WhatsApp (AC…). Default: WhatsApp is off."`
	AuthToken     string            `name:"twilio-auth-token" env:"CICLO_TWILIO_AUTH_TOKEN" help:"The account's auth token."`
	AuthTokenFile string            `name:"twilio-auth-token-file" env:"CICLO_TWILIO_AUTH_TOKEN_FILE" help:"File that holds the auth token."`
	From          string            `name:"twilio-from" env:"CICLO_TWILIO_FROM" help:"Sender: a WhatsApp number such as +393331234567, or a messaging service (MG…)."`
	Templates     map[string]string `name:"twilio-templates" env:"CICLO_TWILIO_TEMPLATES" unit:"name=id;…" help:"Approved content templates by name (name=HX…;name=HX…)."`
	URL           string            `name:"twilio-url" env:"CICLO_TWILIO_URL" unit:"URL" default:"https://api.twilio.com" help:"Twilio's API; https, or http on this machine."`
}

// WhatsApp sends by Twilio's REST API.
type WhatsApp struct {
	account, token string
	from, service  string // one of them
	templates      map[string]string
	messages       *url.URL
	client         *http.Client
}

var (
	accountSID = regexp.MustCompile(`^AC[0-9a-fA-F]{32}$`)
	serviceSID = regexp.MustCompile(`^MG[0-9a-fA-F]{32}$`)
	contentSID = regexp.MustCompile(`^HX[0-9a-fA-F]{32}$`)
)

// NewWhatsApp is nil, without an error, where nothing is configured. Half a
// configuration is an error that names the variable and no value.
func NewWhatsApp(cfg WhatsAppConfig) (*WhatsApp, error) {
	if cfg.AccountSID == "" {
		if cfg.AuthToken+cfg.AuthTokenFile+cfg.From != "" || len(cfg.Templates) > 0 {
			return nil, errors.New("CICLO_TWILIO_ACCOUNT_SID is missing: the other CICLO_TWILIO_ variables are of no use without it")
		}
		return nil, nil //nolint:nilnil // documented: off
	}
	var all []error
	if !accountSID.MatchString(cfg.AccountSID) {
		all = append(all, errors.New("CICLO_TWILIO_ACCOUNT_SID must be AC and 32 hexadecimal digits"))
	}
	token, err := secret("CICLO_TWILIO_AUTH_TOKEN", cfg.AuthToken, cfg.AuthTokenFile)
	if err == nil && token == "" {
		err = errors.New("CICLO_TWILIO_AUTH_TOKEN is missing")
	}
	all = append(all, err)
	w := &WhatsApp{account: cfg.AccountSID, token: token, templates: cfg.Templates}
	if serviceSID.MatchString(cfg.From) {
		w.service = cfg.From
	} else if w.from, err = phone.E164(strings.TrimPrefix(cfg.From, "whatsapp:"), ""); err != nil {
		all = append(all, fmt.Errorf("CICLO_TWILIO_FROM must be an international number or a messaging service (MG…): %w", err))
	}
	for name, sid := range cfg.Templates {
		if !contentSID.MatchString(sid) {
			all = append(all, fmt.Errorf("CICLO_TWILIO_TEMPLATES: %s must be HX and 32 hexadecimal digits", name))
		}
	}
	if cfg.URL == "" {
		cfg.URL = "https://api.twilio.com"
	}
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname()))) {
		all = append(all, errors.New("CICLO_TWILIO_URL must be an https URL without a query or a password (http on this machine alone)"))
	}
	if err := errors.Join(all...); err != nil {
		return nil, err
	}
	w.messages = u.JoinPath("2010-04-01", "Accounts", w.account, "Messages.json")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.IdleConnTimeout = 30 * time.Second
	w.client = &http.Client{
		Transport: transport, Timeout: twilioTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return w, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Name is whatsapp.
func (*WhatsApp) Name() string { return "whatsapp" }

// message is Twilio's, as far as it is read.
type message struct {
	SID         string `json:"sid"`
	Status      string `json:"status"`
	Body        string `json:"body"`
	From        string `json:"from"`
	To          string `json:"to"`
	Service     string `json:"messaging_service_sid"`
	Direction   string `json:"direction"`
	DateCreated string `json:"date_created"`
}

// Send asks Twilio to send a message. Twilio knows no idempotency key for this:
// after an error that isn't a *Refusal, Find tells whether it has the message.
func (w *WhatsApp) Send(ctx context.Context, m Message) (Receipt, error) {
	to, err := phone.E164(m.To, "")
	if err != nil {
		return Receipt{}, invalid(err.Error())
	}
	form := url.Values{"To": {"whatsapp:" + to}}
	if w.service != "" {
		form.Set("MessagingServiceSid", w.service)
	} else {
		form.Set("From", "whatsapp:"+w.from)
	}
	sid, registered := w.templates[m.Template]
	switch {
	case registered:
		form.Set("ContentSid", sid)
		if len(m.Variables) > 0 {
			variables, err := json.Marshal(m.Variables)
			if err != nil {
				return Receipt{}, invalid("the template's variables are no JSON")
			}
			form.Set("ContentVariables", string(variables))
		}
	case strings.TrimSpace(m.Body) == "":
		return Receipt{}, invalid("the message is empty")
	default:
		form.Set("Body", m.Body)
	}
	status, header, body, err := w.call(ctx, http.MethodPost, w.messages, form)
	if err != nil {
		return Receipt{}, err
	}
	if status == http.StatusOK || status == http.StatusCreated {
		var sent message
		if err := json.Unmarshal(body, &sent); err != nil || sent.SID == "" {
			return Receipt{}, fmt.Errorf("send by Twilio: it answered %d with no message: whether it took ours is open", status)
		}
		return Receipt{ProviderID: sent.SID, State: sent.Status}, nil
	}
	return Receipt{}, refused(status, header, body)
}

// call makes one request. Its error is a *Refusal where no connection was there to
// send it on.
func (w *WhatsApp) call(ctx context.Context, method string, target *url.URL, form url.Values) (int, http.Header, []byte, error) {
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, method, target.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, nil, invalid("no request can be made of it")
	}
	req.SetBasicAuth(w.account, w.token)
	req.Header.Set("User-Agent", "ciclo")
	req.Header.Set("Accept", "application/json")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := w.client.Do(req)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err // without the URL
		}
		if !connected.Load() {
			return 0, nil, nil, &Refusal{Code: "unreachable", Text: "Twilio was not reached: " + err.Error()}
		}
		return 0, nil, nil, fmt.Errorf("ask Twilio: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, twilioAnswer+1))
	switch {
	case err != nil:
		return 0, nil, nil, fmt.Errorf("read Twilio's answer %d: %w", resp.StatusCode, err)
	case len(body) > twilioAnswer:
		return 0, nil, nil, fmt.Errorf("read Twilio's answer %d: longer than %d bytes", resp.StatusCode, twilioAnswer)
	}
	return resp.StatusCode, resp.Header, body, nil
}

// notTheMessage are codes of status 400 that are about the sender, its account or
// its rate: the same message may leave later.
var notTheMessage = map[int]string{
	21212: "the sender is no number", 21603: "the sender is missing", 21606: "the sender is not this account's",
	21611: "the sender's queue is full", 21659: "the sender is not Twilio's", 21660: "the sender is not this account's",
	21701: "the messaging service doesn't exist", 21703: "the messaging service has no sender",
	30001: "the queue is full", 63007: "the account has no such WhatsApp sender", 63017: "rate limit",
	63018: "rate limit", 63038: "the account's daily limit is reached",
}

// ofTheMessage are the commonest of the others, for their words.
var ofTheMessage = map[int]string{
	21211: "the receiver's number is none", 21610: "the receiver has opted out", 21614: "the receiver's number takes no messages",
	21617: "the message is too long", 63003: "the receiver is not on WhatsApp", 63013: "WhatsApp's policy forbids the message",
	63016: "outside the 24 hours WhatsApp takes templates alone", 63024: "the receiver is not on WhatsApp", 63032: "WhatsApp doesn't deliver to this receiver",
}

// refused turns an answer other than 2xx into an error: a *Refusal where Twilio
// surely did not take the message. Twilio's own words are left out: they may
// repeat the message.
func refused(status int, header http.Header, body []byte) error {
	if status < 400 || status > 499 || status == http.StatusRequestTimeout {
		return fmt.Errorf("send by Twilio: it answered %d %s: whether it took the message is open", status, http.StatusText(status))
	}
	var told struct {
		Code int `json:"code"`
	}
	_ = json.Unmarshal(body, &told) // without a code the status says enough
	r := &Refusal{Code: "http " + strconv.Itoa(status), Text: "Twilio refused the request"}
	if told.Code != 0 {
		r.Code = strconv.Itoa(told.Code)
		r.Text = "Twilio refused the message, see https://www.twilio.com/docs/api/errors/" + r.Code
	}
	about, sender := notTheMessage[told.Code]
	switch {
	case status == http.StatusTooManyRequests:
		r.Text, r.RetryAfter = "Twilio takes no more for now", retryAfter(header)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		r.Text = "Twilio refused the account"
	case sender:
		r.Text, r.RetryAfter = "Twilio refused the sender: "+about, retryAfter(header)
	case status == http.StatusBadRequest && told.Code >= 21000:
		r.Permanent = true
		if about, known := ofTheMessage[told.Code]; known {
			r.Text = "Twilio refused the message: " + about
		}
	}
	return r
}

// retryAfter reads the header, in seconds or as a date, up to an hour.
func retryAfter(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		wait = time.Duration(min(max(seconds, 0), int64(longestWait/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), longestWait)
}

// Find looks through the messages from our sender to the receiver that Twilio made
// since then, less two minutes for clocks that differ. It knows ours by the body,
// so that two messages alike are one to it. Limits: at most 2,000 messages are
// looked through, then it is an error; a message accepted this moment may not be
// listed yet, so wait a minute first; of a template whose text Twilio lists
// otherwise than Body nothing is known, which is an error and not a no. A message
// found may have failed since: Receipt.State says so.
func (w *WhatsApp) Find(ctx context.Context, m Message, since time.Time) (Receipt, bool, error) {
	to, err := phone.E164(m.To, "")
	if err != nil {
		return Receipt{}, false, fmt.Errorf("look for the message at Twilio: %w", err)
	}
	since = since.Add(-clockDrift)
	filter := url.Values{"To": {"whatsapp:" + to}, "PageSize": {"100"}}
	dated := url.Values{"To": filter["To"], "PageSize": filter["PageSize"], "DateSent>": {since.UTC().Format(time.DateOnly)}}
	// What is queued has no date yet and may be missing from the first list; the
	// second's first page has it, as the newest.
	others := false
	for _, list := range []struct {
		filter url.Values
		pages  int
	}{{dated, twilioPages}, {filter, 1}} {
		found, ok, other, err := w.look(ctx, m, to, since, list.filter, list.pages)
		if err != nil {
			return Receipt{}, false, fmt.Errorf("look for the message at Twilio: %w", err)
		}
		if ok {
			return found, true, nil
		}
		others = others || other
	}
	if _, registered := w.templates[m.Template]; registered && others {
		return Receipt{}, false, errors.New("look for the message at Twilio: there is one to this receiver with other words than the template's: whether it is ours is open")
	}
	return Receipt{}, false, nil
}

// look goes through one list; other says that there was another message of ours.
func (w *WhatsApp) look(ctx context.Context, m Message, to string, since time.Time, filter url.Values, pages int) (found Receipt, ok, other bool, err error) {
	next := *w.messages
	next.RawQuery = filter.Encode()
	for page := 1; ; page++ {
		status, header, body, err := w.call(ctx, http.MethodGet, &next, nil)
		if err != nil {
			return found, false, false, err
		}
		if status != http.StatusOK {
			return found, false, false, refused(status, header, body)
		}
		var list struct {
			Messages []message `json:"messages"`
			Next     string    `json:"next_page_uri"`
		}
		if err := json.Unmarshal(body, &list); err != nil || list.Messages == nil {
			return found, false, false, errors.New("the list is no JSON")
		}
		for _, have := range list.Messages {
			created, err := time.Parse(time.RFC1123Z, have.DateCreated)
			if err != nil {
				return found, false, false, errors.New("a message has no time of creation")
			}
			if created.Before(since) || have.To != "whatsapp:"+to || !strings.HasPrefix(have.Direction, "outbound") ||
				(w.from != "" && have.From != "whatsapp:"+w.from) || (w.service != "" && have.Service != w.service) {
				continue
			}
			if sameText(have.Body, m.Body) {
				return Receipt{ProviderID: have.SID, State: have.Status}, true, false, nil
			}
			other = true
		}
		if list.Next == "" || (pages == 1 && page == 1) {
			return found, false, other, nil
		}
		if page == pages {
			return found, false, other, fmt.Errorf("more than %d messages to one receiver", pages*100)
		}
		at, err := url.Parse(list.Next)
		if err != nil || at.Host != "" || at.Scheme != "" || !strings.HasSuffix(at.Path, "/Accounts/"+w.account+"/Messages.json") {
			return found, false, false, errors.New("the next page is none of the list's") // the token goes nowhere else
		}
		next.RawQuery = at.RawQuery
	}
}

// sameText compares as the wire leaves texts: line ends and outer space may differ.
func sameText(a, b string) bool {
	plain := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	return plain(a) == plain(b)
}
