package channel

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
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
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
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

func TestInbound(t *testing.T) {
	t.Parallel()
	server, _ := playedTwilio(t)
	form := func(body, optOut string) url.Values {
		return url.Values{"From": {"whatsapp:+393331234567"}, "Body": {body}, "MessageSid": {"SM1"}, "OptOutType": {optOut}}
	}
	const at = "https://firm.example/inbound"
	for name, c := range map[string]struct {
		signed, public string
		change         func(*http.Request)
		bad            bool
	}{
		"good":             {at, at, nil, false},
		"with a query":     {at + "?a=1", at, nil, false},
		"with a port":      {"https://firm.example:443/inbound", at, nil, false},
		"another path":     {at + "2", at, nil, true},
		"missing":          {at, at, func(r *http.Request) { r.Header.Del("X-Twilio-Signature") }, true},
		"wrong":            {at, at, func(r *http.Request) { r.Header.Set("X-Twilio-Signature", "AAAA") }, true},
		"a changed query":  {at + "?a=1", at, func(r *http.Request) { r.URL.RawQuery = "a=2" }, true},
		"the query is set": {at + "?a=1", at + "?a=2", nil, true},
	} {
		r, err := server.Inbound(t.Context(), c.signed, form("STOP", ""))
		if err != nil {
			t.Fatal(err)
		}
		if c.change != nil {
			c.change(r)
		}
		in, err := ParseInbound(r, c.public, token)
		if c.bad != errors.Is(err, ErrSignature) || (!c.bad && (err != nil || in != Inbound{From: "+393331234567", Channel: "whatsapp", Body: "STOP", MessageID: "SM1", Stop: true})) {
			t.Errorf("%s: %+v, %v", name, in, err)
		}
	}
	r, _ := server.Inbound(t.Context(), at, form("hello", ""))
	replayed, _ := server.Inbound(t.Context(), at, form("STOP", ""))
	replayed.Header = r.Header
	if _, err := ParseInbound(replayed, at, token); !errors.Is(err, ErrSignature) {
		t.Errorf("a changed body: %v", err)
	}
	for body, want := range map[string][2]bool{
		"Stop!": {true, false}, "s.t.o.p": {true, false}, "Arrêt": {true, false}, "stop semua": {true, false}, "BASTA messaggi, grazie": {true, false},
		"start": {false, true}, "don't stop": {false, false}, "stop by on your way home tomorrow": {false, false}, "yes": {false, false}, "": {false, false},
	} {
		if stop, start := wish(body); [2]bool{stop, start} != want {
			t.Errorf("%q: stop %v, start %v", body, stop, start)
		}
	}
}

func FuzzParseInbound(f *testing.F) {
	f.Add("From=whatsapp%3A%2B393331234567&Body=STOP&MessageSid=SM1", "sig")
	f.Fuzz(func(t *testing.T, body, signature string) {
		r := httptest.NewRequest(http.MethodPost, "/inbound", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Twilio-Signature", signature)
		if _, err := ParseInbound(r, "https://firm.example/inbound", token); err == nil {
			t.Errorf("%q is taken unsigned", body)
		}
	})
}
