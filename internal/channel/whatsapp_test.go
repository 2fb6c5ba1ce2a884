package channel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nuzantara/ciclo/internal/channel/played"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "s3cr3t-of-nobody"

var (
	account = "AC" + strings.Repeat("0", 32)
	hello   = Message{Key: "x/1", To: "+393331234567", Body: "the words of the message"}
)

func playedTwilio(t *testing.T) (*played.Twilio, *WhatsApp) {
	t.Helper()
	server, err := played.NewTwilio(account, token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	w, err := NewWhatsApp(WhatsAppConfig{AccountSID: account, AuthToken: token, From: "+390612345678", URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.CloseIdleConnections)
	return server, w
}

func TestWhatsAppErrors(t *testing.T) {
	t.Parallel()
	status := func(status, code int) played.Command { return played.Command{Do: "status", Status: status, Code: code} }
	with := func(c played.Command) played.Command { c.Accept = true; return c }
	for name, c := range map[string]struct {
		command   played.Command
		refusal   bool
		permanent bool
		wait      time.Duration
		found     bool
	}{
		"sent":                 {found: true},
		"slow":                 {command: played.Command{Do: "slow", Millis: 50}, found: true},
		"a bad number":         {status(400, 21211), true, true, 0, false},
		"opted out":            {status(400, 21610), true, true, 0, false},
		"outside the window":   {status(400, 63016), true, true, 0, false},
		"a sender not ours":    {status(400, 21606), true, false, 0, false},
		"400 without a code":   {status(400, 0), true, false, 0, false},
		"the account":          {status(401, 20003), true, false, 0, false},
		"not found":            {status(404, 20404), true, false, 0, false},
		"the sender's queue":   {status(400, 21611), true, false, 0, false},
		"408, taken":           {with(status(408, 20408)), false, false, 0, true},
		"forbidden":            {status(403, 20403), true, false, 0, false},
		"too many":             {played.Command{Do: "status", Status: 429, Code: 20429, RetryAfter: "7"}, true, false, 7 * time.Second, false},
		"too long a wait":      {played.Command{Do: "status", Status: 429, RetryAfter: "99999999"}, true, false, time.Hour, false},
		"500, not taken":       {status(500, 20500), false, false, 0, false},
		"503, taken":           {with(status(503, 20503)), false, false, 0, true},
		"a redirect":           {status(307, 0), false, false, 0, false},
		"hangs, taken":         {with(played.Command{Do: "hang"}), false, false, 0, true},
		"cut, taken":           {with(played.Command{Do: "cut"}), false, false, 0, true},
		"half an answer":       {with(played.Command{Do: "half"}), false, false, 0, true},
		"malformed, taken":     {with(played.Command{Do: "malformed"}), false, false, 0, true},
		"malformed, not taken": {played.Command{Do: "malformed"}, false, false, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, w := playedTwilio(t)
			if c.command.Do != "" {
				server.Misbehave(c.command)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			start := time.Now()
			receipt, err := w.Send(ctx, hello)
			var r *Refusal
			if c.command.Do == "" || c.command.Do == "slow" {
				if err != nil || receipt.ProviderID != server.Messages()[0].SID || receipt.State != "queued" {
					t.Fatalf("%v, %v", receipt, err)
				}
			} else if err == nil || errors.As(err, &r) != c.refusal {
				t.Fatalf("the error is %v", err)
			}
			if r != nil && (r.Permanent != c.permanent || r.RetryAfter != c.wait) {
				t.Errorf("the refusal is %+v", r)
			}
			if err != nil && (strings.Contains(err.Error(), token) || strings.Contains(err.Error(), hello.Body)) {
				t.Errorf("the error tells: %v", err)
			}
			if _, found, err := w.Find(t.Context(), hello, start); err != nil || found != c.found {
				t.Errorf("found %v, %v", found, err)
			}
			other := hello
			other.Body = "other words"
			if _, found, err := w.Find(t.Context(), other, start); err != nil || found {
				t.Errorf("another was found: %v, %v", found, err)
			}
			if _, found, err := w.Find(t.Context(), hello, start.Add(time.Hour)); err != nil || found {
				t.Errorf("an older one was found: %v, %v", found, err)
			}
		})
	}
}

func TestTwilioThatIsNotReached(t *testing.T) {
	t.Parallel()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, at := range map[string]string{"refused": gone.URL, "no TLS": untrusted.URL, "no such host": "https://host.invalid"} {
		w, err := NewWhatsApp(WhatsAppConfig{AccountSID: account, AuthToken: token, From: "+390612345678", URL: at})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Send(t.Context(), hello)
		var r *Refusal
		if !errors.As(err, &r) || r.Permanent || r.Code != "unreachable" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// whatsApp is one on the played Twilio, configured otherwise.
func whatsApp(t *testing.T, server *played.Twilio, change func(*WhatsAppConfig)) *WhatsApp {
	t.Helper()
	cfg := WhatsAppConfig{AccountSID: account, AuthToken: token, From: "+390612345678", URL: server.URL}
	change(&cfg)
	w, err := NewWhatsApp(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

func TestRegisteredTemplates(t *testing.T) {
	t.Parallel()
	server, _ := playedTwilio(t)
	slipping, bare := "HX"+strings.Repeat("a", 32), "HX"+strings.Repeat("b", 32)
	server.Texts = map[string]string{slipping: "Hello {{name}}, it has been a while", bare: "Hello"}
	w := whatsApp(t, server, func(c *WhatsAppConfig) { c.Templates = map[string]string{"slipping-en": slipping, "bare-en": bare} })
	for name, c := range map[string]struct {
		message Message
		want    played.Sent
	}{
		"registered": {
			Message{Template: "slipping-en", Variables: map[string]string{"name": "Zoë \"Z\""}, Body: "Hello Zoë \"Z\", it has been a while"},
			played.Sent{ContentSID: slipping, Variables: `{"name":"Zoë \"Z\""}`},
		},
		"without variables": {Message{Template: "bare-en", Body: "Hello"}, played.Sent{ContentSID: bare}},
		"not registered": {
			Message{Template: "slipping-it", Variables: map[string]string{"name": "Zoë"}, Body: "Buongiorno Zoë"},
			played.Sent{Body: "Buongiorno Zoë"},
		},
		"none": {Message{Body: "words of our own"}, played.Sent{Body: "words of our own"}},
	} {
		start := time.Now()
		c.message.Key, c.message.To = name, hello.To
		receipt, err := w.Send(t.Context(), c.message)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sent := server.Messages()
		got := sent[len(sent)-1]
		c.want.SID, c.want.At, c.want.To, c.want.From = got.SID, got.At, "whatsapp:"+hello.To, "whatsapp:+390612345678"
		if got != c.want {
			t.Errorf("%s: Twilio has %+v", name, got)
		}
		if found, ok, err := w.Find(t.Context(), c.message, start); err != nil || !ok || found.ProviderID != receipt.ProviderID {
			t.Errorf("%s: found %v, %v, %v", name, found, ok, err)
		}
	}
	// Of a template whose text is another at Twilio nothing is known.
	changed := Message{To: hello.To, Template: "slipping-en", Body: "Hi Zoë"}
	if _, found, err := w.Find(t.Context(), changed, time.Now()); err == nil || found {
		t.Errorf("a template with other words: %v, %v", found, err)
	}
	changed.To = "+393337654321"
	if _, found, err := w.Find(t.Context(), changed, time.Now()); err != nil || found {
		t.Errorf("with nothing sent there: %v, %v", found, err)
	}
	if _, err := w.Send(t.Context(), Message{To: hello.To, Template: "slipping-it", Body: " "}); err == nil {
		t.Error("nothing was sent")
	}
}

func TestAMessagingService(t *testing.T) {
	t.Parallel()
	server, number := playedTwilio(t)
	service := "MG" + strings.Repeat("1", 32)
	w := whatsApp(t, server, func(c *WhatsAppConfig) { c.From = service })
	start := time.Now()
	if _, err := w.Send(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	if got := server.Messages()[0]; got.Service != service || got.From != "" {
		t.Errorf("sent as %+v", got)
	}
	if _, found, err := w.Find(t.Context(), hello, start); err != nil || !found {
		t.Errorf("found by the service: %v, %v", found, err)
	}
	if _, found, err := number.Find(t.Context(), hello, start); err != nil || found {
		t.Errorf("found by another sender: %v, %v", found, err)
	}
}

func TestTheListMisbehaves(t *testing.T) {
	t.Parallel()
	next := func(uri string) played.Command { return played.Command{At: "list", Do: "next", Next: uri} }
	own := "/2010-04-01/Accounts/" + account + "/Messages.json"
	for name, c := range map[string]struct {
		command played.Command
		says    string // "" is no error
	}{
		"our own next page":        {next(own + "?PageSize=100&Page=7"), ""},
		"a foreign host":           {next("https://elsewhere.example" + own), "next page"},
		"a foreign host, unsaid":   {next("//elsewhere.example" + own), "next page"},
		"another account's":        {next("/2010-04-01/Accounts/AC" + strings.Repeat("1", 32) + "/Messages.json"), "next page"},
		"no URL":                   {next("%"), "next page"},
		"too long":                 {played.Command{At: "list", Do: "long"}, "longer than"},
		"malformed":                {played.Command{At: "list", Do: "malformed"}, "no JSON"},
		"half":                     {played.Command{At: "list", Do: "half"}, "read Twilio's answer"},
		"cut":                      {played.Command{At: "list", Do: "cut"}, "ask Twilio"},
		"hangs":                    {played.Command{At: "list", Do: "hang"}, "ask Twilio"},
		"unavailable":              {played.Command{At: "list", Do: "status", Status: 503, Code: 20503}, "503"},
		"unauthorized":             {played.Command{At: "list", Do: "status", Status: 401, Code: 20003}, "the account"},
		"not found":                {played.Command{At: "list", Do: "status", Status: 404, Code: 20404}, "20404"},
		"too many":                 {played.Command{At: "list", Do: "status", Status: 429, Code: 20429, RetryAfter: "9"}, "no more for now"},
		"a redirect to somewhere":  {played.Command{At: "list", Do: "status", Status: 302}, "302"},
		"slow, but it comes in it": {played.Command{At: "list", Do: "slow", Millis: 50}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, w := playedTwilio(t)
			other := hello
			other.Body = "other words"
			if _, err := w.Send(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			server.Misbehave(c.command)
			if c.command.Do == "cut" { // net/http asks again where a kept connection ends
				server.Misbehave(c.command)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, found, err := w.Find(ctx, hello, time.Now())
			if found || (err == nil) != (c.says == "") || (err != nil && !strings.Contains(err.Error(), c.says)) {
				t.Errorf("found %v, %v", found, err)
			}
			if err != nil && (strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "words")) {
				t.Errorf("the error tells: %v", err)
			}
		})
	}
}

// Twilio answers with more than anybody reads: whether it took the message is open.
func TestAnAnswerThatIsTooLong(t *testing.T) {
	t.Parallel()
	server, w := playedTwilio(t)
	server.Misbehave(played.Command{Do: "long", Accept: true})
	_, err := w.Send(t.Context(), hello)
	var r *Refusal
	if err == nil || errors.As(err, &r) {
		t.Errorf("the error is %v", err)
	}
	if _, found, err := w.Find(t.Context(), hello, time.Now()); err != nil || !found {
		t.Errorf("found %v, %v", found, err)
	}
}

// lists is a Twilio that has so many messages to one receiver, a hundred a page,
// of which the last one is hello.
func lists(t *testing.T, messages int, created time.Time) (*WhatsApp, *atomic.Int32) {
	t.Helper()
	asked := &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		page, _ := strconv.Atoi(r.URL.Query().Get("Page"))
		var list []map[string]string
		for i := page * 100; i < min(messages, page*100+100); i++ {
			body := "other words"
			if i == messages-1 {
				body = hello.Body
			}
			list = append(list, map[string]string{"sid": fmt.Sprint("SM", i), "status": "sent", "body": body, "from": "whatsapp:+390612345678",
				"to": "whatsapp:" + hello.To, "direction": "outbound-api", "date_created": created.Format(time.RFC1123Z)})
		}
		answer := map[string]any{"messages": list}
		if page*100+100 < messages {
			q := r.URL.Query()
			q.Set("Page", strconv.Itoa(page+1))
			answer["next_page_uri"] = r.URL.Path + "?" + q.Encode()
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	w, err := NewWhatsApp(WhatsAppConfig{AccountSID: account, AuthToken: token, From: "+390612345678", URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.CloseIdleConnections)
	return w, asked
}

func TestFindGoesThroughPages(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		messages int
		created  time.Time
		found    bool
		fails    bool
		asked    int32
	}{
		"on the third page":             {250, now, true, false, 3},
		"on the last that is looked at": {2000, now, true, false, 20},
		"beyond the bound":              {2001, now, false, true, 20},
		"on the third page, but older":  {250, now.Add(-time.Hour), false, false, 4}, // 3, and one of the newest
		"within the clocks' difference": {1, now.Add(-time.Minute), true, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, asked := lists(t, c.messages, c.created)
			receipt, found, err := w.Find(t.Context(), hello, now)
			if found != c.found || (err != nil) != c.fails || asked.Load() != c.asked {
				t.Errorf("%v %v, %v, asked %d times", receipt, found, err, asked.Load())
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	in := func(d time.Duration) string { return time.Now().UTC().Add(d).Format(http.TimeFormat) }
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "12": 12 * time.Second, "3600": time.Hour, "86400": time.Hour, "soon": 0, "1.5": 0,
		in(10 * time.Minute): 10 * time.Minute, in(-time.Minute): 0, in(48 * time.Hour): time.Hour,
	} {
		got := retryAfter(http.Header{"Retry-After": {text}})
		if got > want || got < want-3*time.Second { // a date has whole seconds
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestWhatsAppConfigurations(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := func(change func(*WhatsAppConfig)) WhatsAppConfig {
		c := WhatsAppConfig{AccountSID: account, AuthToken: token, From: "+390612345678"}
		if change != nil {
			change(&c)
		}
		return c
	}
	at := func(url string) WhatsAppConfig { return whole(func(c *WhatsAppConfig) { c.URL = url }) }
	for name, c := range map[string]struct {
		cfg  WhatsAppConfig
		want string // in the error; "" is none
		off  bool
	}{
		"nothing":                     {WhatsAppConfig{}, "", true},
		"whole":                       {whole(nil), "", false},
		"as Twilio writes the sender": {whole(func(c *WhatsAppConfig) { c.From = "whatsapp:+390612345678" }), "", false},
		"by a file":                   {whole(func(c *WhatsAppConfig) { c.AuthToken, c.AuthTokenFile = "", file }), "", false},
		"both":                        {whole(func(c *WhatsAppConfig) { c.AuthTokenFile = file }), "CICLO_TWILIO_AUTH_TOKEN is given both", false},
		"a file that isn't there":     {whole(func(c *WhatsAppConfig) { c.AuthToken, c.AuthTokenFile = "", file+"2" }), "CICLO_TWILIO_AUTH_TOKEN_FILE", false},
		"no token":                    {whole(func(c *WhatsAppConfig) { c.AuthToken = "" }), "CICLO_TWILIO_AUTH_TOKEN is missing", false},
		"a file with nothing":         {whole(func(c *WhatsAppConfig) { c.AuthToken, c.AuthTokenFile = "", os.DevNull }), "CICLO_TWILIO_AUTH_TOKEN is missing", false},
		"a token alone":               {WhatsAppConfig{AuthToken: token}, "CICLO_TWILIO_ACCOUNT_SID is missing", false},
		"a sender alone":              {WhatsAppConfig{From: "+390612345678"}, "CICLO_TWILIO_ACCOUNT_SID is missing", false},
		"templates alone":             {WhatsAppConfig{Templates: map[string]string{"a": "HX"}}, "CICLO_TWILIO_ACCOUNT_SID is missing", false},
		"no sender":                   {whole(func(c *WhatsAppConfig) { c.From = "" }), "CICLO_TWILIO_FROM", false},
		"a national sender":           {whole(func(c *WhatsAppConfig) { c.From = "06 12345678" }), "CICLO_TWILIO_FROM", false},
		"a short service":             {whole(func(c *WhatsAppConfig) { c.From = "MG12" }), "CICLO_TWILIO_FROM", false},
		"an account that is none":     {whole(func(c *WhatsAppConfig) { c.AccountSID = "AC/../x" }), "CICLO_TWILIO_ACCOUNT_SID", false},
		"a template that is none":     {whole(func(c *WhatsAppConfig) { c.Templates = map[string]string{"slipping-en": "HXx"} }), "CICLO_TWILIO_TEMPLATES: slipping-en", false},
		"another region":              {at("https://api.dublin.ie1.twilio.com"), "", false},
		"http on this machine":        {at("http://localhost:8080"), "", false},
		"http elsewhere":              {at("http://api.twilio.com"), "CICLO_TWILIO_URL", false},
		"a password in the URL":       {at("https://a:" + token + "@api.twilio.com"), "CICLO_TWILIO_URL", false},
		"a query in the URL":          {at("https://api.twilio.com?a=b"), "CICLO_TWILIO_URL", false},
		"no host":                     {at("https://"), "CICLO_TWILIO_URL", false},
	} {
		w, err := NewWhatsApp(c.cfg)
		switch {
		case c.want == "" && (err != nil || (w == nil) != c.off):
			t.Errorf("%s: %v, %v", name, w, err)
		case c.want != "" && (err == nil || w != nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), token)):
			t.Errorf("%s: %v, %v", name, w, err)
		}
	}
	if all, err := (Config{WhatsApp: whole(nil)}).Channels(); err != nil || len(all) != 1 || all[0].Name() != "whatsapp" {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := (Config{WhatsApp: WhatsAppConfig{From: "x"}}).Channels(); err == nil {
		t.Error("half a configuration is taken")
	}
}

func post(t *testing.T, url, body string) int {
	t.Helper()
	resp, err := control.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := control.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
	return string(text)
}

// control keeps no connection, which a leak test would find.
var control = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
