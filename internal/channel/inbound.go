package channel

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio's protocol
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/nuzantara/ciclo/internal/phone"
)

// ErrSignature says that a webhook is not signed by Twilio with our token.
var ErrSignature = errors.New("the webhook's signature is missing or wrong")

// longestInbound bounds an inbound webhook's body, in bytes; Twilio's are a few kB.
const longestInbound = 64 << 10

// Inbound is a message that a client sent us.
type Inbound struct {
	// From is in E.164.
	From string
	// Channel is whatsapp or sms.
	Channel string
	// Body is what was written; U+FFFD stands for what no text holds.
	Body string
	// MessageID is Twilio's SID, the same when the webhook comes again: whoever
	// stores it tells repetitions by it.
	MessageID string
	// Stop and Start say that the client opts out, or in again; never both.
	Stop, Start bool
}

var digits = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// ParseInbound reads Twilio's webhook. publicURL is the webhook's address as
// Twilio has it, without its query, which the request brings: behind a proxy the
// request alone doesn't tell. Where publicURL has a query, the request's must be
// that. The signature is looked at before anything that the form says.
func ParseInbound(r *http.Request, publicURL, authToken string) (Inbound, error) {
	if authToken == "" {
		return Inbound{}, fmt.Errorf("%w: no auth token is configured", ErrSignature)
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method != http.MethodPost || err != nil || kind != "application/x-www-form-urlencoded" {
		return Inbound{}, errors.New("the webhook must be a POST of a form")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, longestInbound+1))
	if err != nil {
		return Inbound{}, fmt.Errorf("read the webhook: %w", err)
	}
	if len(body) > longestInbound {
		return Inbound{}, fmt.Errorf("the webhook is longer than %d bytes", longestInbound)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return Inbound{}, errors.New("the webhook's form is broken")
	}
	u, err := url.Parse(publicURL)
	if err != nil || u.Host == "" {
		return Inbound{}, errors.New("the webhook's public URL is none")
	}
	if u.RawQuery != "" && u.RawQuery != r.URL.RawQuery {
		return Inbound{}, ErrSignature
	}
	u.RawQuery = r.URL.RawQuery
	if !signed(u, form, authToken, r.Header.Get("X-Twilio-Signature")) {
		return Inbound{}, ErrSignature
	}
	in := Inbound{Channel: "sms", MessageID: form.Get("MessageSid"), Body: strings.ReplaceAll(strings.ToValidUTF8(form.Get("Body"), "\uFFFD"), "\x00", "\uFFFD")}
	number, whatsapp := strings.CutPrefix(form.Get("From"), "whatsapp:")
	if whatsapp {
		in.Channel = "whatsapp"
	}
	if in.From, err = phone.E164(number, ""); err != nil {
		// Twilio vouches for it; a number newer than our tables may say STOP too.
		if !digits.MatchString(number) {
			return Inbound{}, errors.New("the webhook's From is no phone number")
		}
		in.From = number
	}
	if in.MessageID == "" || len(in.MessageID) > 64 || strings.ContainsFunc(in.MessageID, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return Inbound{}, errors.New("the webhook has no MessageSid")
	}
	switch strings.ToUpper(form.Get("OptOutType")) {
	case "STOP":
		in.Stop = true
	case "START":
		in.Start = true
	case "HELP":
	default:
		in.Stop, in.Start = wish(in.Body)
	}
	return in, nil
}

// signed reports whether the signature is of the URL, with or without its port
// (Twilio is of two minds about the default one), and the form.
func signed(u *url.URL, form url.Values, token, signature string) bool {
	var params strings.Builder
	for _, key := range slices.Sorted(maps.Keys(form)) {
		values := slices.Clone(form[key])
		slices.Sort(values)
		for _, v := range slices.Compact(values) {
			params.WriteString(key + v)
		}
	}
	bare, ported := *u, *u
	if port := u.Port(); port != "" {
		bare.Host = strings.TrimSuffix(u.Host, ":"+port)
	} else if u.Scheme == "https" {
		ported.Host += ":443"
	} else {
		ported.Host += ":80"
	}
	ok := false
	for _, candidate := range []string{bare.String(), ported.String()} {
		mac := hmac.New(sha1.New, []byte(token))
		mac.Write([]byte(candidate + params.String()))
		if hmac.Equal([]byte(base64.StdEncoding.EncodeToString(mac.Sum(nil))), []byte(signature)) {
			ok = true
		}
	}
	return ok
}
