// Package config reads a program's configuration from flags and environment by
// kong, finds everything that is wrong with it at once, and tells it as a report:
// for the program's start, for `ciclo config check` and for docs/configuration.md.
//
// A program's configuration is a struct of kong's. What this package adds:
//   - a variable that is set to nothing counts as not set;
//   - NAME and NAME_FILE are a pair: a secret that may stand in a file;
//   - a part of the struct may say what is wrong across its fields: Check() error, and
//     what is odd: Warn() error. Both may join several errors, each of which begins
//     with the name of its variable and shows no secret;
//   - fields of the tag `kong:"-" config:"environment"` are structs of variables that
//     are no flags.
//
// Imports: kong. Never a package of Ciclo.
package config
