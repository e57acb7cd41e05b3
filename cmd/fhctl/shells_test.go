package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// Each shell's own script, run by that shell, asks the program for names that
// only Redis knows. What is compared is what would be offered behind one Tab.
func TestShellsCompleteNamesFromRedis(t *testing.T) {
	s := redistest.StartEmbedded(t)
	s.Do("xadd", "firehose:events", "*", "type", "account", "data", `{"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true}`, "seq", "1")
	s.Do("xgroup", "create", "firehose:events", "tab-workers", "0")
	scripts := filepath.Join(moduleRoot(t), "completions")
	for shell, script := range map[string]string{
		// The package bash-completion brings this function; here it need not be installed.
		"bash": `
_get_comp_words_by_ref() { words=("${COMP_WORDS[@]}") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}; }
compopt() { :; } # only a real Tab has options
source "$SCRIPTS/fhctl.bash"
COMP_WORDS=(fhctl stream stats --group tab) COMP_CWORD=4 COMP_LINE="fhctl stream stats --group tab" COMP_POINT=${#COMP_LINE} COMP_TYPE=9
__start_fhctl
printf '%s\n' "${COMPREPLY[@]}"`,
		// zsh's script sees the caller's variables, and hands its offers to _describe.
		"zsh": `
compdef() { }
_describe() { print -rl -- "${completions[@]}" }
source "$SCRIPTS/fhctl.zsh"
words=(fhctl stream stats --group tab) CURRENT=5
_fhctl`,
		"fish": `
source "$SCRIPTS/fhctl.fish"
complete -C "fhctl stream stats --group tab"`,
	} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("needs %s on PATH", shell)
			}
			args := map[string][]string{"bash": {"--norc", "--noprofile", "-c"}, "zsh": {"-f", "-c"}, "fish": {"--no-config", "-c"}}[shell]
			cmd := exec.Command(path, append(slices.Clone(args), script)...)
			home := t.TempDir()
			cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(fhctlPath(t))+":"+os.Getenv("PATH"), "SCRIPTS="+scripts,
				"REDIS_URL=redis://"+s.Addr(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home)
			out, err := cmd.CombinedOutput()
			offered := strings.Fields(string(out))
			if len(offered) == 0 || offered[0] != "tab-workers" {
				t.Errorf("%s offers %q, %v", shell, out, err)
			}
		})
	}
}

// One Tab in PowerShell or fish leaves FHCTL_ACTIVE_HELP set for the session. The
// program works on.
func TestTabDoesNotBreakTheSession(t *testing.T) {
	for _, name := range []string{"fish", "ps1"} {
		text, err := os.ReadFile(filepath.Join(moduleRoot(t), "completions", "fhctl."+name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "FHCTL_ACTIVE_HELP") {
			t.Errorf("fhctl.%s sets another variable than this test", name)
		}
	}
	cmd := exec.Command(fhctlPath(t), "config", "show")
	cmd.Env = append(os.Environ(), "FHCTL_ACTIVE_HELP=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
