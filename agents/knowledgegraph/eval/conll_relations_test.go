package eval

import "testing"

func TestCoNLL04Relations(t *testing.T) {
	t.Parallel()
	figures, err := CoNLL04Relations(conllData(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if !f.Pass {
			t.Errorf("%s: %s, the target is %s", f.Name, f.Measured, f.Target)
		}
	}
}
