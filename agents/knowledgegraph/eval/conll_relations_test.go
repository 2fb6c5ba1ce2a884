package eval

import (
	"os"
	"testing"
)

func TestConllRelations(t *testing.T) {
	const data = "../../../../shared/data"
	if _, err := os.Stat(data + "/conll04"); err != nil {
		t.Skip("no CoNLL04 beside the project: ", err)
	}
	figures, err := CoNLL04Relations(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		t.Logf("%s: %s against %s", f.Name, f.Measured, f.Target)
		if !f.Pass {
			t.Errorf("%s: missed", f.Name)
		}
	}
}
