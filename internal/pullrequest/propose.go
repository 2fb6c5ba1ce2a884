package pullrequest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Read is a file of the base branch and the commit that it was read at. A file
// that isn't there is fs.ErrNotExist.
func (r *Repository) Read(ctx context.Context, path string) (text []byte, baseCommit string, err error) {
	text, head, err := r.read(ctx, path)
	if err != nil {
		return nil, "", fmt.Errorf("read %q on %s: %w", path, r.base, err)
	}
	return text, head.String(), nil
}

func (r *Repository) read(ctx context.Context, path string) ([]byte, plumbing.Hash, error) {
	if err := checkPath(path); err != nil {
		return nil, plumbing.ZeroHash, err
	}
	o := r.newObjects()
	head, err := r.head(ctx, o)
	if err != nil {
		return nil, plumbing.ZeroHash, err
	}
	found, ok, err := entry(o, head.TreeHash, path)
	if err != nil {
		return nil, head.Hash, err
	}
	if !ok {
		return nil, head.Hash, permanent{fs.ErrNotExist}
	}
	if !o.has(found.Hash) { // fetched without contents
		if _, err := r.fetch(ctx, o, func(tips) (wish, error) { return wish{hashes: []plumbing.Hash{found.Hash}}, nil }); err != nil {
			return nil, head.Hash, err
		}
	}
	text, err := content(o, path, found.Hash)
	return text, head.Hash, err
}

// head fetches the base branch's latest commit and its trees.
func (r *Repository) head(ctx context.Context, into *objects) (*object.Commit, error) {
	var tip plumbing.Hash
	_, err := r.fetch(ctx, into, func(t tips) (wish, error) {
		var there bool
		if tip, there = t.branches[r.base]; !there {
			return wish{}, refuse("the repository has no branch %s: is CICLO_GIT_BASE right?", r.base)
		}
		return wish{hashes: []plumbing.Hash{tip}, depth: 1, lean: true}, nil
	})
	if err != nil {
		return nil, err
	}
	c, err := object.GetCommit(into, tip)
	if err != nil {
		return nil, fmt.Errorf("read the latest commit of %s: %w", r.base, r.foreign(err))
	}
	return c, nil
}

// Find asks the remote, and GitHub, whether a proposal is there. Where a branch
// alone is there and a pull request belongs to it, it says false with the branch
// filled in: Propose goes on from there.
func (r *Repository) Find(ctx context.Context, p Proposal) (Outcome, bool, error) {
	out, found, err := r.find(ctx, p)
	if err != nil {
		return Outcome{}, false, fmt.Errorf("look for %s: %w", p.branch(), err)
	}
	return out, found, nil
}

func (r *Repository) find(ctx context.Context, p Proposal) (Outcome, bool, error) {
	out := Outcome{Branch: p.branch()}
	if err := r.check(p); err != nil {
		return out, false, err
	}
	if r.github != nil {
		pull, err := r.pull(ctx, p.branch())
		if err != nil {
			return out, false, err
		}
		if pull != nil {
			out.Number, out.URL, out.State, out.Existing = pull.number, pull.url, pull.state, true
			if pull.state != stateOpen {
				return out, true, nil // its branch may be gone, or be somebody's again
			}
		}
	}
	commit, there, err := r.findBranch(ctx, p)
	if err != nil {
		return out, false, err
	}
	out.Commit = commit
	if r.github != nil {
		return out, out.Existing, nil
	}
	out.Existing = there
	return out, there, nil
}

// findBranch looks for the proposal's branch and its commit in it.
func (r *Repository) findBranch(ctx context.Context, p Proposal) (string, bool, error) {
	o := r.newObjects()
	var tip plumbing.Hash
	if _, err := r.fetch(ctx, o, func(t tips) (wish, error) {
		var there bool
		if tip, there = t.branches[p.branch()]; !there {
			return wish{}, nil
		}
		return wish{hashes: []plumbing.Hash{tip}, depth: r.additions + 1, lean: true}, nil
	}); err != nil || tip.IsZero() {
		return "", false, err
	}
	commit, err := r.own(o, p, tip)
	return commit, err == nil, err
}

// Propose brings a proposal to the repository, or finds it there. It may be called
// any number of times, at once too: there is one branch, and on GitHub one pull
// request. One that was closed or merged stays so, the outcome says it.
//
// Permanent tells errors that somebody has to mend; ErrMoved and ErrNothing leave
// nothing behind; *LimitedError says how long to wait. After any other it may have
// happened or not: call it again, or ask Find.
func (r *Repository) Propose(ctx context.Context, p Proposal) (Outcome, error) {
	out, err := r.propose(ctx, p)
	if err != nil {
		return Outcome{}, fmt.Errorf("propose %s: %w", p.branch(), err)
	}
	return out, nil
}

func (r *Repository) propose(ctx context.Context, p Proposal) (Outcome, error) {
	out, found, err := r.find(ctx, p)
	if err != nil || found {
		return out, err
	}
	if out.Commit == "" {
		if out.Commit, out.Existing, err = r.makeBranch(ctx, p); err != nil {
			return out, err
		}
	}
	if r.github == nil {
		return out, nil
	}
	pull, existed, err := r.openPull(ctx, p)
	if err != nil {
		return out, err
	}
	out.Number, out.URL, out.State, out.Existing = pull.number, pull.url, pull.state, existed
	return out, nil
}

// makeBranch pushes the proposal as a new branch on the base branch's head. existed
// says that somebody else, with the same proposal, was quicker.
func (r *Repository) makeBranch(ctx context.Context, p Proposal) (commit string, existed bool, err error) {
	o := r.newObjects()
	head, err := r.head(ctx, o)
	if err != nil {
		return "", false, err
	}
	if err := r.unmoved(ctx, o, head, p); err != nil {
		return "", false, err
	}
	hash, made, err := r.commit(o, p, head)
	if err != nil {
		return "", false, err
	}
	made, err = r.prune(o, head, hash, made)
	if err != nil {
		return "", false, err
	}
	err = r.push(ctx, o, p.branch(), hash, made)
	var no *declined
	if !errors.As(err, &no) {
		return hash.String(), false, err
	}
	commit, existed, err = r.findBranch(ctx, p)
	switch {
	case err != nil || existed:
		return commit, existed, err
	case no.byRule():
		return "", false, refuse("%s refuses the branch: %w", r.host, no)
	}
	return "", false, fmt.Errorf("%s makes no branch of the push: %w", r.host, no)
}

// prune refuses a commit that changes nothing, and keeps each object once.
func (r *Repository) prune(o *objects, head *object.Commit, hash plumbing.Hash, made []plumbing.Hash) ([]plumbing.Hash, error) {
	c, err := object.GetCommit(o, hash)
	if err != nil {
		return nil, fmt.Errorf("read the proposal's commit: %w", err)
	}
	if c.TreeHash == head.TreeHash {
		return nil, permanent{fmt.Errorf("%w: %s holds these files already", ErrNothing, r.base)}
	}
	once := map[plumbing.Hash]bool{}
	kept := made[:0]
	for _, h := range made {
		if !once[h] {
			once[h] = true
			kept = append(kept, h)
		}
	}
	return kept, nil
}

// unmoved refuses a proposal one of whose files is no more what it was when the
// proposal was made.
func (r *Repository) unmoved(ctx context.Context, o *objects, head *object.Commit, p Proposal) error {
	now, err := entries(o, head.TreeHash, p.paths())
	if err != nil {
		return err
	}
	if head.Hash.String() == p.BaseCommit {
		return nil
	}
	base := plumbing.NewHash(p.BaseCommit)
	moved := func(why string) error {
		return permanent{fmt.Errorf("%w: %s since %s; make the proposal anew", ErrMoved, why, p.BaseCommit[:12])}
	}
	if _, err := r.fetch(ctx, o, func(t tips) (wish, error) {
		if t.byHash {
			return wish{hashes: []plumbing.Hash{base}, depth: 1, lean: true}, nil
		}
		return wish{hashes: []plumbing.Hash{head.Hash}, depth: r.history, lean: true}, nil
	}); err != nil {
		if strings.Contains(err.Error(), "not our ref") { // upload-pack's words for a hash that it doesn't have
			return moved("it was rewritten")
		}
		return err
	}
	c, err := object.GetCommit(o, base)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return moved(fmt.Sprintf("more than %d commits came, or it was rewritten", r.history))
	}
	if err != nil {
		return fmt.Errorf("read the base commit: %w", r.foreign(err))
	}
	then, err := entries(o, c.TreeHash, p.paths())
	if err != nil {
		return err
	}
	for _, path := range p.paths() {
		if then[path] != now[path] {
			return moved(path + " changed")
		}
	}
	return nil
}
