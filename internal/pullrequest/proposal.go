package pullrequest

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Proposal is a set of files to bring to the repository. The same key must always
// come with the same proposal, so its texts and time are made from the data and
// not from the clock.
type Proposal struct {
	// Key tells it from all others, such as the agent's name and a hash of what it
	// was made from: lower-case letters, digits and -, at most 100. The branch is
	// ciclo/ and the key.
	Key string
	// Title is one line of at most 256 characters, Body is Markdown of at most
	// 65,536: the pull request's, and the commit's message.
	Title, Body string
	// Files are whole contents by path, with / between; nothing is deleted. Bytes
	// are kept as they are, line ends too. A file that exists keeps its mode.
	Files map[string][]byte
	// BaseCommit is what Read returned: the commit that the files were made from.
	BaseCommit string
	// At is the commit's time, to the second.
	At time.Time
}

// Outcome is where a proposal stands.
type Outcome struct {
	Branch string `json:"branch"`
	// Commit is the proposal's own; empty where a pull request that ended is all
	// that is left.
	Commit string `json:"commit,omitempty"`
	// Number, URL and State (open, closed, merged) are the pull request's; zero on a
	// remote without pull requests.
	Number int    `json:"number,omitempty"`
	URL    string `json:"url,omitempty"`
	State  string `json:"state,omitempty"`
	// Existing says that all of it was there already.
	Existing bool `json:"existing"`
}

const branchPrefix = "ciclo/"

var (
	keys   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$`)
	hashes = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// check refuses a proposal that no repository could take as it is.
func (r *Repository) check(p Proposal) error {
	switch {
	case !keys.MatchString(p.Key):
		return refuse("the key %q must be 1 to 100 lower-case letters, digits and - between them", p.Key)
	case strings.TrimSpace(p.Title) == "" || !printable(p.Title) || utf8.RuneCountInString(p.Title) > 256:
		return refuse("the title must be one line of 1 to 256 characters")
	case !utf8.ValidString(p.Body) || strings.ContainsFunc(p.Body, unprintable) || utf8.RuneCountInString(p.Body) > 65536:
		return refuse("the body must be text of at most 65536 characters")
	case !hashes.MatchString(p.BaseCommit):
		return refuse("the base commit %q must be 40 hexadecimal digits", p.BaseCommit)
	case p.At.Unix() <= 0 || p.At.Unix() > 1<<37:
		return refuse("the proposal needs its time")
	case len(p.Files) == 0 || len(p.Files) > MaxFiles:
		return refuse("a proposal changes 1 to %d files, this one %d", MaxFiles, len(p.Files))
	}
	held := func(text string) bool { return r.token != "" && strings.Contains(text, r.token) }
	if held(p.Title) || held(p.Body) {
		return refuse("the proposal's text holds the token")
	}
	for path, text := range p.Files {
		if err := checkPath(path); err != nil {
			return err
		}
		if len(text) > MaxFile {
			return refuse("%s is %w: %d bytes, %d are taken", path, ErrTooLarge, len(text), MaxFile)
		}
		if held(path) || held(string(text)) {
			return refuse("%s holds the token", path)
		}
		for at := range strings.SplitSeq(parents(path), "\n") {
			if _, both := p.Files[at]; both {
				return refuse("%s is to be a file and a folder", at)
			}
		}
	}
	return nil
}

func unprintable(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' && c != '\r' }

// parents are the folders that a path is in, with line ends between.
func parents(path string) string {
	var all []string
	for i, c := range path {
		if c == '/' {
			all = append(all, path[:i])
		}
	}
	return strings.Join(all, "\n")
}

func (p Proposal) branch() string { return branchPrefix + p.Key }

func (p Proposal) paths() []string { return slices.Sorted(maps.Keys(p.Files)) }

// message is the commit's.
func (p Proposal) message() string {
	text := strings.TrimSpace(p.Title) + "\n\n"
	if body := strings.TrimSpace(strings.ReplaceAll(p.Body, "\r\n", "\n")); body != "" {
		text += body + "\n\n"
	}
	return text + "Ciclo-Proposal: " + p.Key + "\n"
}

// commit writes the proposal as a child of parent: the same proposal on the same
// parent is the same commit, byte for byte. It returns all that was made.
func (r *Repository) commit(into *objects, p Proposal, parent *object.Commit) (plumbing.Hash, []plumbing.Hash, error) {
	tree, made, err := plant(into, parent.TreeHash, p.Files)
	if err != nil {
		return plumbing.ZeroHash, nil, err
	}
	by := object.Signature{Name: r.author, Email: r.mail, When: p.At.UTC().Truncate(time.Second)}
	hash, err := store(into, &object.Commit{Author: by, Committer: by, Message: p.message(), TreeHash: tree, ParentHashes: []plumbing.Hash{parent.Hash}})
	return hash, append(made, hash), err
}

// own finds the proposal's commit in a branch: its tip, or below what others
// committed on top of it.
func (r *Repository) own(in *objects, p Proposal, tip plumbing.Hash) (string, error) {
	message := p.message()
	for range r.additions {
		c, err := object.GetCommit(in, tip)
		if err != nil || len(c.ParentHashes) == 0 {
			break // what wasn't fetched is beyond what may be on top
		}
		if c.Message == message {
			parent, err := object.GetCommit(in, c.ParentHashes[0])
			if err != nil {
				break
			}
			// A commit that can't be made on that parent is not ours.
			if hash, _, err := r.commit(in, p, parent); err == nil && hash == c.Hash {
				return hash.String(), nil
			}
		}
		tip = c.ParentHashes[0]
	}
	return "", permanent{errors.Join(ErrConflict, errors.New(p.branch()+" was made by somebody else, or its key came with another proposal: delete it, or look at it"))}
}
