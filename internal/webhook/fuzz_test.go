package webhook

import (
	"net/url"
	"testing"
)

// FuzzURL takes only what a request can be sent to.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{"", "https://x", "http://[::1]:8080/a?b=c#d", "ftp://x", "https://", "https://u:p@x", "http://x/\x00", "http:// x", "//x", "HTTP://X", "http://%41", "http://:80"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if CheckURL(text) != nil {
			return
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			t.Errorf("%q is taken", text)
		}
	})
}
