package played

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Mailed is a mail that the server accepted: its envelope, and the text as it came
// over the wire.
type Mailed struct {
	User, From string
	To         []string
	Text       string
	At         time.Time
}

// Mail is a mail server at Address; it takes commands at Control as Twilio does.
type Mail struct {
	*control
	Address, Control string
	// Roots vouch for its certificate, where it has one.
	Roots *x509.CertPool

	user, password string
	smtp           *smtp.Server
	listener       net.Listener
	http           *http.Server
	served         chan struct{} // twice
	sent           []Mailed      // under mu
}

// NewMail serves until Close, in the clear.
func NewMail() (*Mail, error) { return newMail(nil, "", "") }

// NewMailTLS serves until Close, with STARTTLS, and lets in that user.
func NewMailTLS(user, password string) (*Mail, error) {
	certified := httptest.NewTLSServer(nil) // for its certificate of 127.0.0.1
	defer certified.Close()
	m, err := newMail(&tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12}, user, password)
	if err != nil {
		return nil, err
	}
	m.Roots = x509.NewCertPool()
	m.Roots.AddCert(certified.Certificate())
	return m, nil
}

func newMail(settings *tls.Config, user, password string) (*Mail, error) {
	mails, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	commands, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		mails.Close()
		return nil, fmt.Errorf("listen: %w", err)
	}
	m := &Mail{
		control: &control{closed: make(chan struct{})}, Address: mails.Addr().String(), Control: "http://" + commands.Addr().String(),
		user: user, password: password, served: make(chan struct{}, 2), listener: mails,
	}
	m.smtp = smtp.NewServer(smtp.BackendFunc(m.session))
	m.smtp.ErrorLog = log.New(io.Discard, "", 0)
	m.smtp.TLSConfig = settings
	mux := http.NewServeMux()
	m.serve(mux, func() any { return m.Messages() })
	m.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = m.smtp.Serve(mails); m.served <- struct{}{} }()
	go func() { _ = m.http.Serve(commands); m.served <- struct{}{} }()
	return m, nil
}

// Close ends it and every answer that hangs.
func (m *Mail) Close() {
	close(m.closed)
	m.smtp.Close()
	m.listener.Close() // where it had not begun to serve
	m.http.Close()
	<-m.served
	<-m.served
}

// Messages are those that were really accepted, oldest first.
func (m *Mail) Messages() []Mailed {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.sent)
}

func (m *Mail) session(conn *smtp.Conn) (smtp.Session, error) {
	s := &session{server: m, conn: conn.Conn()}
	return s, s.obey("hello")
}

// session is one connection's.
type session struct {
	server *Mail
	conn   net.Conn
	Mailed
}

// obey does what is commanded at a place before the text.
func (s *session) obey(at string) error {
	s.server.mu.Lock()
	c := s.server.next(at)
	s.server.mu.Unlock()
	return s.do(c)
}

func (s *session) do(c Command) error {
	switch c.Do {
	case "status":
		return &smtp.SMTPError{Code: c.Status, EnhancedCode: smtp.EnhancedCode{c.Status / 100, 1, 1}, Message: "no: " + s.Text}
	case "cut":
		s.conn.Close()
		return errors.New("cut")
	case "hang", "slow":
		s.server.hold(c, nil)
	}
	return nil
}

func (s *session) AuthMechanisms() []string {
	if s.server.user == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != s.server.user || password != s.server.password {
			return smtp.ErrAuthFailed
		}
		s.User = user
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if err := s.obey("mail"); err != nil {
		return err
	}
	s.From = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := s.obey("rcpt"); err != nil {
		return err
	}
	s.To = append(s.To, to)
	return nil
}

// Data takes a mail whole or not at all: one that breaks off is none.
func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.Text, s.At = string(text), time.Now().UTC()
	s.server.mu.Lock()
	c := s.server.next("", "data")
	if c.Do == "" || c.Do == "slow" || c.Accept {
		mailed := s.Mailed
		mailed.To = slices.Clone(s.To)
		s.server.sent = append(s.server.sent, mailed)
	}
	s.server.mu.Unlock()
	return s.do(c)
}

func (s *session) Reset() { s.From, s.To, s.Text = "", nil, "" }

func (s *session) Logout() error { return nil }
