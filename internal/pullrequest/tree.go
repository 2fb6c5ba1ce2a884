package pullrequest

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// checkPath refuses what doesn't name a file inside the repository, on any system
// that may check it out.
func checkPath(path string) error {
	if path == "" || len(path) > 1000 || !printable(path) || strings.ContainsAny(path, `\:`) {
		return refuse("%q is no path of a file in a repository", path)
	}
	for part := range strings.SplitSeq(path, "/") {
		// Windows and macOS take these for .git too.
		name := strings.ToLower(strings.TrimRight(part, ". "))
		if name == "" || name == ".git" || name == "git~1" || strings.ContainsFunc(part, ignored) {
			return refuse("%q is no path of a file in a repository", path)
		}
	}
	return nil
}

// ignored are the characters that HFS+ leaves out of names.
func ignored(c rune) bool {
	return c >= 0x200c && c <= 0x200f || c >= 0x202a && c <= 0x202e || c >= 0x206a && c <= 0x206f || c == 0xfeff
}

// entry finds a file in a tree; ok is false where there is none. What is in its
// way, or is no file, is refused.
func entry(from *objects, root plumbing.Hash, path string) (found object.TreeEntry, ok bool, err error) {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		tree, err := object.GetTree(from, root)
		if err != nil {
			return found, false, fmt.Errorf("read tree %s: %w", root, err)
		}
		at := slices.IndexFunc(tree.Entries, func(e object.TreeEntry) bool { return e.Name == part })
		if at < 0 {
			return found, false, nil
		}
		found = tree.Entries[at]
		here := strings.Join(parts[:i+1], "/")
		last := i == len(parts)-1
		switch found.Mode {
		case filemode.Dir:
			if last {
				return found, false, refuse("%s is a folder in the repository", here)
			}
			root = found.Hash
		case filemode.Regular, filemode.Executable, filemode.Deprecated:
			if !last {
				return found, false, refuse("%s is a file in the repository, %s can't be in it", here, path)
			}
		case filemode.Symlink:
			return found, false, refuse("%s is a symbolic link in the repository, which is not followed", here)
		default:
			return found, false, refuse("%s is no file of the repository's own", here)
		}
	}
	return found, true, nil
}

// entries finds several files in a tree; those that aren't there are missing.
func entries(from *objects, root plumbing.Hash, paths []string) (map[string]object.TreeEntry, error) {
	all := map[string]object.TreeEntry{}
	for _, path := range paths {
		e, ok, err := entry(from, root, path)
		if err != nil {
			return nil, err
		}
		if ok {
			all[path] = e
		}
	}
	return all, nil
}

// plant writes the tree that root becomes with files put into it, and returns it
// with all objects that were made. A file that is there keeps its mode.
func plant(into *objects, root plumbing.Hash, files map[string][]byte) (plumbing.Hash, []plumbing.Hash, error) {
	tree := &object.Tree{}
	if !root.IsZero() {
		var err error
		if tree, err = object.GetTree(into, root); err != nil {
			return root, nil, fmt.Errorf("read tree %s: %w", root, err)
		}
	}
	var made []plumbing.Hash
	grown := slices.Clone(tree.Entries)
	put := func(name string, mode filemode.FileMode, hash plumbing.Hash) {
		at := slices.IndexFunc(grown, func(e object.TreeEntry) bool { return e.Name == name })
		if at < 0 {
			grown = append(grown, object.TreeEntry{Name: name, Mode: mode, Hash: hash})
			return
		}
		grown[at].Hash = hash // and its mode stays
	}
	folders := map[string]map[string][]byte{}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		folder, rest, below := strings.Cut(path, "/")
		if below {
			if folders[folder] == nil {
				folders[folder] = map[string][]byte{}
			}
			folders[folder][rest] = files[path]
			continue
		}
		o := into.NewEncodedObject()
		o.SetType(plumbing.BlobObject)
		w, err := o.Writer()
		if err == nil {
			_, err = w.Write(files[path])
		}
		if err != nil {
			return root, nil, fmt.Errorf("write %s: %w", path, err)
		}
		blob, err := into.SetEncodedObject(o)
		if err != nil {
			return root, nil, fmt.Errorf("write %s: %w", path, err)
		}
		made = append(made, blob)
		put(path, filemode.Regular, blob)
	}
	for _, name := range slices.Sorted(maps.Keys(folders)) {
		var old plumbing.Hash
		if at := slices.IndexFunc(grown, func(e object.TreeEntry) bool { return e.Name == name }); at >= 0 {
			old = grown[at].Hash
		}
		below, also, err := plant(into, old, folders[name])
		if err != nil {
			return root, nil, err
		}
		made = append(made, also...)
		put(name, filemode.Dir, below)
	}
	sort.Sort(object.TreeEntrySorter(grown))
	hash, err := store(into, &object.Tree{Entries: grown})
	return hash, append(made, hash), err
}

// store keeps a tree or a commit.
func store(into *objects, what interface {
	Encode(plumbing.EncodedObject) error
}) (plumbing.Hash, error) {
	o := into.NewEncodedObject()
	if err := what.Encode(o); err != nil {
		return plumbing.ZeroHash, fmt.Errorf("encode an object: %w", err)
	}
	return into.SetEncodedObject(o)
}

// content is a file's bytes.
func content(from *objects, path string, hash plumbing.Hash) ([]byte, error) {
	blob, err := object.GetBlob(from, hash)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if blob.Size > MaxFile {
		return nil, refuse("%s is %w: %d bytes, %d are taken", path, ErrTooLarge, blob.Size, MaxFile)
	}
	reader, err := blob.Reader()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	text, err := io.ReadAll(reader)
	return text, errors.Join(err, reader.Close())
}
