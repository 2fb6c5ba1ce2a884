// Command ciclo is Ciclo's command line.
package main

import (
	"os"

	"github.com/nuzantara/ciclo/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
