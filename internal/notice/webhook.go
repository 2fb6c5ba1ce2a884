package notice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// webhookTimeout bounds one post, its answer included.
const webhookTimeout = 10 * time.Second

// webhook posts notices as JSON.
type webhook struct {
	url    string
	host   string
	client *http.Client
}

func newWebhook(text string) (*webhook, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return nil, errors.New(webhookVariable + " is no URL such as https://host/path") // err would show the secret in it
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // notices are rare
	return &webhook{url: text, host: u.Host, client: &http.Client{
		Transport: transport,
		Timeout:   webhookTimeout,
		// To follow one may turn the post into a GET of another page, whose 200 says nothing.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (*webhook) Name() string { return "webhook" }

func (w *webhook) Send(ctx context.Context, n Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("write the notice as JSON: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make a request to %s: %w", w.host, withoutURL(err))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "ciclo")
	req.Header.Set("webhook-id", n.ID)
	resp, err := w.client.Do(req)
	if err != nil {
		return fmt.Errorf("post to %s: %w", w.host, withoutURL(err))
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // the status alone counts
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("post to %s: it answered %s", w.host, resp.Status)
	}
	return nil
}

// withoutURL takes the URL, which may hold a secret, out of net/http's error.
func withoutURL(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
