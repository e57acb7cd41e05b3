package config_test

import (
	"fmt"
	"log"

	"github.com/spf13/pflag"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
)

// A flag counts before a variable, and a variable before the default.
func ExampleLoad() {
	flags := pflag.NewFlagSet("example", pflag.ContinueOnError)
	config.AddFlags(flags, config.Groups()...)
	if err := flags.Parse([]string{"--batch-size", "100"}); err != nil {
		log.Fatal(err)
	}
	environ := []string{"RELAY_URL=relay.example", "FHCTL_BATCH_SIZE=200", "REDIS_URL=redis://:secret@localhost:6379"}

	c, err := config.Load(flags, environ)
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range c.Values {
		switch v.Name {
		case "relay-url", "redis-url", "stream-key", "batch-size":
			fmt.Printf("%s = %s (%s)\n", v.Name, v.Text, v.Origin)
		}
	}

	_, err = config.Load(nil, []string{"FHCTL_BATCH_SIZE=many"})
	fmt.Println(fault.ClassOf(err), err)
	// Output:
	// relay-url = relay.example (environment RELAY_URL)
	// redis-url = redis://:***@localhost:6379 (environment REDIS_URL)
	// stream-key = firehose:events (default)
	// batch-size = 100 (flag --batch-size)
	// usage environment FHCTL_BATCH_SIZE: "many" is not a whole number
}
