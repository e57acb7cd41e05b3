// Package build knows what this program was made from: call [Read].
package build

import (
	"runtime"
	"runtime/debug"
)

// The linker sets these at release. A build from source leaves them empty and has
// Go's own build information instead.
var (
	Version string
	Commit  string
	Date    string // of the commit, RFC 3339
)

// Info says what this program was made from. Its fields are fhctl version -o
// json's.
type Info struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Date     string `json:"date"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Read never has an empty field: what is unknown says so.
func Read() Info {
	b := Info{Version, Commit, Date, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.fill(info)
	}
	for _, field := range []*string{&b.Version, &b.Commit, &b.Date} {
		if *field == "" {
			*field = "unknown"
		}
	}
	return b
}

func (b *Info) fill(info *debug.BuildInfo) {
	stamps := map[string]string{}
	for _, s := range info.Settings {
		stamps[s.Key] = s.Value
	}
	orElse := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	orElse(&b.Version, info.Main.Version)
	orElse(&b.Commit, stamps["vcs.revision"])
	orElse(&b.Date, stamps["vcs.time"])
}
