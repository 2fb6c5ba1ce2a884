package channel

import "errors"

// Config is every channel's configuration, as flags and environment. All are off
// by default.
type Config struct {
	WhatsApp WhatsAppConfig `embed:""`
	Mail     MailConfig     `embed:""`
}

// Check says all that is wrong: half a configuration is.
func (c Config) Check() error {
	_, whatsapp := NewWhatsApp(c.WhatsApp)
	_, mail := NewMail(c.Mail)
	return errors.Join(whatsapp, mail)
}

// Channels are those that are set up. Half a configuration is an error.
func (c Config) Channels() ([]Channel, error) {
	var all []Channel
	whatsapp, err := NewWhatsApp(c.WhatsApp)
	if err != nil {
		return nil, err
	}
	if whatsapp != nil {
		all = append(all, whatsapp)
	}
	mail, err := NewMail(c.Mail)
	if err != nil {
		return nil, err
	}
	if mail != nil {
		all = append(all, mail)
	}
	return all, nil
}
