// Package clientvalue is the mathematical core of the Client Value Predictor:
// from the purchases of clients it computes how likely each client is still
// buying, how often and for how much they will buy, and what that is worth.
//
// The core is pure and deterministic: purchases in, numbers out, the same bytes
// for the same purchases in whatever order they come. It imports the standard
// library and gonum; databases, HTTP, clocks, logging and anything that knows
// where purchases come from never belong in it. The agent around it (agent.go,
// source.go, snapshot.go, write.go) reads the source and writes the scores.
//
// Time is in weeks (days/7) wherever a model works and in days since
// 1970-01-01 UTC (Day) wherever a calendar does. Money is in the caller's one
// currency.
//
// The stages are Summarise (purchases to histories), BackTest (which model
// forecasts better on the last third of the history), Fit and FitSpend (the
// parameters and how well they are known), ScoreAll (one Score a client) and
// AssignSegments; Predict runs them all. What they return has JSON tags, so that each can be a step of its
// own.
//
// Sources of the formulae:
//   - BG/NBD: Fader, Hardie & Lee, "Counting your customers" the easy way,
//     Marketing Science 24(2), 2005.
//   - MBG/NBD: Batislam, Denizel & Filiztekin, Empirical validation and
//     comparison of models for customer base analysis, International Journal
//     of Research in Marketing 24(3), 2007.
//   - Gamma-Gamma: Fader, Hardie & Lee, RFM and CLV, Journal of Marketing
//     Research 42(4), 2005; Fader & Hardie, The Gamma-Gamma model of monetary
//     value, 2013.
package clientvalue
