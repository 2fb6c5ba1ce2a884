package notice

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"

	"github.com/wneessen/go-mail"

	"github.com/nuzantara/ciclo/internal/mailserver"
)

// mailer sends notices by SMTP.
type mailer struct {
	server *mailserver.Server
	from   string
	to     []string
	domain string // of from: the second half of message ids
}

func newMail(server, from, to string) (*mailer, error) {
	s, parsed := mailserver.Parse(smtpVariable, server)
	m := &mailer{server: s}
	sender, err := netmail.ParseAddress(from)
	if err != nil {
		err = fmt.Errorf("%s must be a mail address (with %s): %w", fromVariable, smtpVariable, err)
	} else {
		m.from = sender.String()
		_, m.domain, _ = strings.Cut(sender.Address, "@")
	}
	receivers, missing := netmail.ParseAddressList(to)
	if missing != nil {
		missing = fmt.Errorf("%s must be one or more mail addresses, with commas between (with %s): %w", toVariable, smtpVariable, missing)
	}
	for _, r := range receivers {
		m.to = append(m.to, r.String())
	}
	if err := errors.Join(parsed, err, missing); err != nil {
		return nil, err
	}
	return m, nil
}

func (*mailer) Name() string { return "mail" }

func (m *mailer) Send(ctx context.Context, n Notice) error {
	message, err := m.message(n)
	if err != nil {
		return err
	}
	return m.server.Send(ctx, message)
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
