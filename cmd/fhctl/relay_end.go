package main

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

// relayEnd is a relay as a URL names it: a real one, or one that is bundled. Nothing
// of it has been opened yet.
type relayEnd struct {
	kind     relayKind
	endpoint relay.Endpoint // of a real one
	path     string         // of a recording
	series   sim.Config     // of the simulator
	// identity is whose numbering the seqs are: what a cursor, and a recording that
	// is to be resumed, is marked with. Two relays that share one send the same
	// events under the same seqs.
	identity string
	name     string // for people
}

type relayKind uint8

const (
	relayReal relayKind = iota
	relaySim
	relayCapture
)

// parseRelay chooses by URL scheme. cleartext allows ws:// to another machine.
func parseRelay(raw string, cleartext bool) (e relayEnd, err error) {
	raw = config.OwnScheme(raw)
	path, recorded := cutCapture(raw)
	switch {
	case recorded:
		return relayEnd{kind: relayCapture, path: path, identity: captureIdentity(path), name: "capture:" + path}, nil
	case strings.HasPrefix(raw, "sim:"):
		e = relayEnd{kind: relaySim, name: raw}
		e.series, err = sim.ParseURL(raw)
		e.identity = e.series.Series()
		return e, err
	}
	e.endpoint, err = relay.ParseURL(raw, cleartext)
	e.identity, e.name = e.endpoint.Host(), e.endpoint.String()
	return e, err
}

// open opens a relay that is bundled. The caller calls shut.
func (e relayEnd) open() (log relayserver.Log, shut func(), err error) {
	if e.kind == relayCapture {
		l, err := capture.OpenLog(capture.LogConfig{Path: e.path})
		if err != nil {
			return nil, nil, err
		}
		return l, func() { _ = l.Close() }, nil
	}
	s, err := sim.New(e.series)
	if err != nil {
		return nil, nil, fmt.Errorf("start simulator: %w", err)
	}
	return s, func() { _ = s.Close() }, nil
}

func cutCapture(raw string) (path string, ok bool) {
	path, ok = strings.CutPrefix(raw, "capture:")
	return strings.TrimPrefix(path, "//"), ok
}

// captureIdentity is the relayEnd.identity of a recording.
func captureIdentity(path string) string { return "capture:" + filepath.Base(path) }

// relayIdentity is the relayEnd.identity of a URL, or of what is one already.
func relayIdentity(raw string) (string, error) {
	if strings.HasPrefix(raw, "sim:seed=") {
		return raw, nil
	}
	e, err := parseRelay(raw, true)
	return e.identity, err
}
