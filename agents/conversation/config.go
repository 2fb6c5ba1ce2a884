package conversation

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
)

// Config is where prompts and reports stand in the repository, as flags and
// environment.
type Config struct {
	TrainerPrompt  string `env:"CICLO_TRAINER_PROMPT" unit:"path" default:"prompts/{name}.md" help:"File of the prompt in the repository that changes are proposed to; {name} is the prompt's name."`
	TrainerReports string `env:"CICLO_TRAINER_REPORTS" unit:"path" default:"reports" help:"Folder in that repository for the reports that come with a change of a prompt."`
}

// Check says what is wrong: both must be paths within the repository.
func (c *Config) Check() error {
	var all []error
	for _, set := range []struct{ variable, value string }{{"CICLO_TRAINER_PROMPT", c.TrainerPrompt}, {"CICLO_TRAINER_REPORTS", c.TrainerReports}} {
		if !within(set.value) {
			all = append(all, fmt.Errorf("%s must be a path within the repository, such as prompts/{name}.md or reports", set.variable))
		}
	}
	return errors.Join(all...)
}

// within says whether a path is one within the repository, written the shortest way.
func within(name string) bool {
	return name != "" && path.Clean(name) == name && !path.IsAbs(name) && name != "." && name != ".." && !strings.HasPrefix(name, "../") &&
		!strings.Contains(name, "\\") && !strings.ContainsFunc(name, unicode.IsControl)
}
