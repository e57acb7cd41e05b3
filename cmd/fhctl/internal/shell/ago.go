package shell

import (
	"strings"

	"github.com/fhctl/fhctl/pkg/place"
)

// agoArgs lets "fhctl cursor set -10m" be written as it is said: what begins with
// a dash is a flag to whatever reads command lines.
func agoArgs(args []string) []string {
	words := 0
	for i, arg := range args {
		ago, dashed := strings.CutPrefix(arg, "-")
		_, isSpan := place.Duration(ago)
		switch {
		case arg == "--":
			return args
		case words < 2 && arg == []string{"cursor", "set"}[words]:
			words++
		case words == 2 && dashed && isSpan:
			changed := append([]string(nil), args...)
			changed[i] = NowMinus + ago
			return changed
		}
	}
	return args
}

// NowMinus stands for "-" before a duration.
const NowMinus = "now-"
