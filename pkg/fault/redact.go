package fault

import (
	"regexp"
	"strings"
)

const mask = "***"

// secretParam finds URL parameters that hold a secret, such as Sentinel's
// sentinel_password.
var secretParam = regexp.MustCompile(`(?i)([?&][^=&#]*(?:pass|secret|token|auth|key)[^=&#]*=)[^&#]*`)

// Redact masks the password of a URL, or of what was meant to be one. It reads
// the text rather than parsing it, because a URL that does not parse must not
// show its password either; where it is unsure it masks more. Text without a
// password is returned as it is.
func Redact(url string) string {
	if strings.HasPrefix(url, "capture:") { // a path, not a URL
		return url
	}
	scheme, rest, found := strings.Cut(url, "://")
	if !found {
		scheme, rest = "", url
	} else {
		scheme += "://"
	}
	head, query := rest, ""
	if q := strings.IndexByte(rest, '?'); q >= 0 {
		head, query = rest[:q], rest[q:]
	}
	if strings.Contains(query, "@") {
		// Either a parameter with an '@' or a password with a '?'.
		return scheme + mask
	}
	if at := strings.LastIndexByte(head, '@'); at >= 0 {
		user, _, named := strings.Cut(head[:at], ":")
		if named {
			user += ":"
		} else {
			user = ""
		}
		head = user + mask + head[at:]
	}
	return scheme + head + secretParam.ReplaceAllString(query, "${1}"+mask)
}
