package dashboard

import (
	"context"
	"html/template"
	"net/http"
	"net/url"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/orchestrator/dashboard/chart"
)

// reviewsView are pairs that may be one.
type reviewsView struct {
	Status   string
	Statuses []string
	Reviews  []reviewView
	otherPages
}

// reviewView is a pair with what speaks for and against it.
type reviewView struct {
	client.Review
	Chart template.HTML
	Sum   float64
}

var reviewStatuses = []string{"open", "same", "different", "obsolete"}

func readReviews(ctx context.Context, v *Visit) (any, error) {
	asked := v.URL.Query()
	r := reviewsView{Status: "open", Statuses: reviewStatuses}
	query := url.Values{"limit": {"10"}}
	if status := asked.Get("status"); status != "" {
		r.Status = status
		query.Set("status", status)
	}
	if cursor := asked.Get("cursor"); cursor != "" {
		query.Set("cursor", cursor)
	}
	found, err := v.API.Reviews(ctx, query)
	if err != nil {
		return nil, err
	}
	for _, one := range found.Reviews {
		seen := reviewView{Review: one}
		var all []chart.Weighed
		for _, f := range one.Fields {
			all = append(all, chart.Weighed{Name: readable(f.Name) + ": " + readable(f.Level), Bits: f.Bits})
			seen.Sum += f.Bits
		}
		if len(all) > 0 {
			seen.Chart = chart.Bits("What speaks for and against "+one.A.Name+" and "+one.B.Name+" being one", "In bits; the table beneath has the same", all)
		}
		r.Reviews = append(r.Reviews, seen)
	}
	r.otherPages = otherPagesOf(v.URL.Path, v.URL.Query(), found.NextCursor)
	return r, nil
}

// decideReview takes a person's answer to a review.
func decideReview(ctx context.Context, v *Visit) (next, said string, err error) {
	answer := v.PostForm.Get("answer")
	if answer != "same" && answer != "different" {
		return "", "", &client.Problem{Status: http.StatusUnprocessableEntity, Title: "There is no answer", Detail: "say whether both are the same"}
	}
	if _, err := v.API.DecideReview(ctx, v.PathValue("id"), answer == "same"); err != nil {
		return "", "", err
	}
	if answer == "same" {
		return "/graph/reviews", "Both are one now.", nil
	}
	return "/graph/reviews", "They stay two.", nil
}
