package notice

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// mailTimeout bounds one mail, from the connection to the server's word that it
// has it.
const mailTimeout = 30 * time.Second

// mailer sends notices by SMTP. A password goes over TLS alone; without one, TLS
// is used where the server offers it.
type mailer struct {
	host     string
	port     int
	implicit bool // TLS from the first byte: smtps
	user     string
	password string
	from     string
	to       []string
	domain   string         // of from: the second half of message ids
	roots    *x509.CertPool // nil is the system's
}

func newMail(server, from, to string) (*mailer, error) {
	u, err := url.Parse(server)
	if err != nil || (u.Scheme != "smtp" && u.Scheme != "smtps") || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		// err would show the password.
		return nil, errors.New(smtpVariable + " is no URL such as smtp://user:password@host:587 or smtps://user:password@host" +
			" (in user and password, characters such as / @ : # are written %2F %40 %3A %23)")
	}
	m := &mailer{host: u.Hostname(), implicit: u.Scheme == "smtps", user: u.User.Username(), port: mail.DefaultPortTLS}
	m.password, _ = u.User.Password()
	if (m.user == "") != (m.password == "") {
		return nil, errors.New(smtpVariable + " needs both user and password, or neither")
	}
	if m.implicit {
		m.port = mail.DefaultPortSSL
	}
	if p := u.Port(); p != "" {
		if m.port, err = strconv.Atoi(p); err != nil || m.port < 1 || m.port > 65535 {
			return nil, errors.New(smtpVariable + " has a port that is none")
		}
	}
	sender, err := netmail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("%s must be a mail address (with %s): %w", fromVariable, smtpVariable, err)
	}
	m.from = sender.String()
	_, m.domain, _ = strings.Cut(sender.Address, "@")
	receivers, err := netmail.ParseAddressList(to)
	if err != nil {
		return nil, fmt.Errorf("%s must be one or more mail addresses, with commas between (with %s): %w", toVariable, smtpVariable, err)
	}
	for _, r := range receivers {
		m.to = append(m.to, r.String())
	}
	return m, nil
}

func (*mailer) Name() string { return "mail" }

func (m *mailer) Send(ctx context.Context, n Notice) error {
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel() // also closes the connection, where go-mail left it open
	message, err := m.message(n)
	if err != nil {
		return err
	}
	client, err := m.client(ctx)
	if err == nil {
		err = client.DialAndSendWithContext(ctx, message)
	}
	if message.IsDelivered() {
		return nil // what the server says to QUIT doesn't count
	}
	if err != nil {
		return fmt.Errorf("mail by %s: %w", m.host, m.withoutPassword(err))
	}
	return nil
}

func (m *mailer) message(n Notice) (*mail.Msg, error) {
	message := mail.NewMsg()
	if err := message.From(m.from); err != nil {
		return nil, fmt.Errorf("write the mail's sender: %w", err)
	}
	if err := message.To(m.to...); err != nil {
		return nil, fmt.Errorf("write the mail's receivers: %w", err)
	}
	message.SetMessageIDWithValue(n.ID + "@" + m.domain)
	message.SetDateWithValue(n.At)
	message.SetGenHeader("Auto-Submitted", "auto-generated") // no out-of-office replies, please
	message.Subject("[ciclo] " + n.Subject)
	message.SetBodyString(mail.TypeTextPlain, n.Text+"\n")
	return message, nil
}

func (m *mailer) client(sending context.Context) (*mail.Client, error) {
	settings := &tls.Config{ServerName: m.host, RootCAs: m.roots, MinVersion: tls.VersionTLS12}
	options := []mail.Option{
		mail.WithPort(m.port), mail.WithTimeout(mailTimeout), mail.WithTLSConfig(settings),
		mail.WithDialContextFunc(func(connecting context.Context, network, address string) (net.Conn, error) {
			return m.dial(sending, connecting, network, address, settings)
		}),
	}
	switch {
	case m.implicit:
		options = append(options, mail.WithSSL())
	case m.user != "":
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	}
	if m.user != "" {
		// Of these, the first that the server knows. go-mail's own choice would not
		// see that our dial is encrypted.
		options = append(options, mail.WithUsername(m.user), mail.WithPassword(m.password),
			mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256PLUS, mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthPlain, mail.SMTPAuthLogin))
	}
	return mail.NewClient(m.host, options...)
}

// dial connects, and closes the connection when ctx ends: go-mail heeds ctx only
// until it is connected, and leaves the connection open where the server refuses.
func (m *mailer) dial(sending context.Context, connecting context.Context, network, address string, settings *tls.Config) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(connecting, network, address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(sending, func() { conn.Close() })
	if !m.implicit {
		return conn, nil
	}
	secure := tls.Client(conn, settings)
	return secure, secure.HandshakeContext(connecting)
}

// withoutPassword takes the password out of an error, in case that the server
// repeats what it was sent.
func (m *mailer) withoutPassword(err error) error {
	if m.password == "" || !strings.Contains(err.Error(), m.password) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), m.password, "(password)"))
}
