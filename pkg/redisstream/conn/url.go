package conn

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/tlsfiles"
)

// Target is a parsed Connection, to which any number of clients can connect.
type Target struct {
	connection Connection
	options    redis.UniversalOptions
	network    string           // "unix", "tcp" or ""
	tls        *tlsfiles.Source // nil is cleartext
}

// Cluster reports whether the URL names a Redis Cluster.
func (t *Target) Cluster() bool { return t.options.IsClusterMode }

// Replicated reports whether the URL names more than one server: a cluster, or
// Sentinels that know which server leads.
func (t *Target) Replicated() bool { return t.Cluster() || t.options.MasterName != "" }

// Parse reads a connection's URL and TLS files; empty settings take their defaults.
// Errors are fault.Usage and never quote the URL's text: it may hold a password in an
// unexpected place.
func Parse(c Connection) (*Target, error) {
	c = c.WithDefaults()
	t, err := parseURL(c.URL)
	if err != nil {
		return nil, fault.New(fault.Usage, fmt.Errorf("read %s: %w", cmp.Or(c.URLName, "the Redis URL"), err), urlHint)
	}
	if c.Password != "" {
		if t.options.Password != "" {
			return nil, fault.New(fault.Usage, errors.New("the Redis URL holds a password, and another one is given beside it"), "take the password out of the URL; the user stays in it")
		}
		t.options.Password = c.Password
	}
	if tlsConfig := t.options.TLSConfig; tlsConfig != nil {
		tlsConfig.MinVersion = max(tlsConfig.MinVersion, tls.VersionTLS12)
	}
	if err := c.addTLS(t); err != nil {
		return nil, err
	}
	t.connection = c
	return t, nil
}

// ParseURL says what a connection's URL names, without its secrets. Errors are
// fault.Usage, name the part that cannot be used, and never quote the text.
func ParseURL(text string) (Endpoint, error) {
	t, err := parseURL(text)
	if err != nil {
		return Endpoint{}, fault.New(fault.Usage, err, urlHint)
	}
	return Endpoint{
		Password: t.options.Password != "" || t.options.SentinelPassword != "",
		TLS:      t.options.TLSConfig != nil,
		Unix:     t.network == "unix",
		Addrs:    t.options.Addrs,
	}, nil
}

// Endpoint is what a connection's URL names.
type Endpoint struct {
	Password bool     // the URL holds one, Sentinel's included
	TLS      bool     // connections are encrypted
	Unix     bool     // Addrs is one path
	Addrs    []string // host:port each
}

const urlHint = "write it as redis://[USER:PASSWORD@]HOST:PORT[/DB], rediss:// for TLS, unix:///PATH, redis-sentinel://H1:P,H2:P/MASTER or redis-cluster://H1:P,H2:P; percent-encode @ : / ? # % in a password"

// urlParts are the pieces of a URL, not yet judged.
type urlParts struct {
	user, password string
	hosts          []string
	path           string // decoded, without its first slash
	query          url.Values
}

func parseURL(text string) (*Target, error) {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(text), "://")
	scheme = strings.ToLower(scheme)
	if !ok {
		return nil, errors.New("it has no scheme")
	}
	t := &Target{}
	judge := map[string]func(urlParts) error{
		"redis": t.single, "rediss": t.single, "unix": t.socket,
		"redis-sentinel": t.sentinels, "rediss-sentinel": t.sentinels,
		"redis-cluster": t.nodes, "rediss-cluster": t.nodes,
	}[scheme]
	if judge == nil {
		return nil, errors.New("its scheme is not one of redis, rediss, unix, redis-sentinel, rediss-sentinel, redis-cluster, rediss-cluster")
	}
	parts, err := splitURL(rest, scheme == "unix")
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(scheme, "rediss") {
		// The server name of each node is set when it is dialled.
		t.options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	t.options.Username, t.options.Password = parts.user, parts.password
	return t, judge(parts)
}

// splitURL takes [user:password@]host:port,host:port/path?query apart; net/url
// refuses several hosts.
func splitURL(rest string, local bool) (p urlParts, err error) {
	if strings.ContainsFunc(rest, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return p, errors.New("it holds a blank or a control character")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	if strings.Contains(tail, "#") {
		return p, errors.New("it has a fragment: a # in a password is written %23")
	}
	if strings.Contains(tail, "@") && !local {
		return p, errors.New("it has an @ behind its host: a / or ? in a password is written %2F or %3F")
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		name, password, _ := strings.Cut(authority[:at], ":")
		p.user, err = url.PathUnescape(name)
		if err == nil {
			p.password, err = url.PathUnescape(password)
		}
		if err != nil {
			return p, errors.New("its user or password has a % that escapes nothing: write it %25")
		}
		authority = authority[at+1:]
	}
	p.hosts = strings.Split(authority, ",")
	path, query, _ := strings.Cut(tail, "?")
	if p.path, err = url.PathUnescape(strings.TrimPrefix(path, "/")); err != nil {
		return p, errors.New("its path has a % that escapes nothing")
	}
	if p.query, err = url.ParseQuery(query); err != nil {
		return p, errors.New("its parameters are malformed")
	}
	return p, nil
}

// single is one server at a host and port.
func (t *Target) single(p urlParts) error {
	if len(p.hosts) > 1 {
		return errors.New("it has several hosts, and redis:// takes one: redis-sentinel:// and redis-cluster:// take several")
	}
	if p.hosts[0] == "" || strings.HasPrefix(p.hosts[0], ":") {
		p.hosts[0] = "localhost" + p.hosts[0]
	}
	addr, err := hostPort(p.hosts[0], "6379")
	if err != nil {
		return err
	}
	t.options.Addrs = []string{addr}
	return t.database(strings.Trim(p.path, "/"), p.query, "db")
}

// socket is one server behind a file of this machine.
func (t *Target) socket(p urlParts) error {
	if p.hosts[0] != "" || len(p.hosts) > 1 || strings.Trim(p.path, "/") == "" {
		return errors.New("its path is missing: three slashes lead to it, as in unix:///run/redis.sock")
	}
	t.network, t.options.Addrs = "unix", []string{"/" + p.path}
	return t.database("", p.query, "db")
}

// nodes are some of a cluster's.
func (t *Target) nodes(p urlParts) error {
	t.options.IsClusterMode = true
	if db := strings.Trim(p.path, "/"); db != "" && db != "0" {
		return errors.New("its database is not 0, the only one of a cluster")
	}
	return errors.Join(t.several(p, "6379"), known(p.query))
}

// sentinels know where a master is.
func (t *Target) sentinels(p urlParts) error {
	name, db, _ := strings.Cut(strings.Trim(p.path, "/"), "/")
	if name == "" {
		return errors.New("it does not name the Sentinel master, as in redis-sentinel://h1:26379,h2:26379/MASTER")
	}
	t.options.MasterName = name
	t.options.SentinelUsername = p.query.Get("sentinel_username")
	t.options.SentinelPassword = p.query.Get("sentinel_password")
	if err := t.several(p, "26379"); err != nil {
		return err
	}
	return t.database(db, p.query, "sentinel_username", "sentinel_password")
}

func (t *Target) several(p urlParts, port string) error {
	for _, host := range p.hosts {
		addr, err := hostPort(host, port)
		if err != nil {
			return err
		}
		t.options.Addrs = append(t.options.Addrs, addr)
	}
	return nil
}

// mostDatabases is the highest number Redis can be set up with.
const mostDatabases = 1<<31 - 1

// database takes a number from the path or the parameter db, which is only one of
// those that are known where it is listed.
func (t *Target) database(path string, query url.Values, parameters ...string) error {
	if err := known(query, parameters...); err != nil {
		return err
	}
	text := path
	if db := query.Get("db"); db != "" {
		if path != "" && path != db {
			return errors.New("its path and its parameter db name different databases")
		}
		text = db
	}
	if text == "" {
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n >= mostDatabases {
		return errors.New("its database is not a number from 0 on")
	}
	t.options.DB = int(n)
	return nil
}

// known refuses parameters that mean nothing here, without their names: what is
// unknown may be a piece of a password.
func known(query url.Values, parameters ...string) error {
	for name, values := range query {
		switch {
		case strings.EqualFold(name, "skip_verify"):
			return errors.New("skip_verify in a URL is too quiet: it has a setting of its own")
		case !slices.Contains(parameters, name) && len(parameters) == 0:
			return errors.New("it has a parameter, and with this scheme there are none")
		case !slices.Contains(parameters, name):
			return errors.New("it has a parameter that is none of those there are: " + strings.Join(parameters, ", "))
		case len(values) > 1:
			return fmt.Errorf("its parameter %s is given twice", name)
		}
	}
	return nil
}

// hostPort is a host with its port, or with the usual one.
func hostPort(text, port string) (string, error) {
	host := text
	if strings.HasPrefix(text, "[") { // an IPv6 address
		end := strings.IndexByte(text, ']')
		if end < 0 {
			return "", errors.New("its host has a [ without a ]")
		}
		host, text = text[1:end], text[end+1:]
		host, _ = url.PathUnescape(host) // a zone is written fe80::1%25eth0
		if _, err := netip.ParseAddr(host); err != nil || text != "" && text[0] != ':' {
			return "", errors.New("its host is no IPv6 address")
		}
		if text != "" {
			port = text[1:]
		}
	} else if name, number, given := strings.Cut(text, ":"); given {
		host, port = name, number
	}
	if host == "" {
		return "", errors.New("a host is missing: before its port, beside a comma, or behind the ://")
	}
	if strings.ContainsAny(host, "@[]\\\"<>^`{|}") {
		return "", errors.New("its host is malformed, or one of them is")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("its port is not a number from 1 to 65535")
	}
	return net.JoinHostPort(host, port), nil
}

// addTLS prepares the TLS files. They need a URL that asks for TLS: silently
// talking cleartext with a CA configured would be a trap.
func (c Connection) addTLS(t *Target) error {
	cfg := t.options.TLSConfig
	if cfg == nil {
		if c.TLS.used() {
			return fault.New(fault.Usage, errors.New("TLS files are given, but the Redis URL does not ask for TLS"), "write rediss:// instead of redis://")
		}
		return nil
	}
	cfg.InsecureSkipVerify = c.TLS.SkipVerify
	if c.TLS.ServerName != "" {
		cfg.ServerName = c.TLS.ServerName
	}
	files := tlsfiles.Files{CA: c.TLS.CA, Cert: c.TLS.Cert, Key: c.TLS.Key}
	source, err := tlsfiles.New(files, cfg, func(err error) {
		c.Logger.Warn("TLS files of Redis were changed and cannot be used; the ones read before are used on", "err", err)
	})
	if err != nil {
		return fault.New(fault.Usage, fmt.Errorf("TLS files of Redis: %w", err), "they must be PEM, and readable for this user")
	}
	t.tls = source
	return nil
}

// shell is how redis-cli reaches the same server, or the first of several. It reads
// URLs of one server without parameters, and no others.
func (c Connection) shell() string {
	t, err := parseURL(c.URL)
	if err != nil {
		return "redis-cli"
	}
	if t.network == "unix" {
		return "redis-cli -s " + quoted(t.options.Addrs[0])
	}
	if !t.Cluster() && t.options.MasterName == "" && !strings.Contains(c.URL, "?") {
		return "redis-cli -u " + fault.Redact(strings.TrimSpace(c.URL))
	}
	host, port, _ := net.SplitHostPort(t.options.Addrs[0])
	command := "redis-cli -h " + quoted(host) + " -p " + port
	if t.options.TLSConfig != nil {
		command += " --tls"
	}
	return command
}

// quoted is a word as shells read it.
func quoted(word string) string {
	if !strings.ContainsAny(word, " \t\n'\"\\$&;|<>()*?[]#~`!{}") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
