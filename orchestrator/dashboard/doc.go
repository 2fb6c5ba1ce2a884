// Package dashboard is the orchestrator's pages for people. It is a client of the
// API like any other, through package client, in the same process: what a page
// shows or does, the API gives and refuses, with the visitor's scopes and in the
// audit log. It reads no database and knows no agent's code.
//
// A page is one file here (what it reads, and what its forms do), one template in
// templates/ and one line in pages.go. Parts of a template that change by
// themselves are templates named part:…; live.go sends them anew. Charts are SVG
// made in chart/. No page loads anything from elsewhere, has a style or a script in
// itself, or needs a script but for its live parts.
package dashboard
