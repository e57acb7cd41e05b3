package config

import (
	"regexp"
	"slices"
	"strings"
)

// testPrefix belongs to the project's own tests, whose variables may be set
// while they run this program.
const testPrefix = prefix + "TEST"

// shellVariables are set by the completion scripts that cobra writes, in fish
// and PowerShell for the rest of the session.
var shellVariables = []string{prefix + "ACTIVE_HELP", prefix + "COMPLETION_DESCRIPTIONS"}

// Kubernetes describes each Service of a namespace in the environment of every
// container, and Docker's links do the same. A Service named fhctl or
// fhctl-anything thus sets variables that begin like ours: FHCTL_SERVICE_HOST,
// FHCTL_SERVICE_PORT, FHCTL_SERVICE_PORT_METRICS, FHCTL_PORT=tcp://10.0.0.1:9477,
// FHCTL_PORT_9477_TCP and FHCTL_PORT_9477_TCP_ADDR, _PORT and _PROTO. A link also sets
// FHCTL_NAME=/app/fhctl, FHCTL_ENV_PATH and, for a range of ports, _START and _END.
var (
	serviceName  = regexp.MustCompile(`^[A-Z0-9_]+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PROTO|(PORT_)?(START|END)|PORT))?|ENV_[A-Z0-9_]+)$`)
	serviceValue = regexp.MustCompile(`^(tcp|udp|sctp)://`)
	linkName     = regexp.MustCompile(`^/[^/]+/[^/]+$`)
)

// foreign reports whether a variable that begins with our prefix is somebody
// else's to set. No setting may have such a name; a test holds the table to it.
func foreign(name, value string) bool {
	return strings.HasPrefix(name, testPrefix) || slices.Contains(shellVariables, name) || serviceName.MatchString(name) ||
		strings.HasSuffix(name, "_PORT") && serviceValue.MatchString(value) ||
		strings.HasSuffix(name, "_NAME") && linkName.MatchString(value)
}
