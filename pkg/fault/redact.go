package fault

import (
	"regexp"
	"strings"
)

const mask = "***"

// openParams are the URL parameters that hold no secret. All others are masked: a
// name with a slip of the pen (sentinel_pasword) must not show what it holds.
var openParams = map[string]bool{"cursor": true, "db": true, "master_name": true, "sentinel_username": true}

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
	if scheme != "sim://" { // whose parameters say what it plays
		query = maskParams(query)
	}
	return scheme + head + query
}

// maskParams masks what follows the question mark, piece by piece.
func maskParams(query string) string {
	pieces := strings.Split(strings.TrimPrefix(query, "?"), "&")
	for i, piece := range pieces {
		name, value, valued := strings.Cut(piece, "=")
		switch {
		case piece == "" || valued && openParams[name] && !strings.Contains(value, "#"):
		case valued && secretName.MatchString(name):
			pieces[i] = name + "=" + mask
		default:
			pieces[i] = mask
		}
	}
	if query == "" {
		return ""
	}
	return "?" + strings.Join(pieces, "&")
}

// secretName is a name that says that it holds a secret, and is none itself.
var secretName = regexp.MustCompile(`(?i)^[a-z0-9_-]*(?:password|secret|token|auth|key)$`)
