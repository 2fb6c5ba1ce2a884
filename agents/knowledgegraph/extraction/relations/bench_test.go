package relations

import (
	"context"
	"testing"
)

// A message of a chat, of four sentences and nine mentions.
func BenchmarkExtract(b *testing.B) {
	read := mark(b, "Hi, I'm [Anna:P] from [Acme:C], thank you for the call. For a [KITAS:pt] you need a [passport:d], a [photo:d] and a [sponsor letter:d]. "+
		"The process takes about six weeks and the fee is [IDR 5,000,000:m]. We are in [Canggu:L] until [March:d], can we meet?")
	e := New(nil)
	b.SetBytes(int64(len(read.Message.Body)))
	for b.Loop() {
		if _, err := e.Extract(context.Background(), read.Message, read.Found); err != nil {
			b.Fatal(err)
		}
	}
}
