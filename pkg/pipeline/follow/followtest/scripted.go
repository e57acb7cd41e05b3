package followtest

import (
	"context"
	"iter"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// Scripted is a relay whose nth connection, from 1, is played; it stays open behind that
// until somebody closes it. Send reports whether it is open.
func Scripted(play func(n int, from event.Position, send func(...event.Seq) bool)) follow.Open {
	return scripted(nil, 0, play)
}

// ScriptedFrames is Scripted for frames of any kind.
func ScriptedFrames(play func(n int, from event.Position, send func(...[]byte) bool)) follow.Open {
	return func(link func(event.Link)) (follow.Source, error) { return script{play: play, link: link}, nil }
}

// Failing is a relay that the first dials fail to reach; then it sends 1 and 2.
func Failing(err error, dials int) follow.Open {
	return scripted(err, dials, func(_ int, _ event.Position, send func(...event.Seq) bool) { send(1, 2) })
}

func scripted(err error, dials int, play func(n int, from event.Position, send func(...event.Seq) bool)) follow.Open {
	frames := func(n int, from event.Position, send func(...[]byte) bool) {
		play(n, from, func(seqs ...event.Seq) bool {
			var some [][]byte
			for _, seq := range seqs {
				some = append(some, relaytest.Identity(seq))
			}
			return send(some...)
		})
	}
	return func(link func(event.Link)) (follow.Source, error) { return script{frames, link, err, dials}, nil }
}

type script struct {
	play  func(n int, from event.Position, send func(...[]byte) bool)
	link  func(event.Link)
	err   error
	dials int // that fail
}

func (s script) Frames(ctx context.Context, resume func(context.Context) (event.Position, error)) iter.Seq2[*event.Chunk, error] {
	return func(yield func(*event.Chunk, error) bool) {
		for n := 1; ctx.Err() == nil; n++ {
			from, err := resume(ctx)
			if err != nil {
				return
			}
			if n <= s.dials {
				s.link(event.Link{State: event.LinkDown, Err: s.err})
			} else if !s.connect(ctx, n, from, yield) {
				return
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}
}

func (s script) connect(ctx context.Context, n int, from event.Position, yield func(*event.Chunk, error) bool) bool {
	conn, hangup := context.WithCancelCause(ctx)
	defer hangup(nil)
	s.link(event.Link{State: event.LinkUp, From: from})
	going := true
	s.play(n-s.dials, from, func(frames ...[]byte) bool {
		if conn.Err() != nil || !going {
			return false
		}
		chunk := &event.Chunk{Arrived: time.Now(), Conn: uint64(n), Hangup: hangup}
		for _, data := range frames {
			chunk.Frames = append(chunk.Frames, event.Frame{Data: data})
		}
		going = yield(chunk, nil)
		return going && conn.Err() == nil
	})
	if going {
		<-conn.Done()
		s.link(event.Link{State: event.LinkDown, Err: context.Cause(conn)})
	}
	return going
}
