package endpoint

import (
	"crypto/tls"
	"fmt"
	"log/slog"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/tlsfiles"
)

// relayTLS gives the TLS settings of each dial to the relay, with its authorities
// as the file holds them then; nil trusts the system's.
func relayTLS(log *slog.Logger, cfg *config.Config) (func() *tls.Config, error) {
	if cfg.Relay.TLSCA == "" {
		return nil, nil
	}
	source, err := tlsfiles.New(tlsfiles.Files{CA: cfg.Relay.TLSCA}, nil, func(err error) {
		log.Warn("The file of the relay's authorities was changed and cannot be used; the ones read before are used on", "err", err)
	})
	if err != nil {
		return nil, cfg.Refuse("relay-tls-ca", fault.New(fault.Usage, fmt.Errorf("TLS file of the relay: %w", err), "the file must be PEM, and readable for this user"))
	}
	return source.Config, nil
}
