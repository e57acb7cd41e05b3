package cursor

import (
	"cmp"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/text"
)

// Name is what a cursor's key holds, for people; raw is "" where there is no key.
func Name(raw string) string {
	switch raw {
	case "":
		return "none (live)"
	case "0":
		return "0 (oldest)"
	}
	return text.Escape(raw)
}

// DescribeWriter is a heartbeat in one line.
func DescribeWriter(h dashboard.Heartbeat) string {
	name := h.Writer
	if name == "" {
		name = "one that is not fhctl"
	}
	relay := cmp.Or(h.URL, "a relay it does not name")
	link := "connected to " + relay
	switch {
	case h.Stopped:
		link = "stopped"
	case !h.Connected:
		link = "disconnected from " + relay
	}
	if h.Held != "" && !h.Stopped {
		link = "held for an operator (" + h.Held + "), " + link
	}
	if h.TTL > 0 {
		link += ", heartbeat " + text.Span(h.Age()) + " old"
	}
	return text.Escape(name + ", " + link)
}

// UntilGone says when the heartbeat of a writer that has ended is gone.
func UntilGone(h dashboard.Heartbeat) string {
	left := int((h.TTL + time.Second - 1) / time.Second)
	if left <= 0 {
		return "or, if it has ended, repeat in 10 s, when its heartbeat has gone"
	}
	return fmt.Sprintf("or, if it has ended, repeat in %d s, when its heartbeat has gone", left)
}
