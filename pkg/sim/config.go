package sim

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
)

// Defaults and limits of Config.
const (
	DefaultRate     = 50
	DefaultSeed     = 1
	DefaultBacklog  = 1000
	DefaultAccounts = 200

	MaxRate     = 100_000
	MaxAccounts = 10_000

	minRate = 0.01
)

// DefaultEpoch is when the relay began.
var DefaultEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Config says what traffic to make.
type Config struct {
	// Rate is in events per second, at most MaxRate; 0 makes them as fast
	// as they are read, with times a millisecond apart.
	Rate float64
	// Count ends the series after so many events; 0 is endless.
	Count int64
	Seed  uint64
	// Backlog is how many events are there from the start. 0 means
	// DefaultBacklog, or none when there is a Count; -1 means none.
	Backlog int
	// Accounts is how many take part at a time, at most MaxAccounts; 0
	// means DefaultAccounts. Each takes about 25 KB.
	Accounts int
	// Epoch is when the series began; zero means DefaultEpoch.
	Epoch time.Time
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// ParseURL reads sim://?rate=N&count=N&seed=N&backlog=N&accounts=N, every part
// optional. Anything else is a fault.Usage error that names it.
func ParseURL(text string) (Config, error) {
	c := Config{Rate: DefaultRate, Seed: DefaultSeed}
	u, err := url.Parse(text)
	if err != nil {
		return c, usage(errors.New("sim URL is not a URL"))
	}
	if u.Scheme != "sim" || u.Host != "" || u.User != nil || u.Opaque != "" || strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return c, usage(errors.New("sim URL has more than parameters"))
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return c, usage(errors.New("sim URL's parameters are malformed"))
	}
	for name, list := range values {
		read := c.reader(name)
		if read == nil {
			return c, usage(unknownParameter(name, list[0]))
		}
		if len(list) > 1 {
			return c, usage(fmt.Errorf("sim URL gives %s twice", name))
		}
		if err := read(list[0]); err != nil {
			return c, usage(fmt.Errorf("sim URL: what %s is set to is not a number, or too large", name))
		}
	}
	if values.Has("backlog") && c.Backlog == 0 {
		c.Backlog = -1
	}
	return c, c.check()
}

// reader is how the parameter is read into c; nil when there is none such.
func (c *Config) reader(name string) func(string) error {
	switch name {
	case "rate":
		return func(s string) (err error) { c.Rate, err = strconv.ParseFloat(s, 64); return err }
	case "count":
		return func(s string) error { return parseInteger(s, &c.Count) }
	case "seed":
		return func(s string) (err error) { c.Seed, err = strconv.ParseUint(s, 10, 64); return err }
	case "backlog":
		return func(s string) error { return small(s, &c.Backlog) }
	case "accounts":
		return func(s string) error { return small(s, &c.Accounts) }
	}
	return nil
}

// parseInteger reads a number that is not negative.
func parseInteger(text string, to *int64) error {
	n, err := strconv.ParseUint(text, 10, 63)
	*to = int64(n)
	return err
}

func small(text string, to *int) error {
	n, err := strconv.ParseUint(text, 10, 31)
	*to = int(n)
	return err
}

// unknownParameter names a parameter only where it cannot be a piece of something else.
func unknownParameter(name, value string) error {
	if value == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return errors.New("sim URL has an unknown parameter")
	}
	return fmt.Errorf("sim URL has an unknown parameter %q", name)
}

func usage(err error) error {
	return fault.New(fault.Usage, err, "write it like sim://?rate=50&count=1000&seed=1&backlog=1000&accounts=200")
}

// Series names all that frames depend on, so that a cursor is never taken to
// another series: "sim:seed=1,rate=50,accounts=200". Count and Backlog only say
// which part is played. An Epoch other than the default is named too.
func (c Config) Series() string {
	c.defaults()
	name := fmt.Sprintf("sim:seed=%d,rate=%g,accounts=%d", c.Seed, c.Rate, c.Accounts)
	if !c.Epoch.Equal(DefaultEpoch) {
		name += ",epoch=" + c.Epoch.UTC().Format(time.RFC3339Nano)
	}
	return name
}

// check refuses values that are out of range.
func (c *Config) check() error {
	limits := []struct {
		ok   bool
		text string
	}{
		{c.Rate >= 0 && c.Rate <= MaxRate, fmt.Sprintf("rate must be 0 to %d events per second", MaxRate)},
		{c.Rate == 0 || c.Rate >= minRate, "rate must be 0 or at least 0.01 events per second"},
		{c.Count >= 0 && c.Count <= maxCount, fmt.Sprintf("count must be 0 to %d", maxCount)},
		{c.Backlog >= -1, "backlog must not be negative"},
		{c.Accounts >= 0 && c.Accounts <= MaxAccounts, fmt.Sprintf("accounts must be 1 to %d", MaxAccounts)},
	}
	i := slices.IndexFunc(limits, func(l struct {
		ok   bool
		text string
	}) bool {
		return !l.ok
	})
	if i < 0 {
		return nil
	}
	return usage(errors.New("sim: " + limits[i].text))
}

func (c *Config) defaults() {
	switch {
	case c.Backlog < 0 || c.Backlog == 0 && c.Count > 0:
		c.Backlog = 0
	case c.Backlog == 0:
		c.Backlog = DefaultBacklog
	}
	if c.Accounts == 0 {
		c.Accounts = DefaultAccounts
	}
	if c.Epoch.IsZero() {
		c.Epoch = DefaultEpoch
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}
