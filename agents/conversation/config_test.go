package conversation

import (
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ prompt, reports, wrong string }{
		{"prompts/{name}.md", "reports", ""},
		{"base.md", "docs/trainer/reports", ""},
		{"", "reports", "CICLO_TRAINER_PROMPT"},
		{"/etc/x", "reports", "CICLO_TRAINER_PROMPT"},
		{"../x", "reports", "CICLO_TRAINER_PROMPT"},
		{"a//b", "reports", "CICLO_TRAINER_PROMPT"},
		{`a\b`, "reports", "CICLO_TRAINER_PROMPT"},
		{"base.md", "", "CICLO_TRAINER_REPORTS"},
		{"base.md", "reports/..", "CICLO_TRAINER_REPORTS"},
		{"base.md", "reports/", "CICLO_TRAINER_REPORTS"},
	} {
		err := (&Config{TrainerPrompt: c.prompt, TrainerReports: c.reports}).Check()
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%q, %q: %v", c.prompt, c.reports, err)
		}
	}
}
