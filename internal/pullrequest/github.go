package pullrequest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-github/v89/github"
)

const (
	stateOpen   = "open"
	stateClosed = "closed"
	stateMerged = "merged"
)

// gitHub is where pull requests are opened.
type gitHub struct {
	api         string // with a / at its end
	host        string
	owner, name string
}

// newGitHub is the GitHub of a remote; nil where it has none.
func newGitHub(c Config, remote *url.URL) (*gitHub, error) {
	api := c.API
	if api == "" {
		host := strings.ToLower(remote.Hostname())
		if host != "github.com" && (host != "ssh.github.com" || remote.Scheme != "ssh") { // its SSH on port 443
			return nil, nil
		}
		api = "https://api.github.com"
	}
	u, err := url.Parse(api)
	switch {
	case err != nil || !printable(api) || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return nil, errors.New("CICLO_GITHUB_API is no URL such as https://host/api/v3")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("CICLO_GITHUB_API must be a host and a path alone")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, errors.New("CICLO_GITHUB_API is http://, where everyone on the way reads the token: use https://")
	case c.Token == "":
		return nil, errors.New("CICLO_GIT_TOKEN is not set: GitHub opens pull requests for no one without")
	}
	parts := strings.Split(strings.Trim(remote.Path, "/"), "/")
	if len(parts) < 2 {
		return nil, errors.New("CICLO_GIT_REMOTE must end with owner/name for pull requests on GitHub")
	}
	owner, name := parts[len(parts)-2], strings.TrimSuffix(parts[len(parts)-1], ".git")
	for _, part := range []string{owner, name} {
		if part == "" || strings.ContainsAny(part, "%?#: ") {
			return nil, errors.New("CICLO_GIT_REMOTE must end with owner/name for pull requests on GitHub")
		}
	}
	return &gitHub{strings.TrimSuffix(u.String(), "/") + "/", u.Host, owner, name}, nil
}

// pull is a pull request.
type pull struct {
	number     int
	url, state string
}

// call asks GitHub once, bounded in time, and makes something to show of its
// error. What GitHub itself refuses with 422 is a *github.ErrorResponse.
func (r *Repository) call(ctx context.Context, ask func(ctx context.Context, c *github.Client) error) error {
	once, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	g := r.guard(r.github.host, 8<<20)
	upload := r.github.api // never used; go-github's default is another host
	client, err := github.NewClient(github.WithHTTPClient(g.client()), github.WithURLs(&r.github.api, &upload),
		github.WithAuthToken(r.token), github.WithUserAgent("ciclo"), github.WithDisableRateLimitCheck())
	if err != nil {
		return refuse("make GitHub's client: %w", r.foreign(err))
	}
	err = ask(once, client)
	var invalid *github.ErrorResponse
	switch failed := g.failed(); {
	case err == nil:
		return nil
	case failed != nil:
		return failed
	case ctx.Err() != nil:
		return ctx.Err()
	case once.Err() != nil:
		return fmt.Errorf("%s gave no whole answer within %s: %w", r.github.host, r.timeout, once.Err())
	case errors.As(err, &invalid) && invalid.Response.StatusCode == http.StatusUnprocessableEntity:
		return invalid
	}
	return fmt.Errorf("ask %s: %w", r.github.host, r.foreign(err))
}

// pull finds the pull request of a branch: one that is open before one that
// ended, a later one before an earlier; nil where there is none.
func (r *Repository) pull(ctx context.Context, branch string) (*pull, error) {
	var all []*github.PullRequest
	err := r.call(ctx, func(ctx context.Context, c *github.Client) (err error) {
		all, _, err = c.PullRequests.List(ctx, r.github.owner, r.github.name, &github.PullRequestListOptions{
			State: "all", Head: r.github.owner + ":" + branch, ListOptions: github.ListOptions{PerPage: 100},
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list pull requests: %w", r.unprocessable(err))
	}
	var best *github.PullRequest
	for _, p := range all {
		// A filter that GitHub doesn't understand is left out by it; forks may have a
		// branch of that name.
		of := p.GetHead().GetRepo().GetFullName()
		if p.GetHead().GetRef() != branch || of != "" && !strings.EqualFold(of, r.github.owner+"/"+r.github.name) {
			continue
		}
		open, was := p.GetState() == stateOpen, best.GetState() == stateOpen
		if best == nil || open && !was || open == was && p.GetNumber() > best.GetNumber() {
			best = p
		}
	}
	if best == nil {
		return nil, nil
	}
	return r.readPull(best)
}

// readPull takes over what is known of a pull request.
func (r *Repository) readPull(p *github.PullRequest) (*pull, error) {
	at, err := url.Parse(p.GetHTMLURL())
	if err != nil || at.Scheme != "https" && at.Scheme != "http" || at.Host == "" || p.GetNumber() <= 0 || r.clean(p.GetHTMLURL()) != p.GetHTMLURL() {
		return nil, fmt.Errorf("%s answered with a pull request that has no number or address", r.github.host)
	}
	state := stateClosed
	switch {
	case p.GetState() == stateOpen:
		state = stateOpen
	case p.MergedAt != nil || p.GetMerged():
		state = stateMerged
	}
	return &pull{p.GetNumber(), at.String(), state}, nil
}

// openPull opens the pull request of a branch that was pushed. existed says that
// somebody else was quicker.
func (r *Repository) openPull(ctx context.Context, p Proposal) (made *pull, existed bool, err error) {
	branch, title := p.branch(), strings.TrimSpace(p.Title)
	var answer *github.PullRequest
	err = r.call(ctx, func(ctx context.Context, c *github.Client) (err error) {
		answer, _, err = c.PullRequests.Create(ctx, r.github.owner, r.github.name, &github.NewPullRequest{
			Title: &title, Head: &branch, Base: &r.base, Body: &p.Body,
		})
		return err
	})
	if err == nil {
		made, err = r.readPull(answer)
		return made, false, err
	}
	var invalid *github.ErrorResponse
	if errors.As(err, &invalid) {
		if made, err := r.pull(ctx, branch); err != nil || made != nil {
			return made, made != nil, err
		}
	}
	return nil, false, fmt.Errorf("open the pull request: %w", r.unprocessable(err))
}

// unprocessable says what GitHub found wrong with a request that it understood.
// What may be a matter of time, as a branch that it hasn't seen yet, isn't permanent.
func (r *Repository) unprocessable(err error) error {
	var invalid *github.ErrorResponse
	if !errors.As(err, &invalid) {
		return err
	}
	reasons := []string{invalid.Message}
	soon := false
	for _, e := range invalid.Errors {
		reasons = append(reasons, strings.TrimSpace(e.Field+" "+e.Code+" "+e.Message))
		soon = soon || e.Field == "head" || strings.Contains(strings.ToLower(e.Message), "already exists")
	}
	text := fmt.Sprintf("%s answered 422: %s", r.github.host, r.clean(strings.Join(reasons, "; ")))
	switch {
	case strings.Contains(text, "No commits between"):
		return permanent{fmt.Errorf("%w: %s", ErrNothing, text)}
	case soon:
		return errors.New(text)
	}
	return refuse("%s", text)
}
