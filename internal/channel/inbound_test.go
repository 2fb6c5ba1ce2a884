package channel

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio's protocol
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

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
		"its port is ours": {at, "https://firm.example:8443/inbound", nil, false}, // Twilio may leave it out
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

func TestInboundForms(t *testing.T) {
	t.Parallel()
	server, _ := playedTwilio(t)
	const at = "https://firm.example/inbound"
	form := func(change url.Values) url.Values {
		f := url.Values{"From": {"whatsapp:+393331234567"}, "Body": {"hello"}, "MessageSid": {"SM1"}}
		for k, v := range change {
			if f[k] = v; v == nil {
				delete(f, k)
			}
		}
		return f
	}
	whole := Inbound{From: "+393331234567", Channel: "whatsapp", Body: "hello", MessageID: "SM1"}
	with := func(change func(*Inbound)) Inbound { in := whole; change(&in); return in }
	for name, c := range map[string]struct {
		form url.Values
		want Inbound // the zero one is an error
	}{
		"as it comes":               {form(nil), whole},
		"by SMS":                    {form(url.Values{"From": {"+393331234567"}}), with(func(in *Inbound) { in.Channel = "sms" })},
		"a number newer than ours":  {form(url.Values{"From": {"whatsapp:+39999999"}}), with(func(in *Inbound) { in.From = "+39999999" })},
		"a sender that is none":     {form(url.Values{"From": {"whatsapp:somebody"}}), Inbound{}},
		"a short code":              {form(url.Values{"From": {"12345"}}), Inbound{}},
		"no sender":                 {form(url.Values{"From": nil}), Inbound{}},
		"no SID":                    {form(url.Values{"MessageSid": nil}), Inbound{}},
		"a SID too long":            {form(url.Values{"MessageSid": {strings.Repeat("S", 65)}}), Inbound{}},
		"a SID with a line end":     {form(url.Values{"MessageSid": {"SM\n1"}}), Inbound{}},
		"a SID with NUL":            {form(url.Values{"MessageSid": {"SM\x00"}}), Inbound{}},
		"NUL in the text":           {form(url.Values{"Body": {"he\x00llo"}}), with(func(in *Inbound) { in.Body = "he\uFFFDllo" })},
		"a text that is not UTF-8":  {form(url.Values{"Body": {"he\xffllo"}}), with(func(in *Inbound) { in.Body = "he\uFFFDllo" })},
		"no text":                   {form(url.Values{"Body": nil}), with(func(in *Inbound) { in.Body = "" })},
		"Twilio says STOP":          {form(url.Values{"OptOutType": {"STOP"}}), with(func(in *Inbound) { in.Stop = true })},
		"Twilio says START":         {form(url.Values{"OptOutType": {"Start"}}), with(func(in *Inbound) { in.Start = true })},
		"Twilio says START to STOP": {form(url.Values{"OptOutType": {"START"}, "Body": {"STOP"}}), with(func(in *Inbound) { in.Start, in.Body = true, "STOP" })},
		"Twilio says HELP":          {form(url.Values{"OptOutType": {"HELP"}, "Body": {"stop"}}), with(func(in *Inbound) { in.Body = "stop" })},
		"Twilio says what is new":   {form(url.Values{"OptOutType": {"PAUSE"}, "Body": {"stop"}}), with(func(in *Inbound) { in.Body, in.Stop = "stop", true })},
		"more than is needed":       {form(url.Values{"ProfileName": {"Zoë + Co. & more=="}, "NumMedia": {"0"}}), whole},
	} {
		r, err := server.Inbound(t.Context(), at, c.form)
		if err != nil {
			t.Fatal(err)
		}
		in, err := ParseInbound(r, at, token)
		if in != c.want || (err != nil) != (c.want == Inbound{}) || errors.Is(err, ErrSignature) {
			t.Errorf("%s: %+v, %v", name, in, err)
		}
	}
}

func TestInboundThatIsNotLookedAt(t *testing.T) {
	t.Parallel()
	server, _ := playedTwilio(t)
	const at = "https://firm.example/inbound"
	for name, c := range map[string]struct {
		body          string
		public, token string
		change        func(*http.Request)
		signature     bool // it is the signature
	}{
		"no token":            {"hello", at, "", nil, true},
		"another token":       {"hello", at, "another", nil, true},
		"too long":            {strings.Repeat("x", 64<<10), at, token, nil, false},
		"JSON":                {"hello", at, token, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, false},
		"of no type":          {"hello", at, token, func(r *http.Request) { r.Header.Del("Content-Type") }, false},
		"a form with files":   {"hello", at, token, func(r *http.Request) { r.Header.Set("Content-Type", "multipart/form-data; boundary=x") }, false},
		"a GET":               {"hello", at, token, func(r *http.Request) { r.Method = http.MethodGet }, false},
		"a broken form":       {"hello", at, token, func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("%zz")) }, false},
		"broken off":          {"hello", at, token, func(r *http.Request) { r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF)) }, false},
		"no public URL":       {"hello", "", token, nil, false},
		"half a public URL":   {"hello", "/inbound", token, nil, false},
		"another host":        {"hello", "https://elsewhere.example/inbound", token, nil, true},
		"http, and not https": {"hello", "http://firm.example/inbound", token, nil, true},
		"a slash more":        {"hello", at + "/", token, nil, true},
		"unsigned":            {"hello", at, token, func(r *http.Request) { r.Header.Del("X-Twilio-Signature") }, true},
	} {
		r, err := server.Inbound(t.Context(), at, url.Values{"From": {"whatsapp:+393331234567"}, "Body": {c.body}, "MessageSid": {"SM1"}})
		if err != nil {
			t.Fatal(err)
		}
		if c.change != nil {
			c.change(r)
		}
		if in, err := ParseInbound(r, c.public, c.token); err == nil || in != (Inbound{}) || errors.Is(err, ErrSignature) != c.signature {
			t.Errorf("%s: %+v, %v", name, in, err)
		}
	}
}

// Signed or not, what comes is refused or is fit to be stored.
func FuzzParseInbound(f *testing.F) {
	const at = "https://firm.example/inbound"
	f.Add("From=whatsapp%3A%2B393331234567&Body=STOP&MessageSid=SM1", "a=1")
	f.Add("From=%2B39999999&Body=%00%ff&MessageSid=SM1&OptOutType=start", "")
	f.Add("From=a&From=b&From=a&=&;", "%zz")
	f.Fuzz(func(t *testing.T, body, query string) {
		request := func() *http.Request {
			r := httptest.NewRequest(http.MethodPost, "/inbound", strings.NewReader(body))
			r.URL.RawQuery = query
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return r
		}
		if _, err := ParseInbound(request(), at, token); err == nil {
			t.Errorf("%q is taken unsigned", body)
		}
		form, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		var text strings.Builder
		text.WriteString(at)
		if query != "" {
			text.WriteString("?" + query)
		}
		for _, key := range slices.Sorted(maps.Keys(form)) {
			values := slices.Clone(form[key])
			slices.Sort(values)
			for _, v := range slices.Compact(values) {
				text.WriteString(key + v)
			}
		}
		mac := hmac.New(sha1.New, []byte(token))
		mac.Write([]byte(text.String()))
		r := request()
		r.Header.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		in, err := ParseInbound(r, at, token)
		switch {
		case errors.Is(err, ErrSignature):
			t.Errorf("%q with %q: the signature is right", body, query)
		case err != nil:
			return
		case !digits.MatchString(in.From) || (in.Stop && in.Start) || !utf8.ValidString(in.Body) || strings.ContainsRune(in.Body, 0) || in.MessageID == "":
			t.Errorf("%q is taken as %+v", body, in)
		}
	})
}
