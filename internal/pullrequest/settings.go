package pullrequest

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// Settings is the configuration as flags and environment (kong reads it). Without
// a remote there is no repository and nothing is proposed.
type Settings struct {
	GitRemote            string        `env:"CICLO_GIT_REMOTE" help:"Git repository that agents propose changes to, such as https://github.com/owner/name.git, git@host:owner/name.git or file:///path; none: nothing is proposed."`
	GitBase              string        `env:"CICLO_GIT_BASE" default:"main" help:"Branch that changes are proposed for."`
	GitUser              string        `env:"CICLO_GIT_USER" default:"x-access-token" help:"User that goes with the token; GitHub, GitLab and Gitea take any."`
	GitToken             string        `env:"CICLO_GIT_TOKEN" help:"Token that may push branches and open pull requests there."`
	GitTokenFile         string        `env:"CICLO_GIT_TOKEN_FILE" help:"File that holds the token."`
	GitSSHKeyFile        string        `env:"CICLO_GIT_SSH_KEY_FILE" help:"Private key that opens a remote reached by ssh."`
	GitSSHPassphrase     string        `env:"CICLO_GIT_SSH_PASSPHRASE" help:"Passphrase of that key, where it has one."`
	GitSSHPassphraseFile string        `env:"CICLO_GIT_SSH_PASSPHRASE_FILE" help:"File that holds the passphrase."`
	GitKnownHosts        string        `env:"CICLO_GIT_KNOWN_HOSTS" help:"File of the host keys that ssh takes, as ssh-keyscan prints them; ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts without. They are always checked."`
	GitAuthor            string        `env:"CICLO_GIT_AUTHOR" default:"Ciclo" help:"Author of the commits."`
	GitMail              string        `env:"CICLO_GIT_MAIL" default:"ciclo@localhost" help:"Mail address of that author."`
	GitTimeout           time.Duration `env:"CICLO_GIT_TIMEOUT" default:"2m" help:"How long one exchange with the repository may take."`
	GitHubAPI            string        `name:"github-api" env:"CICLO_GITHUB_API" help:"Base of GitHub's API, such as https://host/api/v3 of an own GitHub; github.com's is known. Elsewhere there is a branch and no pull request."`
}

// Validate is called by kong: half a configuration is an error.
func (s *Settings) Validate() error {
	if s.GitSSHKeyFile == "" {
		for _, set := range []struct{ variable, value string }{
			{"CICLO_GIT_SSH_PASSPHRASE", s.GitSSHPassphrase}, {"CICLO_GIT_SSH_PASSPHRASE_FILE", s.GitSSHPassphraseFile},
		} {
			if set.value != "" {
				return fmt.Errorf("%s is set and CICLO_GIT_SSH_KEY_FILE is not: set both, or neither", set.variable)
			}
		}
	}
	if s.GitRemote != "" {
		return nil
	}
	for _, set := range []struct{ variable, value string }{
		{"CICLO_GIT_TOKEN", s.GitToken}, {"CICLO_GIT_TOKEN_FILE", s.GitTokenFile}, {"CICLO_GITHUB_API", s.GitHubAPI},
		{"CICLO_GIT_SSH_KEY_FILE", s.GitSSHKeyFile}, {"CICLO_GIT_KNOWN_HOSTS", s.GitKnownHosts},
	} {
		if set.value != "" {
			return fmt.Errorf("%s is set and CICLO_GIT_REMOTE is not: set both, or neither", set.variable)
		}
	}
	return nil
}

// Open is the repository that is configured; nil where none is. The files of the
// token, the key and the known hosts are read now, nothing is asked of the remote.
func (s *Settings) Open() (*Repository, error) {
	if err := s.Validate(); err != nil || s.GitRemote == "" {
		return nil, err
	}
	token, err := secret("token", "CICLO_GIT_TOKEN", s.GitToken, s.GitTokenFile, " \t\r\n")
	if err != nil {
		return nil, err
	}
	passphrase, err := secret("passphrase", "CICLO_GIT_SSH_PASSPHRASE", s.GitSSHPassphrase, s.GitSSHPassphraseFile, "\r\n")
	if err != nil {
		return nil, err
	}
	key, err := secret("key", "CICLO_GIT_SSH_KEY", "", s.GitSSHKeyFile, "")
	if err != nil {
		return nil, err
	}
	return New(Config{
		Remote: s.GitRemote, Base: s.GitBase, User: s.GitUser, Token: token, API: s.GitHubAPI,
		SSHKey: []byte(key), SSHPassphrase: passphrase, KnownHosts: s.GitKnownHosts,
		Author: s.GitAuthor, Mail: s.GitMail, Timeout: s.GitTimeout,
	})
}

// secret is a variable's value or what the file of its _FILE holds, without the
// characters of cutset around it; empty where neither is set.
func secret(what, variable, value, file, cutset string) (string, error) {
	if file == "" {
		return value, nil
	}
	if value != "" {
		return "", fmt.Errorf("the %s is given both by %s and by %s_FILE", what, variable, variable)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read %s_FILE: %w", variable, err)
	}
	if value = strings.Trim(string(text), cutset); value == "" {
		return "", fmt.Errorf("the file of %s_FILE is empty", variable)
	}
	return value, nil
}
