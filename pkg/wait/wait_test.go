package wait_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/wait"
)

func TestFor(t *testing.T) {
	for _, tc := range []struct {
		name     string
		d, ended time.Duration // ended: when the context does, 0 never, below 0 before
		took     time.Duration
		want     error
	}{
		{"the time passes", time.Hour, 0, time.Hour, nil},
		{"the context ends first", time.Hour, time.Minute, time.Minute, context.DeadlineExceeded},
		{"the context ended before", time.Hour, -1, 0, context.DeadlineExceeded},
		{"nothing to wait for", 0, time.Minute, 0, nil},
		{"below zero", -time.Hour, time.Minute, 0, nil},
		{"nothing to wait for, in a context that has ended", 0, -1, 0, context.DeadlineExceeded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := t.Context(), func() {}
				if tc.ended != 0 {
					ctx, cancel = context.WithTimeout(ctx, tc.ended)
				}
				defer cancel()
				began := time.Now()
				if err := wait.For(ctx, tc.d); !errors.Is(err, tc.want) || time.Since(began) != tc.took {
					t.Errorf("%v after %s, want %v after %s", err, time.Since(began), tc.want, tc.took)
				}
			})
		})
	}
}

func TestUnless(t *testing.T) {
	for _, tc := range []struct {
		name    string
		d, stop time.Duration // stop: when the channel is closed, below 0 before
		took    time.Duration
		stopped bool
	}{
		{"the time passes", time.Minute, time.Hour, time.Minute, false},
		{"the channel is closed first", time.Hour, time.Minute, time.Minute, true},
		{"it was closed before", time.Hour, -1, 0, true},
		{"it was closed, and there is nothing to wait for", 0, -1, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stop := make(chan struct{})
				if tc.stop < 0 {
					close(stop)
				} else {
					time.AfterFunc(tc.stop, func() { close(stop) })
				}
				began := time.Now()
				stopped, err := wait.Unless(t.Context(), tc.d, stop)
				if took := time.Since(began); stopped != tc.stopped || err != nil || took != tc.took {
					t.Errorf("%v, %v after %s, want %v after %s", stopped, err, took, tc.stopped, tc.took)
				}
			})
		})
	}
}

// A loop that tries something again ends with its context.
func ExampleFor() {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	for {
		if err := wait.For(ctx, 20*time.Millisecond); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output: context deadline exceeded
}
