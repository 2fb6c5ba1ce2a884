package orchestrator

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/orchestrator/dashboard"
)

const (
	// sessionLength is how long a browser stays signed in: a working day.
	sessionLength = 12 * time.Hour
	// sessionCookie holds a session's secret. Under https it has the prefix that makes
	// browsers refuse it from anybody but this host.
	sessionCookie       = "ciclo_session"
	secureSessionCookie = "__Host-" + sessionCookie
)

// sessions are the dashboard's: who has signed in with which token.
type sessions struct {
	store  *postgres.Store
	tokens *tokens
}

// signIn begins a session with a token. The secret is empty where the token is unknown.
func (s *sessions) signIn(ctx context.Context, token string) (secret string, err error) {
	_, scopes, err := s.tokens.find(ctx, token)
	if err != nil || scopes == nil {
		return "", err
	}
	random := make([]byte, sha256.Size)
	rand.Read(random) // it never returns an error
	secret = base64.RawURLEncoding.EncodeToString(random)
	return secret, s.store.BeginSession(ctx, postgres.HashToken(secret), postgres.HashToken(token), sessionLength)
}

// grantOf is what the holder of a session's secret may do; no scopes where there is no
// such session, it is over, or its token has been revoked.
func (s *sessions) grantOf(ctx context.Context, secret string) (grant, error) {
	if len(secret) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return grant{}, nil
	}
	tokenHash, err := s.store.Session(ctx, postgres.HashToken(secret))
	if err != nil || tokenHash == nil {
		return grant{}, err
	}
	name, scopes, err := s.tokens.holder(ctx, tokenHash)
	return grant{name, scopes}, err
}

// formToken is what a session's forms carry: no other site can know it.
func formToken(secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("form"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// sessionCookieOf is the name of the session's cookie for a request: over https that
// which nobody else can have set.
func sessionCookieOf(r *http.Request) string {
	if encrypted(r) {
		return secureSessionCookie
	}
	return sessionCookie
}

// secretOf is the session's secret that a request carries; empty where there is none.
func secretOf(r *http.Request) string {
	cookie, err := r.Cookie(sessionCookieOf(r))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// setSession sets the session's cookie, or takes it away where the secret is empty.
func setSession(w http.ResponseWriter, r *http.Request, secret string) {
	cookie := &http.Cookie{
		Name: sessionCookieOf(r), Value: secret, Path: "/", MaxAge: int(sessionLength / time.Second),
		HttpOnly: true, Secure: encrypted(r), SameSite: http.SameSiteLaxMode,
	}
	if secret == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}

// encrypted reports whether the browser asked over https, as what stands before the
// service says; of several proxies the first. Who forges the header only loses a
// session of their own.
func encrypted(r *http.Request) bool {
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return r.TLS != nil || strings.EqualFold(strings.TrimSpace(first), "https")
}

// visitor is who asks the dashboard; nil where nobody has signed in.
func (o *Orchestrator) visitor(r *http.Request) (*dashboard.Visitor, error) {
	secret := secretOf(r)
	g, err := o.sessions.grantOf(r.Context(), secret)
	if err != nil || g.scopes == nil {
		return nil, err
	}
	may := map[string]bool{}
	for _, scope := range Scopes {
		may[string(scope)] = allows(g.scopes, scope)
	}
	return &dashboard.Visitor{
		Name: g.name, May: may, FormToken: formToken(secret),
		API: &client.Client{URL: "http://orchestrator", HTTP: &http.Client{Transport: inside{o.echo, g}}},
	}, nil
}

func (o *Orchestrator) signIn(w http.ResponseWriter, r *http.Request, token string) (known bool, err error) {
	secret, err := o.sessions.signIn(r.Context(), token)
	if err != nil {
		return false, err
	}
	if secret == "" {
		o.cfg.Log.WarnContext(r.Context(), "somebody wanted to sign in to the dashboard with an unknown token")
		return false, nil
	}
	setSession(w, r, secret)
	o.cfg.Log.InfoContext(r.Context(), "somebody signed in to the dashboard")
	return true, nil
}

func (o *Orchestrator) signOut(w http.ResponseWriter, r *http.Request) error {
	setSession(w, r, "")
	return o.store.EndSession(r.Context(), postgres.HashToken(secretOf(r)))
}
