package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Erasure is how far the erasure of a client's data is. See the API for the fields.
type Erasure struct {
	ClientID string       `json:"client_id"`
	DryRun   bool         `json:"dry_run"`
	ErasedAt time.Time    `json:"erased_at"`
	ErasedBy string       `json:"erased_by"`
	Payments bool         `json:"payments"`
	EndedAt  *time.Time   `json:"ended_at"`
	WaitsFor []string     `json:"waits_for"`
	Rows     []ErasedRows `json:"rows"`
	Firm     []string     `json:"firm"`
}

// ErasedRows are the rows of a table that were deleted or changed.
type ErasedRows struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// EraseClient erases a client's data, with the payments where they are asked for, or
// counts it where it is a dry run. Asked again it says how far it is.
func (c *Client) EraseClient(ctx context.Context, id string, payments, dryRun bool) (Erasure, error) {
	return answer[Erasure](ctx, c, http.MethodPost, "/clients/"+url.PathEscape(id)+"/erase", nil, struct {
		Payments bool `json:"payments,omitempty"`
		DryRun   bool `json:"dry_run,omitempty"`
	}{payments, dryRun})
}
