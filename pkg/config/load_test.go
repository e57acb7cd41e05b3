package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/fhctl/fhctl/pkg/fault"
)

// load resolves flags, variables and the text of a file.
func load(t *testing.T, args, environ []string, yaml string) (*Config, error) {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddFlags(flags, Groups()...)
	if yaml != "" {
		path := filepath.Join(t.TempDir(), "fhctl.yaml")
		if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(flags, environ)
}

func mustLoad(t *testing.T, args, environ []string, yaml string) *Config {
	t.Helper()
	c, err := load(t, args, environ, yaml)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return c
}

func TestContractDefaults(t *testing.T) {
	c := mustLoad(t, nil, nil, "")
	for _, v := range []struct{ name, got, want string }{
		{"RELAY_URL", c.Relay.URL, "wss://bsky.network"},
		{"REDIS_URL", c.Redis.URL, "redis://localhost:6379"},
		{"REDIS_STREAM_KEY", c.Redis.StreamKey, "firehose:events"},
		{"REDIS_CURSOR_KEY", c.Redis.CursorKey, "firehose:python_cursor"},
		{"REDIS_MAX_STREAM_LEN", fmt.Sprint(c.Redis.MaxStreamLen), "500000"},
		{"LOG_LEVEL", c.Log.Level.String(), "INFO"},
		{"FHCTL_FROM", c.Ingest.From.String(), "saved"},
		{"FHCTL_HEALTH_ADDR", c.Health.Addr, "127.0.0.1:9477"},
		{"FHCTL_BATCH_AGE", c.Ingest.BatchAge.String(), "40ms"},
		{"FHCTL_QUEUE_BYTES", fmt.Sprint(c.Ingest.QueueBytes), "8388608"},
		{"FHCTL_DASHBOARD", fmt.Sprint(c.Redis.Dashboard), "true"},
	} {
		if v.got != v.want {
			t.Errorf("%s defaults to %q, want %q", v.name, v.got, v.want)
		}
	}
	if len(c.Warnings) > 0 {
		t.Errorf("the defaults warn: %q", c.Warnings)
	}
}

func TestPrecedence(t *testing.T) {
	yaml := "batch-size: 10\nbatch-age: 30ms\nmax-stream-len: 7\n"
	environ := []string{"FHCTL_BATCH_SIZE=20", "FHCTL_BATCH_AGE=25ms", "FHCTL_IDLE_TIMEOUT="}
	c := mustLoad(t, []string{"--batch-size=30"}, environ, yaml)
	for _, v := range []struct{ name, got, want, origin string }{
		{"batch-size", fmt.Sprint(c.Ingest.BatchSize), "30", "flag --batch-size"},
		{"batch-age", c.Ingest.BatchAge.String(), "25ms", "environment FHCTL_BATCH_AGE"},
		{"max-stream-len", fmt.Sprint(c.Redis.MaxStreamLen), "7", "file " + c.File},
		{"idle-timeout", c.Ingest.IdleTimeout.String(), "1m0s", "default"}, // empty is unset
	} {
		if v.got != v.want || c.Origin(v.name).String() != v.origin {
			t.Errorf("%s is %s from %s, want %s from %s", v.name, v.got, c.Origin(v.name), v.want, v.origin)
		}
	}
}

func TestEveryLayerReachesEverySetting(t *testing.T) {
	// A value that is legal and not the default, per setting.
	sample := map[string]string{
		"relay-url": "sim://", "relay-cleartext": "true", "redis-url": "rediss://r:1", "dashboard": "false",
		"max-stream-len": "1", "partitions": "3", "when-full": "spill:/d", "spill-max-bytes": "1GiB", "group-timeout": "1m", "allow-eviction": "true", "redis-tls-skip-verify": "true",
		"from": "5", "until-seq": "9", "on-reset": "follow", "collection": "app.bsky.feed.post,app.bsky.graph.*",
		"did": "did:plc:aaaabbbbccccddddeeeeffff", "kind": "identity,account", "batch-size": "1",
		"batch-age": "1s", "idle-timeout": "0", "decoders": "2", "queue-bytes": "1MiB",
		"rejects-max-bytes": "4096", "health-addr": "off", "log-level": "warn", "log-format": "json",
		"no-color": "true", "timeout": "5s",
	}
	for _, s := range Settings() {
		if s.Name == "config" || s.Name == "redis-tls-cert" || s.Name == "redis-tls-key" {
			continue // one names the file, the others need one another
		}
		value, ok := sample[s.Name]
		if !ok {
			value = "x"
		}
		tls := []string{"REDIS_URL=rediss://r:1"}
		if s.Name == "redis-url" {
			tls = nil
		}
		for layer, c := range map[Layer]*Config{
			LayerFlag:        mustLoad(t, []string{"--" + s.Name + "=" + value}, tls, ""),
			LayerEnvironment: mustLoad(t, nil, append(tls, s.Env+"="+value), ""),
			LayerFile:        mustLoad(t, nil, tls, s.Name+": "+value+"\n"),
		} {
			if o := c.Origin(s.Name); o.Layer != layer {
				t.Errorf("%s given by %s comes from %s", s.Name, layer, o)
			}
		}
	}
}

func TestFileTypes(t *testing.T) {
	c := mustLoad(t, nil, nil, "from: 7000000123\ncollection:\n- app.bsky.feed.like\n- app.bsky.graph.*\nqueue-bytes: 1.5MiB\nrejects:\n")
	if got := c.Ingest.From.String(); got != "7000000123" {
		t.Errorf("from is %s", got)
	}
	if got := strings.Join(c.Ingest.Collections, " "); got != "app.bsky.feed.like app.bsky.graph.*" {
		t.Errorf("collections are %s", got)
	}
	if c.Ingest.QueueBytes != 3<<19 {
		t.Errorf("queue-bytes is %d", c.Ingest.QueueBytes)
	}
	if c.Origin("rejects").Layer != LayerDefault {
		t.Error("a key without a value counts as set")
	}
}

func TestListsInFlagsAndEnvironment(t *testing.T) {
	c := mustLoad(t, []string{"--kind", "commit", "--kind", "identity,account"}, []string{"FHCTL_DID= did:web:a.example , did:web:b.example,"}, "")
	if len(c.Ingest.Kinds) != 3 || len(c.Ingest.DIDs) != 2 {
		t.Errorf("kinds %q, dids %q", c.Ingest.Kinds, c.Ingest.DIDs)
	}
}

func TestRefused(t *testing.T) {
	for name, v := range map[string]struct {
		args, environ []string
		yaml          string
		want          string // in the error
		hint          string // in the hint
	}{
		"whole number":      {environ: []string{"REDIS_MAX_STREAM_LEN=abc"}, want: `environment REDIS_MAX_STREAM_LEN: "abc" is not a whole number`, hint: "500000"},
		"negative":          {environ: []string{"REDIS_MAX_STREAM_LEN=-1"}, want: "out of range", hint: "from 0"},
		"beyond int64":      {args: []string{"--max-stream-len=99999999999999999999"}, want: `flag --max-stream-len: "99999999999999999999" is out of range`},
		"batch size":        {args: []string{"--batch-size=10001"}, want: "out of range", hint: "from 1 to 10000"},
		"float in file":     {yaml: "batch-size: 1.5\n", want: `: batch-size: "1.5" is not a whole number`},
		"unit missing":      {yaml: "batch-age: 20\n", want: `batch-age: "20" is not a duration`, hint: "40ms"},
		"level":             {environ: []string{"LOG_LEVEL=loud"}, want: `environment LOG_LEVEL: "loud" is not a log level`, hint: "CRITICAL"},
		"switch":            {args: []string{"--dashboard=maybe"}, want: "neither true nor false"},
		"choice":            {args: []string{"--on-reset=panic"}, want: "is not one of wait, follow"},
		"from word":         {args: []string{"--from=tomorrow"}, want: `"tomorrow" is not a place in a stream`, hint: "write saved, live"},
		"from time":         {args: []string{"--from=08:55"}, want: "which a relay cannot be asked for", hint: "fhctl cursor set 08:55"},
		"from id":           {args: []string{"--from=1767225600000-0"}, want: "which a relay cannot be asked for", hint: "fhctl cursor set 1767225600000-0"},
		"from printed time": {args: []string{"--from=2026-11-30 08:50:45Z"}, want: "which a relay cannot be asked for", hint: `cursor set "2026-11-30 08:50:45Z"`},
		"from clock":        {args: []string{"--from=1767225600"}, want: "may be a seq or seconds since 1970", hint: "seq:1767225600"},
		"from millis":       {environ: []string{"FHCTL_FROM=1767225600000"}, want: "may be a seq or milliseconds since 1970", hint: "seq:1767225600000"},
		"Q4/from zero":      {args: []string{"--from=0"}, want: "ambiguous", hint: "oldest"},
		"Q1/until too high": {args: []string{"--until-seq=9007199254740992"}, want: "out of range"},
		"size":              {args: []string{"--queue-bytes=lots"}, want: "is not a size", hint: "8MiB"},
		"size NaN":          {args: []string{"--queue-bytes=NaN"}, want: "is not a size"},
		"relay scheme":      {environ: []string{"RELAY_URL=ftp://bsky.network"}, want: "environment RELAY_URL: \"ftp://bsky.network\" cannot be used", hint: "wss://"},
		"relay empty host":  {environ: []string{"RELAY_URL=wss://"}, want: "cannot be used"},
		"relay with space":  {environ: []string{"RELAY_URL=bsky network"}, want: "cannot be used"},
		"capture no file":   {args: []string{"--relay-url=capture:"}, want: "names no file"},
		"C1/cleartext":      {environ: []string{"RELAY_URL=ws://relay.example"}, want: "cleartext is for loopback only", hint: "relay-cleartext"},
		"relay password":    {environ: []string{"RELAY_URL=wss://u:canary@h"}, want: `"wss://u:***@h" cannot be used`},
		"redis scheme":      {environ: []string{"REDIS_URL=localhost:6379"}, want: "environment REDIS_URL", hint: "redis://"},
		"empty key":         {args: []string{"--stream-key="}, want: "is empty"},
		"same keys":         {args: []string{"--cursor-key=firehose:events"}, want: "is also the stream's key"},
		"half a pair":       {args: []string{"--redis-url=rediss://r", "--redis-tls-cert=c.pem"}, want: "need one another"},
		"TLS without TLS":   {args: []string{"--redis-tls-ca=ca.pem"}, want: "has no effect", hint: "rediss://"},
		"two passwords":     {args: []string{"--redis-password-file=p"}, environ: []string{"REDIS_URL=redis://:canary@r"}, want: "competes"},
		"health":            {args: []string{"--health-addr=9477"}, want: "is not HOST:PORT", hint: "off"},
		"until a clock":     {args: []string{"--until-seq=1767225600"}, want: `"1767225600" may be a seq or seconds since 1970`, hint: "seq:1767225600"},
		"until a word":      {args: []string{"--until-seq=live"}, want: `"live" is not a seq`, hint: "7000000123"},
		"sample of a span":  {args: []string{"--timeout=5"}, want: "is not a duration", hint: "such as 30s"},
		"sample of a count": {args: []string{"--decoders=x"}, want: "is not a whole number", hint: "such as 100"},
		"collection":        {environ: []string{"FHCTL_COLLECTION=app.bsky.feed.post,Likes"}, want: `environment FHCTL_COLLECTION: "Likes" is not a collection`, hint: "app.bsky.*"},
		"did":               {args: []string{"--did=alice"}, want: `"alice" is not a DID`},
		"kind":              {args: []string{"--kind=sync"}, want: `"sync" is not a kind of event`},
		"unknown key":       {yaml: "batchsize: 3\n", want: `unknown key "batchsize"`, hint: "did you mean batch-size?"},
		"nested key":        {yaml: "relay:\n  url: x\n", want: `unknown key "relay.url"`, hint: "did you mean relay-url?"},
		"contract name":     {yaml: "redis-stream-key: x\n", want: "unknown key", hint: "did you mean stream-key?"},
		"file in file":      {yaml: "config: other.yaml\n", want: `unknown key "config"`},
		"unknown variable":  {environ: []string{"FHCTL_BATCHSIZE=3"}, want: "environment: unknown variable FHCTL_BATCHSIZE", hint: "did you mean FHCTL_BATCH_SIZE?"},
		"prefixed contract": {environ: []string{"FHCTL_RELAY_URL=x"}, want: "unknown variable FHCTL_RELAY_URL", hint: "did you mean RELAY_URL?"},
		"nothing near":      {environ: []string{"FHCTL_QWERTYUIOP=3"}, want: "unknown variable", hint: "config show"},
		"not YAML":          {yaml: "a: [\n", want: "file "},
		"a list":            {yaml: "- a\n", want: "file "},
		"no file":           {environ: []string{"FHCTL_CONFIG=/nonexistent/fhctl.yaml"}, want: "environment FHCTL_CONFIG: open /nonexistent/fhctl.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, v.args, v.environ, v.yaml)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), v.want) || fault.ClassOf(err) != fault.Usage {
				t.Errorf("error %q (%s), want %q", err, fault.ClassOf(err), v.want)
			}
			if hint := fault.HintOf(err); !strings.Contains(hint, v.hint) || hint == "" {
				t.Errorf("hint %q, want %q", hint, v.hint)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
}

func TestEveryProblemIsReported(t *testing.T) {
	_, err := load(t, []string{"--batch-size=x"}, []string{"LOG_LEVEL=loud", "FHCTL_NOPE=1"}, "")
	for _, want := range []string{"--batch-size", "LOG_LEVEL", "FHCTL_NOPE"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

func TestAccepted(t *testing.T) {
	for _, args := range [][]string{
		{"--relay-url=bsky.network"}, {"--relay-url=https://bsky.network"}, {"--relay-url=bsky.network/"},
		{"--relay-url=wss://bsky.network/xrpc/com.atproto.sync.subscribeRepos/"},
		{"--relay-url=bsky.network/xrpc/com.atproto.sync.subscribeRepos"},
		{"--relay-url=ws://127.0.0.1:2470"}, {"--relay-url=ws://[::1]:2470"}, {"--relay-url=ws://localhost"},
		{"--relay-url=ws://relay.example", "--relay-cleartext"},
		{"--relay-url=sim://?rate=10&count=5"}, {"--relay-url=capture:/tmp/a.zst"},
		{"--redis-url=unix:///run/redis.sock"}, {"--redis-url=embedded://"}, {"--redis-url=embedded://127.0.0.1:0"},
		{"--redis-url=rediss://user:pw@a:1?db=1"}, {"--max-stream-len=0"}, {"--idle-timeout=0"},
		{"--log-level=Critical"}, {"--from=OLDEST"}, {"--from=seq:1767225600"}, {"--health-addr=:9477"}, {"--health-addr=off"},
	} {
		if _, err := load(t, args, nil, ""); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestTestVariablesAreIgnored(t *testing.T) {
	mustLoad(t, nil, []string{"FHCTL_TESTDATA=/somewhere", "FHCTL_EMPTY="}, "")
}

func TestNoColorVariable(t *testing.T) {
	c := mustLoad(t, nil, []string{"NO_COLOR=0"}, "") // any value, by its convention
	if !c.Log.NoColor || c.Origin("no-color").Where != "NO_COLOR" {
		t.Errorf("no-color is %v from %s", c.Log.NoColor, c.Origin("no-color"))
	}
}

func TestWarnings(t *testing.T) {
	for name, v := range map[string]struct {
		args, environ []string
		want          string
	}{
		"password flag":            {args: []string{"--redis-url=redis://:canary@r"}, want: "visible"},
		"password variable":        {environ: []string{"REDIS_URL=redis://:canary@localhost"}},
		"user flag":                {args: []string{"--redis-url=redis://someone@localhost"}},
		"user flag, file":          {args: []string{"--redis-url=redis://someone@localhost", "--redis-password-file=f"}},
		"Redis in the clear":       {environ: []string{"REDIS_URL=redis://:canary@r"}, want: "redis-url: the Redis password"},
		"Redis in the clear, file": {environ: []string{"REDIS_URL=redis://someone@r"}, args: []string{"--redis-password-file=f"}, want: "in the clear"},
		"cluster in the clear":     {environ: []string{"REDIS_URL=redis-cluster://u:canary@127.0.0.1:1,r:2"}, want: "in the clear"},
		"Sentinel in the clear":    {environ: []string{"REDIS_URL=redis-sentinel://r/m?sentinel_password=canary"}, want: "in the clear"},
		"Redis without a password": {environ: []string{"REDIS_URL=redis://r"}},
		"Redis with TLS":           {environ: []string{"REDIS_URL=rediss://u:canary@r"}},
		"cluster with TLS":         {environ: []string{"REDIS_URL=rediss-cluster://u:canary@r"}},
		"a socket":                 {environ: []string{"REDIS_URL=unix://u:canary@/run/redis.sock"}},
		"this machine":             {environ: []string{"REDIS_URL=redis://u:canary@[::1]:6379"}},
		"cleartext":                {args: []string{"--relay-url=ws://relay.example", "--relay-cleartext"}, want: "in the clear"},
		"skip verify":              {args: []string{"--redis-url=rediss://r", "--redis-tls-skip-verify"}, want: "any certificate"},
		"health":                   {args: []string{"--health-addr=0.0.0.0:9477"}, want: "other machines"},
		"health, all":              {args: []string{"--health-addr=:9477"}, want: "other machines"},
		"health, loopback":         {args: []string{"--health-addr=[::1]:9477"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(mustLoad(t, v.args, v.environ, "").Warnings, "\n")
			if (v.want == "") != (got == "") || !strings.Contains(got, v.want) || strings.Contains(got, "canary") {
				t.Errorf("warns %q, want %q", got, v.want)
			}
		})
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	c := mustLoad(t, nil, []string{"REDIS_URL=redis-sentinel://u:canary@r:1/m?sentinel_password=canary"}, "")
	for _, shown := range []string{fmt.Sprintf("%v", *c), fmt.Sprintf("%+v", *c), fmt.Sprintf("%#v", *c), fmt.Sprint(c.Values)} {
		if strings.Contains(shown, "canary") {
			t.Errorf("a password is shown: %s", shown)
		}
	}
}

func TestRefuseNamesTheOrigin(t *testing.T) {
	c := mustLoad(t, nil, []string{"REDIS_URL=redis://r"}, "relay-url: sim://\n")
	cause := fault.New(fault.Refused, os.ErrPermission, "look there")
	err := c.Refuse("redis-url", cause)
	if err.Error() != "environment REDIS_URL: permission denied" || fault.ClassOf(err) != fault.Refused || fault.HintOf(err) != "look there" {
		t.Errorf("refused as %q, %s, %q", err, fault.ClassOf(err), fault.HintOf(err))
	}
	err = c.Refuse("relay-url", os.ErrInvalid)
	if want := "file " + c.File + ": relay-url: invalid argument"; err.Error() != want || fault.ClassOf(err) != fault.Usage {
		t.Errorf("refused as %q, want %q", err, want)
	}
}

// Kubernetes, Docker and shells set variables that begin with our prefix. They
// are not the operator's typos.
func TestForeignVariablesAreLeftAlone(t *testing.T) {
	environ := []string{
		"FHCTL_SERVICE_HOST=10.96.12.7", "FHCTL_SERVICE_PORT=9477", "FHCTL_SERVICE_PORT_METRICS=9477", "FHCTL_PORT=tcp://10.96.12.7:9477",
		"FHCTL_PORT_9477_TCP=tcp://10.96.12.7:9477", "FHCTL_PORT_9477_TCP_PROTO=tcp", "FHCTL_PORT_9477_TCP_PORT=9477", "FHCTL_PORT_9477_TCP_ADDR=10.96.12.7",
		"FHCTL_INGEST_EU_1_SERVICE_HOST=10.96.12.8", "FHCTL_INGEST_EU_1_SERVICE_PORT=80", "FHCTL_INGEST_EU_1_PORT=udp://[fd00::1]:80", "FHCTL_INGEST_EU_1_PORT_80_UDP_ADDR=fd00::1",
		"FHCTL_NAME=/app/fhctl", "FHCTL_ENV_PATH=/usr/bin", "FHCTL_PORT_9477_TCP_START=tcp://172.17.0.5:9477", "FHCTL_PORT_9477_TCP_PORT_END=9480", "FHCTL_REDIS_NAME=/app/redis",
		"FHCTL_ACTIVE_HELP=0", "FHCTL_COMPLETION_DESCRIPTIONS=0",
	}
	if _, err := Load(nil, environ); err != nil {
		t.Error(err)
	}
	for _, typo := range []string{"FHCTL_PORT=9477", "FHCTL_HEALTH_PORT=9477", "FHCTL_SERVICE=10.0.0.1", "FHCTL_PORT_9477=1", "FHCTL_ACTIVE_HELPS=0", "FHCTL_BATCH_SIZ=1", "FHCTL_NAME=fhctl", "FHCTL_NAME=/etc/fhctl/x"} {
		if _, err := Load(nil, append(environ, typo)); err == nil || !strings.Contains(err.Error(), strings.Split(typo, "=")[0]) {
			t.Errorf("%s: %v", typo, err)
		}
	}
	for _, s := range Settings() {
		if foreign(s.Env, "") {
			t.Errorf("%s would be taken for somebody else's", s.Env)
		}
	}
}

// A settings file with a password is nobody else's to read; one without may be.
func TestSettingsFileOpenToEveryUser(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing of who may read")
	}
	path := filepath.Join(t.TempDir(), "fhctl.yaml")
	for _, c := range []struct {
		text string
		mode os.FileMode
		warn bool
	}{
		{"redis-url: redis://u:canary@localhost", 0o644, true},
		{"redis-url: redis://u:canary@localhost", 0o604, true},
		{"redis-url: redis-sentinel://localhost/m?sentinel_password=canary", 0o644, true},
		{"redis-url: redis://u:canary@localhost", 0o640, false},
		{"redis-url: redis://u:canary@localhost", 0o600, false},
		{"redis-url: redis://u@localhost", 0o644, false},
		{"batch-size: 7", 0o644, false},
	} {
		if err := errors.Join(os.WriteFile(path, []byte(c.text), 0o600), os.Chmod(path, c.mode)); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(mustLoad(t, []string{"--config=" + path}, nil, "").Warnings, "\n")
		if strings.Contains(got, "every user of this machine may read "+path) != c.warn || strings.Contains(got, "canary") {
			t.Errorf("%s with mode %o: %q", c.text, c.mode, got)
		}
	}
	// The password of the file is not in use.
	if err := errors.Join(os.WriteFile(path, []byte("redis-url: redis://u:canary@localhost"), 0o600), os.Chmod(path, 0o644)); err != nil {
		t.Fatal(err)
	}
	if got := mustLoad(t, []string{"--config=" + path}, []string{"REDIS_URL=redis://localhost"}, "").Warnings; len(got) != 1 {
		t.Errorf("a password that is not in use: %q", got)
	}
}

func TestUntilSeqIsReadAsPlacesAre(t *testing.T) {
	for _, text := range []string{"seq:7000000123", "7000000123", "7,000,000,123", " 07000000123"} {
		if c := mustLoad(t, []string{"--until-seq=" + text}, nil, ""); c.Ingest.UntilSeq != 7000000123 {
			t.Errorf("%q is %s", text, c.Ingest.UntilSeq)
		}
	}
}
