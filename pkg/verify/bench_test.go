package verify

import (
	"encoding/json"
	"strings"
	"testing"
)

// BenchmarkEntry is the whole check of an entry; BenchmarkDecodeAlone is what
// encoding/json needs for its data, unchecked.
func BenchmarkEntry(b *testing.B) {
	frames, _ := simFrames(b, 2000)
	list := entries(b, frames)
	size := 0
	for _, e := range list {
		size += len(e.Fields[3])
	}
	b.SetBytes(int64(size / len(list)))
	b.ReportAllocs()
	s := NewStream(Config{})
	for i := 0; b.Loop(); i++ {
		if err := s.Entry(b.Context(), list[i%len(list)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeAlone(b *testing.B) {
	frames, _ := simFrames(b, 2000)
	list := entries(b, frames)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		var v any
		if err := json.Unmarshal([]byte(list[i%len(list)].Fields[3]), &v); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBridge is the slow path: every record is one the Python bridge spoilt.
func BenchmarkBridge(b *testing.B) {
	frames, _ := simFrames(b, 2000)
	list := entries(b, frames)
	for i := range list {
		list[i].Fields[3] = strings.NewReplacer("createdAt", "created_at", "mimeType", "mime_type").Replace(list[i].Fields[3])
	}
	b.ReportAllocs()
	s := NewStream(Config{MaxFindings: 100, Report: func(Finding) {}})
	for i := 0; b.Loop(); i++ {
		if err := s.Entry(b.Context(), list[i%len(list)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFrame checks a frame with its tree and signature.
func BenchmarkFrame(b *testing.B) {
	frames, keys := simFrames(b, 2000)
	f := NewFrames(Config{Signature: signatures(b, keys)})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := f.Frame(b.Context(), int64(i+1), frames[i%len(frames)]); err != nil {
			b.Fatal(err)
		}
	}
}
