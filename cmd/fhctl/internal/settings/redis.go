package settings

import (
	"log/slog"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
)

// RedisPassword is what redis-password-file holds, or "".
func RedisPassword(cfg *config.Config) (string, error) {
	if cfg.Redis.PasswordFile == "" {
		return "", nil
	}
	password, err := config.ReadSecret(cfg.Redis.PasswordFile)
	if err != nil {
		return "", cfg.Refuse("redis-password-file", err)
	}
	return password, nil
}

// Connection is how the settings say that a Redis is reached.
func Connection(log *slog.Logger, cfg *config.Config, redisURL, password string) conn.Connection {
	r := cfg.Redis
	return conn.Connection{
		HandshakeTimeout: cfg.Timeout / 2, // which leaves time to tell of it
		URL:              redisURL, Password: password, URLName: r.URLName, PasswordName: r.PasswordName,
		TLS: conn.TLS{
			CA: r.TLSCA, Cert: r.TLSCert, Key: r.TLSKey, ServerName: r.TLSServerName, SkipVerify: r.TLSSkipVerify,
		},
		Logger: log,
	}
}
