package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/nuzantara/ciclo/client"
)

// grouped parts the digits before the point by threes: 1234567.8 is 1,234,567.8.
func grouped(digits string) string {
	whole, rest, _ := strings.Cut(digits, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	var b strings.Builder
	for i, d := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	if rest != "" {
		rest = "." + rest
	}
	return sign + b.String() + rest
}

// money writes an amount with what decimals say something: 12.34, 1,234, 0.0012.
func money(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0"
	case a < .01:
		return strconv.FormatFloat(v, 'g', 2, 64)
	case a < 1000:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return grouped(strconv.FormatFloat(v, 'f', 0, 64))
}

// purchases writes a number of purchases.
func purchases(v float64) string {
	if v < 100 {
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return grouped(strconv.FormatFloat(v, 'f', 0, 64))
}

// share writes a part of one as per cent.
func share(v float64) string {
	percent := 100 * v
	if percent == math.Trunc(percent) || percent >= 10 && percent < 99.5 {
		return fmt.Sprintf("%.0f %%", percent)
	}
	return fmt.Sprintf("%.1f %%", percent)
}

func maybe(v *float64, write func(float64) string) string {
	if v == nil {
		return "-"
	}
	return write(*v)
}

func interval(low, high *float64, write func(float64) string) string {
	if low == nil || high == nil {
		return "-"
	}
	return write(*low) + " – " + write(*high)
}

// between is how many of nine in ten such clients.
func between(low, high *int) string {
	if low == nil || high == nil {
		return "-"
	}
	return strconv.Itoa(*low) + " – " + strconv.Itoa(*high)
}

func number(n *int) string {
	if n == nil {
		return "-"
	}
	return strconv.Itoa(*n)
}

// segmentText is a client's segment, with the one that it came from.
func segmentText(s client.Score) string {
	if s.PreviousSegment == nil || *s.PreviousSegment == s.Segment {
		return s.Segment
	}
	return s.Segment + " (was " + *s.PreviousSegment + ")"
}
