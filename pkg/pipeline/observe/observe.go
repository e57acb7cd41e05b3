package observe

import "github.com/fhctl/fhctl/pkg/event"

// Observers passes everything on to each of its members.
type Observers []event.Observer

func (all Observers) Link(l event.Link) {
	for _, o := range all {
		o.Link(l)
	}
}

func (all Observers) Store(s event.Store) {
	for _, o := range all {
		o.Store(s)
	}
}

func (all Observers) Role(r event.Role) {
	for _, o := range all {
		o.Role(r)
	}
}

func (all Observers) Counted(c *event.Counts) {
	for _, o := range all {
		o.Counted(c)
	}
}

func (all Observers) Rejected(r *event.Reject, frame []byte) {
	for _, o := range all {
		o.Rejected(r, frame)
	}
}

func (all Observers) Stored(b *event.Batch, r event.Receipt) {
	for _, o := range all {
		o.Stored(b, r)
	}
}

func (all Observers) Alarm(a event.Alarm, seq event.Seq, detail string) {
	for _, o := range all {
		o.Alarm(a, seq, detail)
	}
}

// Silent is an Observer for those who care about one method only.
type Silent struct{}

func (Silent) Link(event.Link)                      {}
func (Silent) Store(event.Store)                    {}
func (Silent) Role(event.Role)                      {}
func (Silent) Counted(*event.Counts)                {}
func (Silent) Rejected(*event.Reject, []byte)       {}
func (Silent) Stored(*event.Batch, event.Receipt)   {}
func (Silent) Alarm(event.Alarm, event.Seq, string) {}
