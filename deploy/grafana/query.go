package grafana

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Span is the time that a dashboard shows.
type Span struct {
	From, To time.Time
}

// points is how many points Grafana asks for where a panel is about as wide as a
// screen.
const points = 1000

// steps are the intervals that Grafana rounds to, as far as they matter here.
var steps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// Interval is $__interval of a span in which nothing is shown finer than the minimum.
func (s Span) Interval(minimum time.Duration) time.Duration {
	exact := max(s.To.Sub(s.From)/points, minimum)
	for _, step := range steps {
		if step >= exact {
			return step
		}
	}
	return 7 * 24 * time.Hour
}

var (
	macroPattern    = regexp.MustCompile(`\$([_a-zA-Z0-9]+)\(([^\)]*)\)`)
	variablePattern = regexp.MustCompile(`\$(\w+)|\$\{(\w+)(?::\w+)?\}`)
	intervalPattern = regexp.MustCompile(`^(\d+)(s|m|h|d)$`)
)

// ParseInterval reads an interval as Grafana writes it: 30s, 1m, 24h, 90d.
func ParseInterval(text string) (time.Duration, error) {
	m := intervalPattern.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q is no interval", text)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, fmt.Errorf("%q is no interval: %w", text, err)
	}
	unit := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[m[2]]
	return time.Duration(n) * unit, nil
}

// writeInterval is the opposite.
func writeInterval(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// Expand makes SQL of a panel's query as Grafana does: variables with their chosen
// values, quoted; the interval; then the macros of the PostgreSQL data source. What
// Grafana wouldn't know is an error, since it would leave it as it stands.
func Expand(sql string, span Span, interval time.Duration, chosen map[string][]string) (string, error) {
	var errs []error
	sql = variablePattern.ReplaceAllStringFunc(sql, func(found string) string {
		m := variablePattern.FindStringSubmatch(found)
		name := m[1] + m[2]
		if name == "__interval" {
			return writeInterval(interval)
		}
		if strings.HasPrefix(name, "__") { // a macro
			return found
		}
		values, known := chosen[name]
		if !known {
			errs = append(errs, fmt.Errorf("there is no variable %s", found))
			return found
		}
		quoted := make([]string, max(1, len(values)))
		quoted[0] = "''" // of none
		for i, v := range values {
			quoted[i] = "'" + strings.ReplaceAll(v, "'", "''") + "'"
		}
		return strings.Join(quoted, ",")
	})
	sql = macroPattern.ReplaceAllStringFunc(sql, func(found string) string {
		m := macroPattern.FindStringSubmatch(found)
		args := strings.Split(m[2], ",")
		for i := range args {
			args[i] = strings.TrimSpace(args[i])
		}
		expanded, err := macro(m[1], args, span)
		if err != nil {
			errs = append(errs, err)
			return found
		}
		return expanded
	})
	if i := strings.Index(sql, "$__"); i >= 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("%.20s… is no macro with its arguments", sql[i:]))
	}
	return sql, errors.Join(errs...)
}

func macro(name string, args []string, span Span) (string, error) {
	from, to := "'"+span.From.UTC().Format(time.RFC3339Nano)+"'", "'"+span.To.UTC().Format(time.RFC3339Nano)+"'"
	given := len(args)
	if given == 1 && args[0] == "" {
		given = 0
	}
	wanted, known := map[string]int{"__timeFilter": 1, "__timeFrom": 0, "__timeTo": 0, "__timeGroup": 2}[name]
	if !known {
		return "", fmt.Errorf("there is no macro $%s", name)
	}
	if given != wanted {
		return "", fmt.Errorf("$%s has %d arguments, not %d", name, given, wanted)
	}
	switch name {
	case "__timeFilter":
		return args[0] + " BETWEEN " + from + " AND " + to, nil
	case "__timeFrom":
		return from, nil
	case "__timeTo":
		return to, nil
	}
	every, err := ParseInterval(strings.Trim(args[1], "'"))
	if err != nil {
		return "", fmt.Errorf("$%s: %w", name, err)
	}
	return fmt.Sprintf("floor(extract(epoch from %s)/%v)*%v", args[0], every.Seconds(), every.Seconds()), nil
}

// used are the names of the variables in a text, each once.
func used(text string) []string {
	var names []string
	for _, m := range variablePattern.FindAllStringSubmatch(text, -1) {
		if name := m[1] + m[2]; !strings.HasPrefix(name, "__") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
