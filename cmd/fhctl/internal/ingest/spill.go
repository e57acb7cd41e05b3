package ingest

import (
	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/observe"
	"github.com/fhctl/fhctl/pkg/capture/spill"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline"
)

var _ pipeline.FrameSource = (*spill.Source)(nil)

// spill puts the disk between source and pipeline, where that is asked for.
func (i *ingestion) spill(source pipeline.FrameSource, up endpoint.Upstream) (_ pipeline.FrameSource, closeSpill func(), err error) {
	r := i.cfg.Redis
	if r.WhenFull != config.WhenFullSpill {
		return source, func() {}, nil
	}
	stage, err := spill.Open(spill.Config{
		Source: source, Dir: r.SpillDir, MaxBytes: r.SpillMaxBytes,
		IdleTimeout: i.cfg.Ingest.IdleTimeout,
		Owner:       spill.Owner{Relay: up.Identity, Stream: r.StreamKey, Cursor: r.CursorKey},
		Alarm:       i.heard.Alarm, Rejected: i.refused, Logger: i.Log,
	})
	if err != nil {
		return nil, nil, i.cfg.Refuse("when-full", err)
	}
	i.heard = append(i.heard, spillObserver{stage: stage})
	i.monitor.SetSpill(stage.Usage)
	return stage, func() {
		if err := stage.Close(); err != nil {
			i.Log.Warn("Cannot close the spill directory", "err", err.Error())
		}
	}, nil
}

// spillObserver tells the stage what need not be kept any more.
type spillObserver struct {
	observe.Silent
	stage *spill.Source
}

func (o spillObserver) Stored(b *event.Batch, _ event.Receipt) { o.stage.Stored(b.Upto) }

// refused counts a frame that the spill stage kept out of the stream.
func (i *ingestion) refused(r *event.Reject, frame []byte) { tellRefused(i.heard, r, frame) }

// tellRefused counts what was kept out of the stream beside the pipeline, as the
// pipeline counts what it keeps out.
func tellRefused(heard event.Observer, r *event.Reject, frame []byte) {
	var counts event.Counts
	counts.Rejected[r.Reason]++
	heard.Counted(&counts)
	heard.Rejected(r, frame)
}
