// Package docs reads the pages for people, README.md and docs/, for the tests that
// hold them against the programs: each command that a page shows is run by something.
package docs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Block is a fenced block of a page.
type Block struct {
	// Page is its path from the repository's root, Line the line of its opening fence.
	Page string
	Line int
	// Language is what stands behind the fence, such as sh or sql.
	Language string
	Text     string
	// RunBy is the file that runs the block's commands, from the repository's root;
	// NotRun is why nothing does. Both are empty where TestCommands does. They stand in
	// a comment above the fence: `<!-- run by PATH -->`, `<!-- not run: REASON -->`.
	RunBy, NotRun string
}

func (b Block) String() string { return fmt.Sprintf("%s:%d", b.Page, b.Line) }

// Commands are the block's commands: its lines, those that end in a backslash with
// what follows, without empty ones and comments.
func (b Block) Commands() []string {
	var all []string
	joined := strings.ReplaceAll(b.Text, "\\\n", " ")
	for line := range strings.Lines(joined) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

// Pages are the paths of the pages below the repository's root, in order.
func Pages(root string) ([]string, error) {
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md", "docs/model/*.md", "deploy/*.md", "deploy/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			page, err := filepath.Rel(root, path)
			if err != nil {
				return nil, err
			}
			pages = append(pages, filepath.ToSlash(page))
		}
	}
	slices.Sort(pages)
	if len(pages) == 0 {
		return nil, errors.New("there are no pages")
	}
	return pages, nil
}

var above = regexp.MustCompile(`^<!-- (run by|not run:) (.*) -->$`)

// Blocks are the fenced blocks of all pages below the root.
func Blocks(root string) ([]Block, error) {
	pages, err := Pages(root)
	if err != nil {
		return nil, err
	}
	var all []Block
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(root, page)) //nolint:gosec // the repository's own pages
		if err != nil {
			return nil, err
		}
		blocks, err := blocksOf(page, string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, blocks...)
	}
	return all, nil
}

func blocksOf(page, text string) ([]Block, error) {
	var all []Block
	var open *Block
	before, n := "", 0
	for line := range strings.Lines(text) {
		n++
		trimmed := strings.TrimSpace(line)
		language, fence := strings.CutPrefix(trimmed, "```")
		switch {
		case fence && open == nil:
			open = &Block{Page: page, Line: n, Language: language}
			if found := above.FindStringSubmatch(before); found != nil && found[1] == "run by" {
				open.RunBy = found[2]
			} else if found != nil {
				open.NotRun = found[2]
			}
		case fence:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.Text += line
		}
		before = trimmed
	}
	if open != nil {
		return nil, fmt.Errorf("%s: the block is never closed", open)
	}
	return all, nil
}

// Inline is a piece of code within a page's text.
type Inline struct {
	Page string
	Line int
	Text string
}

func (i Inline) String() string { return fmt.Sprintf("%s:%d: %s", i.Page, i.Line, i.Text) }

var code = regexp.MustCompile("`([^`]+)`")

// Inlines are the pieces of code in the texts of all pages, outside of fenced blocks.
func Inlines(root string) ([]Inline, error) {
	pages, err := Pages(root)
	if err != nil {
		return nil, err
	}
	var all []Inline
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(root, page)) //nolint:gosec // the repository's own pages
		if err != nil {
			return nil, err
		}
		fenced, n := false, 0
		for line := range strings.Lines(string(text)) {
			n++
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				fenced = !fenced
			}
			if fenced {
				continue
			}
			for _, found := range code.FindAllStringSubmatch(line, -1) {
				all = append(all, Inline{Page: page, Line: n, Text: found[1]})
			}
		}
	}
	return all, nil
}
