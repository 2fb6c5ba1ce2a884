package channel

import (
	"bufio"
	"context"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/nuzantara/ciclo/internal/channel/played"
)

var letter = Message{
	Key: "message_sender_1/send", To: "client@elsewhere.example", Subject: "Possiamo fare qualcosa — per lei? 你好",
	Body: "Buongiorno Zoë,\nè passato un po' di tempo.\n.\nFrom here on = 100%\n\nשלום 🌊 " + strings.Repeat("long ", 300) + "end",
}

func playedMail(t *testing.T) (*played.Mail, *Mail) {
	t.Helper()
	server, err := played.NewMail()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server, mailBy(t, "smtp://"+server.Address)
}

func mailBy(t *testing.T, server string) *Mail {
	t.Helper()
	m, err := NewMail(MailConfig{Server: server, From: "The Firm <hello@firm.example>"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAMailArrivesWhole(t *testing.T) {
	t.Parallel()
	server, err := played.NewMailTLS("ciclo", "p@ss:w/ord")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	m, err := NewMail(MailConfig{
		Server: "smtp://" + url.UserPassword("ciclo", "p@ss:w/ord").String() + "@" + server.Address,
		From:   "Società <hello@firm.example>", Unsubscribe: "mailto:stop@firm.example",
	})
	if err != nil {
		t.Fatal(err)
	}
	m.server.Roots = server.Roots
	receipt, err := m.Send(t.Context(), letter)
	if err != nil {
		t.Fatal(err)
	}
	again := letter
	again.Body = "other words"
	second, err := m.Send(t.Context(), again)
	if err != nil {
		t.Fatal(err)
	}
	other := letter
	other.Key = "message_sender_2/send"
	third, err := m.Send(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	if receipt != second || receipt.ProviderID == third.ProviderID || receipt.State != "accepted" {
		t.Errorf("the Message-ID is the key's alone: %v, %v, %v", receipt, second, third)
	}
	got := server.Messages()
	if len(got) != 3 || got[0].User != "ciclo" || got[0].From != "hello@firm.example" || len(got[0].To) != 1 || got[0].To[0] != letter.To {
		t.Fatalf("got %+v", got)
	}
	message, err := netmail.ReadMessage(strings.NewReader(got[0].Text))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	if err != nil || subject != letter.Subject {
		t.Errorf("the subject is %q, %v", subject, err)
	}
	from, err := message.Header.AddressList("From")
	if err != nil || from[0].Name != "Società" || from[0].Address != "hello@firm.example" {
		t.Errorf("from %v, %v", from, err)
	}
	if encoding := message.Header.Get("Content-Transfer-Encoding"); encoding != "quoted-printable" {
		t.Fatalf("encoded as %q", encoding)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(message.Body))
	if text := strings.ReplaceAll(string(body), "\r\n", "\n"); err != nil || strings.TrimRight(text, "\n") != letter.Body {
		t.Errorf("the body is %q, %v", text, err)
	}
	kind, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil || kind != "text/plain" || !strings.EqualFold(parameters["charset"], "utf-8") {
		t.Errorf("the type is %s %v, %v", kind, parameters, err)
	}
	if id, unsubscribe := message.Header.Get("Message-ID"), message.Header.Get("List-Unsubscribe"); id != receipt.ProviderID || !strings.HasSuffix(id, "@firm.example>") || unsubscribe != "<mailto:stop@firm.example>" {
		t.Errorf("id %q (%q), unsubscribe %q", id, receipt.ProviderID, unsubscribe)
	}
	if _, err := message.Header.Date(); err != nil {
		t.Errorf("the date: %v", err)
	}
	if strings.Contains(got[0].Text, letter.Key) {
		t.Error("the mail tells the key")
	}
	without, plain := playedMail(t)
	if _, err := plain.Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	if text := without.Messages()[0].Text; strings.Contains(text, "List-Unsubscribe") {
		t.Error("unsubscribing is offered where nothing is configured")
	}
}

// What a mail server says, and what it means. Accepted says that the server kept
// the mail all the same.
func TestMailErrors(t *testing.T) {
	t.Parallel()
	status := func(at string, status int) played.Command {
		return played.Command{At: at, Do: "status", Status: status}
	}
	taken := func(c played.Command) played.Command { c.Accept = true; return c }
	type meaning struct {
		open, permanent, wait bool
		code, says            string
		kept                  int
	}
	for name, c := range map[string]struct {
		command played.Command
		want    meaning
	}{
		"the greeting is cut":           {played.Command{At: "hello", Do: "cut"}, meaning{code: "unreachable"}},
		"the sender, for now":           {status("mail", 451), meaning{code: "smtp 451 4.1.1", says: "the sender"}},
		"the sender, for good":          {status("mail", 550), meaning{code: "smtp 550 5.1.1", says: "the sender"}},
		"421 at the sender":             {status("mail", 421), meaning{code: "smtp 421 4.1.1"}},
		"cut at the sender":             {played.Command{At: "mail", Do: "cut"}, meaning{code: "unreachable"}},
		"the receiver, for now":         {status("rcpt", 450), meaning{wait: true, code: "smtp 450 4.1.1", says: "the receiver"}},
		"the receiver, for good":        {status("rcpt", 550), meaning{permanent: true, code: "smtp 550 5.1.1", says: "the receiver"}},
		"it wants a login":              {status("rcpt", 530), meaning{code: "smtp 530 5.1.1"}},
		"421 at the receiver":           {status("rcpt", 421), meaning{code: "smtp 421 4.1.1"}},
		"cut at the receiver":           {played.Command{At: "rcpt", Do: "cut"}, meaning{code: "unreachable"}},
		"the mail, for now":             {status("data", 451), meaning{wait: true, code: "smtp 451", says: "the mail"}},
		"the mail, for good":            {status("data", 554), meaning{permanent: true, code: "smtp 554", says: "the mail"}},
		"421 after the mail":            {status("data", 421), meaning{code: "smtp 421", says: "the mail"}},
		"cut after the mail, taken":     {taken(played.Command{Do: "cut"}), meaning{open: true, kept: 1}},
		"cut after the mail, not taken": {played.Command{Do: "cut"}, meaning{open: true}},
		"hangs, taken":                  {taken(played.Command{Do: "hang"}), meaning{open: true, kept: 1}},
		"hangs, not taken":              {played.Command{Do: "hang"}, meaning{open: true}},
		"hangs at the receiver":         {played.Command{At: "rcpt", Do: "hang"}, meaning{code: "unreachable"}},
		"slow":                          {played.Command{Do: "slow", Millis: 50}, meaning{kept: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, m := playedMail(t)
			server.Misbehave(c.command)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			_, err := m.Send(ctx, letter)
			if n := len(server.Messages()); n != c.want.kept {
				t.Errorf("the server has %d mails", n)
			}
			if c.command.Do == "slow" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var r *Refusal
			switch {
			case err == nil:
				t.Fatal("it was sent")
			case errors.As(err, &r) == c.want.open:
				t.Fatalf("the error is %v", err)
			case r != nil && (r.Permanent != c.want.permanent || r.Code != c.want.code || (r.RetryAfter > 0) != c.want.wait || !strings.Contains(r.Text, c.want.says)):
				t.Errorf("the refusal is %+v", r)
			case r == nil && !strings.Contains(err.Error(), "open"):
				t.Errorf("the error is %v", err)
			}
			if strings.Contains(err.Error(), "Buongiorno") || strings.Contains(err.Error(), "passato") {
				t.Errorf("the error repeats the mail: %v", err)
			}
		})
	}
}

// scripted is a server that says a line after each command, and then hangs up.
func scripted(t *testing.T, lines ...string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { listener.Close(); <-done })
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		for i, line := range lines {
			if i > 0 {
				if _, err := in.ReadString('\n'); err != nil {
					return
				}
			}
			if _, err := io.WriteString(conn, line+"\r\n"); err != nil {
				return
			}
		}
	}()
	return listener.Addr().String()
}

// What go-smtp never says: a word against DATA itself, and a server that is gone
// before the text.
func TestMailThatIsRefusedBeforeItsText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data      []string
		permanent bool
		code      string
	}{
		"for now":       {[]string{"452 full"}, false, "smtp 452"},
		"for good":      {[]string{"554 no valid recipients"}, true, "smtp 554"},
		"421":           {[]string{"421 closing"}, false, "smtp 421"},
		"nothing, gone": {nil, false, "unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := append([]string{"220 hello", "250 hello", "250 noop", "250 sender", "250 receiver"}, c.data...)
			m := mailBy(t, "smtp://"+scripted(t, lines...))
			_, err := m.Send(t.Context(), letter)
			var r *Refusal
			if !errors.As(err, &r) || r.Permanent != c.permanent || r.Code != c.code {
				t.Errorf("%v: %+v", err, r)
			}
		})
	}
}

func TestMailServersThatAreNotReached(t *testing.T) {
	t.Parallel()
	gone, err := played.NewMail()
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	secured, err := played.NewMailTLS("ciclo", token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(secured.Close)
	clear, _ := playedMail(t)
	for name, c := range map[string]struct {
		server string
		trust  bool
	}{
		"the server is busy":              {"smtp://" + scripted(t, "421 busy"), false},
		"nobody listens":                  {"smtp://" + gone.Address, false},
		"no such host":                    {"smtp://host.invalid", false},
		"a certificate that nobody knows": {"smtp://ciclo:" + token + "@" + secured.Address, false},
		"the login is refused":            {"smtp://ciclo:wrong-" + token + "@" + secured.Address, true},
		"no TLS for the password":         {"smtp://ciclo:" + token + "@" + clear.Address, true},
		"smtps where there is none":       {"smtps://" + clear.Address, true},
	} {
		m := mailBy(t, c.server)
		if c.trust {
			m.server.Roots = secured.Roots
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := m.Send(ctx, letter)
		cancel()
		var r *Refusal
		if !errors.As(err, &r) || r.Permanent || r.Code != "unreachable" {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "Buongiorno")) {
			t.Errorf("%s: the error tells: %v", name, err)
		}
	}
	if n := len(secured.Messages()) + len(clear.Messages()); n != 0 {
		t.Errorf("%d mails were taken", n)
	}
}

// go-mail's QUIT ends a mail that broke off, as if it were whole: the server takes
// half of it. Whoever asks must not hear that nothing left.
func TestAMailThatBreaksOffIsOpen(t *testing.T) {
	t.Parallel()
	server, m := playedMail(t)
	message, err := m.message(letter)
	if err != nil {
		t.Fatal(err)
	}
	message.SetBodyWriter(mail.TypeTextPlain, func(w io.Writer) (int64, error) {
		n, _ := io.WriteString(w, "half of it")
		return int64(n), errors.New("broken")
	})
	err = m.server.Send(t.Context(), message)
	if err == nil {
		t.Fatal("half a mail was sent")
	}
	err = m.refused(message, err)
	var r *Refusal
	if errors.As(err, &r) || !strings.Contains(err.Error(), "open") {
		t.Errorf("the error is %v", err)
	}
	// Should go-mail mend this, nothing is taken, and Mail could call it a refusal.
	if got := server.Messages(); len(got) != 1 || !strings.Contains(got[0].Text, "half of it") {
		t.Errorf("the server has %+v", got)
	}
}

// A word that comes after the mail was taken doesn't take it back.
func TestAMailServerThatIsGoneAfterItsWord(t *testing.T) {
	t.Parallel()
	for name, after := range map[string][]string{"gone": nil, "421 to what follows": {"421 bye"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			t.Cleanup(func() { listener.Close(); <-done })
			go func() {
				defer close(done)
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				in := bufio.NewReader(conn)
				for i, line := range append([]string{"220 a", "250 b", "250 c", "250 d", "250 e", "354 f", "250 taken"}, after...) {
					for i > 0 {
						said, err := in.ReadString('\n')
						if err != nil {
							return
						}
						if i != 6 || said == ".\r\n" {
							break
						}
					}
					_, _ = io.WriteString(conn, line+"\r\n")
				}
			}()
			if _, err := mailBy(t, "smtp://"+listener.Addr().String()).Send(t.Context(), letter); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMailsThatNobodyIsAskedToTake(t *testing.T) {
	t.Parallel()
	server, m := playedMail(t)
	for name, change := range map[string]func(*Message){
		"a line end in the subject": func(m *Message) { m.Subject = "hello\r\nBcc: all@elsewhere.example" },
		"a newline in the subject":  func(m *Message) { m.Subject = "hello\nthere" },
		"NUL in the subject":        func(m *Message) { m.Subject = "hello\x00" },
		"a line end in the address": func(m *Message) { m.To = "a@b.example\r\nRCPT TO:<c@d.example>" },
		"a carriage return in it":   func(m *Message) { m.To = "a@b.example\rx" },
		"two receivers":             func(m *Message) { m.To = "a@b.example, c@d.example" },
		"no address":                func(m *Message) { m.To = "" },
		"a number":                  func(m *Message) { m.To = "+393331234567" },
		"no key":                    func(m *Message) { m.Key = "" },
		"no words":                  func(m *Message) { m.Body = " \n" },
	} {
		message := letter
		change(&message)
		_, err := m.Send(t.Context(), message)
		var r *Refusal
		if !errors.As(err, &r) || !r.Permanent || r.Code != "invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(server.Messages()); n != 0 {
		t.Errorf("%d mails were taken", n)
	}
}

func TestMailConfigurations(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "server")
	if err := os.WriteFile(file, []byte("smtp://ciclo:"+token+"@mail.firm.example:587\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const server, from = "smtp://ciclo:" + token + "@mail.firm.example", "hello@firm.example"
	for name, c := range map[string]struct {
		cfg  MailConfig
		want string // in the error; "" is none
		off  bool
	}{
		"nothing":                   {MailConfig{}, "", true},
		"whole":                     {MailConfig{Server: server, From: from, Unsubscribe: "https://firm.example/stop"}, "", false},
		"by a file":                 {MailConfig{ServerFile: file, From: from}, "", false},
		"both":                      {MailConfig{Server: server, ServerFile: file, From: from}, "CICLO_MAIL_SERVER is given both", false},
		"a file that isn't there":   {MailConfig{ServerFile: file + "2", From: from}, "CICLO_MAIL_SERVER_FILE", false},
		"a file with nothing":       {MailConfig{ServerFile: os.DevNull, From: from}, "CICLO_MAIL_SERVER is missing", false},
		"a sender alone":            {MailConfig{From: from}, "CICLO_MAIL_SERVER is missing", false},
		"unsubscribing alone":       {MailConfig{Unsubscribe: "mailto:a@b.example"}, "CICLO_MAIL_SERVER is missing", false},
		"no sender":                 {MailConfig{Server: server}, "CICLO_MAIL_FROM", false},
		"a sender that is none":     {MailConfig{Server: server, From: "the firm"}, "CICLO_MAIL_FROM", false},
		"a user without a password": {MailConfig{Server: "smtp://ciclo@mail.firm.example", From: from}, "CICLO_MAIL_SERVER needs both", false},
		"http":                      {MailConfig{Server: "http://ciclo:" + token + "@mail.firm.example", From: from}, "CICLO_MAIL_SERVER is no URL", false},
		"a port that is none":       {MailConfig{Server: server + ":70000", From: from}, "CICLO_MAIL_SERVER has a port", false},
		"unsubscribing by http":     {MailConfig{Server: server, From: from, Unsubscribe: "http://firm.example"}, "CICLO_MAIL_UNSUBSCRIBE", false},
		"two ways to unsubscribe":   {MailConfig{Server: server, From: from, Unsubscribe: "mailto:a@b.example,https://c.example"}, "CICLO_MAIL_UNSUBSCRIBE", false},
		"a line end in it":          {MailConfig{Server: server, From: from, Unsubscribe: "mailto:a@b.example\r\nBcc: x"}, "CICLO_MAIL_UNSUBSCRIBE", false},
	} {
		m, err := NewMail(c.cfg)
		switch {
		case c.want == "" && (err != nil || (m == nil) != c.off):
			t.Errorf("%s: %v, %v", name, m, err)
		case c.want != "" && (err == nil || m != nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), token)):
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	all, err := Config{Mail: MailConfig{Server: server, From: from}}.Channels()
	if err != nil || len(all) != 1 || all[0].Name() != "email" {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := (Config{Mail: MailConfig{From: from}}).Channels(); err == nil {
		t.Error("half a configuration is taken")
	}
}

// The commands of another process, over HTTP.
func TestThePlayedServersAreCommandedFromOutside(t *testing.T) {
	t.Parallel()
	mails, m := playedMail(t)
	twilio, w := playedTwilio(t)
	for at, send := range map[string]func() error{
		mails.Control: func() error { _, err := m.Send(t.Context(), letter); return err },
		twilio.URL:    func() error { _, err := w.Send(t.Context(), hello); return err },
	} {
		if status := post(t, at+"/played/commands", `{"do": "status", "status": 503, "accept": true, "code": 1}`); status != 200 {
			t.Errorf("%s: %d", at, status)
		}
		if status := post(t, at+"/played/commands", `{"did": "status"}`); status != 400 {
			t.Errorf("%s takes anything: %d", at, status)
		}
		if send() == nil || send() != nil {
			t.Errorf("%s: one misbehaviour, then none", at)
		}
		if list := get(t, at+"/played/messages"); strings.Count(list, `"To"`) != 2 {
			t.Errorf("%s: %s", at, list)
		}
		if hung := get(t, at+"/played/hung"); strings.TrimSpace(hung) != "0" {
			t.Errorf("%s: %s", at, hung)
		}
	}
}
