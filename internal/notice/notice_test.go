package notice

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "s3cr3t-of-nobody"

func TestConfigurations(t *testing.T) {
	t.Parallel()
	const from, to = "ciclo@firm.example", "a@firm.example, B <b@firm.example>"
	for name, c := range map[string]struct {
		cfg  Config
		want []string // the channels' names
		says []string // or what the error names
	}{
		"none":                           {Config{}, nil, nil},
		"a webhook":                      {Config{Webhook: "https://" + secret + "@host/" + secret}, []string{"webhook"}, nil},
		"mail":                           {Config{SMTP: "smtp://user:" + secret + "@host:2525", From: from, To: to}, []string{"mail"}, nil},
		"mail without a password":        {Config{SMTP: "smtp://host", From: from, To: to}, []string{"mail"}, nil},
		"both":                           {Config{Webhook: "http://host", SMTP: "smtps://user:" + secret + "@host", From: from, To: to}, []string{"webhook", "mail"}, nil},
		"a webhook that is no URL":       {Config{Webhook: "https://user:" + secret + "@host:port"}, nil, []string{webhookVariable}},
		"a webhook of another scheme":    {Config{Webhook: "ftp://user:" + secret + "@host"}, nil, []string{webhookVariable}},
		"a webhook without a host":       {Config{Webhook: "https:///" + secret}, nil, []string{webhookVariable}},
		"mail of another scheme":         {Config{SMTP: "https://user:" + secret + "@host", From: from, To: to}, nil, []string{smtpVariable, "smtp://"}},
		"mail without a scheme":          {Config{SMTP: "user:" + secret + "@host:587", From: from, To: to}, nil, []string{smtpVariable}},
		"a slash in the password":        {Config{SMTP: "smtp://user:/" + secret + "@host", From: from, To: to}, nil, []string{smtpVariable, "%2F"}},
		"a query":                        {Config{SMTP: "smtp://user:" + secret + "@host?tls=no", From: from, To: to}, nil, []string{smtpVariable}},
		"a user alone":                   {Config{SMTP: "smtp://user@host", From: from, To: to}, nil, []string{smtpVariable, "password"}},
		"a port that is none":            {Config{SMTP: "smtp://user:" + secret + "@host:99999", From: from, To: to}, nil, []string{smtpVariable, "port"}},
		"mail from nobody":               {Config{SMTP: "smtp://user:" + secret + "@host", To: to}, nil, []string{fromVariable, smtpVariable}},
		"mail to nobody":                 {Config{SMTP: "smtp://user:" + secret + "@host", From: from}, nil, []string{toVariable, smtpVariable}},
		"mail to what is no address":     {Config{SMTP: "smtp://user:" + secret + "@host", From: from, To: "a@firm.example, b"}, nil, []string{toVariable}},
		"addresses without a server":     {Config{From: from, To: to}, nil, []string{fromVariable, toVariable, smtpVariable}},
		"good mail and a broken webhook": {Config{Webhook: "x", SMTP: "smtp://host", From: from, To: to}, nil, []string{webhookVariable}},
	} {
		channels, err := Channels(c.cfg)
		var names []string
		for _, channel := range channels {
			names = append(names, channel.Name())
		}
		if (err != nil) != (c.says != nil) || !cmp.Equal(names, c.want) {
			t.Errorf("%s: channels %v, %v", name, names, err)
		}
		if err == nil {
			continue
		}
		for _, part := range c.says {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error says nothing of %s: %v", name, part, err)
			}
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}
}
