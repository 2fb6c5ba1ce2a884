package dashboard

import (
	"context"
	"net/url"

	"golang.org/x/sync/errgroup"

	"github.com/nuzantara/ciclo/client"
)

// auditView is who changed what, and whether what is stored is whole.
type auditView struct {
	Changes client.ChangePage
	// Audit is nil unless it was asked for: it reads a day's histories.
	Audit *client.Audit
	otherPages
}

func audit() page {
	return page{path: "/audit", section: "Audit", template: "audit.html", read: readAudit}
}

func readAudit(ctx context.Context, v *Visit) (any, error) {
	given := v.URL.Query()
	var a auditView
	ask, ctx := errgroup.WithContext(ctx)
	ask.Go(func() (err error) {
		query := url.Values{"limit": {"50"}}
		if given.Has("cursor") {
			query["cursor"] = given["cursor"]
		}
		a.Changes, err = v.API.Changes(ctx, query)
		return err
	})
	if given.Has("check") {
		ask.Go(func() error {
			found, err := v.API.Audit(ctx)
			a.Audit = &found
			return err
		})
	}
	if err := ask.Wait(); err != nil {
		return nil, err
	}
	a.otherPages = otherPagesOf(v.URL.Path, given, a.Changes.NextCursor)
	return a, nil
}
