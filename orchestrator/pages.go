package orchestrator

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/orchestrator/dashboard"
)

// mountDashboard serves the pages for people, which find out by themselves who asks.
func (o *Orchestrator) mountDashboard() error {
	pages, err := dashboard.New(dashboard.Config{
		Visitor: o.visitor, SignIn: o.signIn, SignOut: o.signOut,
		Wait:    func(name string) time.Duration { return o.limits.wait(name, time.Now()) },
		Stopped: o.watch.stopped, Zone: o.cfg.Zone, Version: o.cfg.Version, Log: o.cfg.Log.With("component", "dashboard"),
	})
	if err != nil {
		return err
	}
	o.pages = pages
	for _, pattern := range dashboard.Patterns() {
		o.open[pattern], o.paged[pattern] = true, true
		o.echo.Match([]string{http.MethodGet, http.MethodHead, http.MethodPost}, pattern, echo.WrapHandler(pages))
	}
	return nil
}
