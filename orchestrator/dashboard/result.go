package dashboard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/nuzantara/ciclo/client"
)

// result is what an execution found, as a page shows it: of one of the kinds that
// are known by what they hold, or as it is.
type result struct {
	Values   *valuesResult
	Patterns *patternsResult
	Graph    *graphResult
	Sent     *sentResult
	Other    *nested
	// DryRun is what a dry run left out.
	DryRun *leftOut
}

type leftOut struct {
	Effects []string `json:"effects"`
	More    int      `json:"more_effects"`
}

// Count is how many effects there would have been.
func (l leftOut) Count() int { return len(l.Effects) + l.More }

// valuesResult is the Client Value Predictor's.
type valuesResult struct {
	AsOf           string         `json:"as_of"`
	HorizonDays    int            `json:"horizon_days"`
	Currency       string         `json:"currency"`
	Clients        int            `json:"clients"`
	RepeatBuyers   int            `json:"repeat_buyers"`
	Payments       int            `json:"payments"`
	Model          string         `json:"model"`
	TotalCLV       float64        `json:"total_clv"`
	Promise        string         `json:"promise"`
	Segments       map[string]int `json:"segments"`
	SegmentChanges int            `json:"segment_changes"`
	LowConfidence  bool           `json:"low_confidence"`
	Notes          []string       `json:"notes"`
	Purchases      struct{ Expected, Low, High float64 }
	Drafts         struct{ Slipping, Drafted int }
	Fits           []struct {
		Model      string             `json:"model"`
		Params     map[string]float64 `json:"params"`
		Errors     map[string]float64 `json:"standard_errors"`
		Converged  bool               `json:"converged"`
		Identified bool               `json:"identified"`
	} `json:"fits"`
	Top []struct {
		ID        string  `json:"client_id"`
		Name      *string `json:"name"`
		Segment   string  `json:"segment"`
		CLV       float64 `json:"clv"`
		Purchases float64 `json:"expected_purchases"`
		Churn     float64 `json:"churn_risk_90"`
	} `json:"top_clients"`
}

// segmentShare is how many clients are in a segment.
type segmentShare struct {
	Name    string
	Clients int
	Share   float64
}

// BySegment are the segments, the most valuable first.
func (r valuesResult) BySegment() []segmentShare {
	var all []segmentShare
	for _, name := range []string{"VIP", "HIGH", "MEDIUM", "LOW"} {
		s := segmentShare{Name: name, Clients: r.Segments[name]}
		if r.Clients > 0 {
			s.Share = float64(s.Clients) / float64(r.Clients)
		}
		all = append(all, s)
	}
	return all
}

// patternsResult is the Conversation Trainer's.
type patternsResult struct {
	From          string `json:"from"`
	AsOf          string `json:"as_of"`
	Conversations int    `json:"conversations"`
	Won           int    `json:"won"`
	Features      *int   `json:"features_tested"`
	Found         int    `json:"patterns_found"`
	Confirmed     int    `json:"patterns_confirmed"`
	Top           []struct {
		Feature    string    `json:"feature"`
		Confirmed  bool      `json:"confirmed"`
		Difference *estimate `json:"risk_difference"`
		Later      *estimate `json:"later_risk_difference"`
	} `json:"top_patterns"`
	Notes    []string `json:"notes"`
	Proposal *struct {
		Status, Reason, ID, URL string
		Lines                   int
	} `json:"proposal"`
}

// estimate is a difference of shares with its interval.
type estimate struct{ Low, High, Estimate float64 }

// graphResult is the Knowledge Graph Builder's.
type graphResult struct {
	From     string `json:"from"`
	Messages *struct {
		Due, Gone, Omitted int
		Graph              int `json:"in_graph"`
	} `json:"messages"`
	Mentions   map[string]int                         `json:"mentions"`
	Entities   map[string]int                         `json:"entities"`
	Edges      map[string]int                         `json:"edges"`
	Resolution *struct{ Merges, Splits, Reviews int } `json:"resolution"`
	Changes    struct {
		NewEntities  int `json:"new_entities"`
		GoneEntities int `json:"gone_entities"`
		NewEdges     int `json:"new_edges"`
		EndedEdges   int `json:"ended_edges"`
	} `json:"changes"`
	Top []struct {
		ID            string `json:"entity_id"`
		Type, Name    string
		Conversations int
	} `json:"top"`
	Notes []string `json:"notes"`
}

// counted is a name and how often.
type counted struct {
	Name  string
	Count int
}

// most are counts by name, the greatest first.
func most(counts map[string]int) []counted {
	var all []counted
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, counted{name, counts[name]})
	}
	slices.SortStableFunc(all, func(a, b counted) int { return cmp.Compare(b.Count, a.Count) })
	return all[:min(len(all), nestedList)]
}

// sentResult is the message sender's.
type sentResult struct {
	MessageID  string `json:"message_id"`
	Sent       *bool  `json:"sent"`
	ProviderID string `json:"provider_id"`
	Reason     string `json:"reason"`
	NotBefore  string `json:"not_before"`
	// Message is the message, where it is still there.
	Message *client.Message `json:"-"`
}

// Left reports whether the channel has the message.
func (r sentResult) Left() bool { return r.Sent != nil && *r.Sent }

// readResult is nil where there is none.
func readResult(ctx context.Context, v *Visit, e client.Execution) (*result, error) {
	if len(e.Result) == 0 || string(e.Result) == "null" {
		return nil, nil //nolint:nilnil // an execution without a result is none
	}
	var r result
	if e.DryRun {
		var dry struct {
			DryRun *leftOut `json:"dry_run"`
		}
		if json.Unmarshal(e.Result, &dry) == nil {
			r.DryRun = dry.DryRun
		}
	}
	var values valuesResult
	var patterns patternsResult
	var graph graphResult
	var sent sentResult
	switch {
	case json.Unmarshal(e.Result, &values) == nil && values.Segments != nil && values.Fits != nil:
		r.Values = &values
	case json.Unmarshal(e.Result, &patterns) == nil && patterns.Features != nil:
		r.Patterns = &patterns
	case json.Unmarshal(e.Result, &graph) == nil && graph.Messages != nil && graph.Resolution != nil:
		r.Graph = &graph
	case json.Unmarshal(e.Result, &sent) == nil && sent.MessageID != "" && sent.Sent != nil:
		r.Sent = &sent
		m, err := v.API.Message(ctx, sent.MessageID)
		var p *client.Problem
		switch {
		case err == nil:
			sent.Message = &m
		case !errors.As(err, &p) || p.Status != http.StatusNotFound: // one that was erased is gone
			return nil, err
		}
	default:
		r.Other = nestedOf(e.Result)
	}
	return &r, nil
}
