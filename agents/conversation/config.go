package conversation

import (
	"fmt"
	"path"
	"strings"
)

// Config is where prompts and reports stand in the repository, as flags and
// environment.
type Config struct {
	TrainerPrompt  string `env:"CICLO_TRAINER_PROMPT" default:"prompts/{name}.md" help:"File of the prompt in the repository that changes are proposed to; {name} is the prompt's name."`
	TrainerReports string `env:"CICLO_TRAINER_REPORTS" default:"reports" help:"Folder in that repository for the reports that come with a change of a prompt."`
}

// Validate is called by kong: both must be paths within the repository.
func (c *Config) Validate() error {
	for _, set := range []struct{ variable, value string }{{"CICLO_TRAINER_PROMPT", c.TrainerPrompt}, {"CICLO_TRAINER_REPORTS", c.TrainerReports}} {
		if clean := path.Clean(set.value); set.value == "" || clean != set.value || path.IsAbs(clean) || clean == "." || clean == ".." || strings.HasPrefix(clean, "../") || strings.Contains(clean, "\\") {
			return fmt.Errorf("%s must be a path within the repository, such as prompts/{name}.md or reports", set.variable)
		}
	}
	return nil
}
