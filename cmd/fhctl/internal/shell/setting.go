package shell

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
)

// AddSetting gives a command one flag of a group whose others are not its
// business.
func AddSetting(cmd *cobra.Command, group config.Group, name string) {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	config.AddFlags(all, group)
	cmd.Flags().AddFlag(all.Lookup(name))
}

// ErrStreamMissing is what monitors get for a stream that is not there: there
// is nothing that could be told of it.
func ErrStreamMissing(key, redis string) error {
	return fault.New(fault.Unreachable, errors.New("there is no stream "+key+" at "+redis),
		"check --redis-url and --stream-key; fhctl ingest makes the stream with the first event it stores")
}
