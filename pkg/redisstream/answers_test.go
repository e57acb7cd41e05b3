package redisstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// What servers, proxies and managed services of our acquaintance answer, in their
// words. None of it says that what is stored is damaged.
func TestAnswersAreClassed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]fault.Class{
		"ERR This instance has cluster support disabled":                                    fault.Usage,
		"ERR unknown command 'evalsha', with args beginning with: 'a' '4'":                  fault.Refused,
		"ERR unknown command `XINFO`, with args beginning with: ":                           fault.Refused,
		"ERR unknown command 'SENTINEL'":                                                    fault.Refused,
		"ERR Unknown Redis command called from script script: 5f, on @user_script:9.":       fault.Refused,
		"ERR Unknown subcommand or wrong number of arguments for 'GROUPS'. Try XINFO HELP.": fault.Refused,
		"ERR This Redis command is not allowed from script":                                 fault.Refused,
		"ERR command 'EVAL' is not supported by this proxy":                                 fault.Refused,
		"ERR Command is not available: 'XREAD'":                                             fault.Refused,
		"unsupported command":                                                               fault.Refused,
		"ERR operation not permitted":                                                       fault.Refused,
		"ERR Client sent AUTH, but no password is set":                                      fault.Refused,
		"ERR wrong number of arguments for 'auth' command":                                  fault.Refused,
		"NOPERM this user has no permissions to run the 'xread' command or its subcommand":  fault.Refused,
		"NOPERM User fh has no permissions to run the 'client|setname' command":             fault.Refused,
		"ERR max requests limit exceeded. Limit: 500000, Usage: 500000.":                    fault.Refused,
		"ERR Protocol error: invalid bulk length":                                           fault.Usage,
		"ERR string exceeds maximum allowed size (proto-max-bulk-len)":                      fault.Usage,
		"ERR Script attempted to access keys that do not hash to the same slot":             fault.Usage,
		"ERR Script attempted to access a non local key in a cluster node":                  fault.Usage,
		"ERR wrong number of arguments for 'xadd' command":                                  fault.Usage,
		"ERR syntax error": fault.Usage,
		"ERR Error compiling script (new function): user_script:1: '=' expected": fault.Usage,
		"ERR No such master with that name":                                      fault.Usage,
		"NOGROUP No such key 'firehose:events' or consumer group 'x'":            fault.Unreachable,
		"ERR no such key":      fault.Unreachable,
		"ERR the moon is full": fault.Unreachable,
		"ERR The stream has exhausted the last possible ID, unable to add more items": fault.Data,
		"WRONGTYPE Operation against a key holding the wrong kind of value":           fault.Data,
	} {
		err := conn.Final(conn.ServerError(text))
		if got := fault.ClassOf(err); got != want || fault.HintOf(err) == "" {
			t.Errorf("%s: %s, want %s; hint %q", text, got, want, fault.HintOf(err))
		}
		if cause := conn.CauseOf(conn.ServerError(text)); cause != "" {
			t.Errorf("%s: waited for as %s", text, cause)
		}
	}
	for text, want := range map[string]string{
		"UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)": "unblocked",
		"upstream failure":                        "connection",
		"no upstream host":                        "connection",
		"ERR Connection refused":                  "connection",
		"ERR handle response, backend conn reset": "connection",
	} {
		if cause := conn.CauseOf(conn.ServerError(text)); cause != want || !slices.Contains(conn.Causes(), cause) {
			t.Errorf("%s: cause %q, want %q", text, cause, want)
		}
	}
}

// Each command that fhctl sends is refused in turn, as services do that rename or
// block it, and is then given an unexpected answer. Nobody waits for ever,
// nothing is called damaged, and each error says it once, with what to do.
func TestAnswersToEachCommand(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	newKit(t, server).Add(20, func(i int) (string, event.Seq) { return fmt.Sprintf("%d-0", i+1), event.Seq(i + 1) })
	barred := func(name string) string { return "-ERR unknown command '" + name + "', with args beginning with: 'x'" }
	strange := func(string) string { return "-ERR the moon is full" }
	for _, name := range strings.Fields("PING GET SET XADD XTRIM XLEN XINFO XPENDING XRANGE XREVRANGE XREAD EVAL EVALSHA INFO CLIENT HELLO SELECT TIME PTTL MEMORY") {
		for how, answer := range map[string]func(string) string{"barred": barred, "strange": strange} {
			t.Run(name+"/"+how, func(t *testing.T) {
				t.Parallel()
				man := redistest.NewMiddleman(t, server.Addr(), func(command []string) string {
					if command[0] == name {
						return answer(name)
					}
					return ""
				})
				for doing, err := range useAll(t, man.URL()+"/0") {
					class := fault.ClassOf(err)
					switch {
					case err == nil, errors.Is(err, context.DeadlineExceeded) && doing == "follow":
					case how == "barred" && class != fault.Refused, class != fault.Refused && class != fault.Unreachable:
						t.Errorf("%s: %s: %v", doing, class, err)
					case fault.HintOf(err) == "":
						t.Errorf("%s: no hint: %v", doing, err)
					case strings.Count(err.Error(), "unknown command") > 1, strings.Count(err.Error(), "moon") > 1:
						t.Errorf("%s: said twice: %v", doing, err)
					}
				}
			})
		}
	}
}

// useAll does once what commands do with a stream, on keys that are there.
func useAll(t *testing.T, url string) map[string]error {
	did := map[string]error{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg := Config{Connection: conn.Connection{URL: url}, Identity: Identity{Relay: storetest.Relay}, Writer: "w", From: From{}}
	cfg.CursorKey = "answers:" + strings.ReplaceAll(t.Name(), "/", ":")
	cfg.StreamKey = cfg.CursorKey + ":stream"
	w, err := Open(ctx, cfg)
	if did["open"] = err; err == nil {
		_, did["lead"] = w.Lead(ctx)
		_, did["length"] = w.Length(ctx)
		_, _, did["poll"] = w.Poll(ctx)
		_ = w.Close()
	}
	r, err := reader.Open(ctx, reader.Config{Connection: conn.Connection{URL: url}})
	if did["open reader"] = err; err != nil {
		return did
	}
	defer r.Close()
	_, did["bounds"] = r.Bounds(ctx)
	_, did["groups"] = r.Groups(ctx)
	_, did["cursor"] = r.Cursor(ctx)
	_, did["last"] = r.Last(ctx, 3)
	_, did["vitals"] = r.Vitals(ctx)
	_, _, did["clock"] = r.Now(ctx)
	_, _, did["memory"] = r.MemoryUsage(ctx)
	_, did["added"] = r.EntriesAdded(ctx)
	did["rights"] = r.MayWrite(ctx)
	for _, err := range r.Range(ctx, "", "") {
		did["range"] = err
	}
	short, end := context.WithTimeout(ctx, 30*time.Millisecond)
	defer end()
	for _, err := range r.Follow(short, "") {
		did["follow"] = err
	}
	return did
}

// Faults that pass and that the server names have remedies of their own: whether
// Redis is up is not the question. The log of a Writer that waits has them too.
func TestPassingAnswersHaveTheirOwnHints(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for text, want := range map[string]string{
		"ERR max number of clients reached":                                                            "maxclients",
		"BUSY Redis is busy running a script. You can only call SCRIPT KILL":                           "SCRIPT KILL",
		"MISCONF Redis is configured to save RDB snapshots, but is unable to persist":                  "BGSAVE",
		"OOM command not allowed when used memory > 'maxmemory'.":                                      "maxmemory",
		"READONLY You can't write against a read only replica.":                                        "primary",
		"NOREPLICAS Not enough good replicas to write.":                                                "min-replicas-to-write",
		"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.":             "primary",
		"CLUSTERDOWN Hash slot not served":                                                             "CLUSTER NODES",
		"NOSCRIPT No matching script. Please use EVAL.":                                                "SCRIPT FLUSH",
		"LOADING Redis is loading the dataset in memory":                                               "INFO persistence",
		"TRYAGAIN Multiple keys request during rehashing of slot":                                      "CLUSTER NODES",
		"UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)": "INFO replication",
	} {
		t.Run(strings.Fields(text)[0], func(t *testing.T) {
			t.Parallel()
			man := redistest.NewMiddleman(t, server.Addr(), func(command []string) string {
				if command[0] == "GET" || command[0] == "XLEN" {
					return "-" + text
				}
				return ""
			})
			c := conn.Connection{URL: man.URL(), CommandTimeout: 2 * time.Second}
			r, err := reader.Open(t.Context(), reader.Config{Connection: c})
			storetest.Must(t, err)
			defer r.Close()
			_, err = r.Cursor(t.Context())
			storetest.WantErr(t, err, fault.Unreachable)
			storetest.WantErr(t, conn.Classed(conn.ServerError(text)), fault.Unreachable)
			log := &storetest.Log{}
			c.Logger = slog.New(slog.NewTextHandler(log, nil))
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = Open(ctx, Config{Connection: c, Identity: Identity{Relay: storetest.Relay}})
			}()
			storetest.Eventually(t, "the log", func() bool { return strings.Contains(log.String(), "waiting") })
			cancel()
			<-ended
			for _, hint := range []string{fault.HintOf(err), fault.HintOf(conn.Classed(conn.ServerError(text))), log.String()[strings.Index(log.String(), "hint="):]} {
				if !strings.Contains(hint, want) || strings.Contains(hint, "is Redis running") {
					t.Errorf("hint %q does not name %q", hint, want)
				}
			}
		})
	}
	for _, text := range []string{"ERR unknown command 'select', with args beginning with: '3' ", "ERR unknown command `SELECT`, with args beginning with: `3`, "} {
		if hint := fault.HintOf(conn.Final(conn.ServerError(text))); !strings.Contains(hint, "database number at the end of the Redis URL") {
			t.Errorf("%s: hint %q", text, hint)
		}
	}
}

// What has not the form of an answer is told as that, without the words of a parser.
func TestAnswerOfAnotherForm(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	newKit(t, server).Add(3, func(i int) (string, event.Seq) { return fmt.Sprintf("%d-0", i+1), event.Seq(i + 1) })
	for _, name := range strings.Fields("GET XLEN XINFO XRANGE XREVRANGE TIME PTTL MEMORY XPENDING INFO") {
		for _, answer := range []string{"+OK", ":-3", "$2\r\nOK", "*1\r\n+OK", "*0"} {
			t.Run(name+answer, func(t *testing.T) {
				t.Parallel()
				man := redistest.NewMiddleman(t, server.Addr(), func(command []string) string {
					if command[0] == name {
						return answer
					}
					return ""
				})
				r, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: man.URL(), CommandTimeout: 2 * time.Second}})
				storetest.Must(t, err)
				defer r.Close()
				_, bounds := r.Bounds(t.Context())
				_, groups := r.Groups(t.Context())
				_, cursor := r.Cursor(t.Context())
				_, last := r.Last(t.Context(), 3)
				_, vitals := r.Vitals(t.Context())
				_, _, memory := r.MemoryUsage(t.Context())
				_, _, clock := r.Now(t.Context())
				for _, err := range []error{bounds, groups, cursor, last, vitals, memory, clock} {
					if err != nil && (strings.Contains(err.Error(), "strconv") || strings.Contains(err.Error(), "redis: ") || strings.Contains(err.Error(), "parse")) {
						t.Error(err)
					}
				}
				if name == "XLEN" && answer == "+OK" && (bounds == nil || !strings.Contains(bounds.Error(), `has not the form of one: "OK" in place of a number`)) {
					t.Errorf("got %v", bounds)
				}
			})
		}
	}
}
