package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// licenceFile is generated: the licences of every module linked into the
// program of a release. Each archive, package and image brings it, as most of
// these licences ask.
const licenceFile = "LICENSE-THIRD-PARTY"

// releasedPlatforms are those of .goreleaser.yaml; which modules are linked
// depends on them.
var releasedPlatforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// linkedModule is a module some platform's program contains, with the licence
// files that apply to its linked packages.
type linkedModule struct {
	name, version string
	files         map[string]string // path below the module → text
}

// linkedPackage is what go list says of one package.
type linkedPackage struct {
	Dir      string
	Standard bool
	Module   *struct{ Path, Version, Dir string }
}

// TestLicencesAreKnown refuses a linked module without a licence, or with one
// that this list does not know: somebody must read it first.
func TestLicencesAreKnown(t *testing.T) {
	modules := linkedModules(t)
	if len(modules) < 20 {
		t.Fatalf("only %d modules are linked", len(modules))
	}
	for _, m := range modules {
		if kinds := m.licences(); len(kinds) == 0 || slices.Contains(kinds, "") {
			t.Errorf("%s %s: licence unknown: %v in %v", m.name, m.version, kinds, slices.Sorted(maps.Keys(m.files)))
		}
	}
}

// The platforms looked at are those that a release is built for.
func TestLicencesCoverEveryPlatform(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	list := func(key string) []string {
		match := regexp.MustCompile(`\n    ` + key + `: \[(.*)\]\n`).FindStringSubmatch(string(text))
		if match == nil {
			t.Fatalf(".goreleaser.yaml has no %s", key)
		}
		return strings.Split(strings.ReplaceAll(match[1], " ", ""), ",")
	}
	var want []string
	for _, system := range list("goos") {
		for _, processor := range list("goarch") {
			want = append(want, system+"/"+processor)
		}
	}
	if !slices.Equal(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(releasedPlatforms))) {
		t.Errorf("a release is built for %v, licences are collected for %v", want, releasedPlatforms)
	}
}

// Whatever a release hands out brings its licences.
func TestReleaseBringsItsLicences(t *testing.T) {
	root := moduleRoot(t)
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	release, image := read(".goreleaser.yaml"), read("docs/deploy/Dockerfile")
	for _, name := range []string{"LICENSE", licenceFile} {
		if got := strings.Count(release, "\n      - src: "+name+"\n"); got != 2 {
			t.Errorf("%s is in %d of archives and packages", name, got)
		}
		if !strings.Contains(release, "\n      - "+name+"\n") || !regexp.MustCompile(`(?m)^COPY (.* )?`+name+` .*/usr/share/doc/fhctl/$`).MatchString(image) {
			t.Errorf("the image lacks %s", name)
		}
	}
}

// writeLicences writes licenceFile: a table of modules, then each text once
// with the modules it belongs to.
func writeLicences(t *testing.T, b *bytes.Buffer) error {
	modules := linkedModules(t)
	b.WriteString(`Licences of the modules linked into fhctl

fhctl itself is under the MIT licence, see LICENSE. The program also contains
the Go runtime and standard library and the modules below, unchanged. The source
of a module is at the address that is its name, under the tag or commit of the
version; this also holds for those under the MPL-2.0.

`)
	texts := map[string][]string{} // text → "module version (file)"
	for _, m := range modules {
		fmt.Fprintf(b, "  %s %s  %s\n", m.name, m.version, strings.Join(m.licences(), ", "))
		for _, file := range slices.Sorted(maps.Keys(m.files)) {
			texts[m.files[file]] = append(texts[m.files[file]], fmt.Sprintf("%s (%s)", m.name, file))
		}
	}
	order := slices.SortedFunc(maps.Keys(texts), func(x, y string) int { return cmp.Compare(texts[x][0], texts[y][0]) })
	for _, text := range order {
		fmt.Fprintf(b, "\n%s\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(texts[text], "\n"), strings.Repeat("-", 80), text)
	}
	return nil
}

// modulesOnce keeps what asking the go command six times has found.
var modulesOnce struct {
	sync.Once
	modules []linkedModule
}

// linkedModules is every module of the program, on any released platform,
// by name.
func linkedModules(t *testing.T) []linkedModule {
	t.Helper()
	modulesOnce.Do(func() { modulesOnce.modules = findModules(t) })
	return modulesOnce.modules
}

func findModules(t *testing.T) []linkedModule {
	t.Helper()
	found := map[string]linkedModule{}
	for _, platform := range releasedPlatforms {
		for _, p := range linkedPackages(t, platform) {
			if p.Standard || p.Module == nil || p.Module.Version == "" {
				continue
			}
			m, ok := found[p.Module.Path]
			if !ok {
				m = linkedModule{p.Module.Path, p.Module.Version, map[string]string{}}
				found[m.name] = m
			}
			addLicences(t, m.files, p.Module.Dir, p.Dir)
		}
	}
	modules := slices.SortedFunc(maps.Values(found), func(x, y linkedModule) int { return cmp.Compare(x.name, y.name) })
	// Go's own licence is that of its extended libraries, to the letter.
	own := linkedModule{"Go runtime and standard library", "", nil}
	own.files = found["golang.org/x/sys"].files
	if text, err := os.ReadFile(filepath.Join(goRoot(t), "LICENSE")); err == nil && normal(text) != own.files["LICENSE"] {
		t.Error("Go's licence is not that of golang.org/x/sys")
	}
	return slices.Insert(modules, 0, own)
}

func goRoot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatalf("go env: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func linkedPackages(t *testing.T, platform string) (packages []linkedPackage) {
	t.Helper()
	system, processor, _ := strings.Cut(platform, "/")
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,Standard,Module", "./cmd/fhctl")
	cmd.Dir, cmd.Env = moduleRoot(t), append(os.Environ(), "GOOS="+system, "GOARCH="+processor, "CGO_ENABLED=0")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list for %s: %v\n%s", platform, err, complaints.Bytes())
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p linkedPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

var licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|copyright|notice|patents|unlicense)([-._].*)?$`)

// addLicences collects the licence files beside a package and above it, up to
// its module: parts of a module may be under a licence of their own.
func addLicences(t *testing.T, files map[string]string, module, dir string) {
	t.Helper()
	for ; strings.HasPrefix(dir, module); dir = filepath.Dir(dir) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if !licenceName.MatchString(entry.Name()) || entry.IsDir() || strings.HasSuffix(entry.Name(), ".go") {
				continue
			}
			text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(module, filepath.Join(dir, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			files[filepath.ToSlash(name)] = normal(text)
		}
	}
}

// normal is a text without what differs between two copies of one licence:
// line ends, and blanks at the ends of lines and of the text.
func normal(text []byte) string {
	lines := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t\f")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// licences names the licences of a module by their SPDX names; "" is one
// nobody knows here. Notices and patent grants are no licences.
func (m linkedModule) licences() (kinds []string) {
	for name, text := range m.files {
		if regexp.MustCompile(`(?i)(^|/)(notice|patents|copyright)`).MatchString(name) {
			continue
		}
		if kind := licenceKind(text); !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

func licenceKind(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, known := range []struct{ words, kind string }{
		{"meaning either of: - Apache-2.0 Software License", "Apache-2.0 OR MIT"},
		{"dual-licensed under either of Apache 2.0 or MIT", "Apache-2.0 OR MIT"},
		{"Mozilla Public License Version 2.0", "MPL-2.0"},
		{"Mozilla Public License, version 2.0", "MPL-2.0"},
		{"Apache License Version 2.0", "Apache-2.0"},
		{"Apache License, Version 2.0", "Apache-2.0"},
		{"Neither the name", "BSD-3-Clause"},
		{"names of its contributors may be used", "BSD-3-Clause"},
		{"Redistribution and use in source and binary forms", "BSD-2-Clause"},
		{"Permission is hereby granted, free of charge", "MIT"},
		{"Permission to use, copy, modify, and/or distribute", "ISC"},
		{"dedicate any and all copyright interest", "Unlicense"},
		{"CC0 1.0 Universal", "CC0-1.0"},
	} {
		if strings.Contains(text, known.words) {
			return known.kind
		}
	}
	return ""
}
