// One entry of the stream. Its fields are read by position, as ioredis gives
// them: [name, value, name, value, ...]. Names would do as well; the order is
// promised either way.

export interface Entry {
  id: string;
  type: string; // commit, identity or account
  data: string; // one JSON object
  seq: string; // the relay's number, in decimal: it may exceed 2^53 one day
}

export type Raw = [id: string, fields: string[] | null];

// read is null for an entry that is gone: trimmed while it was pending.
export function read([id, fields]: Raw): Entry | null {
  if (fields === null) return null;
  return { id, type: fields[1] ?? "", data: fields[3] ?? "", seq: fields[5] ?? "" };
}

export interface Op {
  action: "create" | "update" | "delete";
  path: string; // collection/rkey
  cid?: string; // of creates and updates
  record?: { $type: string } & Record<string, unknown>; // likewise
}

export interface Commit {
  repo: string;
  ops: Op[];
}
