package config

import (
	"log/slog"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// table is the one list of settings. An empty Env stands for the FHCTL_ form
// of the name; only the contract's variables spell it out.
func table() []Setting {
	var list []Setting
	for _, part := range [][]Setting{
		relaySettings(), redisSettings(), redisTLSSettings(), startSettings(),
		filterSettings(), flowSettings(), edgeSettings(), globalSettings(),
	} {
		list = append(list, part...)
	}
	return list
}

func relaySettings() []Setting {
	return []Setting{
		{Name: "relay-url", Env: "RELAY_URL", Arg: "URL", Secret: true, Default: "wss://bsky.network", Group: GroupRelay,
			Doc:   "relay to read: wss://HOST or a host alone, with or without the path of subscribeRepos; sim://?rate=N&count=N&seed=N plays a bundled relay of synthetic traffic; capture:FILE plays a recorded file",
			store: address(func(c *Config) *string { return &c.Relay.URL })},
		{Name: "relay-cleartext", Default: "false", Group: GroupRelay,
			Doc:   "allow ws:// to a host that is not loopback: anyone on the way can then read and change events",
			store: onOff(func(c *Config) *bool { return &c.Relay.Cleartext })},
		{Name: "relay-tls-ca", Arg: "FILE", Group: GroupRelay,
			Doc:   "PEM file of the authorities to trust for the relay, instead of the system's; read again for each connection",
			store: text(func(c *Config) *string { return &c.Relay.TLSCA }, path)},
	}
}

func redisSettings() []Setting {
	return []Setting{
		{Name: "redis-url", Env: "REDIS_URL", Arg: "URL", Secret: true, Default: "redis://localhost:6379", Group: GroupRedis,
			Doc:   "Redis that holds the stream: redis://, rediss:// (TLS), unix://, redis-sentinel:// or redis-cluster://; embedded://[HOST:PORT] starts a server inside this process that keeps nothing on disk",
			store: address(func(c *Config) *string { return &c.Redis.URL }, redisURL)},
		{Name: "redis-password-file", Arg: "FILE", Group: GroupRedis,
			Doc:   "file that holds the Redis password, so that it is neither an argument nor a variable; the user stays in redis-url, as in redis://USER@HOST; shown as *** where there is no such file, since it may be the password itself",
			store: text(func(c *Config) *string { return &c.Redis.PasswordFile }, path), holdsPassword: true},
		{Name: "stream-key", Env: "REDIS_STREAM_KEY", Arg: "KEY", Default: "firehose:events", Group: GroupRedis,
			Doc:   "stream that consumers read; the TypeScript workers know only the default",
			store: text(func(c *Config) *string { return &c.Redis.StreamKey }, notEmpty, notURL)},
		{Name: "cursor-key", Env: "REDIS_CURSOR_KEY", Arg: "KEY", Default: "firehose:python_cursor", Group: GroupRedis,
			Doc:   "string that holds the seq of the last stored event; in Redis Cluster it must share the stream's slot",
			store: text(func(c *Config) *string { return &c.Redis.CursorKey }, notEmpty, notURL)},
		{Name: "partitions", Arg: "N", Default: "1", Group: GroupRedis,
			Doc:   "streams that the events are spread over, by account: with more than 1 they are KEY:{0} to KEY:{N-1}, each with a cursor of that form; for consumers that read all of them, which the TypeScript workers do not (docs/scaling.md)",
			store: whole(func(c *Config) *int { return &c.Redis.Partitions }, 1, 64)},
		{Name: "max-stream-len", Env: "REDIS_MAX_STREAM_LEN", Arg: "N", Default: "500000", Group: GroupWriter,
			Doc:   "entries the stream keeps, about, all partitions together; 0 never trims",
			store: whole(func(c *Config) *int64 { return &c.Redis.MaxStreamLen }, 0, int64(event.MaxSeq))},
		{Name: "when-full", Arg: "ACTION", Default: WhenFullTrim, Group: GroupWriter,
			Doc:   "when the stream is at max-stream-len and a group has not finished the oldest entries: trim them, counted and kept in a ledger; block, which stops reading the relay until the group catches up; or spill:DIR, which keeps reading into files in that directory",
			store: storeWhenFull},
		{Name: "spill-max-bytes", Arg: "SIZE", Default: "10GiB", Group: GroupWriter,
			Doc:   "size the files of when-full spill:DIR may reach",
			store: size(func(c *Config) *int64 { return &c.Redis.SpillMaxBytes }, 1<<20, 1<<50)},
		{Name: "group-timeout", Arg: "DURATION", Default: "10m", Group: GroupWriter,
			Doc:   "how long a group none of whose consumers asks for entries goes on holding a full stream; 0 is for ever",
			store: span(func(c *Config) *time.Duration { return &c.Redis.GroupTimeout }, 365*24*time.Hour)},
		{Name: "allow-eviction", Default: "false", Group: GroupWriter,
			Doc:   "start although Redis may evict keys that do not expire (maxmemory-policy allkeys-…), and with them the stream or the cursor",
			store: onOff(func(c *Config) *bool { return &c.Redis.AllowEviction })},
		{Name: "dashboard", Default: "true", Group: GroupWriter,
			Doc:   "write the keys and the channel that the dashboard shows",
			store: onOff(func(c *Config) *bool { return &c.Redis.Dashboard })},
	}
}

func redisTLSSettings() []Setting {
	return []Setting{
		{Name: "redis-tls-ca", Arg: "FILE", Group: GroupRedis,
			Doc:   "PEM file of the authorities to trust for Redis, instead of the system's; read again for each connection",
			store: text(func(c *Config) *string { return &c.Redis.TLSCA }, path)},
		{Name: "redis-tls-cert", Arg: "FILE", Group: GroupRedis,
			Doc:   "PEM file of the client certificate; needs redis-tls-key; both are read again for each connection",
			store: text(func(c *Config) *string { return &c.Redis.TLSCert }, path)},
		{Name: "redis-tls-key", Arg: "FILE", Group: GroupRedis,
			Doc:   "PEM file of the client certificate's key; needs redis-tls-cert",
			store: text(func(c *Config) *string { return &c.Redis.TLSKey }, path)},
		{Name: "redis-tls-server-name", Arg: "NAME", Group: GroupRedis,
			Doc:   "name the Redis certificate must carry, instead of the URL's host",
			store: text(func(c *Config) *string { return &c.Redis.TLSServerName })},
		{Name: "redis-tls-skip-verify", Default: "false", Group: GroupRedis,
			Doc:   "accept any Redis certificate: anyone on the way can then read and change events",
			store: onOff(func(c *Config) *bool { return &c.Redis.TLSSkipVerify })},
	}
}

func startSettings() []Setting {
	return []Setting{
		{Name: "from", Arg: "WHERE", Default: "saved", Group: GroupStart,
			Doc:   "where to start: saved (the cursor in Redis, live when there is none), live, oldest (all the relay still holds), or a SEQ (also seq:N) to continue after; a choice is carried out once, so that a restart resumes",
			store: storeFrom},
		{Name: "until-seq", Arg: "SEQ", Default: "0", Group: GroupStart,
			Doc:   "stop cleanly once this SEQ (also seq:N) is stored; 0 runs until stopped",
			store: storeUntilSeq},
		{Name: "on-reset", Arg: "ACTION", Default: OnResetWait, Group: GroupStart,
			Choices: []string{OnResetWait, OnResetFollow},
			Doc:     "when the relay's numbering restarts below the cursor: wait for the operator, or follow the new numbering",
			store:   choice(func(c *Config) *string { return &c.Ingest.OnReset })},
	}
}

func filterSettings() []Setting {
	return []Setting{
		{Name: "collection", Arg: "NSID", List: true, Group: GroupFilter,
			Doc:   "keep only commits to this collection, exact (app.bsky.feed.post) or by prefix (app.bsky.*); repeatable; accounts and identities pass",
			store: list(func(c *Config) *[]string { return &c.Ingest.Collections }, collection)},
		{Name: "did", Arg: "DID", List: true, Group: GroupFilter,
			Doc:   "keep only events of this account; repeatable",
			store: list(func(c *Config) *[]string { return &c.Ingest.DIDs }, did)},
		{Name: "kind", Arg: "KIND", List: true, Group: GroupFilter,
			Choices: []string{"commit", "identity", "account"},
			Doc:     "keep only events of this kind; repeatable",
			store:   list(func(c *Config) *[]string { return &c.Ingest.Kinds }, kind)},
	}
}

func flowSettings() []Setting {
	return []Setting{
		{Name: "batch-size", Arg: "N", Default: "500", Group: GroupFlow,
			Doc:   "events stored at once, at most (1 to 10000)",
			store: whole(func(c *Config) *int { return &c.Ingest.BatchSize }, 1, 10000)},
		{Name: "batch-age", Arg: "DURATION", Default: "40ms", Group: GroupFlow,
			Doc:   "how long an event may wait for its batch to fill",
			store: span(func(c *Config) *time.Duration { return &c.Ingest.BatchAge }, time.Minute)},
		{Name: "idle-timeout", Arg: "DURATION", Default: "60s", Group: GroupFlow,
			Doc:   "reconnect when the relay has sent no new event for this long; longer than the pauses of a quiet host; 0 is off",
			store: span(func(c *Config) *time.Duration { return &c.Ingest.IdleTimeout }, 24*time.Hour)},
		{Name: "decoders", Arg: "N", Default: "0", Group: GroupFlow,
			Doc:   "frames decoded at the same time; 0 is one per CPU but one, at most 4",
			store: whole(func(c *Config) *int { return &c.Ingest.Decoders }, 0, 256)},
		{Name: "queue-bytes", Arg: "SIZE", Default: "8MiB", Group: GroupFlow,
			Doc:   "memory for frames that wait between reading and storing",
			store: size(func(c *Config) *int64 { return &c.Ingest.QueueBytes }, 64<<10, 64<<30)},
	}
}

func edgeSettings() []Setting {
	return []Setting{
		{Name: "rejects", Arg: "DIR", Group: GroupRejects,
			Doc:   "directory for frames that could not be decoded, with reason and seq; empty keeps none",
			store: text(func(c *Config) *string { return &c.Ingest.RejectsDir })},
		{Name: "rejects-max-bytes", Arg: "SIZE", Default: "64MiB", Group: GroupRejects,
			Doc:   "size the directory of rejected frames may reach",
			store: size(func(c *Config) *int64 { return &c.Ingest.RejectsMaxBytes }, 1<<10, 1<<40)},
		{Name: "health-addr", Arg: "ADDR", Default: "127.0.0.1:9477", Group: GroupHealth,
			Doc:   "HOST:PORT of /livez, /readyz and /metrics; off is none",
			store: text(func(c *Config) *string { return &c.Health.Addr }, listenAddr)},
		{Name: "health-host", Arg: "NAME", Group: GroupHealth, List: true,
			Doc:   "a name that callers may use for --health-addr besides localhost, addresses in numbers and its own host, such as the service name a scraper asks for; repeatable",
			store: list(func(c *Config) *[]string { return &c.Health.Hosts }, hostName)},
	}
}

func globalSettings() []Setting {
	return []Setting{
		{Name: "config", Arg: "FILE", Group: GroupGlobal, noFile: true,
			Doc:   "YAML file of settings",
			store: text(func(c *Config) *string { return &c.File })},
		{Name: "log-level", Env: "LOG_LEVEL", Arg: "LEVEL", Default: "INFO", Group: GroupGlobal,
			Choices: []string{"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"},
			Doc:     "least severe level that is logged, in any case; WARN is WARNING",
			store:   level(func(c *Config) *slog.Level { return &c.Log.Level })},
		{Name: "log-format", Arg: "FORMAT", Default: FormatAuto, Group: GroupGlobal,
			Choices: []string{FormatAuto, FormatText, FormatJSON},
			Doc:     "log lines as text or json; auto is text on a terminal",
			store:   choice(func(c *Config) *string { return &c.Log.Format })},
		{Name: "no-color", Default: "false", Group: GroupGlobal, presence: "NO_COLOR",
			Doc:   "no colours on a terminal; a NO_COLOR variable with any value does the same",
			store: onOff(func(c *Config) *bool { return &c.Log.NoColor })},
		{Name: "timeout", Arg: "DURATION", Default: "0", Group: GroupGlobal,
			Doc:   "give up with exit code 124 after this long; 0 never does",
			store: span(func(c *Config) *time.Duration { return &c.Timeout }, 365*24*time.Hour)},
	}
}
