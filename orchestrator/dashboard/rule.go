package dashboard

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/client"
)

// ruleWords is a schedule's rule for people. A cron expression that isn't of the
// usual kinds is given as it is.
func ruleWords(s client.Schedule) string {
	switch {
	case s.IntervalSeconds != nil:
		return "every " + span(*s.IntervalSeconds)
	case s.Cron == nil:
		return "never"
	}
	return cronWords(*s.Cron)
}

// span is a number of seconds in the largest unit that it is whole in.
func span(seconds int64) string {
	for _, u := range []struct {
		seconds int64
		name    string
	}{{86_400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}} {
		switch {
		case seconds == u.seconds:
			return u.name
		case seconds%u.seconds == 0:
			return fmt.Sprintf("%d %ss", seconds/u.seconds, u.name)
		}
	}
	return fmt.Sprintf("%d seconds", seconds)
}

var cronNames = map[string]string{
	"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}

func cronWords(expression string) string {
	if named, ok := cronNames[strings.ToLower(strings.TrimSpace(expression))]; ok {
		expression = named
	}
	fields := strings.Fields(expression)
	if len(fields) != 5 {
		return "by cron " + expression
	}
	minute, hour, day, month, weekday := fields[0], fields[1], fields[2], fields[3], fields[4]
	when, ok := timeWords(minute, hour)
	days, known := dayWords(day, month, weekday)
	switch {
	case !ok || !known:
		return "by cron " + expression
	case days == "" && strings.HasPrefix(when, "at"):
		return "every day " + when
	case days == "":
		return when
	case strings.HasPrefix(when, "at"):
		return days + " " + when
	default:
		return when + ", " + days
	}
}

// timeWords are the minute and the hour: "at 04:00", or how often.
func timeWords(minute, hour string) (string, bool) {
	m, minuteErr := strconv.Atoi(minute)
	step, stepErr := strconv.Atoi(strings.TrimPrefix(minute, "*/"))
	hourStep, hourStepErr := strconv.Atoi(strings.TrimPrefix(hour, "*/"))
	switch {
	case minute == "*" && hour == "*":
		return "every minute", true
	case strings.HasPrefix(minute, "*/") && stepErr == nil && hour == "*" && step > 1:
		return fmt.Sprintf("every %d minutes", step), true
	case minuteErr != nil || m > 59:
		return "", false
	case hour == "*":
		return fmt.Sprintf("every hour at minute %d", m), true
	case strings.HasPrefix(hour, "*/") && hourStepErr == nil && hourStep > 1:
		return fmt.Sprintf("every %d hours at minute %d", hourStep, m), true
	}
	var times []string
	for _, h := range strings.Split(hour, ",") {
		n, err := strconv.Atoi(h)
		if err != nil || n > 23 {
			return "", false
		}
		times = append(times, fmt.Sprintf("%02d:%02d", n, m))
	}
	return "at " + strings.Join(times, ", "), true
}

// dayWords are the days; empty where it is every one.
func dayWords(day, month, weekday string) (string, bool) {
	switch {
	case month != "*":
		d, err := strconv.Atoi(day)
		m, monthErr := strconv.Atoi(month)
		if err != nil || monthErr != nil || m < 1 || m > 12 || weekday != "*" {
			return "", false
		}
		return fmt.Sprintf("each year on %d %s", d, time.Month(m)), true
	case day == "*" && weekday == "*":
		return "", true
	case day == "*":
		return weekdayWords(weekday)
	case weekday != "*":
		return "", false
	}
	var days []string
	for _, text := range strings.Split(day, ",") {
		if _, err := strconv.Atoi(text); err != nil {
			return "", false
		}
		days = append(days, text)
	}
	return "each month on day " + strings.Join(days, ", "), true
}

func weekdayWords(weekday string) (string, bool) {
	name := func(text string) (string, bool) {
		for d := time.Sunday; d <= time.Saturday; d++ {
			if n, err := strconv.Atoi(text); err == nil && n >= 0 && n <= 7 && n%7 == int(d) || strings.EqualFold(text, d.String()[:3]) {
				return d.String(), true
			}
		}
		return "", false
	}
	var days []string
	for _, text := range strings.Split(weekday, ",") {
		from, to, ranged := strings.Cut(text, "-")
		first, ok := name(from)
		if !ok {
			return "", false
		}
		if ranged {
			last, ok := name(to)
			if !ok {
				return "", false
			}
			first += " to " + last
		}
		days = append(days, first)
	}
	return "on " + strings.Join(days, ", "), true
}
