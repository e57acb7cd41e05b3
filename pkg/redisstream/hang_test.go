package redisstream

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// muteServer takes connections and never answers; asked hears of each piece that is sent.
func muteServer(t *testing.T, asked chan<- struct{}) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	t.Cleanup(func() { listener.Close(); conns.Wait() })
	conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				for buffer := make([]byte, 4<<10); ; {
					if _, err := conn.Read(buffer); err != nil {
						return
					}
					asked <- struct{}{}
				}
			})
		}
	})
	return "redis://" + listener.Addr().String()
}

// G6: what waits for a Redis that hangs ends with its context, and not when the
// socket's time limit passes, which here is an hour.
func TestNothingWaitsBehindItsContext(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(context.Context, conn.Connection) error{
		"reader": func(ctx context.Context, c conn.Connection) error {
			_, err := reader.Open(ctx, reader.Config{Connection: c})
			return err
		},
		"reader of partitions": func(ctx context.Context, c conn.Connection) error {
			_, err := reader.Open(ctx, reader.Config{Connection: c, Partitions: 2})
			return err
		},
		"writer": func(ctx context.Context, c conn.Connection) error {
			_, err := Open(ctx, Config{Connection: c})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan struct{}, 1000)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				ended <- open(ctx, conn.Connection{URL: muteServer(t, asked), CommandTimeout: time.Hour})
			}()
			<-asked
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}

// The same once it is open: a read that is under way.
func TestReadsEndWithTheContextOfTheReader(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t)
	server := redistest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stalled, over := make(chan struct{}, 1), make(chan struct{})
	hung := redistest.NewMiddleman(t, server.Addr(), func(command []string) string {
		if command[0] == "XLEN" {
			stalled <- struct{}{}
			<-over
		}
		return ""
	})
	t.Cleanup(func() { close(over) })
	r, err := reader.Open(ctx, reader.Config{Connection: conn.Connection{URL: hung.URL(), CommandTimeout: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ended := make(chan error, 1)
	go func() { _, err := r.Bounds(ctx); ended <- err }()
	<-stalled
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}
