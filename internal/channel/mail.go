package channel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/nuzantara/ciclo/internal/mailserver"
)

// MailConfig is the mail server for clients; without a server the channel is off.
// It is not the one of notices (CICLO_NOTICE_SMTP). kong reads it.
type MailConfig struct {
	Server      string `name:"mail-server" env:"CICLO_MAIL_SERVER" unit:"URL" help:"Mail server for messages, such as smtp://user:password@host:587. Default: mail is off."`
	ServerFile  string `name:"mail-server-file" env:"CICLO_MAIL_SERVER_FILE" help:"File that holds the mail server's URL."`
	From        string `name:"mail-from" env:"CICLO_MAIL_FROM" unit:"mail address" help:"Sender of messages by mail."`
	Unsubscribe string `name:"mail-unsubscribe" env:"CICLO_MAIL_UNSUBSCRIBE" unit:"URL" help:"Where receivers unsubscribe: a mailto: or https: URL."`
}

// laterByMail is how long a mail waits that a server doesn't take yet: those that
// greylist take it after minutes.
const laterByMail = 15 * time.Minute

// Mail sends by SMTP.
type Mail struct {
	server      *mailserver.Server
	from        string
	domain      string // of from: the second half of message ids
	unsubscribe string
}

// NewMail is nil, without an error, where nothing is configured. Half a
// configuration is an error that names the variable and no secret.
func NewMail(cfg MailConfig) (*Mail, error) {
	server, err := secret("CICLO_MAIL_SERVER", cfg.Server, cfg.ServerFile)
	if err != nil {
		return nil, err
	}
	if server == "" {
		if cfg.ServerFile+cfg.From+cfg.Unsubscribe != "" {
			return nil, errors.New("CICLO_MAIL_SERVER is missing: the other CICLO_MAIL_ variables are of no use without it")
		}
		return nil, nil //nolint:nilnil // documented: off
	}
	m := &Mail{unsubscribe: cfg.Unsubscribe}
	var parsed, sending, leaving error
	m.server, parsed = mailserver.Parse("CICLO_MAIL_SERVER", server)
	if sender, err := netmail.ParseAddress(cfg.From); err != nil {
		sending = fmt.Errorf("CICLO_MAIL_FROM must be a mail address (with CICLO_MAIL_SERVER): %w", err)
	} else {
		m.from = sender.String()
		_, m.domain, _ = strings.Cut(sender.Address, "@")
	}
	if m.unsubscribe != "" && !unsubscribes(m.unsubscribe) {
		leaving = errors.New("CICLO_MAIL_UNSUBSCRIBE must be a URL such as mailto:stop@firm.example or https://firm.example/stop")
	}
	if err := errors.Join(parsed, sending, leaving); err != nil {
		return nil, err
	}
	return m, nil
}

// unsubscribes says whether a URL can stand in List-Unsubscribe.
func unsubscribes(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "mailto" && u.Opaque != "" || u.Scheme == "https" && u.Host != "") && !strings.ContainsAny(text, "<>, \t")
}

// Name is email.
func (*Mail) Name() string { return "email" }

// Send hands a mail to the server. Its Message-ID is made of Key alone, so that a
// repetition has the same. What the server says before it has the mail, and its
// word after it, are refusals: 5xx permanent where the receiver or the mail is
// meant, not where our own login or sender is; 4xx about them says to wait. A connection that ends after the
// mail went out and before that word leaves it open.
func (m *Mail) Send(ctx context.Context, sent Message) (Receipt, error) {
	message, err := m.message(sent)
	if err != nil {
		return Receipt{}, err
	}
	err = m.server.Send(ctx, message)
	if err == nil {
		return Receipt{ProviderID: message.GetMessageID(), State: "accepted"}, nil
	}
	return Receipt{}, m.refused(message, err)
}

func (m *Mail) message(sent Message) (*mail.Msg, error) {
	if strings.ContainsAny(sent.Subject+sent.To, "\r\n\x00") {
		return nil, invalid("the subject or the address has a line end")
	}
	to, err := netmail.ParseAddress(sent.To)
	switch {
	case err != nil:
		return nil, invalid("the mail address is none")
	case sent.Key == "":
		return nil, invalid("the mail has no key")
	case strings.TrimSpace(sent.Body) == "":
		return nil, invalid("the message is empty")
	}
	message := mail.NewMsg()
	if err := message.From(m.from); err != nil {
		return nil, invalid("the mail's sender can't be written")
	}
	if err := message.To(to.String()); err != nil {
		return nil, invalid("the mail's receiver can't be written")
	}
	sum := sha256.Sum256([]byte(sent.Key))
	message.SetMessageIDWithValue(hex.EncodeToString(sum[:16]) + "@" + m.domain)
	message.SetDate()
	message.Subject(sent.Subject)
	if m.unsubscribe != "" {
		message.SetListUnsubscribe(m.unsubscribe)
	}
	message.SetBodyString(mail.TypeTextPlain, sent.Body)
	return message, nil
}

// refused says what a failed mail means. The server's own words after it has the
// mail are left out: they may repeat it.
func (m *Mail) refused(message *mail.Msg, err error) error {
	var of *mail.SendError
	if !errors.As(message.SendError(), &of) {
		// Not connected, no TLS, no login, or lost before the mail began.
		return &Refusal{Code: "unreachable", Text: "the mail server was not reached, or let us not in: " + err.Error()}
	}
	code := of.ErrorCode()
	r := &Refusal{Code: "smtp " + strconv.Itoa(code), Text: "the mail server " + m.server.Host + " refused"}
	if enhanced := of.EnhancedStatusCode(); enhanced != "" {
		r.Code += " " + enhanced
	}
	switch of.Reason {
	case mail.ErrSMTPDataClose, mail.ErrWriteContent, mail.ErrAmbiguous, mail.ErrSMTPReset:
		// go-mail's QUIT after half a mail would end it, as if it were whole.
		if code == 0 || of.Reason != mail.ErrSMTPDataClose {
			return fmt.Errorf("mail by %s: the connection ended before the server's word (%s): whether it took the mail is open", m.server.Host, of.Reason)
		}
		r.Text, r.Permanent = r.Text+" the mail", code >= 500
	case mail.ErrSMTPData:
		r.Text, r.Permanent = r.Text+" the mail", code >= 500
	case mail.ErrSMTPRcptTo:
		r.Text, r.Permanent = r.Text+" the receiver", code >= 500 && code != 530
	case mail.ErrSMTPMailFrom:
		r.Text += " the sender"
	case mail.ErrGetSender, mail.ErrGetRcpts, mail.ErrNoUnencoded:
		return invalid("the mail can't be written: " + of.Reason.String())
	default:
		r.Text += " the connection"
	}
	switch {
	case code == 0:
		r.Code, r.Permanent = "unreachable", false
	case code < 500 && code != 421 && (of.Reason == mail.ErrSMTPRcptTo || of.Reason == mail.ErrSMTPData || of.Reason == mail.ErrSMTPDataClose):
		// Of this receiver alone, such as greylisting: no sign that the server is ill.
		r.RetryAfter = laterByMail
	}
	return r
}
