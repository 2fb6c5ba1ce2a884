package orchestrator

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/internal/erasure"
)

// eraseRequest is what is to be erased of a client. The body may be left out.
type eraseRequest struct {
	Payments bool `json:"payments,omitempty" jsonschema:"The payments in the default tables too; otherwise they stay as accounting records without a name."`
	DryRun   bool `json:"dry_run,omitempty" jsonschema:"Change nothing and count the rows."`
}

var errUnknownClient = newProblem(http.StatusNotFound, "client-unknown", "No such client", "neither the firm's views nor Ciclo's tables have anything of this id")

// eraseTime is what a request erases itself; the loop goes on with the rest.
const eraseTime = requestTimeout - 3*time.Second

func (o *Orchestrator) eraseClient(c echo.Context) (erasure.Erasure, error) {
	if err := noQuery(c); err != nil {
		return erasure.Erasure{}, err
	}
	var r eraseRequest
	if err := readJSON(c, &r); err != nil {
		return erasure.Erasure{}, err
	}
	id, err := clientID(c)
	if err != nil {
		return erasure.Erasure{}, errUnknownClient
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), eraseTime)
	defer cancel()
	erased, err := o.erasures.Erase(ctx, erasure.Request{ClientID: id, By: granted(c).name, Payments: r.Payments, DryRun: r.DryRun})
	if errors.Is(err, erasure.ErrNoClient) {
		err = errUnknownClient
	}
	return erased, err
}

// eraseEvery is the time between two looks for erasures that wait for others, or that
// were interrupted.
const eraseEvery = 5 * time.Second

// eraser carries erasures on. Every orchestrator has one; two that erase one client
// wait for each other.
type eraser struct {
	erasures *erasure.Erasures
	log      *slog.Logger
}

func (e *eraser) run(ctx context.Context) {
	wait, stop := every(ctx, eraseEvery)
	defer stop()
	loop(ctx, e.log, "erasures wait until the database answers", "erasures go on", wait, e.erasures.CarryOn)
}
