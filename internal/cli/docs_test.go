package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/nuzantara/ciclo/internal/docs"
)

const root = "../.."

// What a page's text says to type is there: commands and flags of ciclo, targets of
// the Makefile, packages and tests. (Commands in blocks are run, by internal/docs.)
func TestWhatPagesSayToTypeIsThere(t *testing.T) {
	inlines, err := docs.Inlines(root)
	if err != nil {
		t.Fatal(err)
	}
	checks := typed(t)
	seen := 0
	for _, inline := range inlines {
		words := strings.Fields(strings.TrimPrefix(inline.Text, "bin/"))
		check, ok := checks[words[0]]
		if !ok || len(words) == 1 {
			continue
		}
		seen++
		if fault := check(words[1:]); fault != "" {
			t.Errorf("%s: %s", inline, fault)
		}
	}
	if seen < 80 {
		t.Errorf("only %d commands were looked at", seen)
	}
}

// What isn't there is found.
func TestWhatIsNotThereIsFound(t *testing.T) {
	for _, line := range []string{
		"ciclo frobnicate", "ciclo token frobnicate", "ciclo run AGENT --frobnicate", "make frobnicate",
		"go run ./internal/frobnicate", "go test ./internal/cli -run Frobnicate",
	} {
		words := strings.Fields(line)
		if fault := typed(t)[words[0]](words[1:]); fault == "" {
			t.Errorf("%s is taken for a command", line)
		}
	}
}

// typed are the programs whose commands are looked at: each says what is wrong with
// the words behind it.
func typed(t *testing.T) map[string]func(words []string) string {
	t.Helper()
	var c commands
	parser, err := kong.New(&c, kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]place{}
	for _, p := range placesIn(parser.Model.Node) {
		places[p.path] = p
	}
	run := places["/run"]
	run.flags = append(run.flags, parameters(t)...)
	places["/run"] = run
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]func([]string) string{
		"ciclo": func(words []string) string { return ofCiclo(places, words) },
		"make": func(words []string) string {
			for _, w := range words {
				if !strings.Contains(w, "=") && !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(w)+`:`).Match(makefile) {
					return "the Makefile has no target " + w
				}
			}
			return ""
		},
		"go": ofGo,
	}
}

// ofCiclo says what is wrong with the words of a command of ciclo. A word in capitals,
// or with signs in it, stands for something of the reader's.
func ofCiclo(places map[string]place, words []string) string {
	at, commanding, value := places[""], true, false
	for _, w := range words {
		name, flagged := strings.CutPrefix(w, "--")
		name, _, given := strings.Cut(name, "=")
		switch {
		case value:
			value = false
		case flagged:
			i := slices.IndexFunc(at.flags, func(f completionFlag) bool { return f.name == name || "no-"+f.name == name })
			if i < 0 {
				return "ciclo" + strings.ReplaceAll(at.path, "/", " ") + " has no flag --" + name
			}
			value = at.flags[i].takes && !given
		case !commanding || len(at.commands) == 0 || !lower.MatchString(w):
			commanding = false
		default:
			for one := range strings.SplitSeq(w, "|") {
				if _, ok := places[at.path+"/"+one]; !ok {
					return "there is no command ciclo" + strings.ReplaceAll(at.path, "/", " ") + " " + one
				}
			}
			commanding = !strings.Contains(w, "|")
			if commanding {
				at = places[at.path+"/"+w]
			}
		}
	}
	return ""
}

// parameters are the agents' own, as flags of ciclo run.
func parameters(t *testing.T) (flags []completionFlag) {
	t.Helper()
	manifests, err := filepath.Glob(filepath.Join(root, "agents", "*", "agent.json"))
	if err != nil || len(manifests) == 0 {
		t.Fatalf("the manifests: %v, %v", manifests, err)
	}
	for _, path := range manifests {
		text, err := os.ReadFile(path) //nolint:gosec // the repository's own manifests
		if err != nil {
			t.Fatal(err)
		}
		var manifest struct {
			Parameters struct{ Properties map[string]any }
		}
		if err := json.Unmarshal(text, &manifest); err != nil {
			t.Fatal(err)
		}
		for name := range manifest.Parameters.Properties {
			flags = append(flags, completionFlag{name: strings.ReplaceAll(name, "_", "-"), takes: true})
		}
	}
	return flags
}

var lower = regexp.MustCompile(`^[a-z][a-z|-]*$`)

// ofGo says which package or test that the go command is given isn't there.
func ofGo(words []string) string {
	var folder string
	for i, w := range words {
		switch {
		case strings.HasPrefix(w, "./") && w != "./..." && w != "./…":
			folder = filepath.Join(root, w)
			if info, err := os.Stat(folder); err != nil || !info.IsDir() {
				return "there is no package " + w
			}
		case w == "-run" && i+1 < len(words) && folder != "":
			if fault := tested(folder, strings.Trim(words[i+1], `'"`)); fault != "" {
				return fault
			}
		}
	}
	return ""
}

var testName = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// tested says that no test of the folder is meant by the pattern of -run, or "".
func tested(folder, pattern string) string {
	want, err := regexp.Compile(strings.Split(pattern, "/")[0])
	if err != nil {
		return err.Error()
	}
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		return err.Error()
	}
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // the repository's own tests
		if err != nil {
			return err.Error()
		}
		for _, name := range testName.FindAllSubmatch(text, -1) {
			if want.Match(name[1]) {
				return ""
			}
		}
	}
	return "no test of " + folder + " is called like " + pattern
}
