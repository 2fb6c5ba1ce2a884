package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completionScript writes the script of a shell into a file.
func completionScript(t *testing.T, shell string) string {
	t.Helper()
	out, said, code := ciclo(t, "completion", shell)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	path := filepath.Join(t.TempDir(), "_ciclo")
	if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// proposals are the lines that a shell's script prints.
func proposals(t *testing.T, shell string, args ...string) []string {
	t.Helper()
	cmd := exec.Command(shell, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil || said.Len() > 0 {
		t.Fatalf("%s %v: %v: %s%s", shell, args, err, out, said.String())
	}
	return strings.Fields(string(out))
}

// completions are lines up to the cursor, in words, and what must be proposed for
// the last one and what not.
var completions = map[string]struct {
	words     []string
	want, not []string
}{
	"the commands":                {[]string{""}, []string{"run", "doctor", "agents", "token", "webhooks", "completion"}, []string{"create", "--json"}},
	"a command begun":             {[]string{"com"}, []string{"completion"}, []string{"run"}},
	"a command in a command":      {[]string{"token", ""}, []string{"create", "list", "revoke"}, []string{"run"}},
	"and begun":                   {[]string{"token", "rev"}, []string{"revoke"}, []string{"create"}},
	"a command's flags":           {[]string{"list", "--"}, []string{"--status", "--cursor", "--json", "--url", "--help"}, []string{"--scope", "run"}},
	"flags that run reads":        {[]string{"run", "client-value-predictor", "--f"}, []string{"--follow", "--from-file"}, []string{"--wait"}},
	"a flag's values":             {[]string{"token", "create", "crm", "--scope", ""}, []string{"read", "run", "approve", "admin"}, []string{"create"}},
	"a flag's values, begun":      {[]string{"token", "create", "--scope", "a"}, []string{"approve", "admin"}, []string{"read"}},
	"an argument's values":        {[]string{"completion", ""}, []string{"bash", "zsh", "fish"}, nil},
	"after a flag with a value":   {[]string{"--url", "run", "token", "c"}, []string{"create"}, []string{"run"}},
	"after flags of no value":     {[]string{"--json", "import", ""}, []string{"payments"}, []string{"run"}},
	"a default command's flags":   {[]string{"cycles", "--s"}, []string{"--schedule", "--status"}, nil},
	"values that are the default": {[]string{"schedules", "create", "x", "--overlap", ""}, []string{"skip", "queue", "cancel"}, nil},
	"an agent's name":             {[]string{"pause", "cl"}, nil, []string{"run", "--reason"}},
}

func checkCompletions(t *testing.T, complete func(words []string) []string) {
	t.Helper()
	for name, c := range completions {
		got := complete(c.words)
		for _, want := range c.want {
			if !slices.Contains(got, want) {
				t.Errorf("%s: %v lacks %s", name, got, want)
			}
		}
		for _, not := range c.not {
			if slices.Contains(got, not) {
				t.Errorf("%s: %v has %s", name, got, not)
			}
		}
	}
}

// shellOrSkip is the path of a shell.
func shellOrSkip(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("not checked: %v", err)
	}
	return path
}

func TestBashCompletion(t *testing.T) {
	t.Parallel()
	bash := shellOrSkip(t, "bash")
	script := completionScript(t, "bash")
	complete := func(words []string) []string {
		return proposals(t, bash, append([]string{"--norc", "-c", `
			source "$1"
			shift
			[[ $(complete -p ciclo) == *_ciclo* ]] || echo 'nothing is registered' >&2
			COMP_WORDS=(ciclo "$@")
			COMP_CWORD=$#
			_ciclo
			printf '%s\n' "${COMPREPLY[@]}"`, "bash", script}, words...)...)
	}
	checkCompletions(t, complete)
	// Bash takes = for a word of its own.
	for name, words := range map[string][]string{"a value after =": {"token", "create", "--scope", "=", "re"}, "nothing after =": {"token", "create", "--scope", "="}} {
		if got := complete(words); !slices.Contains(got, "read") {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := complete([]string{"--url", "=", "run", "token", "c"}); !slices.Equal(got, []string{"create"}) {
		t.Errorf("after a flag with = and a value: %v", got)
	}
}

func TestZshCompletion(t *testing.T) {
	t.Parallel()
	zsh := shellOrSkip(t, "zsh")
	script := completionScript(t, "zsh")
	// The functions that propose are replaced: without a terminal there is no menu.
	checkCompletions(t, func(words []string) []string {
		return proposals(t, zsh, append([]string{"-f", "-c", `
			compdef() { :; }
			script=$1
			shift
			source $script
			words=(ciclo "$@")
			CURRENT=$#words
			PREFIX=$words[CURRENT]
			propose() { for word; do [[ $word == $PREFIX* ]] && print -r -- $word; done }
			compadd() { shift; propose "$@"; }
			_files() { :; }
			_describe() { propose "${(@P)2%%:*}"; }
			_ciclo
			true`, "zsh", script}, words...)...)
	})
}

func TestFishCompletion(t *testing.T) {
	t.Parallel()
	fish := shellOrSkip(t, "fish")
	script := completionScript(t, "fish")
	checkCompletions(t, func(words []string) []string {
		line := "ciclo"
		for _, w := range words {
			if line += " "; w != "" {
				line += w
			}
		}
		return proposals(t, fish, "--no-config", "-c", `source $argv[1]; complete -C $argv[2] | string split -f 1 \t; true`, script, line)
	})
}

func TestCompletionAsJSON(t *testing.T) {
	t.Parallel()
	out, _, code := ciclo(t, "completion", "bash", "--json")
	if code != 0 || !strings.Contains(out, `"shell": "bash"`) {
		t.Errorf("%d %s", code, out)
	}
	if _, said, code := ciclo(t, "completion", "tcsh"); code != ExitUsage || !strings.Contains(said, "bash") {
		t.Errorf("another shell: %d %s", code, said)
	}
}
