package relations

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// planted are sentences in which "for" says a relation of a and b, and "against"
// says none; fillers and names are by the seed.
func planted(n int, seed uint64) []Example {
	r := rand.New(rand.NewPCG(seed, 1))
	var all []Example
	for i := range n {
		verb, relation := "for", "work"
		if i%3 == 0 {
			verb, relation = "against", ""
		}
		words := strings.Fields(fmt.Sprintf("so name%d is %s firm%d w%d", r.IntN(50), verb, r.IntN(50), r.IntN(9)))
		s := Sentence{words, []Argument{{1, 2, "a", .9}, {4, 5, "b", .9}}}
		all = append(all, Example{s, 0, 1, relation}, Example{s, 1, 0, ""})
	}
	return all
}

func TestModelLearnsWhatSaysARelation(t *testing.T) {
	t.Parallel()
	m, err := Train(planted(200, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range planted(100, 2) {
		likely := m.Relations(e.Sentence, e.Subject, e.Object)
		if e.Subject == 1 {
			if likely != nil {
				t.Fatalf("types that never had a relation have %v", likely)
			}
			continue
		}
		if p := likely[0].Probability; likely[0].Relation != "work" || (p > .5) != (e.Relation == "work") {
			t.Fatalf("%v: %v", e.Sentence.Words, likely)
		}
	}
}

func TestSeveralRelationsOfOnePairOfTypes(t *testing.T) {
	t.Parallel()
	examples := planted(200, 1)
	for i := range examples {
		if examples[i].Relation == "" && examples[i].Subject == 0 {
			examples[i].Relation = "fight"
		}
	}
	m, err := Train(examples)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range examples[:50] {
		if e.Subject == 1 {
			continue
		}
		likely := m.Relations(e.Sentence, e.Subject, e.Object)
		if likely[0].Relation != e.Relation || len(likely) != 2 || likely[0].Probability < likely[1].Probability {
			t.Fatalf("%v: %v", e.Sentence.Words, likely)
		}
		if sum := likely[0].Probability + likely[1].Probability; sum > 1 {
			t.Fatalf("probabilities of %v", sum)
		}
	}
}

func TestOrderOfExamplesDoesNotMatter(t *testing.T) {
	t.Parallel()
	examples := planted(100, 3)
	first, err := Train(examples)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(5) {
		r := rand.New(rand.NewPCG(seed, 2))
		shuffled := slices.Clone(examples)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		again, err := Train(shuffled)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Encode(), again.Encode()) {
			t.Fatal("another order gives another model")
		}
	}
}

func TestNothingToLearn(t *testing.T) {
	t.Parallel()
	for _, examples := range [][]Example{nil, {{planted(1, 1)[0].Sentence, 0, 1, ""}}} {
		if _, err := Train(examples); !errors.Is(err, ErrNothingToLearn) {
			t.Errorf("trained on %v: %v", examples, err)
		}
	}
}

// The gradient of the loss is that of its differences.
func TestGradient(t *testing.T) {
	t.Parallel()
	m := &Model{relations: []string{"fight", "work"}, allowed: map[types][]int{{"a", "b"}: {0, 1}, {"b", "a"}: {1}}}
	f := m.prepare(planted(12, 4))
	x := make([]float64, len(f.parameters))
	r := rand.New(rand.NewPCG(1, 3))
	for i := range x {
		x[i] = r.NormFloat64()
	}
	gradient := make([]float64, len(x))
	f.loss(x, gradient)
	const step = 1e-5
	other := make([]float64, len(x))
	for i := range x {
		at := x[i]
		x[i] = at + step
		up := f.loss(x, other)
		x[i] = at - step
		down := f.loss(x, other)
		x[i] = at
		if slope := (up - down) / 2 / step; math.Abs(slope-gradient[i]) > 1e-4*(1+math.Abs(slope)) {
			t.Fatalf("parameter %d: slope %v, gradient %v", i, slope, gradient[i])
		}
	}
}

// Of a quadratic function, whose curvatures are from 1 to 1000, and of one without end.
func TestMinimum(t *testing.T) {
	t.Parallel()
	curvature := func(i int) float64 { return math.Pow(10, 3*float64(i)/19) }
	got, err := minimum(20, func(x, gradient []float64) float64 {
		sum := 0.
		for i := range x {
			d := x[i] - float64(i)
			sum += curvature(i) / 2 * d * d
			gradient[i] = curvature(i) * d
		}
		return sum
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if math.Abs(got[i]-float64(i)) > flat/curvature(i) {
			t.Errorf("variable %d is %v", i, got[i])
		}
	}
	if _, err := minimum(1, func(x, gradient []float64) float64 { gradient[0] = -1; return -x[0] }); err == nil {
		t.Error("a slope without end has a minimum")
	}
	if _, err := minimum(1, func(x, gradient []float64) float64 { gradient[0] = -1; return x[0] }); err == nil {
		t.Error("a wrong gradient leads to a minimum")
	}
}

func TestDecodeWhatWasEncoded(t *testing.T) {
	t.Parallel()
	examples := planted(50, 5)
	m, err := Train(examples)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(m.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if again.Version() != m.Version() {
		t.Error("another version")
	}
	for _, e := range examples {
		if diff := cmp.Diff(m.Relations(e.Sentence, e.Subject, e.Object), again.Relations(e.Sentence, e.Subject, e.Object)); diff != "" {
			t.Fatal(diff)
		}
	}
	other, err := Train(planted(50, 6))
	if err != nil {
		t.Fatal(err)
	}
	if other.Version() == m.Version() {
		t.Error("two models of one version")
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	m, err := Train(planted(20, 7))
	if err != nil {
		t.Fatal(err)
	}
	b := m.Encode()
	for n := range b {
		if _, err := Decode(b[:n]); err == nil {
			t.Fatalf("its first %d bytes of %d are a model", n, len(b))
		}
	}
	if _, err := Decode(append(slices.Clone(b), 0)); err == nil {
		t.Error("a byte more is a model")
	}
	huge := append([]byte(magic), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)
	if _, err := Decode(huge); err == nil {
		t.Error("a count of more than there is")
	}
}

func FuzzDecode(f *testing.F) {
	m, err := Train(planted(5, 8))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.Encode())
	f.Add([]byte(magic))
	f.Add([]byte(magic + "\x01\x01a\x01\x01a\x01a\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(m.Encode(), b) {
			t.Fatal("it encodes to other bytes")
		}
		m.Relations(planted(1, 9)[0].Sentence, 0, 1)
	})
}
