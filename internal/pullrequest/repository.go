// Package pullrequest brings a set of changed files to a git repository as
// exactly one branch and, on GitHub, exactly one pull request, whatever crashes in
// between: what is proposed has a key, the branch is named by it, its commit is
// the same bytes each time, and nothing that is there already is ever overwritten.
//
// Imports: go-git, go-github and Go's SSH. Never a package of Ciclo, and nothing of what is
// proposed or why.
package pullrequest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
)

// What a repository is held to, so that none takes a worker's memory or time.
const (
	// MaxFile is the size of the largest file that is read or proposed, in bytes.
	MaxFile = 1 << 20
	// MaxFiles is how many files a proposal may change.
	MaxFiles = 100
	// maxAnswer bounds what one exchange with the remote may bring, in bytes.
	maxAnswer = 64 << 20
	// maxInflated bounds the same once it is unpacked, in bytes.
	maxInflated = 512 << 20
	// history is how many commits back a base commit is looked for on a remote that
	// gives no commit by its hash.
	history = 500
	// additions is how many commits of other people on top of its own a branch of
	// ours may have.
	additions = 100
)

// Config is a repository and how one comes in.
type Config struct {
	// Remote is its URL, https:// or file:///, without user and password; http://
	// too, but with a token for this machine alone; ssh://user@host/path and
	// user@host:path.
	Remote string
	// Base is the branch that changes are proposed for.
	Base string
	// User and Token open it over HTTP; the token opens GitHub's API too.
	User, Token string
	// SSHKey is the private key that opens it over SSH, SSHPassphrase what opens that.
	SSHKey        []byte
	SSHPassphrase string
	// KnownHosts is the file of the host keys that are taken over SSH; empty: the
	// user's and the machine's. There is no way without.
	KnownHosts string
	// API is the base of GitHub's REST API; empty: GitHub's own where the remote is
	// on github.com, else there are no pull requests, the branch is all.
	API string
	// Author and Mail sign the commits.
	Author, Mail string
	// Timeout bounds each exchange with the remote; 0 is DefaultTimeout.
	Timeout time.Duration
	// Transport carries HTTP; nil: net/http's, with the environment's proxy.
	Transport http.RoundTripper
}

// DefaultTimeout bounds an exchange with the remote where nothing else is said.
const DefaultTimeout = 2 * time.Minute

// Repository is a git repository that changes are proposed to. It is safe for
// several goroutines, and holds no connection or file between calls.
type Repository struct {
	endpoint               string
	scheme, host           string
	base, user, token      string
	author, mail           string
	timeout                time.Duration
	http                   http.RoundTripper
	github                 *gitHub           // nil: the branch is all
	secrets                *strings.Replacer // takes the token out of other people's text
	ssh                    *login            // nil: it is reached by another way
	maxAnswer, maxInflated int64
	history, additions     int
}

// New checks a configuration; nothing is asked of the remote yet. The error names
// the variable of Settings that is wrong, and shows no secret.
func New(c Config) (*Repository, error) {
	r := &Repository{
		base: c.Base, user: c.User, token: c.Token, author: c.Author, mail: c.Mail, timeout: c.Timeout, http: c.Transport,
		maxAnswer: maxAnswer, maxInflated: maxInflated, history: history, additions: additions,
	}
	if r.timeout == 0 {
		r.timeout = DefaultTimeout
	}
	var all []error
	if r.timeout < time.Second {
		all = append(all, errors.New("CICLO_GIT_TIMEOUT must be at least 1s"))
	}
	if err := checkBranch(r.base); err != nil {
		all = append(all, fmt.Errorf("CICLO_GIT_BASE %w", err))
	}
	for _, text := range []struct{ variable, value string }{{"CICLO_GIT_AUTHOR", r.author}, {"CICLO_GIT_MAIL", r.mail}} {
		if strings.TrimSpace(text.value) == "" || strings.ContainsAny(text.value, "<>") || !printable(text.value) {
			all = append(all, fmt.Errorf("%s must be a text of one line without < and >", text.variable))
		}
	}
	if !printable(r.token) || strings.Contains(r.token, " ") {
		all = append(all, errors.New("CICLO_GIT_TOKEN holds a space, a line's end or what can't be printed"))
	}
	if r.user == "" || !printable(r.user) || strings.Contains(r.user, ":") {
		all = append(all, errors.New("CICLO_GIT_USER must be a text of one line without a colon"))
	}
	remote, err := r.readRemote(c.Remote)
	if err != nil {
		all = append(all, fmt.Errorf("CICLO_GIT_REMOTE %w", err))
	}
	if err := errors.Join(all...); err != nil {
		return nil, err
	}
	switch {
	case r.ssh != nil:
		err = r.ssh.unlock(c)
	case len(c.SSHKey) > 0:
		err = errors.New("CICLO_GIT_SSH_KEY_FILE is set and CICLO_GIT_REMOTE is not reached by ssh: change one of them")
	case c.KnownHosts != "":
		err = errors.New("CICLO_GIT_KNOWN_HOSTS is set and CICLO_GIT_REMOTE is not reached by ssh: change one of them")
	}
	if err != nil {
		return nil, err
	}
	if r.github, err = newGitHub(c, remote); err != nil {
		return nil, err
	}
	if r.http == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.IdleConnTimeout = 10 * time.Second // proposals are rare
		r.http = own
	}
	r.secrets = strings.NewReplacer()
	if r.token != "" {
		r.secrets = strings.NewReplacer(
			base64.StdEncoding.EncodeToString([]byte(r.user+":"+r.token)), "(secret)",
			url.QueryEscape(r.token), "(secret)", r.token, "(secret)")
	}
	return r, nil
}

// readRemote takes a remote's URL apart. The error doesn't show it: it may hold a
// password.
func (r *Repository) readRemote(text string) (*url.URL, error) {
	if strings.HasPrefix(text, "/") {
		text = "file://" + text
	}
	if u, l, err := readSSH(text); err != nil || l != nil {
		if err == nil {
			r.ssh, r.scheme, r.host, r.endpoint = l, u.Scheme, u.Host, u.String()
		}
		return u, err
	}
	u, err := url.Parse(text)
	if err != nil || !printable(text) {
		return nil, errors.New("is no URL such as https://host/owner/name.git, ssh://git@host/owner/name.git or file:///path")
	}
	switch {
	case u.Scheme == "file" && (u.Host != "" || len(u.Path) < 2):
		return nil, errors.New("must hold an absolute path after file://")
	case u.Scheme != "file" && u.Scheme != "https" && u.Scheme != "http", u.Scheme != "file" && (u.Hostname() == "" || strings.Trim(u.Path, "/") == ""):
		return nil, errors.New("is no URL such as https://host/owner/name.git, ssh://git@host/owner/name.git or file:///path")
	case u.User != nil:
		return nil, errors.New("holds a user or a password: they belong in CICLO_GIT_USER and CICLO_GIT_TOKEN")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("must end with the path of the repository")
	case u.Scheme == "http" && r.token != "" && !loopback(u.Hostname()):
		return nil, errors.New("is http://, where everyone on the way reads the token: use https://")
	}
	r.scheme, r.host = u.Scheme, u.Host
	if r.scheme == "file" {
		r.host = "the local repository"
	}
	r.endpoint = strings.TrimSuffix(u.String(), "/")
	return u, nil
}

// loopback says whether a host is this machine by its name alone.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// printable says whether a text is one line of valid UTF-8.
func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// clean makes other people's text fit to be shown: without the token and control
// characters, and short.
func (r *Repository) clean(text string) string {
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(text, "?"))
	text = strings.Join(strings.Fields(r.secrets.Replace(text)), " ")
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
	}
	return text
}

// checkBranch refuses what git takes for no branch's name.
func checkBranch(name string) error {
	if err := plumbing.NewBranchReferenceName(name).Validate(); err != nil || name == "" || strings.HasPrefix(name, "-") || strings.HasPrefix(name, "refs/") || strings.HasPrefix(name, branchPrefix) || !printable(name) {
		return errors.New("is no name of a branch that changes can be proposed for")
	}
	return nil
}
