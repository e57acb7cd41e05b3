// A pipeline is one consumer of the group: it reads new entries, takes over
// what others left behind, acknowledges what was handled.

import { Redis } from "ioredis";

import { type Entry, type Raw, read } from "./entry.js";
import { handle } from "./handle.js";
import type { Settings } from "./settings.js";

export class Pipeline {
  private readonly redis: Redis;
  private readonly consumer: string;
  private lastClaim = 0;
  private stopping = false;

  constructor(
    private readonly s: Settings,
    index: number,
  ) {
    this.consumer = `${s.name}-p${index}`;
    // A blocking read keeps its connection busy: one connection per pipeline.
    this.redis = new Redis(s.redisURL, { maxRetriesPerRequest: null });
    this.redis.on("error", (err: Error) => log(this.consumer, "Redis", err));
  }

  stop(): void {
    this.stopping = true;
  }

  async run(): Promise<void> {
    while (!this.stopping) {
      try {
        await this.claimWhenDue();
        await this.digest(await this.readNew());
      } catch (err) {
        if (isNoGroup(err)) await this.makeGroup();
        else {
          log(this.consumer, "will go on", err);
          await new Promise((done) => setTimeout(done, 1000));
        }
      }
    }
    this.redis.disconnect();
  }

  private async readNew(): Promise<Raw[]> {
    const { group, count, blockMs, stream } = this.s;
    const reply = await this.redis.xreadgroup(
      "GROUP", group, this.consumer, "COUNT", count, "BLOCK", blockMs, "STREAMS", stream, ">",
    );
    return (reply as [string, Raw[]][] | null)?.[0]?.[1] ?? [];
  }

  // makeGroup begins at 0, so that nothing that is retained is passed over. A
  // group that was lost is therefore given everything again.
  private async makeGroup(): Promise<void> {
    try {
      await this.redis.xgroup("CREATE", this.s.stream, this.s.group, "0", "MKSTREAM");
      log(this.consumer, `made group ${this.s.group} at 0`);
    } catch (err) {
      if (!String(err).includes("BUSYGROUP")) throw err; // another pipeline was quicker
    }
  }

  // digest handles entries and acknowledges them. One that is not JSON will
  // never be, so it is acknowledged too; one that handle rejects stays pending
  // and is claimed again later.
  private async digest(entries: Raw[]): Promise<void> {
    const done: string[] = [];
    for (const raw of entries) {
      const entry = read(raw);
      if (entry === null || this.settled(entry)) done.push(raw[0]);
    }
    if (done.length > 0) await this.redis.xack(this.s.stream, this.s.group, ...done);
  }

  private settled(entry: Entry): boolean {
    let event: unknown;
    try {
      event = JSON.parse(entry.data);
    } catch (err) {
      log(this.consumer, `entry ${entry.id} is not JSON and is given up`, err);
      return true;
    }
    try {
      handle(entry, event, this.consumer);
      return true;
    } catch (err) {
      log(this.consumer, `entry ${entry.id} was not handled`, err);
      return false;
    }
  }

  // claimWhenDue takes over what was given out long ago, to a consumer that
  // died or to one that could not handle it.
  private async claimWhenDue(): Promise<void> {
    const { claimIdleMs, count, group, maxDeliveries, stream } = this.s;
    const now = performance.now();
    if (now - this.lastClaim < claimIdleMs / 2) return;
    this.lastClaim = now;
    const pending = (await this.redis.xpending(
      stream, group, "IDLE", claimIdleMs, "-", "+", count,
    )) as [id: string, consumer: string, idleMs: number, deliveries: number][];
    const again: string[] = [];
    for (const [id, , , deliveries] of pending) {
      if (deliveries >= maxDeliveries) await this.bury(id, deliveries);
      else again.push(id);
    }
    if (again.length === 0) return;
    const claimed = await this.redis.xclaim(stream, group, this.consumer, claimIdleMs, ...again);
    await this.digest((claimed as (Raw | null)[]).filter((raw) => raw !== null)); // null: trimmed meanwhile
  }

  // bury copies an entry that nobody can handle to the dead letters.
  private async bury(id: string, deliveries: number): Promise<void> {
    const { claimIdleMs, deadLetters, group, stream } = this.s;
    // Only the one who gets it may copy it.
    const mine = (await this.redis.xclaim(stream, group, this.consumer, claimIdleMs, id)) as (Raw | null)[];
    const entry = mine[0] ? read(mine[0]) : null;
    if (entry !== null) {
      await this.redis.xadd(
        deadLetters, "MAXLEN", "~", 10_000, "*",
        "type", entry.type, "data", entry.data, "seq", entry.seq, "origId", id, "deliveries", deliveries,
      );
      await this.redis.xack(stream, group, id);
      log(this.consumer, `entry ${id} went to ${deadLetters} after ${deliveries} deliveries`);
    }
  }
}

function isNoGroup(err: unknown): boolean {
  return err instanceof Error && err.message.startsWith("NOGROUP");
}

export function log(who: string, what: string, err?: unknown): void {
  const why = err === undefined ? "" : `: ${err instanceof Error ? err.message : String(err)}`;
  console.error(`${new Date().toISOString()} ${who} ${what}${why}`);
}
