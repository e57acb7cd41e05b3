package replay

import (
	"log/slog"

	"github.com/fhctl/fhctl/pkg/fault"
)

// playedUpTo tells that a recording ends too early, where others go on being served.
func playedUpTo(log *slog.Logger, err error) {
	log.Error("The recording cannot be played further: nothing more will come", "err", err.Error(), "hint", fault.HintOf(err))
}
