package conversation

import (
	"errors"
	"strings"
	"testing"
)

// All that stands outside the block stays as it is, and a second block is the last.
func TestSplice(t *testing.T) {
	t.Parallel()
	for name, prompt := range map[string]string{
		"lines":                  "# Rules\nNever promise.\n",
		"carriage returns":       "# Rules\r\nNever promise.\r\n",
		"no end of the last":     "# Rules\nNever promise.",
		"byte order mark":        "\ufeff# Rules\nNever promise.\n",
		"trailing blanks":        "# Rules  \n\n\n",
		"right to left, emoji":   "# قواعد 👩‍👩‍👧\nלא.\n",
		"nothing":                "",
		"a block in the middle":  "# Rules\nNever promise.\n<!-- trainer:begin -->\nold\n<!-- trainer:end -->\n## Safety\nAsk a person.\n",
		"an empty block":         "a\n<!-- trainer:begin --><!-- trainer:end -->",
		"a block within a line":  "a <!-- trainer:begin -->\r\nold<!-- trainer:end --> b\r\nc",
		"another comment, alike": "<!-- trainer: be kind -->\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spliced, err := Splice(prompt, []string{"- one", "- two"})
			if err != nil {
				t.Fatal(err)
			}
			from, to, err := findBlock(spliced)
			if err != nil || from < 0 {
				t.Fatalf("%d %v in %q", from, err, spliced)
			}
			before, after := prompt, ""
			if a, b, _ := findBlock(prompt); a >= 0 {
				before, after = prompt[:a], prompt[b:]
			}
			// What is added to a prompt without a block is one line's end at most.
			if around := spliced[:from] + spliced[to:]; strings.TrimRight(around, "\r\n") != strings.TrimRight(before+after, "\r\n") || !strings.HasPrefix(spliced, before) || !strings.HasSuffix(spliced, after) {
				t.Errorf("%q became %q", prompt, spliced)
			}
			if strings.HasSuffix(prompt, "\n") != strings.HasSuffix(spliced, "\n") && prompt != "" {
				t.Errorf("the end of %q became that of %q", prompt, spliced)
			}
			if alone := strings.Count(spliced, "\n") - strings.Count(spliced, "\r\n"); strings.Contains(prompt, "\r\n") && alone != 0 {
				t.Errorf("%d lines of %q end otherwise", alone, spliced)
			}
			again, err := Splice(spliced, []string{"- one", "- two"})
			if err != nil || again != spliced {
				t.Errorf("a second time it is %q, %v", again, err)
			}
			other, err := Splice(spliced, []string{"- three"})
			if err != nil || strings.Contains(other, "- one") || other[:from] != spliced[:from] || !strings.HasSuffix(other, spliced[to:]) {
				t.Errorf("with another line it is %q, %v", other, err)
			}
		})
	}
}

func TestSpliceRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prompt, line string
		want         error
		says         string
	}{
		"no end":               {prompt: "a\n" + blockBegin + "\nb\n", want: ErrDamaged, says: "does not end"},
		"no begin":             {prompt: "a\n" + blockEnd, want: ErrDamaged, says: "does not begin"},
		"two blocks":           {prompt: blockBegin + blockEnd + "\n" + blockBegin + blockEnd, want: ErrDamaged, says: "2 begins and 2 ends"},
		"one within the other": {prompt: blockBegin + blockBegin + blockEnd + blockEnd, want: ErrDamaged, says: "2 begins and 2 ends"},
		"two begins":           {prompt: blockBegin + blockBegin + blockEnd, want: ErrDamaged, says: "2 begins and 1 ends"},
		"the wrong way round":  {prompt: blockEnd + blockBegin, want: ErrDamaged, says: "ends before it begins"},
		"nearly right":         {prompt: "<!--Trainer:BEGIN-->\n" + blockEnd, want: ErrDamaged, says: "must be"},
		"no text":              {prompt: "a\xff", want: ErrNoText, says: "UTF-8"},
		"a zero byte":          {prompt: "a\x00", want: ErrNoText, says: "zero"},
		"too long":             {prompt: strings.Repeat("a", MaxPrompt+1), want: ErrNoText, says: "131073"},
		"no room":              {prompt: strings.Repeat("a", MaxPrompt), want: ErrNoText, says: "with the block"},
		"a line of two":        {prompt: "a", line: "b\nc", says: "can't stand"},
		"a line that ends it":  {prompt: "a", line: blockEnd, says: "can't stand"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spliced, err := Splice(c.prompt, []string{c.line})
			if err == nil || spliced != "" || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q, %v", spliced, err)
			}
		})
	}
}
