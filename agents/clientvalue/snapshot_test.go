package clientvalue

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPaymentsSurvivePacking(t *testing.T) {
	t.Parallel()
	purchases := []Purchase{
		{"a", math.MinInt32, 1e12}, {"a", 5, .001}, {"a", 5, -3.10}, {"a", math.MaxInt32, 19.99},
		{"b", -7, 0}, {"b", 9, 1e308}, {"b", 9, math.Copysign(0, -1)}, {"b", 9, 1. / 3},
		{strings.Repeat("é", 500), 1, 2},
	}
	for i := range 500_000 { // of one client, over several parts
		purchases = append(purchases, Purchase{"many", int32(i), float64(i) / 100})
	}
	parts := pack(purchases)
	var got []Purchase
	for _, part := range parts {
		var err error
		if got, err = unpack(got, part); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(purchases, got); diff != "" {
		t.Errorf("through packing (-before +after):\n%.2000s", diff)
	}
	if len(parts) < 2 || len(pack(nil)) != 0 {
		t.Errorf("%d parts", len(parts))
	}
	for cut := 1; cut < 20; cut++ {
		if _, err := unpack(nil, parts[0][:cut]); !errors.Is(err, errPacked) && cut != 0 {
			t.Errorf("a part cut after %d bytes: %v", cut, err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{})
	for _, part := range pack([]Purchase{{"a", 5, .001}, {"a", 7, 1.25}, {"b", -1, -3}}) {
		f.Add(part)
	}
	f.Fuzz(func(t *testing.T, part []byte) {
		purchases, err := unpack(nil, part)
		if err != nil && !errors.Is(err, errPacked) {
			t.Errorf("error %v has no sentinel", err)
		}
		if len(purchases) > len(part) {
			t.Errorf("%d purchases of %d bytes", len(purchases), len(part))
		}
	})
}
