package redisstream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/tlsfiles"
)

// target is a parsed URL: options for the universal client.
type target struct {
	options redis.UniversalOptions
	network string           // "unix", "tcp" or ""
	tls     *tlsfiles.Source // nil is cleartext
}

func (t *target) cluster() bool { return t.options.IsClusterMode }

// parse reads a connection's URL and TLS files. Errors are fault.Usage and
// never quote the URL's text: it may hold a password in an unexpected place.
func (c Connection) parse() (*target, error) {
	t, err := parseURL(c.URL)
	if err != nil {
		return nil, fault.New(fault.Usage, fmt.Errorf("read Redis URL (REDIS_URL, redis-url): %w", err),
			"write it as redis://[USER:PASSWORD@]HOST:PORT[/DB], rediss:// for TLS, unix:///PATH, redis-sentinel://H1:P,H2:P/MASTER or redis-cluster://H1:P,H2:P; percent-encode @ : / ? # % in a password")
	}
	if tlsConfig := t.options.TLSConfig; tlsConfig != nil {
		tlsConfig.MinVersion = max(tlsConfig.MinVersion, tls.VersionTLS12)
	}
	if err := c.addTLS(t); err != nil {
		return nil, err
	}
	return t, nil
}

func parseURL(text string) (*target, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return nil, errors.New("it has no scheme")
	}
	t := &target{}
	var err error
	switch scheme {
	case "redis", "rediss", "unix":
		err = t.single(text)
	case "redis-cluster", "rediss-cluster":
		t.options.IsClusterMode = true
		err = t.many(scheme, rest)
	case "redis-sentinel", "rediss-sentinel":
		err = t.many(scheme, rest)
	default:
		err = errors.New("its scheme is not one of redis, rediss, unix, redis-sentinel, rediss-sentinel, redis-cluster, rediss-cluster")
	}
	return t, err
}

// single takes what go-redis documents for one server.
func (t *target) single(text string) error {
	parsed, err := redis.ParseURL(text)
	if err != nil {
		return errors.New("it is malformed")
	}
	if parsed.TLSConfig != nil && parsed.TLSConfig.InsecureSkipVerify {
		return errors.New("skip_verify in a URL is too quiet: it has a setting of its own")
	}
	t.network = parsed.Network
	t.options = redis.UniversalOptions{
		Addrs: []string{parsed.Addr}, Username: parsed.Username, Password: parsed.Password,
		DB: parsed.DB, TLSConfig: parsed.TLSConfig,
	}
	return nil
}

// many takes [user:password@]host:port,host:port/..., which net/url refuses.
func (t *target) many(scheme, rest string) error {
	end := len(rest)
	at := strings.LastIndexByte(rest, '@')
	if i := strings.IndexAny(rest[at+1:], "/?"); i >= 0 {
		end = at + 1 + i
	}
	for host := range strings.SplitSeq(rest[at+1:end], ",") {
		addr, err := hostPort(host, t.cluster())
		if err != nil {
			return err
		}
		t.options.Addrs = append(t.options.Addrs, addr)
	}
	parsed, err := url.Parse("redis://" + rest[:at+1] + "host" + rest[end:])
	if err != nil {
		return errors.New("it is malformed")
	}
	t.options.Username = parsed.User.Username()
	t.options.Password, _ = parsed.User.Password()
	if strings.HasPrefix(scheme, "rediss") {
		// The server name of each node is set when it is dialled.
		t.options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	path := strings.Trim(parsed.Path, "/")
	if t.cluster() {
		if path != "" && path != "0" {
			return errors.New("a cluster has only database 0")
		}
		return nil
	}
	query := parsed.Query()
	t.options.SentinelUsername = query.Get("sentinel_username")
	t.options.SentinelPassword = query.Get("sentinel_password")
	return t.master(path)
}

func (t *target) master(path string) error {
	name, db, numbered := strings.Cut(path, "/")
	if name == "" {
		return errors.New("it does not name the Sentinel master, as in redis-sentinel://h1:26379,h2:26379/MASTER")
	}
	t.options.MasterName = name
	if !numbered {
		return nil
	}
	n, err := strconv.Atoi(db)
	if err != nil || n < 0 {
		return errors.New("its database is not a number")
	}
	t.options.DB = n
	return nil
}

func hostPort(host string, cluster bool) (string, error) {
	port := "26379"
	if cluster {
		port = "6379"
	}
	if h, p, err := net.SplitHostPort(host); err == nil {
		host, port = h, p
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" || strings.ContainsAny(host, "@ ") {
		return "", errors.New("one of its hosts is malformed")
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port), nil
}

// addTLS prepares the TLS files. They need a URL that asks for TLS: silently
// talking cleartext with a CA configured would be a trap.
func (c Connection) addTLS(t *target) error {
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
