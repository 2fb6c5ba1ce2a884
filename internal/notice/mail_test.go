package notice

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"mime"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
)

// mailServer is a real SMTP server on this machine that keeps what it is sent.
type mailServer struct {
	t       *testing.T
	address string
	roots   *x509.CertPool

	mu       sync.Mutex
	refuse   string // where it refuses: auth, rcpt, data
	received []received
}

type received struct {
	user, from string
	to         []string
	message    string
}

// newMailServer serves SMTP; with implicit, over TLS from the first byte, with
// clear never.
func newMailServer(t *testing.T, refuse string, implicit, clear bool) *mailServer {
	t.Helper()
	certified := httptest.NewTLSServer(nil) // for its certificate of 127.0.0.1
	defer certified.Close()
	s := &mailServer{t: t, refuse: refuse, roots: x509.NewCertPool()}
	s.roots.AddCert(certified.Certificate())
	server := smtp.NewServer(s)
	server.ErrorLog = log.New(io.Discard, "", 0)
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	settings := &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12}
	switch {
	case implicit:
		listener = tls.NewListener(listener, settings)
	case !clear:
		server.TLSConfig = settings
	}
	done := make(chan struct{})
	go func() { _ = server.Serve(listener); close(done) }()
	t.Cleanup(func() { server.Close(); <-done })
	return s
}

// mailer is configured for the server and trusts its certificate.
func (s *mailServer) mailer(scheme, user string) *mailer {
	s.t.Helper()
	m, err := newMail(scheme+"://"+user+s.address, "Ciclo <ciclo@firm.example>", "a@firm.example, B <b@firm.example>")
	if err != nil {
		s.t.Fatal(err)
	}
	m.server.Roots = s.roots
	return m
}

func (s *mailServer) got() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received
}

func (s *mailServer) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{server: s}, nil }

type session struct {
	server *mailServer
	received
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if s.server.refuse == "auth" {
			return &smtp.SMTPError{Code: 535, Message: "no: " + user + " with " + password} // such servers exist
		}
		if password != secret {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.server.refuse == "rcpt" {
		return &smtp.SMTPError{Code: 550, Message: "no such user"}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	message, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.server.refuse == "data" {
		return &smtp.SMTPError{Code: 451, Message: "later"}
	}
	s.message = string(message)
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.received = append(s.server.received, s.received)
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func TestMailIsSent(t *testing.T) {
	t.Parallel()
	credentials := url.UserPassword("ciclo", secret).String() + "@"
	for name, c := range map[string]struct {
		scheme, user    string
		implicit, clear bool
		want            string // the user
	}{
		"smtp with a password, by STARTTLS": {"smtp", credentials, false, false, "ciclo"},
		"smtps with a password":             {"smtps", credentials, true, false, "ciclo"},
		"smtp without, by STARTTLS":         {"smtp", "", false, false, ""},
		"smtp without, in the clear":        {"smtp", "", false, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newMailServer(t, "", c.implicit, c.clear)
			if err := s.mailer(c.scheme, c.user).Send(t.Context(), example); err != nil {
				t.Fatal(err)
			}
			got := s.got()
			if len(got) != 1 {
				t.Fatalf("%d mails", len(got))
			}
			message, err := netmail.ReadMessage(strings.NewReader(got[0].message))
			if err != nil {
				t.Fatal(err)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
			if err != nil {
				t.Fatal(err)
			}
			seen := []string{got[0].user, got[0].from, strings.Join(got[0].to, " "), subject, message.Header.Get("Message-ID"), message.Header.Get("Auto-Submitted")}
			want := []string{c.want, "ciclo@firm.example", "a@firm.example b@firm.example", "[ciclo] " + example.Subject, "<" + example.ID + "@firm.example>", "auto-generated"}
			if diff := cmp.Diff(want, seen); diff != "" {
				t.Error(diff)
			}
			if !strings.Contains(got[0].message, "- `ciclo status value_1`") {
				t.Errorf("the mail is\n%s", got[0].message)
			}
		})
	}
}

func TestMailThatIsNotTaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refuse string
		clear  bool
		trust  bool
		says   string
	}{
		"its password is refused, and repeated":  {"auth", false, true, "535"},
		"a receiver is refused":                  {"rcpt", false, true, "no such user"},
		"the mail is refused":                    {"data", false, true, "later"},
		"a password is never sent in the clear":  {"", true, true, "STARTTLS"},
		"nor to somebody with a forged identity": {"", false, false, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newMailServer(t, c.refuse, false, c.clear)
			m := s.mailer("smtp", "ciclo:"+secret+"@")
			if !c.trust {
				m.server.Roots = x509.NewCertPool()
			}
			err := m.Send(t.Context(), example)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, want something of %q", err, c.says)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the password: %v", err)
			}
			if got := s.got(); len(got) != 0 {
				t.Errorf("it was taken all the same: %v", got)
			}
		})
	}
}

// A server that accepts the connection and says nothing, or hangs in the middle,
// holds nobody beyond the sender's context.
func TestAMailServerThatHangs(t *testing.T) {
	t.Parallel()
	for name, greeting := range map[string]string{"at once": "", "after its greeting": "220 hello\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lc net.ListenConfig
			listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			closed := make(chan error, 1)
			go func() {
				conn, err := listener.Accept()
				if err == nil {
					defer conn.Close()
					_, _ = io.WriteString(conn, greeting)
					_, err = io.Copy(io.Discard, conn) // until the other side leaves
				}
				closed <- err
			}()
			s := &mailServer{t: t, address: listener.Addr().String()}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if err := s.mailer("smtp", "").Send(ctx, example); err == nil {
				t.Error("sent to a server that says nothing")
			}
			select {
			case err := <-closed:
				if err != nil && !errors.Is(err, net.ErrClosed) {
					t.Logf("the connection ended by %v", err)
				}
			case <-time.After(5 * time.Second):
				t.Error("the connection was left open")
			}
		})
	}
}
