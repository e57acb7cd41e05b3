package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/build"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/observe"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/rejects"
	"github.com/fhctl/fhctl/pkg/relay"
)

const ingestLong = `Read a relay and append every event to a Redis stream, in order and once. The
cursor moves in the same script that appends, so a crash of either side neither
loses nor repeats an event.

It starts at the saved cursor or, when there is none, live. Relay and Redis may
be down: it says so and waits. Ctrl-C or SIGTERM stops reading, stores what was
read and exits 0; a second one leaves at once.

What only an operator can decide (a relay whose numbering restarted, a cursor
above everything it knows) is held: the process stays up, /readyz says why, and
moving the cursor lets it go on.

SIGHUP reads the settings file again and puts its log level and filters into
force; what cannot be used is refused, and the former settings stay. systemd is
told when the process is ready, reloads and stops, and its watchdog is fed.`

func Command(a *shell.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "ingest", Short: "Carry a relay's events into a Redis stream",
		Long: ingestLong, Args: shell.AtMost(0), GroupID: shell.GroupEvents,
		Example: `  # See it run with nothing installed: bundled relay, in-process Redis
  fhctl ingest --relay-url sim:// --redis-url embedded://

  # Production: settings from the environment
  RELAY_URL=wss://bsky.network REDIS_URL=redis://localhost:6379 fhctl ingest

  # Smoke check with a bundled relay and a Redis inside the process: exit 0 once that
  # seq is stored
  fhctl ingest --relay-url 'sim://?count=200' --redis-url embedded:// --from oldest --until-seq 7000000123

  # Posts and likes only, undecodable frames kept
  fhctl ingest --collection app.bsky.feed.post --collection app.bsky.feed.like --rejects /var/lib/fhctl/rejects`,
	}
	shell.AddSettings(cmd, config.GroupRelay, config.GroupRedis, config.GroupWriter, config.GroupStart, config.GroupFilter,
		config.GroupFlow, config.GroupRejects, config.GroupHealth)
	// It fails for a flag that does not exist only.
	_ = cmd.RegisterFlagCompletionFunc("from", cobra.FixedCompletions([]cobra.Completion{"saved", "live", "oldest", "seq:"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = a.With(func(ctx context.Context, env *shell.Env, cfg *config.Config, _ []string) error {
		return Run(ctx, env, cfg)
	})
	return cmd
}

// Run composes the pipeline and runs it. Services (health, dashboard, the
// live line) outlive the pipeline, so that they tell the truth to the end.
func Run(ctx context.Context, env *shell.Env, cfg *config.Config) error {
	shell.BoundMemory(cfg.Ingest.QueueBytes)
	serving, stopServices := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServices()
	services, serving := errgroup.WithContext(serving)
	i := &ingestion{Env: env, cfg: cfg, monitor: newMonitor(cfg)}
	unit := newUnit(env, cfg, i.monitor)
	var progress *slog.Logger
	if !shell.Live(env, cfg) {
		progress = shell.Unlimited(env.Log)
	}
	i.heard = observe.Observers{i.monitor, observe.NewNarrator(env.Log, progress), unit}
	defer context.AfterFunc(ctx, func() { i.monitor.Stopping(); unit.stopping() })()

	reload, err := newReloader(env, cfg, unit)
	if err != nil {
		return err
	}
	i.reload = reload
	if err := i.serveHealth(serving, services); err != nil {
		return err
	}
	i.showLine(serving, services)
	services.Go(func() error { return unit.run(serving) })
	services.Go(func() error { return reload.run(serving) })
	err = i.run(ctx, serving, services)
	if err == nil {
		i.farewell()
		err = i.uncovered(ctx)
	}
	stopServices()
	return errors.Join(err, services.Wait())
}

// farewell is the last line of a clean end: where the next start goes on.
func (i *ingestion) farewell() {
	end := i.monitor.Snapshot()
	cursor := "none"
	if end.Cursor > 0 {
		cursor = end.Cursor.String()
	}
	i.Log.Info("Stopped", "cursor", cursor, "stored", end.Appended)
}

// uncovered is the error of a run that was to end at a seq and stored no position: the
// relay begins behind it, so that nothing is known of what was asked for.
func (i *ingestion) uncovered(ctx context.Context) error {
	until, end := i.cfg.Ingest.UntilSeq, i.monitor.Snapshot()
	if until == 0 || end.Cursor > 0 || end.Counts.Frames == 0 || ctx.Err() != nil {
		return nil
	}
	return fault.New(fault.Unreachable, fmt.Errorf("nothing was stored: the relay's events begin behind seq %s", until),
		"choose a later --until-seq: \"fhctl tail --source relay --since oldest --limit 1\" shows the first there is")
}

// ingestion is the composition of one run.
type ingestion struct {
	*shell.Env
	cfg     *config.Config
	monitor *health.Monitor
	heard   observe.Observers
	reload  *reloader
}

func (i *ingestion) run(ctx, serving context.Context, services *errgroup.Group) error {
	closeRejects, err := i.keepRejects()
	if err != nil {
		return err
	}
	defer closeRejects()
	up, err := endpoint.OpenUpstream(i.Log, i.cfg)
	if err != nil {
		return err
	}
	defer up.Close()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var broken atomic.Pointer[error]
	up.Stop = func(err error) { broken.Store(&err); stop(err) }
	down, err := endpoint.OpenDownstream(i.Log, i.cfg)
	if err != nil {
		return err
	}
	defer down.Close()
	i.announce(up, down)
	// Unlike the services it ends beside the drain: behind it, a Redis that hangs
	// would cost the stop another few of its ten seconds.
	defer i.sampleRedis(ctx, services, down)()
	sink, err := sink(down, ctx, i.cfg, up, i.reload.wanted().Fingerprint(), i.heard, i.monitor.CursorMoved)
	if err != nil {
		return shell.StoppedOr(ctx, err)
	}
	defer sink.Close()
	stopDashboard, err := i.serveDashboard(serving, services, up, down)
	if err != nil {
		return err
	}
	defer stopDashboard()
	source, err := up.Source(i.Env, i.cfg, i.heard)
	if err != nil {
		return err
	}
	from, closeSpill, err := i.spill(source, up)
	if err != nil {
		return err
	}
	defer closeSpill()
	err = i.flow(ctx, from, sink)
	if ended := broken.Load(); ended != nil && err == nil {
		err = *ended // what was before it is stored
	}
	return err
}

func (i *ingestion) pipeline(source pipeline.FrameSource, sink pipeline.Sink, keep *filter.Filter) *pipeline.Pipeline {
	in := i.cfg.Ingest
	onReset := pipeline.Wait
	if in.OnReset == config.OnResetFollow {
		onReset = pipeline.Follow
	}
	p := pipeline.New(pipeline.Config{
		Source: source, Sink: sink, Observer: i.heard, Filter: keep, Logger: i.Log,
		Decoders: in.Decoders, BatchSize: in.BatchSize, QueueBytes: in.QueueBytes,
		// Zero would take the pipeline's default; who writes 0 wants no wait.
		BatchAge: cmp.Or(in.BatchAge, time.Nanosecond),
		UntilSeq: in.UntilSeq, OnReset: onReset, IdleTimeout: in.IdleTimeout,
	})
	i.monitor.SetQueue(p.Queued)
	return p
}

// announce says what this run is about to do, before anything can fail.
func (i *ingestion) announce(up endpoint.Upstream, down endpoint.Downstream) {
	trim := "never"
	if n := down.MaxLen; n > 0 {
		trim = fmt.Sprintf("about %d entries", n)
	}
	i.Log.Info("fhctl ingest", "version", build.Read().Version, "relay", up.Name, "redis", down.Name,
		"stream", i.cfg.Redis.StreamKey, "cursor", i.cfg.Redis.CursorKey, "trim", trim, "start", i.cfg.Ingest.From.String())
}

func newMonitor(cfg *config.Config) *health.Monitor {
	build := build.Read()
	host, _ := os.Hostname()
	return health.New(health.Config{
		Version: build.Version, Commit: build.Commit,
		Host: host, Stream: cfg.Redis.StreamKey, Redis: fault.Redact(cfg.Redis.URL), Runbook: shell.Documents() + "runbook.md", Hosts: cfg.Health.Hosts,
		IdleTimeout: cfg.Ingest.IdleTimeout, RelayCauses: relay.Causes(), StoreCauses: conn.Causes(),
	})
}

// serveHealth listens before anything else may take long. The default port may
// be another ingest's; an address somebody chose must be had.
func (i *ingestion) serveHealth(ctx context.Context, services *errgroup.Group) error {
	addr := i.cfg.Health.Addr
	if addr == "" {
		return nil
	}
	server, err := i.monitor.Listen(addr)
	if err != nil && i.cfg.Origin("health-addr").Layer == config.LayerDefault {
		i.Log.Warn("The default health address is taken; using a free port", "addr", addr, "err", err.Error())
		server, err = i.monitor.Listen("127.0.0.1:0")
	}
	if err != nil {
		return i.cfg.Refuse("health-addr", err)
	}
	i.Log.Info("Health and metrics", "page", "http://"+server.Addr()+"/", "readyz", "http://"+server.Addr()+"/readyz", "metrics", "http://"+server.Addr()+"/metrics")
	services.Go(func() error { return server.Serve(ctx) })
	return nil
}

// serveDashboard keeps the contract's dashboard keys. It returns a function that
// waits until the keys say disconnected.
func (i *ingestion) serveDashboard(ctx context.Context, services *errgroup.Group, up endpoint.Upstream, down endpoint.Downstream) (stop func(), err error) {
	if !i.cfg.Redis.Dashboard {
		return func() {}, nil
	}
	parts := int64(max(1, i.cfg.Redis.Partitions)) // each keeps its share
	dashboard, err := dashboard.New(dashboard.Config{
		Connection: down.Connection,
		RelayURL:   up.Endpoint.String(),
		Writer:     writerName(),
		StreamKey:  i.cfg.Redis.StreamKey,
		MaxLen:     (down.MaxLen + parts - 1) / parts,
		Shared:     true,
		Alarm:      func(a event.Alarm, detail string) { i.heard.Alarm(a, 0, detail) },
		Foreign:    i.monitor.SetForeign,
	})
	if err != nil {
		return nil, err
	}
	i.heard = append(i.heard, dashboardObserver{keys: dashboard})
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	services.Go(func() error { defer close(done); return dashboard.Run(ctx) })
	return func() { cancel(); <-done }, nil
}

// writerName is this process to those that share its stream.
func writerName() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("fhctl/%s-%d", host, os.Getpid())
}

// dashboardObserver passes on what the dashboard keys show.
type dashboardObserver struct {
	observe.Silent
	keys *dashboard.Dashboard
}

func (o dashboardObserver) Link(l event.Link)                      { o.keys.Link(l) }
func (o dashboardObserver) Role(r event.Role)                      { o.keys.Role(r) }
func (o dashboardObserver) Stored(b *event.Batch, r event.Receipt) { o.keys.Stored(b, r) }

// keepRejects keeps undecodable frames where --rejects says.
func (i *ingestion) keepRejects() (closeStore func(), err error) {
	dir := i.cfg.Ingest.RejectsDir
	if dir == "" {
		return func() {}, nil
	}
	store, err := rejects.Open(rejects.Config{Dir: dir, MaxBytes: i.cfg.Ingest.RejectsMaxBytes})
	if err != nil {
		return nil, i.cfg.Refuse("rejects", err)
	}
	i.heard = append(i.heard, rejectsObserver{store: store, log: i.Log})
	showRejects(i.monitor, store)
	return func() {
		if err := store.Close(); err != nil {
			i.Log.Warn("Cannot finish the index of rejected frames", "err", err.Error())
		}
	}, nil
}

// rejectsObserver keeps frames; what fails there must not stop the pipeline.
type rejectsObserver struct {
	observe.Silent
	store *rejects.Store
	log   *slog.Logger
}

func (o rejectsObserver) Rejected(r *event.Reject, frame []byte) {
	if err := o.store.Keep(r, frame); err != nil {
		o.log.Warn("Cannot keep rejected frames; they are still counted", "err", err.Error())
	}
}
