package endpoint

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/relay"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/sim"
)

// Relay is a relay as a URL names it: a real one, or one that is bundled. Nothing
// of it has been opened yet.
type Relay struct {
	Kind     relayKind
	Endpoint relay.Endpoint // of a real one
	path     string         // of a recording
	Series   sim.Config     // of the simulator
	// Identity is whose numbering the seqs are: what a cursor, and a recording that
	// is to be resumed, is marked with. Two relays that share one send the same
	// events under the same seqs.
	Identity string
	Name     string // for people
}

type relayKind uint8

const (
	Real relayKind = iota
	Sim
	Capture
)

// ParseRelay chooses by URL scheme. cleartext allows ws:// to another machine.
func ParseRelay(raw string, cleartext bool) (e Relay, err error) {
	raw = config.OwnScheme(raw)
	path, recorded := CutCapture(raw)
	switch {
	case recorded:
		return Relay{Kind: Capture, path: path, Identity: CaptureIdentity(path), Name: "capture:" + path}, nil
	case strings.HasPrefix(raw, "sim:"):
		e = Relay{Kind: Sim, Name: raw}
		e.Series, err = sim.ParseURL(raw)
		e.Identity = e.Series.Series()
		return e, err
	}
	e.Endpoint, err = relay.ParseURL(raw, cleartext)
	e.Identity, e.Name = e.Endpoint.Host(), e.Endpoint.String()
	return e, err
}

// Open opens a relay that is bundled. The caller calls shut.
func (e Relay) Open() (log relayserver.Log, shut func(), err error) {
	if e.Kind == Capture {
		l, err := capture.OpenLog(capture.LogConfig{Path: e.path})
		if err != nil {
			return nil, nil, err
		}
		return l, func() { _ = l.Close() }, nil
	}
	s, err := sim.New(e.Series)
	if err != nil {
		return nil, nil, fmt.Errorf("start simulator: %w", err)
	}
	return s, func() { _ = s.Close() }, nil
}

// CutCapture is the path of a recording that is named like a relay; ok is false of other
// URLs.
func CutCapture(raw string) (path string, ok bool) {
	path, ok = strings.CutPrefix(raw, "capture:")
	return strings.TrimPrefix(path, "//"), ok
}

// CaptureIdentity is the Relay.identity of a recording.
func CaptureIdentity(path string) string { return "capture:" + filepath.Base(path) }

// RelayIdentity is the Relay.identity of a URL, or of what is one already.
func RelayIdentity(raw string) (string, error) {
	if strings.HasPrefix(raw, "sim:seed=") {
		return raw, nil
	}
	e, err := ParseRelay(raw, true)
	return e.Identity, err
}
