package docs

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const root = "../.."

func blocks(t *testing.T) []Block {
	t.Helper()
	all, err := Blocks(root)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Each block says what it is, so that no command hides in one that nobody runs; and
// what a file is said to run, it does.
func TestEachBlockIsRunBySomething(t *testing.T) {
	known := []string{"sh", "sql", "csv", "json", "yaml", "toml", "ini", "text", "go", "promql"}
	for _, b := range blocks(t) {
		if !slices.Contains(known, b.Language) {
			t.Errorf("%s: a block of %q: one of %s, sh for commands", b, b.Language, strings.Join(known, ", "))
		}
		if b.Language != "sh" {
			continue
		}
		switch {
		case b.NotRun != "" && len(b.NotRun) < 10:
			t.Errorf("%s: %q is no reason", b, b.NotRun)
		case b.RunBy != "":
			for _, fault := range notRunBy(b, root) {
				t.Errorf("%s: %s", b, fault)
			}
		}
	}
}

// word is a part of a command that is no placeholder, path or address.
var word = regexp.MustCompile(`^(--)?[a-z][a-z-]+$`)

// notRunBy are the commands of the block that its runner doesn't run, as far as its
// text shows: it reads the page, or has each command's words.
func notRunBy(b Block, root string) (faults []string) {
	text, err := os.ReadFile(filepath.Join(root, b.RunBy))
	if err != nil {
		return []string{err.Error()}
	}
	if strings.Contains(string(text), filepath.Base(b.Page)) {
		return nil
	}
	for _, command := range b.Commands() {
		command, _, _ = strings.Cut(command, " #")
		for _, w := range strings.Fields(command) {
			if w = strings.Trim(w, `"'`); word.MatchString(w) && !strings.Contains(string(text), w) {
				faults = append(faults, fmt.Sprintf("%s doesn't run %q: it has no %q", b.RunBy, command, w))
			}
		}
	}
	return faults
}

func TestARunnerThatRunsSomethingElseIsFound(t *testing.T) {
	b := Block{Page: "docs/none.md", Language: "sh", RunBy: "Makefile", Text: "make test\nmake no-such-target\n"}
	if faults := notRunBy(b, root); len(faults) != 1 || !strings.Contains(faults[0], "no-such-target") {
		t.Errorf("found %q", faults)
	}
}

func TestBlocks(t *testing.T) {
	text := "a\n<!-- run by x/y_test.go -->\n```sh\none \\\n  two\n# said\nthree # of them\n```\n\n<!-- not run: no cloud here -->\n```sh\nfly deploy\n```\n```sql\nSELECT 1\n```\n"
	all, err := blocksOf("p.md", text)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 3 || all[0].RunBy != "x/y_test.go" || all[1].NotRun != "no cloud here" || all[2].Language != "sql" || all[2].Line != 14 {
		t.Errorf("read %+v", all)
	}
	if got := all[0].Commands(); !slices.Equal(got, []string{"one    two", "three # of them"}) {
		t.Errorf("its commands are %q", got)
	}
	if _, err := blocksOf("p.md", "```sh\n"); err == nil {
		t.Error("an open block was taken")
	}
}

// TestCommands runs every command of the pages that nothing else runs, as they stand
// there, with the demo running in the folder. Only the address and what stands for
// something of the reader's (ID, FILE.csv) is put in.
func TestCommands(t *testing.T) {
	d := startDemo(t)
	ran := 0
	for _, b := range blocks(t) {
		if b.Language != "sh" || b.RunBy != "" || b.NotRun != "" {
			continue
		}
		prelude := "API=" + d.api.URL + "/api/autonomous-agents\nAUTH=\"Authorization: Bearer $(cat .ciclo/token)\"\n"
		for _, command := range b.Commands() {
			command = strings.ReplaceAll(command, "http://127.0.0.1:8080", d.api.URL)
			if assignment.MatchString(command) {
				prelude += command + "\n"
				continue
			}
			filled, stdin := d.fill(t, b, command)
			if out, err := d.sh(prelude+filled, stdin); err != nil {
				t.Errorf("%s: %s\n%v\n%s", b, filled, err, out)
			}
			if d.after != nil {
				if err := d.after(); err != nil {
					t.Error(err)
				}
				d.after = nil
			}
			ran++
		}
	}
	if ran < 40 {
		t.Errorf("only %d commands were run: the pages have more", ran)
	}
}

var assignment = regexp.MustCompile(`^(export )?[A-Z_]+=\S`)

// sh runs a command as a reader would, but that an answer which refuses is an error
// of curl's.
func (d *demo) sh(command, stdin string) (out []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", command)
	cmd.Dir, cmd.Env, cmd.Stdin = d.dir, d.env, strings.NewReader(stdin)
	cmd.WaitDelay = 5 * time.Second
	return cmd.CombinedOutput()
}

// blank is what stands for something of the reader's in a command that holds has, in
// pages whose name ends so, and what to put there.
type blank struct {
	page, has string
	fill      func(d *demo, command string) (string, error)
	stdin     func(d *demo) (string, error)
}

// of replaces a word of the command by something that the API has.
func of(word string, have func(d *demo) (string, error)) func(*demo, string) (string, error) {
	return func(d *demo, command string) (string, error) {
		value, err := have(d)
		return strings.ReplaceAll(command, word, value), err
	}
}

// blanks: the first that fits is used.
var blanks = []blank{
	{page: "README.md", has: "/ID/cancel", fill: of("ID", (*demo).waiting)},
	{page: "README.md", has: "FILE.csv", fill: func(_ *demo, command string) (string, error) {
		return strings.ReplaceAll(command, "FILE.csv", "more.csv"), nil
	}},
	{page: "conversation-trainer.md", has: "prompts show ID", fill: of("ID", (*demo).prompt)},
	{page: "conversation-trainer.md", has: "prompts effect ID", fill: of("ID", (*demo).prompt)},
	{page: "conversation-trainer.md", has: "patterns history", fill: of("shall we begin", (*demo).phrase)},
	{page: "erasure.md", has: "erase client ID --dry-run", fill: of("ID", (*demo).client)},
	{page: "erasure.md", has: "erase client ID", fill: of("ID", (*demo).client), stdin: (*demo).client},
	{page: "knowledge-graph.md", has: "from=ID&to=ID", fill: func(d *demo, command string) (string, error) {
		one, other, err := d.neighbours()
		return strings.Replace(strings.Replace(command, "from=ID", "from="+one, 1), "to=ID", "to="+other, 1), err
	}},
	{page: "knowledge-graph.md", has: `["ID", "ID"]`, fill: func(d *demo, command string) (string, error) {
		one, other, err := d.twins()
		return strings.ReplaceAll(command, `["ID", "ID"]`, fmt.Sprintf("[%q, %q]", one, other)), err
	}},
	{page: "knowledge-graph.md", has: "merges/NUMBER/undo", fill: of("NUMBER", (*demo).merge)},
	{page: "knowledge-graph.md", has: "reviews/ID", fill: of("ID", (*demo).review)},
	{page: "knowledge-graph.md", has: "edges/ID", fill: of("ID", (*demo).edge)},
	{page: "knowledge-graph.md", has: "entities/ID", fill: of("ID", (*demo).entity)},
	{page: "messages.md", has: "message_…", fill: func(d *demo, command string) (string, error) {
		id, err := d.draft()
		return strings.ReplaceAll(strings.ReplaceAll(command, "message_…", id), "[--body TEXT]", "--body 'Hello again'"), err
	}},
	{page: "messages.md", fill: func(_ *demo, command string) (string, error) { return command, nil }}, // ID is Indonesia there
	{page: "results.md", has: "a%2Fb", fill: of("a%2Fb", func(d *demo) (string, error) {
		id, err := d.client()
		return url.PathEscape(id), err
	})},
	{page: "results.md", has: "execution=ID", fill: of("ID", (*demo).scores)},
	{has: "ID", fill: of("ID", (*demo).execution)},
}

// fill puts into a command what its page leaves to the reader.
func (d *demo) fill(t *testing.T, b Block, command string) (filled, stdin string) {
	t.Helper()
	for _, blank := range blanks {
		if !strings.HasSuffix(b.Page, blank.page) || !strings.Contains(command, blank.has) {
			continue
		}
		filled, err := blank.fill(d, command)
		if blank.stdin != nil {
			var asked error
			stdin, asked = blank.stdin(d)
			err = errors.Join(err, asked)
		}
		if err != nil {
			t.Fatalf("%s: %s: %v", b, command, err)
		}
		return filled, stdin
	}
	return command, ""
}
