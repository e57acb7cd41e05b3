package conn

import (
	"testing"
)

func TestLagIsTrustedWhereItWasMended(t *testing.T) {
	for version, want := range map[string]bool{"6.2.7": false, "7.0.15": false, "7.2.4": false, "7.2.6": true, "7.4.0": false, "7.4.1": true, "8.0.0": true, "": false} {
		if (Info{"redis_version": version}).TrustsLag() != want {
			t.Errorf("%q: %v", version, !want)
		}
	}
}
