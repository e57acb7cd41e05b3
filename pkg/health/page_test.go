package health_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/health"
)

const hostile = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u202egnp.exe\x1b[31m\x00'\"&amp;"

// stages are the states a page must be readable in.
var stages = map[string]struct {
	do   func(m *health.Monitor, c *clock)
	word string
}{
	"starting":   {func(*health.Monitor, *clock) {}, "Starting"},
	"connected":  {flow, "Connected and storing"},
	"relay down": {func(m *health.Monitor, c *clock) { flow(m, c); m.Link(lost("dial_refused")) }, "Relay is down"},
	"held": {func(m *health.Monitor, c *clock) {
		flow(m, c)
		m.Alarm(event.AlarmReset, 5, "first event is 5, the cursor is 7000000123")
		m.Link(event.Link{State: event.LinkHeld, Cause: event.AlarmReset.String(), Err: errors.New("numbering restarted")})
	}, "Held for an operator"},
	"Redis down": {func(m *health.Monitor, c *clock) {
		flow(m, c)
		m.Store(event.Store{Err: errors.New("OOM command not allowed when used memory > 'maxmemory'"), Cause: "oom", Retry: 4 * time.Second, Attempt: 12})
		m.SampleFailed(errors.New("connect to Redis: refused"))
	}, "Redis is down"},
	"full": {func(m *health.Monitor, c *clock) {
		flow(m, c)
		m.Link(event.Link{State: event.LinkDown, Cause: "hangup"})
		m.Store(event.Store{Err: errors.New("the stream is full: osprey-consumers: 499000 unread"), Cause: "full", Retry: time.Second, Attempt: 3})
	}, "Stream is full"},
	"standby": {func(m *health.Monitor, c *clock) {
		flow(m, c)
		m.Role(event.Role{Leading: true})
		m.Role(event.Role{By: "host-b-4711", Cursor: 7000000123})
	}, "Standing by"},
	"stopping":    {func(m *health.Monitor, c *clock) { flow(m, c); m.Stopping() }, "Stopping"},
	"idle":        {func(m *health.Monitor, c *clock) { flow(m, c); c.advance(2 * time.Minute) }, "Nothing arrives"},
	"many groups": {func(m *health.Monitor, c *clock) { flow(m, c); m.Sampled(sampleOf(60, "group-with-quite-a-long-name")) }, "Connected and storing"},
	"long names": {func(m *health.Monitor, c *clock) {
		flow(m, c)
		long := strings.Repeat("unbroken", 40)
		m.Sampled(sampleOf(3, long))
		m.Link(event.Link{State: event.LinkUp, URL: "wss://" + long + ".example"})
		m.Stored(&event.Batch{Upto: 9, Entries: []event.Entry{commit(9, long+"/"+long)}}, event.Receipt{Appended: 1, Cursor: event.MaxSeq, Length: 1 << 40})
		m.Rejected(&event.Reject{Reason: event.ReasonCBOR, Seq: event.MaxSeq, Detail: long}, make([]byte, 4_999_999))
	}, "Connected and storing"},
	"hostile text": {func(m *health.Monitor, c *clock) {
		flow(m, c)
		m.Sampled(sampleOf(2, hostile))
		m.Rejected(&event.Reject{Reason: event.ReasonCBOR, Detail: hostile}, nil)
		m.Alarm(event.AlarmForeign, 0, hostile)
		m.Stored(&event.Batch{Upto: 9, Entries: []event.Entry{commit(9, hostile)}}, event.Receipt{Appended: 1, Cursor: 9, Length: 1})
		m.Link(event.Link{State: event.LinkDown, URL: "wss://" + hostile, Err: errors.New(hostile), Cause: hostile})
	}, "Relay is down"},
}

func lost(cause string) event.Link {
	return event.Link{
		State: event.LinkDown, URL: "wss://relay.example", From: event.AfterSeq(7000000123),
		Err: errors.New("dial tcp 192.0.2.1:443: connect: connection refused"), Cause: cause, Retry: 8 * time.Second, Attempt: 4,
	}
}

func sampleOf(groups int, name string) health.Sample {
	s := health.Sample{Length: 500_000, DeadLetters: 12, UsedMemory: 3 << 30, MaxMemory: 4 << 30, Durable: true, Version: "7.0.15"}
	for i := range groups {
		s.Groups = append(s.Groups, health.Group{
			Name: fmt.Sprintf("%s-%d", name, i), Lag: int64(i * 1234), Estimated: i%2 == 1, Pending: 300,
			Consumers: i, OldestIdle: 95 * time.Second, Deliveries: 3,
		})
	}
	return s
}

func commit(seq event.Seq, path string) event.Entry {
	data, err := json.Marshal(map[string]any{"repo": "did:plc:aaaabbbbccccddddeeeeffff", "ops": []any{map[string]any{"action": "create", "path": path}}})
	if err != nil {
		panic(err)
	}
	return event.Entry{Seq: seq, Kind: event.KindCommit, Data: data}
}

// flow is an hour of good days, with a gap in it.
func flow(m *health.Monitor, c *clock) {
	m.Link(up())
	for i := range 1900 {
		c.advance(2 * time.Second)
		if i%900 < 850 {
			at := c.Now().Add(-time.Duration(500+i%700) * time.Millisecond).Format(time.RFC3339Nano)
			m.Counted(&event.Counts{Frames: int64(1000 + i%150), Last: event.Seq(7000000000 + i)})
			m.Stored(&event.Batch{Time: []byte(at), Entries: []event.Entry{commit(event.Seq(7000000000+i), "app.bsky.feed.like/3kaaaaaaaaa2a")}},
				event.Receipt{Appended: 1000 + i%150, Cursor: event.Seq(7000000000 + i), Length: 500_000, Took: time.Millisecond})
		}
		if i%5 == 0 {
			m.Sampled(sampleOf(2, "firehose-processors"))
		}
		m.Tick()
	}
}

// One visit to each state, at each size, in each colour scheme: it says what is
// going on, loads nothing from elsewhere, is not run by the texts it shows, fits
// the screen, and can be read. Then it is followed while things happen.
func TestPageInABrowser(t *testing.T) {
	b := openBrowser(t)
	phone, desk := b.tab(375, 812, "dark"), b.tab(1200, 812, "light")
	var on atomic.Pointer[health.Monitor] // one address for all: browsers dial ahead, and a server that stops waits for them
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { on.Load().Handler().ServeHTTP(w, r) }))
	defer server.Close()
	defer server.CloseClientConnections()
	for name, stage := range stages {
		t.Run(name, func(t *testing.T) {
			m, c := newMonitor(t)
			stage.do(m, c)
			on.Store(m)
			phone.inspect(t, server.URL, stage.word, 375)
			desk.inspect(t, server.URL, stage.word, 1200)
		})
	}
	t.Run("live", func(t *testing.T) { desk.followed(t) })
}

func (p *tab) inspect(t *testing.T, url, word string, width float64) {
	p.t = t
	p.visit(url)
	p.until(`document.getElementById("link").textContent === "live"`)
	if got := p.eval(`document.getElementById("word").textContent`); got != word {
		t.Errorf("says %q, want %q", got, word)
	}
	if got := p.eval(`document.title`); got != word+" – fhctl" {
		t.Errorf("title %q", got)
	}
	if wide := p.eval(`document.documentElement.scrollWidth`); wide.(float64) > width {
		t.Errorf("%v px: it is %v px wide: %v", width, wide, p.eval(widest))
	}
	if got := p.eval(faint); got != "" {
		t.Errorf("%v px: hard to read: %s", width, got)
	}
	for _, complaint := range p.complaints(url) {
		t.Errorf("%v px: %s", width, complaint)
	}
	if dir := os.Getenv("FHCTL_PICTURES"); dir != "" {
		p.picture(filepath.Join(dir, fmt.Sprintf("%s-%v.png", filepath.Base(t.Name()), width)), true)
	}
	p.visit("about:blank") // ends the stream
	p.forget()
}

// widest names elements that reach over the right edge.
const widest = `[...document.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > innerWidth).map((e) => e.tagName + "." + e.className).join(" ")`

// faint names texts whose contrast to what is behind them is below 4.5, as
// WCAG AA asks of small text.
const faint = `(() => {
	const rgb = (s) => (s.match(/[\d.]+/g) || []).map(Number);
	const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
	const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
	const found = new Set();
	for (const e of document.querySelectorAll("body *")) {
		if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || e.closest("script, [hidden]")) continue;
		const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
		if ((a + .05) / (b + .05) < 4.5) found.add(e.tagName + "." + e.className + " " + ((a + .05) / (b + .05)).toFixed(2));
	}
	return [...found].join(", ");
})()`

// followed: the page follows what happens without being loaded again, and says
// so when nobody answers any more.
func (p *tab) followed(t *testing.T) {
	p.t = t
	m, c := newMonitor(t)
	server, err := m.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	p.visit("http://" + server.Addr() + "/")
	p.until(`document.getElementById("link").textContent === "live" && document.getElementById("word").textContent === "Starting"`)
	flow(m, c)
	p.until(`document.getElementById("word").textContent === "Connected and storing"`)
	p.until(`document.querySelector("figure[data-key=rate] .line").getAttribute("d").length > 1000`)
	p.until(`[...document.querySelectorAll(".blank")].every(e => e.textContent === "")`)
	p.until(`document.querySelector("section[data-key=groups] td").textContent === "firehose-processors-1"`)
	p.eval(`(() => { const svg = document.querySelector("svg"), box = svg.getBoundingClientRect();
		svg.dispatchEvent(new PointerEvent("pointermove", {clientX: box.left + box.width / 3, clientY: box.top + 5})); })()`)
	if got := p.eval(`document.querySelector("output").textContent`); !strings.Contains(fmt.Sprint(got), ":") {
		t.Errorf("under the pointer: %q", got)
	}
	m.Link(lost("eof"))
	m.Tick()
	p.until(`document.getElementById("word").textContent === "Relay is down" && document.querySelector("section[data-key=journal] td.time + td").textContent.includes("ended")`)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	p.eval(`Date.now = ((now) => () => now() + 60000)(Date.now)`) // a minute later
	p.until(`document.getElementById("link").textContent === "no answer since" && document.title.startsWith("No answer")`)
}

// factOf is what a panel of the page says.
func factOf(v health.View, panel, name string) health.Fact {
	for _, p := range v.Panels {
		for _, f := range p.Facts {
			if p.Title == panel && f.Name == name {
				return f
			}
		}
	}
	return health.Fact{}
}

// Redis that was asked and answers is not called unknown because nothing was
// stored through it, as on a standby.
func TestPageTellsRedisThatAnswers(t *testing.T) {
	for name, k := range map[string]struct {
		do   func(m *health.Monitor)
		want string
	}{
		"nobody asked":  {func(*health.Monitor) {}, "not heard of yet"},
		"looked at":     {func(m *health.Monitor) { m.Sampled(sampleOf(1, "g")) }, "answers; nothing stored yet"},
		"look failed":   {func(m *health.Monitor) { m.SampleFailed(errors.New("refused")) }, "not heard of yet"},
		"standby":       {func(m *health.Monitor) { m.Link(up()); m.Role(event.Role{By: "host-b"}) }, "answers; the leader stores"},
		"takes batches": {func(m *health.Monitor) { m.Link(up()); store(m, 5) }, "takes batches"},
	} {
		m, _ := newMonitor(t)
		k.do(m)
		v := m.View()
		if got := factOf(v, "Redis", "State").Value; got != k.want {
			t.Errorf("%s: %q, want %q", name, got, k.want)
		}
		if first := v.Detail[:1]; name != "takes batches" && first == strings.ToLower(first) && !strings.HasPrefix(v.Detail, "host-b leads") {
			t.Errorf("%s: %q is no sentence", name, v.Detail)
		}
	}
}

// A group is red where the alert FhctlGroupLag would come: not for a few
// entries of a stream that has just begun.
func TestPageWarnsOfGroupsAsTheAlertDoes(t *testing.T) {
	for lag, bad := range map[int64]bool{0: false, 900: false, 1000: false, 1001: true} {
		m, _ := newMonitor(t)
		m.Link(up())
		sample := sampleOf(1, "g")
		sample.Length, sample.Groups[0].Lag = 1200, lag
		m.Sampled(sample)
		v := m.View()
		if got := v.Tables[0].Rows[0].Tone == "bad"; got != bad {
			t.Errorf("lag %d: row %+v", lag, v.Tables[0].Rows[0])
		}
		if got := v.Numbers[2].Tone == "bad"; got != bad {
			t.Errorf("lag %d: number %+v", lag, v.Numbers[2])
		}
	}
}

// Values are escaped for text and quoted attributes, whatever stands around
// them (ADR 10). So they stand nowhere else: not in links, scripts, styles,
// handlers, unquoted attributes, names of tags.
func TestPagePutsValuesWhereTheyAreSafe(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("page", "page.html"))
	if err != nil {
		t.Fatal(err)
	}
	if got := unsafePlaces(string(source)); len(got) > 0 {
		t.Errorf("values in places they are not escaped for: %q", got)
	}
	for _, bad := range []string{
		`<a href="{{.url}}">`, `<a href={{.url}}>`, `<p class={{.x}}>`, `<p onclick="{{.x}}">`, `<p {{.x}}>`, `<{{.x}}>`,
		`<script>let x = "{{.x}}"</script>`, `<style>p { color: {{.x}} }</style>`, `<p style="width: {{.x}}">`, `<!-- {{.x}} -->`,
		`<p class='{{.x}}'>`, `<img src="{{ .x }}">`,
	} {
		if len(unsafePlaces(bad)) == 0 {
			t.Errorf("%s passes", bad)
		}
	}
}

var (
	ownParts    = regexp.MustCompile(`<style>\{\{\.CSS\}\}</style>|<script>\{\{\.JS\}\}</script>`) // embedded files, not values
	codeParts   = regexp.MustCompile(`(?s)<(script|style)\b.*?</(script|style)>|<!--.*?-->`)
	tags        = regexp.MustCompile(`<[^>]*>`)
	ruling      = regexp.MustCompile(`\{\{-? *(if|else|end|with|range|define|template)\b[^}]*\}\}`) // prints nothing
	plainValues = regexp.MustCompile(` (data-tone|data-key|data-head|class|aria-label|d)="\{\{[^}"]*\}\}"`)
)

// unsafePlaces are parts of a template in which a value would stand as
// something else than text or a plain attribute.
func unsafePlaces(page string) (found []string) {
	page = ownParts.ReplaceAllString(page, "")
	for _, code := range codeParts.FindAllString(page, -1) {
		if strings.Contains(code, "{{") {
			found = append(found, code)
		}
	}
	for _, tag := range tags.FindAllString(codeParts.ReplaceAllString(page, ""), -1) {
		if strings.Contains(plainValues.ReplaceAllString(ruling.ReplaceAllString(tag, ""), ""), "{{") {
			found = append(found, tag)
		}
	}
	return found
}

// Without scripts the page tells the state it was asked in.
func TestPageWithoutScripts(t *testing.T) {
	m, c := newMonitor(t)
	flow(m, c)
	m.Sampled(sampleOf(2, hostile))
	answer, body := ask(t, "GET", serve(t, m)+"/")
	text := string(body)
	for _, part := range []string{"Connected and storing", "7000001899", "app.bsky.feed.like/3kaaaaaaaaa2a", "&lt;script&gt;document.title", `<path class="line" d="M`, "3.0 GiB of 4.0 GiB (75\u00a0%)"} {
		if !strings.Contains(text, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	if strings.Contains(text, "<script>document.title") || strings.Contains(text, "\u202e") {
		t.Error("foreign text stands in the page as it came")
	}
	policy := answer.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("policy %q", policy)
	}
	if len(body) > 96<<10 {
		t.Errorf("the page has %d bytes", len(body))
	}
}

// A graph without a line says why it has none, so that nobody takes it for broken.
func TestBlankGraphsSayWhy(t *testing.T) {
	m, c := newMonitor(t)
	why := func() (blank []string) {
		_, body := ask(t, "GET", serve(t, m)+"/")
		for _, found := range regexp.MustCompile(`<p class="blank">([^<]*)</p>`).FindAllStringSubmatch(string(body), -1) {
			blank = append(blank, found[1])
		}
		return blank
	}
	if got, want := why(), []string{"nothing measured yet", "no event stored yet", "no consumer group"}; !slices.Equal(got, want) {
		t.Errorf("at the start %q, want %q", got, want)
	}
	flow(m, c)
	if got, want := why(), []string{"", "", ""}; !slices.Equal(got, want) {
		t.Errorf("an hour later %q, want %q", got, want)
	}
}

// A stranger can neither hold many streams open nor stop the process from
// ending.
func TestLiveStreamsAreBoundedAndEnd(t *testing.T) {
	m, _ := newMonitor(t)
	server, err := m.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	url := "http://" + server.Addr() + "/live"
	ends := make(chan error, health.MaxStreams)
	for range health.MaxStreams {
		answer := openStream(t, url)
		read := bufio.NewReader(answer.Body)
		if line, err := read.ReadString('\n'); err != nil || line != "event: graphs\n" {
			t.Fatalf("%q, %v", line, err)
		}
		go func() {
			defer answer.Body.Close()
			var err error
			for err == nil {
				_, err = read.ReadString('\n')
			}
			ends <- err
		}()
	}
	many, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer many.Body.Close()
	if many.StatusCode != http.StatusServiceUnavailable || many.Header.Get("Retry-After") == "" {
		t.Errorf("one too many is answered %d", many.StatusCode)
	}
	if answer, _ := ask(t, "POST", url); answer.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST is answered %d", answer.StatusCode)
	}
	cancel()
	for range health.MaxStreams {
		if err := <-ends; err != io.EOF {
			t.Errorf("a stream was cut instead of ended: %v", err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func openStream(t *testing.T, url string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil || answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%v, %v", answer, err)
	}
	return answer
}

// A page that was closed makes room for another.
func TestLiveStreamsAreLeft(t *testing.T) {
	m, _ := newMonitor(t)
	url := serve(t, m) + "/live"
	for range 3 * health.MaxStreams {
		var answer *http.Response
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			var err error
			if answer, err = http.Get(url); err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode == http.StatusOK {
				break
			}
			answer.Body.Close()
			if time.Now().After(deadline) {
				t.Fatal("streams that were closed still count")
			}
		}
		answer.Body.Close()
	}
}

// Whatever happens, and however often, the page stays small.
func TestPageRemembersALittle(t *testing.T) {
	m, c := newMonitor(t)
	flow(m, c)
	large := &event.Batch{Entries: []event.Entry{{Data: make([]byte, 1<<20)}}}
	for i := range 500 {
		m.Rejected(&event.Reject{Reason: event.ReasonCBOR, Seq: event.Seq(i), Detail: strings.Repeat("x", 10_000)}, nil)
		m.Alarm(event.Alarm(i%event.Alarms), 1, strings.Repeat("y", 10_000))
		m.Stored(large, event.Receipt{Cursor: 1})
		c.advance(time.Second)
		m.Tick()
	}
	view, err := json.Marshal(m.View())
	if err != nil || len(view) > 64<<10 {
		t.Errorf("%d bytes, %v", len(view), err)
	}
	for i := range 500 {
		m.Link(lost("dial_refused"))
		c.advance(time.Duration(i) * time.Millisecond)
	}
	if rows := m.View().Tables[1].Rows; len(rows) == 0 || !strings.Contains(rows[0].Cells[1], "(499 times since") {
		t.Errorf("an outage fills the journal: %v", rows)
	}
}
