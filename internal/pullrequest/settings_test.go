package pullrequest

import (
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

func TestSettingsRefused(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
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
		"both tokens":        {[]string{remote, "--git-token=Secret", "--git-token-file=" + empty}, "both by CICLO_GIT_TOKEN and"},
		"no token file":      {[]string{remote, "--git-token-file=" + empty + "x"}, "read CICLO_GIT_TOKEN_FILE"},
		"empty token file":   {[]string{remote, "--git-token-file=" + empty}, "is empty"},
		"token of two lines": {[]string{remote, "--git-token=Secret\nx"}, "CICLO_GIT_TOKEN holds"},
		"no URL":             {[]string{"--git-remote=prompts"}, "CICLO_GIT_REMOTE is no URL"},
		"ssh":                {[]string{"--git-remote=ssh://git@github.com/a/b"}, "reached by ssh"},
		"ssh in short":       {[]string{"--git-remote=git@github.com:a/b"}, "reached by ssh"},
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
