package relayserver

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
)

// Fault is something a relay should not do, and when to do it.
type Fault struct {
	// Kind is one of the words below.
	//
	//	drop           close TCP without a close message
	//	reset          close TCP with RST, losing what is in flight
	//	cut            send half of the due frame, then close TCP
	//	stall:TIME     send nothing, not even pongs, for TIME (5s)
	//	mute:TIME      send no event for TIME (5s), but a notice every 100 ms
	//	endless:TIME   begin a message and send empty parts of it, every 10 ms
	//	               for TIME (5s), then close TCP
	//	slow:TIME      from now on wait TIME (1ms) before each frame
	//	repeat:N       send the last N (10) frames again
	//	regress:N      send the frame N (10) back again
	//	leap:N         send a copy of the due frame, its seq N higher (2^53-1)
	//	ahead:N        the same, N (3) higher
	//	time:TEXT      send the due frame with this time (1970-01-01T00:00:00Z)
	//	skip:N         never send the next N (1) frames; see Server.Skipped
	//	text           send a text message
	//	empty          send an empty message
	//	garbage:N      send N (64) random bytes
	//	unknown:NAME   send a frame of type NAME (#unknown) without a seq
	//	info:NAME      send an #info frame (OutdatedCursor)
	//	error:NAME     send an error frame (ConsumerTooSlow), then close 1008
	//	close:CODE     send a close message (1000)
	//	oversize:N     send a message of N (5000001) zero bytes
	//	http:CODE[/S]  drop, and answer the next request CODE (502), with
	//	               Retry-After: S if given
	Kind string
	// At is the ordinal of the frame it strikes before.
	At int64
	// Every strikes at each multiple of this ordinal instead.
	Every int64
	// Times is how often it strikes at most, but once per connection where
	// At is given: a poison frame comes back after each reconnect. Zero
	// means once with At, without end with Every.
	Times int
	// Arg is what stands behind the colon above; empty takes the default.
	Arg string
}

// strike is a Fault made ready, and what became of it.
type strike struct {
	Fault
	number int64
	wait   time.Duration
	name   string

	fired    int
	lastConn uint64
	lastAt   int64
}

// argument reads Fault.Arg into a strike.
type argument func(s *strike, arg string) error

var kinds = map[string]argument{
	"drop": noArgument, "reset": noArgument, "cut": noArgument, "text": noArgument, "empty": noArgument,
	"stall": waitOf(5 * time.Second), "mute": waitOf(5 * time.Second), "endless": waitOf(5 * time.Second), "slow": waitOf(time.Millisecond),
	"repeat": numberOf(10), "regress": numberOf(10), "skip": numberOf(1),
	"garbage": numberOf(64), "oversize": numberOf(5_000_001), "close": numberOf(1000),
	"leap": leapOf, "ahead": numberOf(3), "time": nameOf("1970-01-01T00:00:00Z"),
	"unknown": nameOf("#unknown"), "info": nameOf("OutdatedCursor"), "error": nameOf("ConsumerTooSlow"),
	"http": status,
}

// ParseFaults reads faults separated by commas: KIND@ORDINAL, or KIND%N for
// every Nth frame, each perhaps followed by *TIMES and then :ARGUMENT, as in
// "drop%500,stall@2000:5s,garbage@100*3". The empty text is no faults.
func ParseFaults(text string) ([]Fault, error) {
	var faults []Fault
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		f, err := parseFault(word)
		if err == nil {
			_, err = ready(f)
		}
		if err != nil {
			return nil, fault.New(fault.Usage, fmt.Errorf("fault %q: %w", word, err),
				"write KIND@FRAME or KIND%FRAMES, such as drop@1000 or stall%5000:2s; kinds: "+strings.Join(slices.Sorted(maps.Keys(kinds)), " "))
		}
		faults = append(faults, f)
	}
	return faults, nil
}

func parseFault(word string) (f Fault, err error) {
	when, arg, _ := strings.Cut(word, ":")
	f.Arg = arg
	when, times, repeated := strings.Cut(when, "*")
	if repeated {
		if f.Times, err = strconv.Atoi(times); err != nil || f.Times < 1 {
			return f, errors.New("the number after * is not positive")
		}
	}
	split := strings.IndexAny(when, "@%")
	if split < 0 {
		return f, errors.New("it does not say when")
	}
	n, err := strconv.ParseInt(when[split+1:], 10, 64)
	if err != nil || n < 1 {
		return f, errors.New("the frame number is not positive")
	}
	f.Kind = when[:split]
	if when[split] == '@' {
		f.At = n
	} else {
		f.Every = n
	}
	return f, nil
}

// ready checks f and reads its argument.
func ready(f Fault) (*strike, error) {
	read, known := kinds[f.Kind]
	if !known {
		return nil, fmt.Errorf("kind %q is not known", f.Kind)
	}
	if (f.At > 0) == (f.Every > 0) {
		return nil, errors.New("it needs either a frame number or an interval")
	}
	s := &strike{Fault: f}
	if f.At > 0 && f.Times == 0 {
		s.Times = 1
	}
	return s, read(s, f.Arg)
}

// due reports whether the fault strikes now, before the frame of this ordinal
// on connection conn, and records it.
func (s *strike) due(ordinal int64, conn uint64) bool {
	if s.Times > 0 && s.fired >= s.Times {
		return false
	}
	if s.At > 0 && (ordinal < s.At || conn == s.lastConn) {
		return false
	}
	if s.Every > 0 && ordinal/s.Every <= s.lastAt/s.Every {
		return false
	}
	s.fired++
	s.lastConn, s.lastAt = conn, ordinal
	return true
}

func noArgument(_ *strike, arg string) error {
	if arg != "" {
		return errors.New("it takes no argument")
	}
	return nil
}

func waitOf(usual time.Duration) argument {
	return func(s *strike, arg string) (err error) {
		if s.wait = usual; arg != "" {
			s.wait, err = time.ParseDuration(arg)
		}
		if err != nil || s.wait < 0 {
			return errors.New("the argument is not a duration, such as 5s")
		}
		return nil
	}
}

func numberOf(usual int64) argument {
	return func(s *strike, arg string) (err error) {
		if s.number = usual; arg != "" {
			s.number, err = strconv.ParseInt(arg, 10, 32)
		}
		if err != nil || s.number < 1 {
			return errors.New("the argument is not a positive number")
		}
		return nil
	}
}

func leapOf(s *strike, arg string) (err error) {
	if arg != "" {
		s.number, err = strconv.ParseInt(arg, 10, 54)
	}
	if err != nil || s.number < 0 {
		return errors.New("the argument is not a positive number below 2^53")
	}
	return nil
}

func nameOf(usual string) argument {
	return func(s *strike, arg string) error {
		if s.name = usual; arg != "" {
			s.name = arg
		}
		return nil
	}
}

func status(s *strike, arg string) error {
	code, after, _ := strings.Cut(arg, "/")
	s.name = after
	if err := numberOf(502)(s, code); err != nil {
		return err
	}
	if s.number < 200 || s.number > 599 {
		return errors.New("the status is not between 200 and 599")
	}
	return nil
}
