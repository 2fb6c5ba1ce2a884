package dashboard

import (
	"math"
	"net/url"

	"github.com/nuzantara/ciclo/client"
)

// money shows an amount with its currency: whole from a hundred on. currency is a
// text or a pointer to one; without one the number stands alone.
func money(v, currency any) string {
	f, ok := float(v)
	if !ok {
		return "–"
	}
	if math.Abs(f) >= 100 {
		f = math.Round(f)
	}
	text := number(f)
	if c, ok := deref(currency); ok {
		if name, ok := c.(string); ok && name != "" {
			text += "\u00a0" + name
		}
	}
	return text
}

// clientPath is where a client is shown, whatever its id holds.
func clientPath(id string) string { return "/clients/" + url.PathEscape(id) }

// patternPath is where a pattern's history is.
func patternPath(feature string) string {
	return "/patterns/history?" + url.Values{"feature": {feature}}.Encode()
}

// outside reports whether an address from elsewhere may be a link.
func outside(address any) bool {
	v, ok := deref(address)
	text, isText := v.(string)
	if !ok || !isText {
		return false
	}
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// currencyOf is a run's currency; empty where it isn't known.
func currencyOf(run client.ValueRun) string {
	if run.Currency == nil {
		return ""
	}
	return *run.Currency
}
