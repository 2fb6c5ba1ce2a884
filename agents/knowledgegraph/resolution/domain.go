package resolution

import (
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// anybodys are domains, without what stands behind the dot, where anybody has an
// address or a page: they are no firm's.
var anybodys = strings.Fields(`
	aol bol btinternet comcast facebook fastmail foxmail free freenet gmail gmx google googlemail hey hotmail icloud
	instagram laposte libero linkedin linktr live mac mail me medium msn naver orange outlook pm posteo proton
	protonmail qq rediffmail rocketmail seznam sina t-online telegram terra tiktok tiscali tuta tutanota twitter
	ukr verizon virgilio wa wanadoo web whatsapp wp x yahoo yandex ymail youtube zoho 126 163`)

// domainOf is the registered domain of a host, "kusuma.co.id" of "www.kusuma.co.id",
// and its label, "kusuma"; empty where it is anybody's or none.
func domainOf(host string) (domain, label string) {
	domain, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimSuffix(strings.ToLower(host), "."))
	if err != nil {
		return "", ""
	}
	label, _, _ = strings.Cut(domain, ".")
	if slices.Contains(anybodys, label) {
		return "", ""
	}
	return domain, label
}

// mailDomain is domainOf an e-mail address.
func mailDomain(address string) (domain, label string) {
	return domainOf(address[strings.LastIndexByte(address, '@')+1:])
}

// pageDomain is domainOf a URL, whose scheme may be missing.
func pageDomain(page string) (domain, label string) {
	if !strings.Contains(page, "://") {
		page = "//" + page
	}
	u, err := url.Parse(page)
	if err != nil {
		return "", "" // what can't be read tells nobody apart
	}
	return domainOf(u.Hostname())
}
