// What this worker does with an event: it prints one line of JSON. Put your own
// work here. It may be called more than once for the same event: after a crash,
// after a claim, after the group was made anew. Make it so that this does no
// harm, for instance by a unique key on the record's URI, and tell events apart
// by seq.

import type { Commit, Entry } from "./entry.js";

// handle throws for an event that it cannot digest; it is then delivered again.
export function handle(entry: Entry, event: unknown, worker: string): void {
  const line: Record<string, unknown> = { seq: entry.seq, type: entry.type, worker };
  switch (entry.type) {
    case "commit": {
      const commit = event as Commit;
      line.repo = commit.repo;
      line.ops = commit.ops.map((op) => [op.action, op.path, op.record?.$type ?? null]);
      break;
    }
    case "identity":
    case "account":
      line.repo = (event as { did: string }).did;
      break;
  }
  // Synchronous for a pipe or file: what is printed was handled, even if the
  // process is killed right after.
  process.stdout.write(JSON.stringify(line) + "\n");
}
