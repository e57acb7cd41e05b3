package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/fhctl/fhctl/pkg/config"
)

func deployFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// analyzer runs systemd-analyze, where it is installed.
func analyzer(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("needs systemd-analyze on PATH")
	}
	cmd := exec.Command("systemd-analyze", args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_COLORS=0", "SYSTEMD_EMOJI=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// The unit and its drop-in say what systemd understands, and nothing else.
func TestUnitIsSound(t *testing.T) {
	dir := t.TempDir()
	// The program it starts must exist.
	unit := strings.ReplaceAll(deployFile(t, "fhctl.service"), "/usr/bin/fhctl", fhctlPath(t))
	path := settingsFile(t, filepath.Join(dir, "fhctl.service"), unit)
	dropIn := filepath.Join(dir, "fhctl.service.d")
	if err := os.Mkdir(dropIn, 0o700); err != nil {
		t.Fatal(err)
	}
	settingsFile(t, filepath.Join(dropIn, "password.conf"), deployFile(t, "fhctl-password.conf"))
	if said := analyzer(t, "verify", "--man=no", path); strings.Contains(said, "fhctl") {
		t.Errorf("systemd-analyze verify says:\n%s", said)
	}
}

// Reliability §4: what the unit must take away from the process.
func TestUnitIsHardened(t *testing.T) {
	unit := deployFile(t, "fhctl.service")
	for _, line := range []string{
		"Type=notify", "WatchdogSec=30s", "ExecReload=/bin/kill -HUP $MAINPID",
		"DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes",
		"PrivateDevices=yes", "SystemCallFilter=@system-service", "CapabilityBoundingSet=",
	} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("the unit lacks %s", line)
		}
	}
	if !strings.Contains(unit, "\nMemoryMax=") || !strings.Contains(deployFile(t, "fhctl-password.conf"), "\nLoadCredential=") {
		t.Error("memory is not bounded, or the password is no credential")
	}
	said := analyzer(t, "security", "--offline=true", "--no-pager", filepath.Join(moduleRoot(t), "docs", "deploy", "fhctl.service"))
	match := regexp.MustCompile(`Overall exposure level for fhctl.service: ([0-9.]+)`).FindStringSubmatch(said)
	if match == nil {
		t.Fatalf("systemd-analyze security does not say how exposed it is:\n%s", said)
	}
	t.Logf("exposure %s of 10", match[1])
	if exposure, err := strconv.ParseFloat(match[1], 64); err != nil || exposure > 1.5 {
		t.Errorf("exposure %s, want at most 1.5", match[1])
	}
}

// The settings that packages install are settings.
func TestDeployedSettingsLoad(t *testing.T) {
	path := filepath.Join(moduleRoot(t), "docs", "deploy", "fhctl.yaml")
	cfg, err := config.Load(nil, []string{"FHCTL_CONFIG=" + path})
	if err != nil {
		t.Fatal(err)
	}
	if origin := cfg.Origin("relay-url"); origin.Layer != config.LayerFile {
		t.Errorf("relay-url comes from %s", origin)
	}
	var environ []string
	for _, match := range regexp.MustCompile(`(?m)^ {6}([A-Z_]+): (.+)$`).FindAllStringSubmatch(deployFile(t, "compose.yaml"), -1) {
		value := regexp.MustCompile(`^\$\{[A-Z_]+:-(.*)\}$`).ReplaceAllString(match[2], "$1")
		environ = append(environ, match[1]+"="+value)
	}
	if len(environ) < 4 {
		t.Fatalf("the compose file sets only %v", environ)
	}
	if _, err := config.Load(nil, environ); err != nil {
		t.Errorf("the compose file's environment: %v", err)
	}
}

// Supply chain: every action is pinned by digest with its version beside it,
// no job starts with rights it was not given.
func TestWorkflowsArePinned(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(moduleRoot(t), ".github", "workflows", "*.yaml"))
	if err != nil || len(paths) < 3 {
		t.Fatalf("workflows %v, %v", paths, err)
	}
	pinned := regexp.MustCompile(`uses: [\w./-]+@[0-9a-f]{40} # v[0-9.]+$`)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimRight(line, "\n"); strings.Contains(line, "uses:") && !pinned.MatchString(line) {
				t.Errorf("%s: %q is not pinned by digest", name, strings.TrimSpace(line))
			}
			if strings.Contains(line, "image=") && !regexp.MustCompile(`image=\S+@sha256:[0-9a-f]{64}$`).MatchString(line) {
				t.Errorf("%s: %q is not pinned by digest", name, strings.TrimSpace(line))
			}
			if strings.Contains(line, "go install") && !regexp.MustCompile(`@v[0-9.]+$`).MatchString(line) {
				t.Errorf("%s: %q is not pinned by version", name, strings.TrimSpace(line))
			}
		}
		if !strings.Contains(string(text), "\npermissions: {}\n") {
			t.Errorf("%s: jobs begin with rights; write permissions: {} and give each what it needs", name)
		}
	}
}

// A workflow builds with go.mod's Go and the newest patch of it. Naming go.mod
// would give the first patch, whose standard library has holes that are known.
func TestWorkflowsBuildWithTheNewestPatch(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(moduleRoot(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	language := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)
	if language == nil {
		t.Fatal("go.mod names no Go")
	}
	paths, err := filepath.Glob(filepath.Join(moduleRoot(t), ".github", "workflows", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`\n          go-version: ` + regexp.QuoteMeta(string(language[1])) + `\.x( #.*)?\n          check-latest: true\n`)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, set := len(want.FindAll(text, -1)), strings.Count(string(text), "uses: actions/setup-go@"); got != set || set == 0 {
			t.Errorf("%s: %d of %d jobs build with the newest Go %s", filepath.Base(path), got, set, language[1])
		}
	}
}

// The base of the image is one that somebody looked at, not what a tag points at
// on the day of the release.
func TestImageBaseIsPinned(t *testing.T) {
	bases := regexp.MustCompile(`(?m)^FROM (.*)$`).FindAllStringSubmatch(deployFile(t, "Dockerfile"), -1)
	if len(bases) == 0 {
		t.Fatal("the Dockerfile has no base")
	}
	for _, base := range bases {
		if !regexp.MustCompile(`^\S+@sha256:[0-9a-f]{64}$`).MatchString(base[1]) {
			t.Errorf("%s is not pinned by digest", base[1])
		}
	}
	release, err := os.ReadFile(filepath.Join(moduleRoot(t), ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`\n    sbom: "false"\n    flags:\n      - '.*generator=\S+@sha256:[0-9a-f]{64}\{\{ end \}\}'\n`).Match(release) {
		t.Error("what lists the image's contents is not pinned by digest")
	}
}

// Nothing of a release is public before all of it: a draft would publish its
// cask and its image while the files they name are hidden. The protected
// environment is what holds it back, after the tests.
func TestReleaseIsLetOutAtOnce(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(moduleRoot(t), name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if release := read(".goreleaser.yaml"); !strings.Contains(release, "\n  draft: false\n") {
		t.Error("the release may be a draft")
	}
	if release := read(".goreleaser.yaml"); !strings.Contains(release, `args: [sign, "${artifact}@${digest}", `) {
		t.Error("images are signed by tag, which may point at another by then")
	}
	tried, published, found := strings.Cut(read(".github/workflows/release.yaml"), "\n  release:\n")
	if !found || !strings.Contains(tried, "bash .ci/run") || !strings.Contains(tried, "govulncheck ./...") {
		t.Error("the release is not tried first")
	}
	if !strings.HasPrefix(published, "    needs: test\n") || !strings.Contains(published, "\n    environment: release\n") {
		t.Error("the release does not wait for its tests and for a maintainer")
	}
	if !strings.Contains(published, "docker buildx create --use --driver docker-container ") {
		t.Error("the engine's own builder makes no image of several platforms")
	}
	for _, subjects := range []string{"dist/checksums.txt", "dist/digests.txt"} {
		if !strings.Contains(published, "subject-checksums: "+subjects+"\n") {
			t.Errorf("no provenance for what is in %s", subjects)
		}
	}
}

// The same commit gives the same bytes: nothing in an archive or a package has
// the time, the owner or the mode that it has on the disk of whoever builds.
func TestReleaseFilesAreFixed(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	type info struct {
		MTime, Owner, Group string
		Mode                int
	}
	var release struct {
		Archives []struct {
			BuildsInfo info `yaml:"builds_info"`
			Files      []struct {
				Src  string
				Info info
			}
		}
		NFPMs []struct {
			MTime    string
			Contents []struct {
				Src  string
				Info info `yaml:"file_info"`
			}
		}
	}
	if err := yaml.Unmarshal(text, &release); err != nil {
		t.Fatal(err)
	}
	const commit = "{{ .CommitDate }}"
	fixed := func(what string, got info, mode int) {
		if want := (info{commit, "root", "root", mode}); got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	files := 0
	for _, archive := range release.Archives {
		fixed("the program in archives", archive.BuildsInfo, 0o755)
		for _, file := range archive.Files {
			files++
			fixed(file.Src+" in archives", file.Info, 0o644)
		}
	}
	for _, kind := range release.NFPMs {
		if kind.MTime != commit {
			t.Errorf("packages have the time %q", kind.MTime)
		}
		for _, file := range kind.Contents {
			files++
			mode := 0o644
			if file.Src == "docs/deploy/fhctl.yaml" {
				mode = 0o640 // it may hold a password
			}
			fixed(file.Src+" in packages", file.Info, mode)
		}
	}
	if files < 20 {
		t.Errorf("a release has only %d entries of files", files)
	}
}

// The cask names its man pages one by one, and the packages bring what messages
// and alerts refer to.
func TestReleaseBringsEveryPage(t *testing.T) {
	root := moduleRoot(t)
	text, err := os.ReadFile(filepath.Join(root, ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	release := string(text)
	pages, err := filepath.Glob(filepath.Join(root, "docs", "man", "*.1"))
	if err != nil || len(pages) < 10 {
		t.Fatalf("man pages %v, %v", pages, err)
	}
	for _, page := range pages {
		if name := filepath.Base(page); !strings.Contains(release, "\n      - docs/man/"+name+"\n") {
			t.Errorf("the cask lacks %s", name)
		}
	}
	if got, want := strings.Count(release, "\n      - docs/man/"), len(pages); got != want {
		t.Errorf("the cask has %d man pages, want %d", got, want)
	}
	if !strings.Contains(release, "- src: docs/*.md\n        dst: /usr/share/doc/fhctl/docs/\n") {
		t.Error("the packages do not bring docs/runbook.md")
	}
}

// composeFile is what the tests look at of a Compose file.
type composeFile struct {
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Command     []string          `yaml:"command"`
		Environment map[string]string `yaml:"environment"`
		Profiles    []string          `yaml:"profiles"`
		DependsOn   []string          `yaml:"depends_on"`
		Ports       []string          `yaml:"ports"`
	} `yaml:"services"`
}

// Contract §2: in the application's own Compose project fhctl takes the place of
// python-firehose with its variables and values, and both never start together.
func TestComposeOverrideReplacesTheBridge(t *testing.T) {
	bridge := map[string]string{ // names and defaults of the contract, unchanged
		"RELAY_URL": "wss://bsky.network", "REDIS_URL": "redis://redis:6379", "REDIS_STREAM_KEY": "firehose:events",
		"REDIS_CURSOR_KEY": "firehose:python_cursor", "REDIS_MAX_STREAM_LEN": "500000", "LOG_LEVEL": "INFO",
	}
	var override composeFile
	if err := yaml.Unmarshal([]byte(deployFile(t, "compose.override.yaml")), &override); err != nil {
		t.Fatal(err)
	}
	old, replaced := override.Services["python-firehose"]
	if !replaced || len(old.Profiles) == 0 || old.Image != "" || len(old.Environment) > 0 {
		t.Errorf("python-firehose becomes %+v: it must be left out of what starts, and nothing else", old)
	}
	ours := override.Services["fhctl"]
	if len(override.Services) != 2 || len(ours.Profiles) > 0 || !slices.Equal(ours.Command, []string{"ingest"}) || !slices.Equal(ours.DependsOn, []string{"redis"}) {
		t.Errorf("the services are %+v", override.Services)
	}
	var environ []string
	for name, value := range ours.Environment {
		value = regexp.MustCompile(`^\$\{`+name+`:-(.*)\}$`).ReplaceAllString(value, "$1")
		if want, known := bridge[name]; known && value != want || !known && !strings.HasPrefix(name, "FHCTL_") {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
		delete(bridge, name)
		environ = append(environ, name+"="+value)
	}
	if len(bridge) > 0 {
		t.Errorf("the bridge's %v are missing", bridge)
	}
	if _, err := config.Load(nil, environ); err != nil {
		t.Error(err)
	}
	for _, port := range ours.Ports {
		if !strings.HasPrefix(port, "127.0.0.1:") {
			t.Errorf("port %s is open to other machines", port)
		}
	}
}
