package fault

import (
	"regexp"
	"strings"
)

const mask = "***"

// Redact masks what a URL, or what was meant to be one, may hold in secret: its
// password, and each part that is not what it should be there, such as a port that is
// no number. It reads the text rather than parsing it, because a URL that does not
// parse must not show its password either; where it is unsure it masks more. Text
// without a secret is returned as it is.
func Redact(url string) string {
	if strings.HasPrefix(url, "capture:") { // a path, not a URL
		return url
	}
	scheme, rest := cutScheme(url)
	head, query := rest, ""
	if q := strings.IndexByte(rest, '?'); q >= 0 {
		head, query = rest[:q], rest[q:]
	}
	if strings.Contains(query, "@") {
		// Either a parameter with an '@' or a password with a '?'.
		return scheme + mask
	}
	user := ""
	if at := strings.LastIndexByte(head, '@'); at >= 0 {
		user, head = maskUser(head[:at])+"@", head[at+1:]
	}
	head, fragment, _ := strings.Cut(head, "#")
	if fragment != "" {
		fragment = "#" + mask
	}
	hosts, path := head, ""
	if slash := strings.IndexByte(head, '/'); slash >= 0 {
		hosts, path = head[:slash], head[slash:]
	}
	kind := kindOf(scheme)
	if m := kind.path.FindStringSubmatch(path); m == nil {
		path = "/" + mask
	} else if len(m) > 1 && m[1] != "" { // behind a name
		path = strings.TrimSuffix(path, m[1]) + "/" + mask
	}
	if hosts = maskPorts(hosts); hosts != "" && scheme == "sim://" { // which has none
		hosts = mask
	}
	return scheme + user + hosts + path + fragment + maskParams(query, kind.params)
}

// cutScheme is a URL's scheme with what stands behind it, "" where there is none.
func cutScheme(url string) (scheme, rest string) {
	if scheme, rest, found := strings.Cut(url, "://"); found {
		return scheme + "://", rest
	}
	return "", url
}

// urlKind is what may stand in the URLs of some schemes without being a secret.
type urlKind struct {
	path   *regexp.Regexp
	params map[string]*regexp.Regexp // by name, what their values look like
}

// Capitals stand for values in hints: DB, MASTER, N.
var (
	numberForm = regexp.MustCompile(`^([0-9]+|DB|N)?$`)
	amountForm = regexp.MustCompile(`^([0-9.]+|N)$`)
	nameForm   = regexp.MustCompile(`^[^#]*$`)

	redisParams = map[string]*regexp.Regexp{"db": numberForm, "cursor": numberForm, "master_name": nameForm, "sentinel_username": nameForm}

	plainURL    = urlKind{regexp.MustCompile(`^/?(?:[0-9]+/?|DB)?$|^/xrpc/[A-Za-z0-9.-]*/?$|^$`), redisParams}
	sentinelURL = urlKind{regexp.MustCompile(`^/?[^/]*(?:/(?:[0-9]+|DB)?$|$|(/.*))`), redisParams}
	socketURL   = urlKind{regexp.MustCompile(``), redisParams}
	simURL      = urlKind{regexp.MustCompile(`^/?$`), map[string]*regexp.Regexp{
		"rate": amountForm, "count": amountForm, "seed": amountForm, "backlog": amountForm, "accounts": amountForm}}
)

func kindOf(scheme string) urlKind {
	switch scheme = strings.ToLower(scheme); {
	case strings.HasSuffix(scheme, "sentinel://"):
		return sentinelURL
	case scheme == "unix://":
		return socketURL
	case scheme == "sim://":
		return simURL
	}
	return plainURL
}

// maskUser masks what stands before an @.
func maskUser(userinfo string) string {
	user, password, named := strings.Cut(userinfo, ":")
	switch {
	case !named:
		return mask
	case password == "PASSWORD": // of a hint
		return userinfo
	}
	return user + ":" + mask
}

var portForm = regexp.MustCompile(`^([0-9]{0,5}|PORT|P)$`)

// maskPorts masks ports that are none: where an @ was lost, a password stands there.
func maskPorts(hosts string) string {
	list := strings.Split(hosts, ",")
	for i, host := range list {
		from := 0
		if strings.HasPrefix(host, "[") { // an IPv6 address
			from = strings.IndexByte(host, ']') + 1
		}
		name, port, given := strings.Cut(host[from:], ":")
		if given && !portForm.MatchString(port) {
			list[i] = host[:from] + name + ":" + mask
		}
	}
	return strings.Join(list, ",")
}

// maskParams masks what follows the question mark, piece by piece, but for the
// parameters that hold no secret. A name with a slip of the pen (sentinel_pasword)
// must not show what it holds.
func maskParams(query string, open map[string]*regexp.Regexp) string {
	if query == "" {
		return ""
	}
	pieces := strings.Split(strings.TrimPrefix(query, "?"), "&")
	for i, piece := range pieces {
		name, value, valued := strings.Cut(piece, "=")
		form := open[name]
		switch {
		case piece == "" || valued && form != nil && form.MatchString(value):
		case valued && secretName.MatchString(name):
			pieces[i] = name + "=" + mask
		default:
			pieces[i] = mask
		}
	}
	return "?" + strings.Join(pieces, "&")
}

// secretName is a name that says that it holds a secret, and is none itself.
var secretName = regexp.MustCompile(`(?i)^[a-z0-9_-]*(?:password|secret|token|auth|key)$`)

var (
	urlWithin  = regexp.MustCompile("[A-Za-z][A-Za-z0-9+.-]*://(?:\\\\.|[^\\s\"'`<>\\\\])*")
	userWithin = regexp.MustCompile(`(^|[\s"'=(])([A-Za-z0-9._-]*:)([^\s"'/@]+)@([A-Za-z0-9\[])`)
	ourScheme  = regexp.MustCompile(`(?i)^(redis.*|unix|embedded|sim|wss?)://$`)
	webScheme  = regexp.MustCompile(`(?i)^(https?|socks5h?)://$`)
)

// RedactText masks the secrets of all URLs within a text for people, and passwords
// before an @ without a scheme: whatever a message repeats, it may be a URL that
// stands in the wrong place. Other text is returned as it is.
func RedactText(s string) string {
	if strings.Contains(s, "://") {
		s = redactURLs(s)
	}
	if strings.Contains(s, "@") {
		s = userWithin.ReplaceAllStringFunc(s, func(found string) string {
			m := userWithin.FindStringSubmatch(found)
			if m[3] == "PASSWORD" {
				return found
			}
			return m[1] + m[2] + mask + "@" + m[4]
		})
	}
	return s
}

func redactURLs(s string) string {
	var b strings.Builder
	for {
		at := urlWithin.FindStringIndex(s)
		if at == nil {
			return b.String() + s
		}
		end := at[0] + len(strings.TrimRight(s[at[0]:at[1]], ".,;:!?)]}"))
		end = max(end, at[0]+strings.Index(s[at[0]:], "://")+3)
		end += behindBlank(s[at[0]:end], s[end:])
		b.WriteString(s[:at[0]] + redactWithin(s[at[0]:end]))
		s = s[end:]
	}
}

// behindBlank is how much of rest belongs to a URL of ours that a blank in its password
// tore apart: up to the @ in the same quotes.
func behindBlank(url, rest string) int {
	scheme, authority := cutScheme(url)
	authority, _, _ = strings.Cut(authority, "/")
	if !ourScheme.MatchString(scheme) || maskPorts(authority) == authority || strings.Contains(authority, "@") {
		return 0
	}
	if quote := strings.IndexAny(rest, "\"\n"); quote >= 0 {
		rest = rest[:quote]
	}
	return strings.LastIndexByte(rest, '@') + 1
}

// redactWithin masks one URL of a text. Of URLs that are not ours, only what is a
// secret for certain: they may be addresses of pages, or of records.
func redactWithin(url string) string {
	scheme, rest := cutScheme(url)
	if ourScheme.MatchString(scheme) {
		if strings.HasPrefix(rest, "[USER:PASSWORD@]") { // of a hint
			return url
		}
		return Redact(url)
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = maskUser(authority[:at]) + authority[at:]
	}
	if webScheme.MatchString(scheme) {
		hosts := authority[strings.LastIndexByte(authority, '@')+1:]
		authority = strings.TrimSuffix(authority, hosts) + maskPorts(hosts)
		if at := strings.LastIndexByte(tail, '@'); at >= 0 && strings.Contains(authority, ":"+mask) {
			tail = tail[at:] // of a password with a slash
		}
		tail = secretParam.ReplaceAllString(tail, "$1"+mask)
	}
	return scheme + authority + tail
}

// secretParam is a parameter whose name says that it holds a secret.
var secretParam = regexp.MustCompile(`(?i)([?&][a-z0-9_-]*(?:password|secret|token|auth|key)=)[^&#]+`)
