// Package webhook posts JSON to other people's servers, signed as Standard
// Webhooks says (https://www.standardwebhooks.com). It knows nothing of what it
// carries.
//
// Imports: the Standard Webhooks library. Never a package of Ciclo.
package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Timeout bounds one post, its answer included.
const Timeout = 10 * time.Second

// Message is what is posted.
type Message struct {
	// ID is the same in every repetition: the receiver tells one by it.
	ID   string
	Body []byte
	// Secret signs it; without one it goes unsigned.
	Secret []byte
}

// Answer is what the receiver said.
type Answer struct {
	// Status is 0 where there was no answer.
	Status int
	// RetryAfter is the time that it asked for, in seconds alone; 0 where it didn't.
	RetryAfter time.Duration
}

// NewSecret makes a secret of 256 random bits.
func NewSecret() []byte {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return secret
}

// SecretText is a secret as receivers' libraries take it.
func SecretText(secret []byte) string { return "whsec_" + base64.StdEncoding.EncodeToString(secret) }

// CheckURL reports whether a text is a URL that can be posted to. The error
// doesn't show it: it may hold a secret.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return errors.New("is no URL such as https://host/path")
	}
	return nil
}

// Client posts. One is enough for all.
type Client struct{ http *http.Client }

// NewClient makes a client that follows no redirect: that may turn the post into a
// GET of another page, whose 200 says nothing.
func NewClient() *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.IdleConnTimeout = 10 * time.Second // most receivers hear rarely
	return &Client{&http.Client{
		Transport:     transport,
		Timeout:       Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Post sends a message. The error is nil where the answer's status is 2xx, and
// names the host alone, not what else the URL holds.
func (c *Client) Post(ctx context.Context, target string, m Message) (Answer, error) {
	var a Answer
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(m.Body))
	if err != nil {
		return a, fmt.Errorf("make a request: %w", withoutURL(err))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "ciclo")
	req.Header.Set(standardwebhooks.HeaderWebhookID, m.ID)
	if m.Secret != nil {
		signer, err := standardwebhooks.NewWebhookRaw(m.Secret)
		if err != nil {
			return a, fmt.Errorf("sign: %w", err)
		}
		now := time.Now()
		signature, err := signer.Sign(m.ID, now, m.Body)
		if err != nil {
			return a, fmt.Errorf("sign: %w", err)
		}
		req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
		req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return a, fmt.Errorf("post to %s: %w", req.URL.Host, withoutURL(err))
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // the status alone counts
	a.Status = resp.StatusCode
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		a.RetryAfter = time.Duration(min(seconds, 1<<30)) * time.Second
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return a, fmt.Errorf("post to %s: it answered %d %s", req.URL.Host, resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return a, nil
}

// withoutURL takes the URL, which may hold a secret, out of net/http's error.
func withoutURL(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
