package dashboard

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"

	"github.com/nuzantara/ciclo/client"
)

// formField is the name of the field that holds the visitor's FormToken.
const formField = "form_token"

// checkForm reads a form and refuses one that isn't from the visitor's own pages.
func checkForm(r *http.Request, token string) error {
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return &client.Problem{Status: http.StatusRequestEntityTooLarge, Title: "The form is too large"}
		}
		return &client.Problem{Status: http.StatusBadRequest, Title: "The form can't be read"}
	}
	if subtle.ConstantTimeCompare([]byte(r.PostForm.Get(formField)), []byte(token)) != 1 {
		return &client.Problem{Status: http.StatusForbidden, Title: "The form is not from this session", Detail: "it was open while you signed in anew: go back, load the page again, and send it once more"}
	}
	return nil
}

func (d *Dashboard) askToSignIn(w http.ResponseWriter, r *http.Request) {
	next := "/"
	if r.Method == http.MethodGet {
		next = r.URL.RequestURI()
	}
	to := "/sign-in"
	if next != "/" {
		to += "?" + url.Values{"next": {next}}.Encode()
	}
	if r.Header.Get("Accept") == "text/event-stream" {
		w.WriteHeader(http.StatusNoContent) // what tells an EventSource not to come back
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// signInView is what the form to sign in shows.
type signInView struct {
	Next, Problem string
}

func (d *Dashboard) showSignIn(w http.ResponseWriter, r *http.Request) {
	d.write(w, r, http.StatusOK, "sign-in.html", view{Data: signInView{Next: local(r.URL.Query().Get("next"))}})
}

func (d *Dashboard) signIn(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		d.refuse(w, r, nil, &client.Problem{Status: http.StatusBadRequest, Title: "The form can't be read"})
		return
	}
	next := local(r.PostForm.Get("next"))
	known, err := d.cfg.SignIn(w, r, r.PostForm.Get("token"))
	switch {
	case err != nil:
		d.refuse(w, r, nil, err)
	case !known:
		d.write(w, r, http.StatusUnauthorized, "sign-in.html", view{Data: signInView{Next: next, Problem: "This token is not known, or it has been revoked."}})
	default:
		http.Redirect(w, r, next, http.StatusSeeOther)
	}
}

func (d *Dashboard) signOut(w http.ResponseWriter, r *http.Request) {
	v := d.visit(w, r)
	if v == nil {
		return
	}
	if err := checkForm(r, v.FormToken); err != nil {
		d.refuse(w, r, v.Visitor, err)
		return
	}
	if err := d.cfg.SignOut(w, r); err != nil {
		d.refuse(w, r, v.Visitor, err)
		return
	}
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

// saidCookie holds what a form's outcome says on the next page, this once.
const saidCookie = "ciclo_said"

// maxSaid bounds what is said, in bytes, so that the cookie is taken.
const maxSaid = 1000

func say(w http.ResponseWriter, said string) {
	if said == "" {
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: saidCookie, Value: base64.RawURLEncoding.EncodeToString([]byte(said[:min(len(said), maxSaid)])),
		Path: "/", MaxAge: 60, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func takeSaid(w http.ResponseWriter, r *http.Request) string {
	cookie, err := r.Cookie(saidCookie)
	if err != nil {
		return ""
	}
	http.SetCookie(w, &http.Cookie{Name: saidCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	said, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return "" // not one of ours
	}
	return string(said)
}
