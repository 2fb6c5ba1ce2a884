package eval

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/resolution"
)

func TestFebrl(t *testing.T) {
	t.Parallel()
	reached(t, Febrl)
}

func TestDBLPACM(t *testing.T) {
	t.Parallel()
	reached(t, DBLPACM)
}

func TestFiguresNeedTheirData(t *testing.T) {
	t.Parallel()
	for name, measure := range map[string]func(string) ([]Figure, error){"Febrl": Febrl, "DBLP-ACM": DBLPACM} {
		if figures, err := measure(t.TempDir()); err == nil {
			t.Errorf("%s measured %v of nothing", name, figures)
		}
	}
}

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFebrl(t *testing.T) {
	t.Parallel()
	const header = "rec_id, given_name, surname, street_number, address_1, address_2, suburb, postcode, state, date_of_birth, soc_sec_id\n"
	rows, person, err := readFebrl(written(t, header+"rec-7-dup-0, , mc donald, 6, , , st james, 4011, wa, 19081209, 6988048\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []resolution.Row{{ID: "rec-7-dup-0", Columns: [][]string{nil, {"mcdonald"}, {"6"}, nil, nil, {"stjames"}, {"4011"}, {"wa"}, {"19081209"}, {"6988048"}}}}
	if !reflect.DeepEqual(rows, want) || person["rec-7-dup-0"] != "rec-7" {
		t.Errorf("got %v of %v, want %v of rec-7", rows, person, want)
	}
	for name, text := range map[string]string{"nothing": "", "too few columns": header + "rec-1-org, a\n"} {
		if _, _, err := readFebrl(written(t, text)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func TestReadPublications(t *testing.T) {
	t.Parallel()
	const a = "COL title VAL The B &#246; hm tree COL authors VAL j. b &#246; hm , a. lee COL venue VAL VLDB J. COL year VAL 2001 "
	const b = "COL title VAL trees COL authors VAL COL venue VAL COL year VAL "
	got, err := readPublications(written(t, a+"\t"+b+"\t1\n"))
	if err != nil {
		t.Fatal(err)
	}
	first := publication{"the bohm tree", []string{"the", "bohm", "tree"}, [][]string{{"j", "bohm"}, {"a", "lee"}}, "vldb j", 2001}
	if len(got) != 1 || !got[0].match || !reflect.DeepEqual(got[0].a, first) {
		t.Fatalf("got %+v", got)
	}
	if second := got[0].b; second.title != "trees" || second.authors != nil || second.venue != "" || !math.IsNaN(second.year) {
		t.Errorf("got %+v", second)
	}
	for i, f := range newDescriber(got).features(got[0]) {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			t.Errorf("feature %d of what is missing is %v", i, f)
		}
	}
	for name, text := range map[string]string{"one record": a + "\t1\n", "no label": a + "\t" + b + "\t\n", "no columns": "a\tb\t1\n"} {
		if _, err := readPublications(written(t, text)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	found := tally{matches: 4}
	if found.f1() != 0 || found.precision() != 0 {
		t.Error("nothing found is worth something")
	}
	for _, match := range []bool{true, true, true, false} {
		found.add(match)
	}
	if found.precision() != .75 || found.recall() != .75 || found.f1() != .75 {
		t.Errorf("precision %v, recall %v, F1 %v, want .75", found.precision(), found.recall(), found.f1())
	}
	// Two bins: .9 said twice and so once; 0 said twice and never so.
	if got, want := calibrationError([]float64{.9, .9, 0, 0}, []bool{true, false, false, false}), .2; math.Abs(got-want) > 1e-12 {
		t.Errorf("calibration error %v, want %v", got, want)
	}
	if got := calibrationError(nil, nil); got != 0 {
		t.Errorf("calibration error of nothing %v", got)
	}
}
