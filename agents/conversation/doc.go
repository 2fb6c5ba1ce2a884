// Package conversation is the core of the Conversation Trainer: from
// conversations that were won or lost it finds what the agent's turns of one kind
// have more often than those of the other.
//
// The core is pure and deterministic: conversations in, patterns out, the same
// bytes for the same conversations in whatever order their rows come. It imports
// the standard library and gonum; databases, HTTP, clocks and logging never belong
// in it. The agent around it (agent.go, source.go, patterns.go) reads the source
// and writes the patterns.
//
// The stages: a Collector takes in messages and keeps of them the tokens of the
// agent's turns before the outcome (Corpus); Features are what a conversation has or
// has not; Rank orders n-grams; Test asks each feature, with the conversation as the
// unit, in the earlier 70 % of the conversations; Confirm asks those that were found
// once more in the later 30 %. What a client wrote is never a feature: of the
// client's turns the core takes the times alone.
//
// What is found is association, not cause.
//
// Memory: 4 bytes for each token of an agent's turn, some 100 bytes a message while
// they are collected, up to 12 bytes a token for which conversation has which
// n-gram, and 16 MB a core for the sketch that keeps rare n-grams out of the exact
// count. MaxTokens bounds it all.
//
// Sources of the formulae:
//   - Log-odds with an informative Dirichlet prior: Monroe, Colaresi & Quinn,
//     Fightin' words, Political Analysis 16(4), 2008.
//   - Exact conditional test over strata: Birch, The detection of partial
//     association I, JRSS B 26(2), 1964; the normal approximation with continuity
//     correction: Mantel & Haenszel, JNCI 22(4), 1959.
//   - Risk difference over strata: Greenland & Robins, Biometrics 41(1), 1985, with
//     the variance of Sato, Biometrics 45(4), 1989.
//   - Odds ratio over strata: Mantel & Haenszel, with the variance of Robins, Breslow
//     & Greenland, Biometrics 42(2), 1986.
//   - False discoveries: Benjamini & Hochberg, JRSS B 57(1), 1995.
package conversation
