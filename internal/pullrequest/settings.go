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
	GitRemote            string        `env:"CICLO_GIT_REMOTE" unit:"URL" help:"Git repository that agents propose changes to, such as https://github.com/owner/name.git, git@host:owner/name.git or file:///path; none: nothing is proposed."`
	GitBase              string        `env:"CICLO_GIT_BASE" unit:"branch" default:"main" help:"Branch that changes are proposed for."`
	GitUser              string        `env:"CICLO_GIT_USER" default:"x-access-token" help:"User that goes with the token; GitHub, GitLab and Gitea take any."`
	GitToken             string        `env:"CICLO_GIT_TOKEN" help:"Token that may push branches and open pull requests there."`
	GitTokenFile         string        `env:"CICLO_GIT_TOKEN_FILE" help:"File that holds the token."`
	GitSSHKeyFile        string        `env:"CICLO_GIT_SSH_KEY_FILE" help:"Private key that opens a remote reached by ssh."`
	GitSSHPassphrase     string        `env:"CICLO_GIT_SSH_PASSPHRASE" help:"Passphrase of that key, where it has one."`
	GitSSHPassphraseFile string        `env:"CICLO_GIT_SSH_PASSPHRASE_FILE" help:"File that holds the passphrase."`
	GitKnownHosts        string        `env:"CICLO_GIT_KNOWN_HOSTS" unit:"file" help:"File of the host keys that ssh takes, as ssh-keyscan prints them; ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts without. They are always checked."`
	GitAuthor            string        `env:"CICLO_GIT_AUTHOR" default:"Ciclo" help:"Author of the commits."`
	GitMail              string        `env:"CICLO_GIT_MAIL" unit:"mail address" default:"ciclo@localhost" help:"Mail address of that author."`
	GitTimeout           time.Duration `env:"CICLO_GIT_TIMEOUT" default:"2m" help:"How long one exchange with the repository may take."`
	GitHubAPI            string        `name:"github-api" env:"CICLO_GITHUB_API" unit:"URL" help:"Base of GitHub's API, such as https://host/api/v3 of an own GitHub; github.com's is known. Elsewhere there is a branch and no pull request."`
}

// Check says all that is wrong: half a configuration is. The files of the token, the
// key and the known hosts are read, nothing is asked of the remote.
func (s *Settings) Check() error {
	if err := s.halves(); err != nil {
		return err
	}
	_, err := s.Open()
	return err
}

// halves are the variables that are of no use without another.
func (s *Settings) halves() error {
	type set struct{ variable, value, needs, needed string }
	var all []error
	for _, v := range []set{
		{"CICLO_GIT_SSH_PASSPHRASE", s.GitSSHPassphrase, "CICLO_GIT_SSH_KEY_FILE", s.GitSSHKeyFile},
		{"CICLO_GIT_SSH_PASSPHRASE_FILE", s.GitSSHPassphraseFile, "CICLO_GIT_SSH_KEY_FILE", s.GitSSHKeyFile},
		{"CICLO_GIT_TOKEN", s.GitToken, "CICLO_GIT_REMOTE", s.GitRemote},
		{"CICLO_GIT_TOKEN_FILE", s.GitTokenFile, "CICLO_GIT_REMOTE", s.GitRemote},
		{"CICLO_GITHUB_API", s.GitHubAPI, "CICLO_GIT_REMOTE", s.GitRemote},
		{"CICLO_GIT_SSH_KEY_FILE", s.GitSSHKeyFile, "CICLO_GIT_REMOTE", s.GitRemote},
		{"CICLO_GIT_KNOWN_HOSTS", s.GitKnownHosts, "CICLO_GIT_REMOTE", s.GitRemote},
	} {
		if v.value != "" && v.needed == "" {
			all = append(all, fmt.Errorf("%s is set and %s is not: set both, or neither", v.variable, v.needs))
		}
	}
	return errors.Join(all...)
}

// Open is the repository that is configured; nil where none is. The files of the
// token, the key and the known hosts are read now, nothing is asked of the remote.
func (s *Settings) Open() (*Repository, error) {
	if err := s.halves(); err != nil || s.GitRemote == "" {
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
		return "", fmt.Errorf("%s is set and %s_FILE too: the %s is given by one of them", variable, variable, what)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", variable, err)
	}
	if value = strings.Trim(string(text), cutset); value == "" {
		return "", fmt.Errorf("%s_FILE names an empty file", variable)
	}
	return value, nil
}
