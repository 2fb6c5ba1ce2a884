package demo

import (
	"fmt"
	"os"
	"testing"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

func TestMain(m *testing.M) {
	fingerprint, err := postgres.SchemaFingerprint()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testdatabase.Main(m, testdatabase.Options{Migrate: postgres.Migrate, Fingerprint: fingerprint})
}
