// Package mailserver reaches a mail server by SMTP: its URL, TLS, the password and
// the time that one mail may take. It knows nothing of what a mail says.
//
// Imports: go-mail. Never a package of Ciclo.
package mailserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// Timeout bounds one mail, from the connection to the server's word that it has
// it.
const Timeout = 30 * time.Second

// Server is a mail server. A password goes over TLS alone; without one, TLS is
// used where the server offers it.
type Server struct {
	Host string
	// Roots vouch for the server's certificate; nil is the system's.
	Roots *x509.CertPool

	port     int
	implicit bool // TLS from the first byte: smtps
	user     string
	password string
}

// Parse reads a URL such as smtp://user:password@host:587. Its errors begin with
// variable, the name of the setting, and never show the URL.
func Parse(variable, server string) (*Server, error) {
	u, err := url.Parse(server)
	if err != nil || (u.Scheme != "smtp" && u.Scheme != "smtps") || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		// err would show the password.
		return nil, errors.New(variable + " is no URL such as smtp://user:password@host:587 or smtps://user:password@host" +
			" (in user and password, characters such as / @ : # are written %2F %40 %3A %23)")
	}
	s := &Server{Host: u.Hostname(), implicit: u.Scheme == "smtps", user: u.User.Username(), port: mail.DefaultPortTLS}
	s.password, _ = u.User.Password()
	if (s.user == "") != (s.password == "") {
		return nil, errors.New(variable + " needs both user and password, or neither")
	}
	if s.implicit {
		s.port = mail.DefaultPortSSL
	}
	if p := u.Port(); p != "" {
		if s.port, err = strconv.Atoi(p); err != nil || s.port < 1 || s.port > 65535 {
			return nil, errors.New(variable + " has a port that is none")
		}
	}
	return s, nil
}

// Send returns nil once the server has taken the message. Its errors never show
// the password; message.SendError tells how far it came.
func (s *Server) Send(ctx context.Context, message *mail.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel() // also closes the connection, where go-mail left it open
	client, err := s.client(ctx)
	if err == nil {
		err = client.DialAndSendWithContext(ctx, message)
	}
	if message.IsDelivered() {
		return nil // what the server says to QUIT doesn't count
	}
	if err != nil {
		return fmt.Errorf("mail by %s: %w", s.Host, s.withoutPassword(err))
	}
	return nil
}

func (s *Server) client(sending context.Context) (*mail.Client, error) {
	settings := &tls.Config{ServerName: s.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
	options := []mail.Option{
		mail.WithPort(s.port), mail.WithTimeout(Timeout), mail.WithTLSConfig(settings),
		mail.WithDialContextFunc(func(connecting context.Context, network, address string) (net.Conn, error) {
			return s.dial(sending, connecting, network, address, settings)
		}),
	}
	switch {
	case s.implicit:
		options = append(options, mail.WithSSL())
	case s.user != "":
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	}
	if s.user != "" {
		// Of these, the first that the server knows. go-mail's own choice would not
		// see that our dial is encrypted.
		options = append(options, mail.WithUsername(s.user), mail.WithPassword(s.password),
			mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256PLUS, mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthPlain, mail.SMTPAuthLogin))
	}
	return mail.NewClient(s.Host, options...)
}

// dial connects, and closes the connection when ctx ends: go-mail heeds ctx only
// until it is connected, and leaves the connection open where the server refuses.
func (s *Server) dial(sending context.Context, connecting context.Context, network, address string, settings *tls.Config) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(connecting, network, address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(sending, func() { conn.Close() })
	if !s.implicit {
		return conn, nil
	}
	secure := tls.Client(conn, settings)
	return secure, secure.HandshakeContext(connecting)
}

// withoutPassword takes the password out of an error, in case that the server
// repeats what it was sent.
func (s *Server) withoutPassword(err error) error {
	if s.password == "" || !strings.Contains(err.Error(), s.password) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), s.password, "(password)"))
}
