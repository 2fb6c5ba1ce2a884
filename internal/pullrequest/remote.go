package pullrequest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/plumbing/transport/file"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"github.com/go-git/go-git/v5/storage/memory"
)

// objects are what was fetched for one call, in memory.
type objects struct {
	*memory.Storage
	left, most int64 // bytes
}

func (r *Repository) newObjects() *objects {
	return &objects{memory.NewStorage(), r.maxInflated, r.maxInflated}
}

// SetEncodedObject refuses what is more than may be kept.
func (o *objects) SetEncodedObject(object plumbing.EncodedObject) (plumbing.Hash, error) {
	if o.left -= object.Size(); o.left < 0 {
		return plumbing.ZeroHash, fmt.Errorf("%w: the repository is more than %d MiB unpacked", ErrTooLarge, o.most>>20)
	}
	return o.Storage.SetEncodedObject(object)
}

func (o *objects) has(h plumbing.Hash) bool { return o.HasEncodedObject(h) == nil }

// tips is what a remote shows before anything is fetched.
type tips struct {
	branches map[string]plumbing.Hash // by their short names
	byHash   bool                     // it gives objects by their hash
	lean     bool                     // and trees without their files' contents
}

// wish is what to fetch.
type wish struct {
	hashes []plumbing.Hash
	depth  int // commits; 0 for no limit
	lean   bool
}

// dial is how the remote is spoken to.
func (r *Repository) dial(ctx context.Context, g *guard) transport.Transport {
	switch r.scheme {
	case "file":
		return file.DefaultClient
	case "ssh":
		return r.secure(ctx, g)
	}
	return githttp.NewClient(g.client())
}

// exchange has one conversation with the remote, bounded in time, and makes
// something to show of its error.
func (r *Repository) exchange(ctx context.Context, talk func(ctx context.Context, t transport.Transport, ep *transport.Endpoint, auth transport.AuthMethod) error) error {
	ep, err := transport.NewEndpoint(r.endpoint)
	if err != nil {
		return refuse("read CICLO_GIT_REMOTE: %w", r.foreign(err))
	}
	var auth transport.AuthMethod
	if r.token != "" && r.scheme != "file" && r.scheme != "ssh" {
		auth = &githttp.BasicAuth{Username: r.user, Password: r.token}
	}
	once, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	g := r.guard(r.host, r.maxAnswer)
	var no *declined
	err = talk(once, r.dial(once, g), ep, auth)
	switch failed := g.failed(); {
	case err == nil:
		return nil
	case failed != nil:
		return failed
	case ctx.Err() != nil:
		return ctx.Err()
	case once.Err() != nil:
		return fmt.Errorf("%s gave no whole answer within %s: %w", r.host, r.timeout, once.Err())
	case errors.Is(err, exec.ErrNotFound):
		return refuse("a file:// remote needs git on this machine: %w", r.foreign(err))
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return refuse("%s: there is no repository there; is CICLO_GIT_REMOTE right?", r.host)
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return refuse("the repository is empty: it needs a first commit on %s", r.base)
	case Permanent(err):
		return err
	case errors.As(err, &no):
		return no
	case errors.Is(err, ErrTooLarge):
		return permanent{err}
	}
	return fmt.Errorf("speak to %s: %w", r.host, r.foreign(err))
}

// fetch looks at the remote's branches, and brings what choose wants of them; it
// may want nothing.
func (r *Repository) fetch(ctx context.Context, into *objects, choose func(tips) (wish, error)) (tips, error) {
	var seen tips
	err := r.exchange(ctx, func(ctx context.Context, t transport.Transport, ep *transport.Endpoint, auth transport.AuthMethod) (err error) {
		session, err := t.NewUploadPackSession(ep, auth)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, session.Close()) }()
		shown, err := session.AdvertisedReferencesContext(ctx)
		if err != nil {
			return err
		}
		can := shown.Capabilities
		seen = tips{branches: map[string]plumbing.Hash{}}
		seen.byHash = can.Supports(capability.AllowReachableSHA1InWant)
		seen.lean = seen.byHash && can.Supports(capability.Filter)
		for name, hash := range shown.References {
			if short, branch := strings.CutPrefix(name, "refs/heads/"); branch {
				seen.branches[short] = hash
			}
		}
		w, err := choose(seen)
		if err != nil || len(w.hashes) == 0 {
			return err
		}
		req := packp.NewUploadPackRequestFromCapabilities(can)
		req.Wants = w.hashes
		if w.depth > 0 {
			if !can.Supports(capability.Shallow) {
				return refuse("%s gives the whole history alone, which is not taken", r.host)
			}
			req.Depth = packp.DepthCommits(w.depth)
			if err := req.Capabilities.Set(capability.Shallow); err != nil {
				return err
			}
		}
		if w.lean && seen.lean {
			req.Filter = packp.FilterBlobNone()
			if err := req.Capabilities.Set(capability.Filter); err != nil {
				return err
			}
		}
		return r.unpack(ctx, into, session, req)
	})
	return seen, err
}

// unpack asks for a pack and keeps its objects.
func (r *Repository) unpack(ctx context.Context, into *objects, session transport.UploadPackSession, req *packp.UploadPackRequest) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answer, err := session.UploadPack(ctx, req)
	if err != nil {
		return err
	}
	var pack io.Reader = &bounded{answer, r.maxAnswer, r.maxAnswer}
	pack = demuxed(req.Capabilities, pack, nil)
	if err := packfile.UpdateObjectStorage(into, pack); err != nil {
		// A local git that still writes would be waited for: the context ends it.
		cancel()
		_, _ = io.Copy(io.Discard, answer)
		return errors.Join(err, answer.Close())
	}
	_, _ = io.Copy(io.Discard, answer)
	return answer.Close()
}

// demuxed is an answer without what is said beside it, which goes to progress.
func demuxed(can *capability.List, answer io.Reader, progress io.Writer) io.Reader {
	kind := sideband.Sideband
	switch {
	case can.Supports(capability.Sideband64k):
		kind = sideband.Sideband64k
	case !can.Supports(capability.Sideband):
		return answer
	}
	d := sideband.NewDemuxer(kind, answer)
	d.Progress = progress
	return d
}

// bounded is a reader that refuses to go on beyond a size.
type bounded struct {
	io.Reader
	left, most int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("%w: the repository's branch is more than %d MiB", ErrTooLarge, b.most>>20)
	}
	return n, err
}

// push makes a branch that isn't there yet. Where it has come to be there, or the
// remote won't have it, the error is a *declined.
func (r *Repository) push(ctx context.Context, from *objects, branch string, commit plumbing.Hash, made []plumbing.Hash) error {
	return r.exchange(ctx, func(ctx context.Context, t transport.Transport, ep *transport.Endpoint, auth transport.AuthMethod) (err error) {
		session, err := t.NewReceivePackSession(ep, auth)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, session.Close()) }()
		shown, err := session.AdvertisedReferencesContext(ctx)
		if err != nil {
			return err
		}
		if !shown.Capabilities.Supports(capability.ReportStatus) {
			return refuse("%s doesn't say whether a push went well", r.host)
		}
		var pack bytes.Buffer
		if _, err := packfile.NewEncoder(&pack, from, false).Encode(made, 0); err != nil {
			return err
		}
		req := packp.NewReferenceUpdateRequestFromCapabilities(shown.Capabilities)
		// From no hash at all: the remote itself refuses where the branch exists.
		req.Commands = []*packp.Command{{Name: plumbing.NewBranchReferenceName(branch), New: commit}}
		req.Packfile = io.NopCloser(&pack)
		var said bytes.Buffer
		if shown.Capabilities.Supports(capability.Sideband64k) {
			if err := req.Capabilities.Set(capability.Sideband64k); err != nil {
				return err
			}
			req.Progress = &said
		}
		report, err := session.ReceivePack(ctx, req)
		if report == nil {
			if err == nil {
				err = errors.New("the push was answered by nothing")
			}
			return err
		}
		if report.UnpackStatus != "ok" {
			return fmt.Errorf("the push was not unpacked: %s", r.clean(report.UnpackStatus))
		}
		for _, status := range report.CommandStatuses {
			if status.Status != "ok" {
				return &declined{r.clean(status.Status), r.clean(said.String())}
			}
		}
		return nil // what the session says afterwards, its end, changes nothing
	})
}

// declined says that the remote took the push and made no branch of it.
type declined struct{ reason, said string }

func (d *declined) Error() string {
	if d.said == "" {
		return d.reason
	}
	return d.reason + ": " + d.said
}

// byRule says whether a rule of the remote is the reason, which stays so.
func (d *declined) byRule() bool {
	for _, word := range []string{"hook declined", "protected", "deny", "denied", "prohibited", "rule violation", "not allowed", "forbidden"} {
		if strings.Contains(strings.ToLower(d.reason), word) {
			return true
		}
	}
	return false
}
