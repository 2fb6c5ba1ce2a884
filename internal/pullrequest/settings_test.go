package pullrequest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// parse reads settings as a service does.
func parse(t *testing.T, args ...string) (*Repository, error) {
	t.Helper()
	var s Settings
	p, err := kong.New(&s, kong.Exit(func(int) { t.Fatal("exit") }))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Parse(args); err != nil {
		return nil, err
	}
	return s.Open()
}

func TestOffByDefault(t *testing.T) {
	t.Parallel()
	if r, err := parse(t); r != nil || err != nil {
		t.Errorf("got %v, %v", r, err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want gitHub
	}{
		"GitHub":    {[]string{"--git-remote=https://github.com/acme/prompts.git"}, gitHub{"https://api.github.com/", "api.github.com", "acme", "prompts"}},
		"another's": {[]string{"--git-remote=https://git.example.com/x/acme/prompts/", "--github-api=https://git.example.com/api/v3/"}, gitHub{"https://git.example.com/api/v3/", "git.example.com", "acme", "prompts"}},
		"plain":     {[]string{"--git-remote=https://git.example.com/prompts.git"}, gitHub{}},
		"file":      {[]string{"--git-remote=/srv/prompts.git"}, gitHub{}},
	} {
		r, err := parse(t, append(c.args, "--git-token-file="+file)...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got gitHub
		if r.github != nil {
			got = *r.github
		}
		if got != c.want || r.token != token || r.base != "main" || r.author != "Ciclo" || r.mail != "ciclo@localhost" || r.timeout != 2*time.Minute {
			t.Errorf("%s: %+v %+v", name, r, got)
		}
	}
}

func TestSettingsOfSSH(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	key, locked, phrase, known := filepath.Join(folder, "key"), filepath.Join(folder, "locked"), filepath.Join(folder, "phrase"), knownHosts(t, "h:22", hostKey)
	if err := errors.Join(os.WriteFile(key, ours, 0o600), os.WriteFile(locked, oursLocked, 0o600), os.WriteFile(phrase, []byte(passphrase+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for remote, want := range map[string]struct {
		user, address, path string
		github              gitHub
	}{
		"git@github.com:acme/prompts.git":               {"git", "github.com:22", "acme/prompts.git", gitHub{"https://api.github.com/", "api.github.com", "acme", "prompts"}},
		"ssh://git@ssh.github.com:443/acme/prompts.git": {"git", "ssh.github.com:443", "/acme/prompts.git", gitHub{"https://api.github.com/", "api.github.com", "acme", "prompts"}},
		"ssh://deploy@h:2222/srv/a%20b.git/":            {"deploy", "h:2222", "/srv/a b.git", gitHub{}},
		"ssh://h/~x/prompts":                            {"git", "h:22", "~x/prompts", gitHub{}},
		"ssh://[::1]/prompts":                           {"git", "[::1]:22", "/prompts", gitHub{}},
		"[::1]:/srv/prompts":                            {"git", "[::1]:22", "/srv/prompts", gitHub{}},
		"h:prompts":                                     {"git", "h:22", "prompts", gitHub{}},
	} {
		r, err := parse(t, "--git-remote="+remote, "--git-ssh-key-file="+key, "--git-known-hosts="+known, "--git-token="+token)
		if err != nil {
			t.Errorf("%s: %v", remote, err)
			continue
		}
		var github gitHub
		if r.github != nil {
			github = *r.github
		}
		if r.ssh.user != want.user || r.ssh.address != want.address || r.ssh.path != want.path || github != want.github {
			t.Errorf("%s: %s %s %s %+v, want %+v", remote, r.ssh.user, r.ssh.address, r.ssh.path, github, want)
		}
	}
	if _, err := parse(t, "--git-remote=git@h:a/b", "--git-ssh-key-file="+locked, "--git-ssh-passphrase-file="+phrase, "--git-known-hosts="+known); err != nil {
		t.Errorf("a key with a passphrase: %v", err)
	}
}

func TestKnownHostsOfTheUser(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	c := config("git@h:a/b")
	c.SSHKey = ours
	if _, err := os.Stat("/etc/ssh/ssh_known_hosts"); errors.Is(err, os.ErrNotExist) {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), "CICLO_GIT_KNOWN_HOSTS is not set, and there is no ~/.ssh/known_hosts") {
			t.Errorf("without any: %v", err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(home, ".ssh"), 0o700), os.Rename(knownHosts(t, "h:22", hostKey), filepath.Join(home, ".ssh", "known_hosts"))); err != nil {
		t.Fatal(err)
	}
	if r, err := New(c); err != nil || len(r.ssh.kinds) != 1 {
		t.Errorf("%+v: %v", r, err)
	}
}

func TestSettingsRefused(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	key, locked, known := filepath.Join(folder, "key"), filepath.Join(folder, "locked"), knownHosts(t, "h:22", hostKey)
	if err := errors.Join(os.WriteFile(key, ours, 0o600), os.WriteFile(locked, oursLocked, 0o600)); err != nil {
		t.Fatal(err)
	}
	const remote = "--git-remote=https://git.example.com/acme/prompts.git"
	for name, c := range map[string]struct {
		args []string
		text string
	}{
		"token alone":        {[]string{"--git-token=Secret"}, "CICLO_GIT_TOKEN is set and CICLO_GIT_REMOTE is not"},
		"token file alone":   {[]string{"--git-token-file=x"}, "CICLO_GIT_TOKEN_FILE is set and"},
		"API alone":          {[]string{"--github-api=https://x"}, "CICLO_GITHUB_API is set and"},
		"GitHub, no token":   {[]string{"--git-remote=https://github.com/a/b"}, "CICLO_GIT_TOKEN is not set"},
		"GitHub, no owner":   {[]string{"--git-remote=https://github.com/b", "--git-token=Secret"}, "owner/name"},
		"both tokens":        {[]string{remote, "--git-token=Secret", "--git-token-file=" + empty}, "CICLO_GIT_TOKEN is set and CICLO_GIT_TOKEN_FILE too"},
		"no token file":      {[]string{remote, "--git-token-file=" + empty + "x"}, "CICLO_GIT_TOKEN_FILE: open"},
		"empty token file":   {[]string{remote, "--git-token-file=" + empty}, "names an empty file"},
		"token of two lines": {[]string{remote, "--git-token=Secret\nx"}, "CICLO_GIT_TOKEN holds"},
		"no URL":             {[]string{"--git-remote=prompts"}, "CICLO_GIT_REMOTE is no URL"},
		"ssh, no key":        {[]string{"--git-remote=ssh://git@h/a/b"}, "CICLO_GIT_SSH_KEY_FILE is not set"},
		"ssh in short":       {[]string{"--git-remote=git@h:a/b"}, "CICLO_GIT_SSH_KEY_FILE is not set"},
		"ssh with password":  {[]string{"--git-remote=ssh://git:Secret@h/a/b"}, "CICLO_GIT_REMOTE holds a password"},
		"ssh, no path":       {[]string{"--git-remote=ssh://git@h/"}, "CICLO_GIT_REMOTE is no address"},
		"ssh, path like -x":  {[]string{"--git-remote=git@h:-x"}, "CICLO_GIT_REMOTE is no address"},
		"ssh, hidden line":   {[]string{"--git-remote=ssh://git@h/a%0Ab"}, "CICLO_GIT_REMOTE is no address"},
		"ssh, query":         {[]string{"--git-remote=ssh://git@h/a/b?x=Secret"}, "must end with the path"},
		"ssh, port":          {[]string{"--git-remote=ssh://git@h:70000/a/b"}, "a port that is none"},
		"key alone":          {[]string{"--git-ssh-key-file=" + key}, "CICLO_GIT_SSH_KEY_FILE is set and CICLO_GIT_REMOTE is not"},
		"known hosts alone":  {[]string{"--git-known-hosts=" + known}, "CICLO_GIT_KNOWN_HOSTS is set and CICLO_GIT_REMOTE is not"},
		"key for https":      {[]string{remote, "--git-ssh-key-file=" + key}, "CICLO_GIT_REMOTE is not reached by ssh"},
		"known for https":    {[]string{remote, "--git-known-hosts=" + known}, "CICLO_GIT_REMOTE is not reached by ssh"},
		"passphrase, no key": {[]string{"--git-remote=git@h:a/b", "--git-ssh-passphrase=Secret"}, "CICLO_GIT_SSH_PASSPHRASE is set and CICLO_GIT_SSH_KEY_FILE"},
		"its file, no key":   {[]string{"--git-remote=git@h:a/b", "--git-ssh-passphrase-file=x"}, "CICLO_GIT_SSH_PASSPHRASE_FILE is set and"},
		"no key file":        {[]string{"--git-remote=git@h:a/b", "--git-ssh-key-file=" + key + "x"}, "CICLO_GIT_SSH_KEY_FILE: open"},
		"empty key file":     {[]string{"--git-remote=git@h:a/b", "--git-ssh-key-file=" + empty}, "CICLO_GIT_SSH_KEY_FILE names an empty file"},
		"no key in the file": {[]string{"--git-remote=git@h:a/b", "--git-ssh-key-file=" + known, "--git-known-hosts=" + known}, "holds no private key"},
		"locked key":         {[]string{"--git-remote=git@h:a/b", "--git-ssh-key-file=" + locked, "--git-known-hosts=" + known}, "set CICLO_GIT_SSH_PASSPHRASE or"},
		"wrong passphrase":   {[]string{"--git-remote=git@h:a/b", "--git-ssh-key-file=" + locked, "--git-known-hosts=" + known, "--git-ssh-passphrase=Secret"}, "CICLO_GIT_SSH_PASSPHRASE doesn't open"},
		"two passphrases":    {[]string{"--git-remote=git@h:a/b", "--git-ssh-key-file=" + locked, "--git-ssh-passphrase=Secret", "--git-ssh-passphrase-file=x"}, "CICLO_GIT_SSH_PASSPHRASE is set and CICLO_GIT_SSH_PASSPHRASE_FILE too"},
		"no known hosts":     {[]string{"--git-remote=git@h:a/b", "--git-ssh-key-file=" + key, "--git-known-hosts=" + known + "x"}, "read CICLO_GIT_KNOWN_HOSTS"},
		"known hosts of no":  {[]string{"--git-remote=git@h:a/b", "--git-ssh-key-file=" + key, "--git-known-hosts=" + key}, "read CICLO_GIT_KNOWN_HOSTS"},
		"GitHub by ssh":      {[]string{"--git-remote=git@github.com:a/b", "--git-ssh-key-file=" + key, "--git-known-hosts=" + known}, "CICLO_GIT_TOKEN is not set"},
		"password inside":    {[]string{"--git-remote=https://x:Secret@h/a/b"}, "they belong in CICLO_GIT_USER and CICLO_GIT_TOKEN"},
		"query":              {[]string{remote + "?token=Secret"}, "must end with the path"},
		"host alone":         {[]string{"--git-remote=https://h/"}, "CICLO_GIT_REMOTE is no URL"},
		"file of a host":     {[]string{"--git-remote=file://h/x"}, "absolute path"},
		"token over HTTP":    {[]string{"--git-remote=http://git.example.com/a/b", "--git-token=Secret"}, "everyone on the way reads the token"},
		"API over HTTP":      {[]string{remote, "--github-api=http://git.example.com", "--git-token=Secret"}, "CICLO_GITHUB_API is http://"},
		"API no URL":         {[]string{remote, "--github-api=git.example.com", "--git-token=Secret"}, "CICLO_GITHUB_API is no URL"},
		"API with password":  {[]string{remote, "--github-api=https://x:Secret@h", "--git-token=Secret"}, "CICLO_GITHUB_API must be"},
		"base of ours":       {[]string{remote, "--git-base=ciclo/x"}, "CICLO_GIT_BASE"},
		"base no name":       {[]string{remote, "--git-base=a..b"}, "CICLO_GIT_BASE"},
		"author":             {[]string{remote, "--git-author=a <b>"}, "CICLO_GIT_AUTHOR"},
		"mail":               {[]string{remote, "--git-mail= "}, "CICLO_GIT_MAIL"},
		"user":               {[]string{remote, "--git-user=a:b"}, "CICLO_GIT_USER"},
		"timeout":            {[]string{remote, "--git-timeout=1ms"}, "CICLO_GIT_TIMEOUT"},
	} {
		_, err := parse(t, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %q", name, err, c.text)
		} else if strings.Contains(err.Error(), "Secret") {
			t.Errorf("%s: the error shows a secret: %v", name, err)
		}
	}
}
