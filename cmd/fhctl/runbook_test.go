package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What an operator is told to type at three in the morning is typed right: the
// command and its flags exist, in code blocks and inside sentences.
func TestRunbookCommandsExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "runbook.md"))
	if err != nil {
		t.Fatal(err)
	}
	commands := runbookCommands(string(text))
	if len(commands) < 20 {
		t.Errorf("only %d commands were found", len(commands))
	}
	for _, line := range commands {
		args := strings.Fields(line)[1:]
		cmd, rest, err := fresh().Find(args)
		if err != nil || cmd.Name() == "fhctl" {
			t.Errorf("%s: no such command (%v)", line, err)
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil && !strings.Contains(err.Error(), "shorthand") { // -2h is a place, which its command sorts out
			t.Errorf("%s: %v", line, err)
		}
	}
}

var (
	fenced = regexp.MustCompile("(?s)```sh\n(.*?)```")
	inline = regexp.MustCompile("`(fhctl [a-z][^`]*)`")
)

func runbookCommands(text string) (commands []string) {
	for _, block := range fenced.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[1]) {
			line, _, _ = strings.Cut(line, "#")
			line, _, _ = strings.Cut(line, "|")
			if strings.HasPrefix(line, "fhctl ") {
				commands = append(commands, strings.TrimSpace(line))
			}
		}
	}
	for _, found := range inline.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		if command := strings.Join(strings.Fields(found[1]), " "); command != "fhctl ingest" {
			commands = append(commands, command)
		}
	}
	return commands
}
