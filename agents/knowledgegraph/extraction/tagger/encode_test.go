package tagger

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"testing"
)

func small(tb testing.TB) *Model {
	tb.Helper()
	m, err := Train(newGrammar(6).sentences(40), quick)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func TestEncodeAndDecode(t *testing.T) {
	t.Parallel()
	m := small(t)
	b := m.Encode()
	again, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Encode(), b) || again.Version() != m.Version() {
		t.Error("the bytes of what was decoded are others")
	}
	r, s := m.NewReader(), again.NewReader()
	for _, sentence := range newGrammar(7).sentences(100) {
		if got, want := s.Read(sentence.Tokens, nil), r.Read(sentence.Tokens, nil); !slices.Equal(got, want) {
			t.Fatalf("%q: %v, before it was %v", sentence.Tokens, got, want)
		}
	}
	other := quick
	other.Seed = 2
	if n, err := Train(newGrammar(6).sentences(40), other); err != nil || n.Version() == m.Version() {
		t.Errorf("another model has the same version (%v)", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	b := small(t).Encode()
	for name, bad := range map[string][]byte{
		"nothing":        nil,
		"garbage":        []byte("ciclo tagger 1\nand something that is no model"),
		"other magic":    append([]byte("ciclo tagger 2\n"), b[len(magic):]...),
		"more behind":    append(slices.Clone(b), 0),
		"too many":       make([]byte, maxBytes+1),
		"magic alone":    []byte(magic),
		"sum of nothing": sealed([]byte(magic)),
	} {
		if _, err := Decode(bad); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	for n := 0; n < len(b); n += 1 + len(b)/300 {
		if _, err := Decode(b[:n]); err == nil {
			t.Fatalf("%d of %d bytes are read", n, len(b))
		}
		if _, err := Decode(sealed(b[:n])); err == nil {
			t.Fatalf("%d of %d bytes and their sum are read", n, len(b))
		}
		flipped := slices.Clone(b)
		flipped[n] ^= 4
		if _, err := Decode(flipped); err == nil {
			t.Fatalf("with another byte %d it is read", n)
		}
	}
}

// sealed has the right sum behind.
func sealed(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(slices.Clone(b), sum[:sumSize]...)
}

func FuzzDecode(f *testing.F) {
	b := small(f).Encode()
	f.Add(b[:len(b)-sumSize])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = sealed(b)
		m, err := Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(m.Encode(), b) {
			t.Error("it is encoded otherwise")
		}
		for _, g := range m.NewReader().Read([]string{"Mr", "Bako", "of", "PT", "Rito", "."}, nil) {
			if !(g.Confidence > 0 && g.Confidence < 1) || g.Start < 0 || g.End > 6 || g.Start >= g.End {
				t.Errorf("%+v", g)
			}
		}
	})
}
