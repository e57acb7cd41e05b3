package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/fhctl/fhctl/pkg/fault"
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

// hasPassword reports whether Redact has something to hide.
func hasPassword(url string) bool { return Redact(url) != url }

// secretLimit is far above any password and keeps a wrong path from filling
// memory.
const secretLimit = 64 << 10

// ReadSecret reads a password from a file and drops one line end behind it.
// An unreadable, empty or oversized file is an error of class usage that names
// the file and nothing of its content.
func ReadSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fault.New(fault.Usage, fmt.Errorf("read secret: %w", err), "check the path and who may read it")
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, secretLimit+1))
	if err == nil && len(data) > secretLimit {
		err = errors.New("it is too long to be a password")
	}
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	if err == nil && len(data) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return "", fault.New(fault.Usage, fmt.Errorf("read secret %s: %w", path, err), "write the password and nothing else into the file")
	}
	return string(data), nil
}
