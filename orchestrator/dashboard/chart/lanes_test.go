package chart

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestAShortSpanOverTheClock(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 3, 1, 10, 0, 0, 200e6, time.UTC)
	zone := time.FixedZone("firm", 8*3600)
	all := shapes(t, Clock("Timeline", "One attempt.", from, from.Add(300*time.Millisecond), zone, []Lane{
		{Label: "Attempts", Bars: []Span{{From: 0, To: .3, Class: "completed", Text: "1", Title: "attempt 1", Href: "/x?a=1&b=2"}}},
	}))
	if all[0].given["aria-label"] != "Timeline. One attempt." || all[0].given["role"] != "img" {
		t.Errorf("it says of itself %v", all[0].given)
	}
	rects := of(all, "rect", "")
	room := laneEnd - labelWidth
	if len(rects) != 1 || rects[0].number(t, "x") != 324.8 || rects[0].number(t, "width") != 202.2 || rects[0].number(t, "x")+rects[0].number(t, "width") > labelWidth+room {
		t.Errorf("0.3 s from 0.2 s within one second lie at %v", rects)
	}
	if a := of(all, "a", ""); len(a) != 1 || a[0].given["href"] != "/x?a=1&b=2" || a[0].given["aria-label"] != "attempt 1" {
		t.Errorf("it leads to %v", a)
	}
	var ticks []string
	for _, e := range of(all, "text", "") {
		if e.given["class"] == "tick" {
			ticks = append(ticks, e.text)
		}
	}
	if len(ticks) != 2 || !strings.Contains(strings.Join(ticks, " "), "18:00:00") || !strings.Contains(strings.Join(ticks, " "), "18:00:01") {
		t.Errorf("the ticks are %q, want the second's ends in the zone", ticks)
	}
}

func TestManyAttemptsOverDays(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	lane := Lane{Label: "Attempts"}
	for i := range 12 {
		begin := float64(i) * 8 * 3600
		lane.Bars = append(lane.Bars, Span{From: begin, To: begin + 30, Class: "failed"})
		lane.Marks = append(lane.Marks, Mark{At: begin, Class: "failed", Title: "began"})
	}
	all := shapes(t, Clock("T", "", from, from.Add(88*time.Hour+30*time.Second), time.UTC, []Lane{lane}))
	rects := of(all, "rect", "")
	if len(rects) != 12 || len(of(all, "circle", "")) != 12 {
		t.Fatalf("%d bars", len(rects))
	}
	end := 0.
	for _, r := range rects {
		if r.number(t, "width") < leastBar || r.number(t, "x") < end || r.number(t, "x")+r.number(t, "width") > laneEnd+.1 {
			t.Errorf("a bar is not apart, or too small to be seen: %v", r.given)
		}
		end = r.number(t, "x") + r.number(t, "width")
	}
	if texts := of(all, "text", ""); len(texts) > 14 {
		t.Errorf("%d texts crowd the axis", len(texts))
	}
}

func TestHostileTextInLanes(t *testing.T) {
	t.Parallel()
	unkind := `</text><script>alert("x")</script>&` + strings.Repeat("\u202e\u200bב", 400)
	svg := Elapsed(unkind, unkind, 10, []Lane{{
		Label: unkind, Bars: []Span{{To: 10, Class: unkind, Text: "<b>", Title: unkind, Href: unkind}}, Marks: []Mark{{At: 5, Class: unkind, Title: unkind}},
	}})
	all := shapes(t, svg)
	if len(of(all, "script", "")) > 0 || strings.Contains(string(svg), "<b>") {
		t.Errorf("it is markup: %s", svg)
	}
	if all[0].given["aria-label"] != unkind+". "+unkind {
		t.Error("the text is another one")
	}
	for _, e := range of(all, "text", "") {
		if len([]rune(e.text)) > 30 {
			t.Errorf("a label has %d letters", len([]rune(e.text)))
		}
	}
}

func TestLevelsOfWhatOverlaps(t *testing.T) {
	t.Parallel()
	if got, want := Packed([][2]float64{{0, 5}, {1, 2}, {2, 3}, {2, 9}, {2, 9}, {5, 6}}, 3), []int{0, 1, 1, 2, 2, 0}; !reflect.DeepEqual(got, want) {
		t.Errorf("levels %v, want %v", got, want)
	}
	empty := shapes(t, Elapsed("T", "", 0, []Lane{{Label: "none"}}))
	if len(of(empty, "rect", "")) != 0 || len(of(empty, "text", "")) < 2 {
		t.Errorf("nothing is drawn as %v", empty)
	}
}

func TestElapsedTicks(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[float64]string{0: "0", .05: "50 ms", 2: "2 s", 1200: "20 min", 72000: "20 h"} {
		if got := elapsed(seconds); got != want {
			t.Errorf("%v s is %q, want %q", seconds, got, want)
		}
	}
}
