package config

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/relay"
	"github.com/fhctl/fhctl/pkg/sim"
)

func notEmpty(value string) error {
	if value == "" {
		return wrong("is empty", "leave the setting out to get its default")
	}
	return nil
}

// path refuses what is the content of a file.
func path(value string) error {
	if strings.ContainsAny(value, "\n\r\x00") || strings.Contains(value, "-----BEGIN") {
		return wrong("is no path", "write the name of the file, and what it holds into that file")
	}
	return nil
}

var urlForm = regexp.MustCompile(`(?i)^(rediss?([+-][a-z]+)?|unix|embedded|wss?|https?|sim)://`)

// IsURL reports whether a text has the form of a URL of a Redis or a relay, which no key
// should have: everybody who may list keys reads it.
func IsURL(text string) bool { return urlForm.MatchString(text) }

// notURL refuses a URL as the name of a key.
func notURL(value string) error {
	if IsURL(value) {
		return wrong("is a URL and not the name of a key", "Redis itself is named by redis-url; leave this out to have its default")
	}
	return nil
}

// relayURL reads an address with the relay's own rules, in which https means
// wss; other sources have schemes of their own and judge the rest themselves.
func (r *Relay) relayURL() error {
	if file, ok := strings.CutPrefix(r.URL, "capture:"); ok && file == "" {
		return wrong("names no file", "write capture:FILE")
	} else if ok {
		return nil
	}
	if strings.HasPrefix(r.URL, "sim:") {
		_, err := sim.ParseURL(r.URL)
		if err == nil {
			return nil
		}
		return wrong("cannot be used: "+err.Error(), fault.HintOf(err))
	}
	_, err := relay.ParseURL(r.URL, r.Cleartext)
	if err == nil {
		return nil
	}
	hint := fault.HintOf(err)
	if _, other := relay.ParseURL(r.URL, true); other == nil {
		hint += ", or set relay-cleartext if the network between is yours"
	}
	return wrong("cannot be used: "+err.Error(), hint)
}

// cleartext reports whether events come unencrypted from another machine.
func (r *Relay) cleartext() bool {
	if _, err := relay.ParseURL(r.URL, false); err == nil {
		return false
	}
	_, err := relay.ParseURL(r.URL, true)
	return err == nil
}

// OwnScheme is the URL with its scheme in small letters where that is one of ours:
// schemes are read so everywhere.
func OwnScheme(url string) string {
	scheme, _, found := strings.Cut(url, ":")
	if lower := strings.ToLower(scheme); found && slices.Contains([]string{"embedded", "sim", "capture"}, lower) {
		return lower + url[len(scheme):]
	}
	return url
}

func redisURL(value string) error {
	scheme, _, found := strings.Cut(value, "://")
	if !found {
		return wrong("is not a Redis URL", "write it like redis://localhost:6379, rediss://HOST:PORT for TLS, or embedded://")
	}
	if scheme == "embedded" {
		return nil
	}
	if _, err := conn.ParseURL(value); err != nil {
		return wrong("is not a Redis URL: "+err.Error(), fault.HintOf(err))
	}
	return nil
}

// tls reports whether the URL asks for TLS, also where it cannot be used otherwise.
func (r *Redis) tls() bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(r.URL)), "rediss")
}

// redisPassword reports whether the URL holds a password, and not only a user.
func (r *Redis) redisPassword() bool {
	place, err := conn.ParseURL(r.URL)
	return err == nil && place.Password
}

// cleartext reports whether a password and events travel unencrypted to another
// machine.
func (r *Redis) cleartext() bool {
	place, err := conn.ParseURL(r.URL)
	if err != nil || place.TLS || place.Unix || !place.Password && r.PasswordFile == "" {
		return false
	}
	return slices.ContainsFunc(place.Addrs, func(addr string) bool { return !loopback(addr) })
}

func listenAddr(value string) error {
	if value == "off" {
		return nil
	}
	_, port, err := net.SplitHostPort(value)
	n, numErr := strconv.Atoi(port)
	if err != nil || numErr != nil || n < 0 || n > 65535 {
		return wrong("is not HOST:PORT", "write it like 127.0.0.1:9477, or off")
	}
	return nil
}

// The filter knows what it takes; asking it keeps one definition.
func collection(value string) error {
	return ask(filter.Config{Collections: []string{value}}, "is not a collection, nor a prefix of one")
}

func did(value string) error {
	return ask(filter.Config{DIDs: []string{value}}, "is not a DID")
}

func kind(value string) error {
	return ask(filter.Config{Kinds: []string{value}}, "is not a kind of event")
}

func ask(cfg filter.Config, what string) error {
	_, err := filter.New(cfg)
	if err == nil {
		return nil
	}
	return wrong(what, fault.HintOf(err))
}

// together checks what no single value shows, once all of them are good, and
// finishes the values that stand for others.
func (c *Config) together() []error {
	var errs []error
	refuse := func(name, what, hint string) {
		errs = append(errs, c.refusal(name, what, hint))
	}
	if c.Health.Addr == "off" {
		c.Health.Addr = ""
	}
	if err := c.Relay.relayURL(); err != nil {
		refuse("relay-url", err.Error(), hintOf(err))
	}
	if c.Redis.StreamKey == c.Redis.CursorKey {
		refuse("cursor-key", "is also the stream's key", "give stream and cursor two keys")
	}
	if (c.Redis.TLSCert == "") != (c.Redis.TLSKey == "") {
		refuse("redis-tls-cert", "and redis-tls-key need one another", "set both, or neither")
	}
	if c.Redis.WhenFull == WhenFullBlock && c.Redis.MaxStreamLen == 0 {
		refuse("when-full", "has no effect: with max-stream-len 0 the stream is never full", "set max-stream-len, or leave when-full out")
	}
	if c.Redis.PasswordFile != "" && c.Redis.redisPassword() {
		refuse("redis-password-file", "competes with the password in redis-url", "take the password out of redis-url; the user stays in it, as in redis://USER@HOST")
	}
	if name := c.tlsSetting(); name != "" && !c.Redis.tls() {
		refuse(name, "has no effect: redis-url does not ask for TLS", "write redis-url with rediss://")
	}
	return errs
}

// tlsSetting names a TLS setting of Redis that is in use, or "".
func (c *Config) tlsSetting() string {
	r := &c.Redis
	for _, s := range []struct {
		name string
		used bool
	}{
		{"redis-tls-ca", r.TLSCA != ""}, {"redis-tls-cert", r.TLSCert != ""}, {"redis-tls-key", r.TLSKey != ""},
		{"redis-tls-server-name", r.TLSServerName != ""}, {"redis-tls-skip-verify", r.TLSSkipVerify},
	} {
		if s.used {
			return s.name
		}
	}
	return ""
}

// loopback reports whether a host, with or without a port, is this machine.
func loopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// CleartextRedis is the warning of a Redis password that travels unencrypted.
const CleartextRedis = "redis-url: the Redis password and the events travel in the clear to another machine, where anyone on the way can read and change them; use rediss://"

// CleartextRedis reports whether its warning holds for these settings.
func (c *Config) CleartextRedis() bool { return c.Redis.cleartext() }

// warn notes what is legal but should not pass unseen.
func (c *Config) warn() {
	say := func(format string, args ...any) { c.Warnings = append(c.Warnings, fmt.Sprintf(format, args...)) }
	if c.Origin("redis-url").Layer == LayerFlag && c.Redis.redisPassword() {
		say("the password in --redis-url is visible to every user of this machine in ps; use the environment or a file")
	}
	if exposed := c.Exposed(); exposed != "" {
		say("%s", exposed)
	}
	if c.Relay.cleartext() {
		say("relay-cleartext: events travel in the clear and can be changed on the way")
	}
	if c.Redis.cleartext() {
		say("%s", CleartextRedis)
	}
	if c.Redis.TLSSkipVerify {
		say("redis-tls-skip-verify: any certificate is accepted, so events can be read and changed on the way")
	}
	if c.Health.Addr != "" && !loopback(c.Health.Addr) {
		say("health-addr %s is reachable from other machines; it shows counters and state without a password", c.Health.Addr)
	}
}
