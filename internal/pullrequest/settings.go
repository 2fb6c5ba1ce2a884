package pullrequest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Settings is the configuration as flags and environment (kong reads it). Without
// a remote there is no repository and nothing is proposed.
type Settings struct {
	GitRemote    string        `env:"CICLO_GIT_REMOTE" help:"Git repository that agents propose changes to, such as https://github.com/owner/name.git or file:///path; none: nothing is proposed."`
	GitBase      string        `env:"CICLO_GIT_BASE" default:"main" help:"Branch that changes are proposed for."`
	GitUser      string        `env:"CICLO_GIT_USER" default:"x-access-token" help:"User that goes with the token; GitHub, GitLab and Gitea take any."`
	GitToken     string        `env:"CICLO_GIT_TOKEN" help:"Token that may push branches and open pull requests there."`
	GitTokenFile string        `env:"CICLO_GIT_TOKEN_FILE" help:"File that holds the token."`
	GitAuthor    string        `env:"CICLO_GIT_AUTHOR" default:"Ciclo" help:"Author of the commits."`
	GitMail      string        `env:"CICLO_GIT_MAIL" default:"ciclo@localhost" help:"Mail address of that author."`
	GitTimeout   time.Duration `env:"CICLO_GIT_TIMEOUT" default:"2m" help:"How long one exchange with the repository may take."`
	GitHubAPI    string        `name:"github-api" env:"CICLO_GITHUB_API" help:"Base of GitHub's API, such as https://host/api/v3 of an own GitHub; github.com's is known. Elsewhere there is a branch and no pull request."`
}

// Validate is called by kong: half a configuration is an error.
func (s *Settings) Validate() error {
	if s.GitRemote != "" {
		return nil
	}
	for _, set := range []struct{ variable, value string }{
		{"CICLO_GIT_TOKEN", s.GitToken}, {"CICLO_GIT_TOKEN_FILE", s.GitTokenFile}, {"CICLO_GITHUB_API", s.GitHubAPI},
	} {
		if set.value != "" {
			return fmt.Errorf("%s is set and CICLO_GIT_REMOTE is not: set both, or neither", set.variable)
		}
	}
	return nil
}

// Open is the repository that is configured; nil where none is. The token's file
// is read now, nothing is asked of the remote.
func (s *Settings) Open() (*Repository, error) {
	if err := s.Validate(); err != nil || s.GitRemote == "" {
		return nil, err
	}
	token := s.GitToken
	if s.GitTokenFile != "" {
		if token != "" {
			return nil, errors.New("the token is given both by CICLO_GIT_TOKEN and by CICLO_GIT_TOKEN_FILE")
		}
		text, err := os.ReadFile(s.GitTokenFile)
		if err != nil {
			return nil, fmt.Errorf("read CICLO_GIT_TOKEN_FILE: %w", err)
		}
		if token = strings.TrimSpace(string(text)); token == "" {
			return nil, errors.New("the file of CICLO_GIT_TOKEN_FILE is empty")
		}
	}
	return New(Config{
		Remote: s.GitRemote, Base: s.GitBase, User: s.GitUser, Token: token, API: s.GitHubAPI,
		Author: s.GitAuthor, Mail: s.GitMail, Timeout: s.GitTimeout,
	})
}
