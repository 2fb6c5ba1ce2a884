package dashboard

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// functions are what templates may call.
func (d *Dashboard) functions() template.FuncMap {
	return template.FuncMap{
		"asset":    d.assets.address,
		"sections": sections,
		"version":  func() string { return d.cfg.Version },
		"zone":     func() string { return d.cfg.Zone.String() },
		"clock":    d.clock,
		"ago":      d.ago,
		"seconds":  seconds,
		"took":     func(from, to time.Time) string { return seconds(to.Sub(from).Seconds()) },
		"number":   number,
		"dollars":  dollars,
		"percent":  percent,
		"short":    short,
		"words":    words,
		"dict":     dict,
		// Of executions, cycles and schedules.
		"clip":       clip,
		"clipLines":  clipLines,
		"points":     points,
		"firstLine":  firstLine,
		"rest":       rest,
		"most":       most,
		"needs":      needs,
		"ruleWords":  ruleWords,
		"slotReason": slotReason,
		"inZone":     d.inZone,

		"money": money, "clientPath": clientPath, "patternPath": patternPath, "outside": outside, "whyDrafted": whyDrafted,
		"ratio": ratio, "small": small, "patternWords": patternWords, "patternSays": patternSays,
		"rawPoints":  rawPoints,
		"messagesOf": func(id string) string { return "/messages?" + url.Values{"client_id": {id}}.Encode() },
		"changesOf":  func(id string) string { return "/segment-changes?" + url.Values{"client": {id}}.Encode() },
		"value":      func(v any) any { v, _ = deref(v); return v },
	}
}

// deref is what a pointer points to; ok is false for nil.
func deref(v any) (any, bool) {
	r := reflect.ValueOf(v)
	for r.Kind() == reflect.Pointer {
		if r.IsNil() {
			return nil, false
		}
		r = r.Elem()
	}
	if !r.IsValid() {
		return nil, false
	}
	return r.Interface(), true
}

// nothing stands where there is no value.
const nothing = template.HTML(`<span class="none">–<span class="hidden"> none</span></span>`)

// clock shows an instant in the firm's zone: the day, the hour, the second where it
// isn't 0. at is a time.Time or a pointer to one.
func (d *Dashboard) clock(at any) template.HTML {
	v, ok := deref(at)
	if !ok {
		return nothing
	}
	t, ok := v.(time.Time)
	if !ok || t.IsZero() {
		return nothing
	}
	local := t.In(d.cfg.Zone)
	layout := "2 Jan 15:04"
	if local.Year() != time.Now().In(d.cfg.Zone).Year() {
		layout = "2 Jan 2006 15:04"
	}
	if local.Second() != 0 {
		layout += ":05"
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, //nolint:gosec // dates have nothing to escape
		t.UTC().Format(time.RFC3339), t.UTC().Format("2006-01-02 15:04:05 MST"), local.Format(layout)))
}

// ago shows how long ago an instant was, or in how long it will be. The script
// keeps it true. at is a time.Time or a pointer to one.
func (d *Dashboard) ago(at any) template.HTML {
	v, ok := deref(at)
	if !ok {
		return nothing
	}
	t, ok := v.(time.Time)
	if !ok || t.IsZero() {
		return nothing
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s" data-ago>%s</time>`, //nolint:gosec // dates have nothing to escape
		t.UTC().Format(time.RFC3339), t.In(d.cfg.Zone).Format("2 Jan 2006 15:04:05 MST"), distance(time.Since(t))))
}

// distance says a distance in time as live.js does.
func distance(since time.Duration) string {
	form := "%s ago"
	if since < 0 {
		since, form = -since, "in %s"
	}
	if since < 10*time.Second {
		return "now"
	}
	var text string
	switch {
	case since < 100*time.Second:
		text = fmt.Sprintf("%d s", int(since/time.Second))
	case since < 100*time.Minute:
		text = fmt.Sprintf("%d min", int(math.Round(since.Minutes())))
	case since < 48*time.Hour:
		text = fmt.Sprintf("%d h", int(math.Round(since.Hours())))
	default:
		text = fmt.Sprintf("%d days", int(math.Round(since.Hours()/24)))
	}
	return fmt.Sprintf(form, text)
}

// seconds says a duration with a unit that suits it.
func seconds(v any) string {
	f, ok := float(v)
	if !ok {
		return "–"
	}
	switch {
	case f < 0.0995:
		return fmt.Sprintf("%.0f ms", f*1000)
	case f < 9.95:
		return fmt.Sprintf("%.1f s", f)
	case f < 99.5:
		return fmt.Sprintf("%.0f s", f)
	case f < 100*60:
		return fmt.Sprintf("%d min %02d s", int(f)/60, int(f)%60)
	case f < 48*3600:
		return fmt.Sprintf("%d h %02d min", int(f)/3600, int(f)/60%60)
	default:
		return fmt.Sprintf("%.0f days", f/86400)
	}
}

// float reads any number, or a pointer to one.
func float(v any) (float64, bool) {
	v, ok := deref(v)
	if !ok {
		return 0, false
	}
	r := reflect.ValueOf(v)
	switch {
	case r.CanFloat():
		return r.Float(), true
	case r.CanInt():
		return float64(r.Int()), true
	case r.CanUint():
		return float64(r.Uint()), true
	}
	return 0, false
}

// dollars are shown to a hundredth of a cent: what a call to a model costs.
func dollars(v any) string {
	f, ok := float(v)
	if !ok {
		return "–"
	}
	return strconv.FormatFloat(f, 'f', 4, 64)
}

// number shows a number with its thousands apart, and up to two decimals where it
// isn't whole.
func number(v any) string {
	f, ok := float(v)
	if !ok {
		return "–"
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if f != math.Trunc(f) {
		text = strconv.FormatFloat(f, 'f', 2, 64)
	}
	whole, rest, _ := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "−", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "\u202f" + whole[i:] // a narrow space that doesn't break
	}
	if rest != "" {
		rest = "." + rest
	}
	return sign + whole + rest
}

// percent shows a share, 0..1.
func percent(v any) string {
	f, ok := float(v)
	switch {
	case !ok:
		return "–"
	case f > 0 && f < 0.1 || f > 0.99 && f < 1:
		return fmt.Sprintf("%.1f %%", f*100)
	default:
		return fmt.Sprintf("%.0f %%", f*100)
	}
}

// short is the end of an id, which tells it from its neighbours.
func short(v any) string {
	v, ok := deref(v)
	if !ok {
		return ""
	}
	id := fmt.Sprint(v)
	if len(id) <= 12 {
		return id
	}
	return "…" + id[len(id)-8:]
}

// words is a name of ours as text: without its underscores.
func words(v any) string {
	v, ok := deref(v)
	if !ok {
		return ""
	}
	return strings.ReplaceAll(fmt.Sprint(v), "_", " ")
}

// clip is a text on one line, of at most n characters.
func clip(n int, v any) string {
	v, ok := deref(v)
	if !ok {
		return ""
	}
	text := []rune(strings.Join(strings.Fields(fmt.Sprint(v)), " "))
	if len(text) > n {
		return string(text[:n-1]) + "…"
	}
	return string(text)
}

// clipLines is a text with its lines, of at most n characters.
func clipLines(n int, text string) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return text
}

// dict gives a template several values by name: dict "a" 1 "b" 2.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict of %d values", len(pairs))
	}
	all := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		all[name] = pairs[i+1]
	}
	return all, nil
}
