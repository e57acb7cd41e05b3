package health_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// browser is a headless Chromium, spoken to over a pipe: its DevTools protocol
// is JSON with a zero byte behind each message.
type browser struct {
	t    *testing.T
	cmd  *exec.Cmd
	to   *os.File
	done chan struct{}

	mu      sync.Mutex
	id      int
	waiting map[int]chan json.RawMessage
	events  []told
}

// told is something the browser says unasked.
type told struct {
	Method    string
	SessionID string
	Params    json.RawMessage
}

// tab is one page.
type tab struct {
	*browser
	session string
}

const browserPatience = 60 * time.Second

// openBrowser starts Chromium, or skips the test where there is none.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path := browserPath(t)
	dir, err := os.MkdirTemp("", "fhctl-browser-")
	if err != nil {
		t.Fatal(err)
	}
	theirs, ours, theirOut, ourIn := pipes(t)
	b := &browser{t: t, to: ours, done: make(chan struct{}), waiting: map[int]chan json.RawMessage{}}
	b.cmd = exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
		"--disable-extensions", "--mute-audio", "--hide-scrollbars", "--remote-debugging-pipe", "--user-data-dir="+dir, "about:blank")
	b.cmd.Env = append(os.Environ(), "HOME="+dir)
	b.cmd.Dir = dir
	b.cmd.ExtraFiles = []*os.File{theirs, theirOut}
	b.cmd.SysProcAttr = redistest.DieWithParent()
	if err := b.cmd.Start(); err != nil {
		t.Skipf("cannot start %s: %v", path, err)
	}
	theirs.Close()
	theirOut.Close()
	go b.listen(ourIn)
	t.Cleanup(func() {
		_ = b.send("", "Browser.close", nil, nil)
		killer := time.AfterFunc(browserPatience, func() { _ = b.cmd.Process.Kill() })
		_ = b.cmd.Wait()
		killer.Stop()
		<-b.done
		_ = ours.Close()
		_ = os.RemoveAll(dir) // a helper process may still hold a file
	})
	return b
}

func browserPath(t *testing.T) string {
	t.Helper()
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("needs a browser on a pipe, and time")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium on PATH: the status page is not looked at")
	return ""
}

func pipes(t *testing.T) (theirs, ours, theirOut, ourIn *os.File) {
	t.Helper()
	theirs, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ourIn, theirOut, err = os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return theirs, ours, theirOut, ourIn
}

// listen hands answers to who asked, and keeps the rest.
func (b *browser) listen(from *os.File) {
	defer close(b.done)
	defer from.Close()
	for in := bufio.NewReaderSize(from, 1<<16); ; {
		raw, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var message struct {
			told
			ID     int
			Result json.RawMessage
			Error  json.RawMessage
		}
		if json.Unmarshal(raw[:len(raw)-1], &message) != nil {
			continue
		}
		b.mu.Lock()
		if answer := b.waiting[message.ID]; answer != nil {
			delete(b.waiting, message.ID)
			if message.Error != nil {
				message.Result = nil
			}
			answer <- message.Result
		} else if message.Method != "" {
			b.events = append(b.events, message.told)
		}
		b.mu.Unlock()
	}
}

// send asks and waits for the answer.
func (b *browser) send(session, method string, params, result any) error {
	answer := make(chan json.RawMessage, 1)
	b.mu.Lock()
	b.id++
	b.waiting[b.id] = answer
	message, err := json.Marshal(map[string]any{"id": b.id, "sessionId": session, "method": method, "params": params})
	if session == "" {
		message, err = json.Marshal(map[string]any{"id": b.id, "method": method, "params": params})
	}
	if err == nil {
		_, err = b.to.Write(append(message, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case raw := <-answer:
		if raw == nil {
			return fmt.Errorf("%s was refused", method)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(raw, result)
	case <-b.done:
		return fmt.Errorf("%s: the browser ended", method)
	case <-time.After(browserPatience):
		return fmt.Errorf("%s: no answer", method)
	}
}

// tab opens a page of the given size.
func (b *browser) tab(width, height int, scheme string) *tab {
	b.t.Helper()
	var target struct{ TargetID string }
	b.must(b.send("", "Target.createTarget", map[string]any{"url": "about:blank"}, &target))
	var attached struct{ SessionID string }
	b.must(b.send("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached))
	p := &tab{b, attached.SessionID}
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		p.do(domain+".enable", nil)
	}
	p.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
	p.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
	return p
}

func (b *browser) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (p *tab) do(method string, params any) {
	p.t.Helper()
	p.must(p.send(p.session, method, params, nil))
}

func (p *tab) visit(url string) {
	p.t.Helper()
	p.do("Page.navigate", map[string]any{"url": url})
	p.until(`document.readyState === "complete"`)
}

// eval runs an expression in the page and gives its value.
func (p *tab) eval(expression string) any {
	p.t.Helper()
	var answer struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	p.must(p.send(p.session, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &answer))
	if answer.ExceptionDetails != nil {
		p.t.Fatalf("%s: %s", expression, answer.ExceptionDetails)
	}
	return answer.Result.Value
}

// until waits for an expression to become true.
func (p *tab) until(expression string) {
	p.t.Helper()
	for deadline := time.Now().Add(browserPatience); p.eval(expression) != true; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("never true: %s; the page says:\n%v", expression, p.eval("document.body.innerText"))
		}
	}
}

// complaints are what the page logged, threw or was refused, and what it loaded
// from anywhere but its own address.
func (p *tab) complaints(origin string) (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, event := range p.events {
		if event.SessionID != p.session {
			continue
		}
		switch event.Method {
		case "Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled":
			all = append(all, string(event.Params))
		case "Network.requestWillBeSent":
			var sent struct{ Request struct{ URL string } }
			if json.Unmarshal(event.Params, &sent) == nil && !strings.HasPrefix(sent.Request.URL, origin) && !strings.HasPrefix(sent.Request.URL, "data:") {
				all = append(all, "loads "+sent.Request.URL)
			}
		}
	}
	return all
}

// forget drops what was said so far, by all tabs.
func (p *tab) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = nil
}

// picture writes the page as it looks; the whole of it, or what the screen shows.
func (p *tab) picture(path string, whole bool) {
	p.t.Helper()
	var shot struct{ Data string }
	p.must(p.send(p.session, "Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": whole}, &shot))
	image, err := base64.StdEncoding.DecodeString(shot.Data)
	p.must(err)
	p.must(os.MkdirAll(filepath.Dir(path), 0o755))
	p.must(os.WriteFile(path, image, 0o644))
}
