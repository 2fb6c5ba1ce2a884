package orchestrator

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

// Due is decided by the database's clock: nothing on the way from a schedule to its
// cycle asks this machine's, which may be ten minutes off.
func TestNobodyAsksThisMachinesClock(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"scheduler.go", "../internal/schedule/schedule.go", "../internal/plan/plan.go", "../internal/plan/advance.go",
		"../internal/postgres/schedules.go", "../internal/postgres/cycles.go",
	} {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok {
				if of, ok := call.X.(*ast.Ident); ok && of.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, call.Sel.Name) {
					t.Errorf("%s asks for time.%s", path, call.Sel.Name)
				}
			}
			return true
		})
	}
}
