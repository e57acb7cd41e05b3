// What the worker is told by its environment. The defaults are those that the
// stream's contract gives for workers.

export interface Settings {
  redisURL: string;
  stream: string;
  group: string;
  deadLetters: string;
  name: string; // of this process among the workers
  pipelines: number; // readers in this process, each with its own connection
  count: number; // entries per read
  blockMs: number; // how long a read waits for news
  claimIdleMs: number; // an entry given out this long ago is taken over
  maxDeliveries: number; // then it goes to the dead letters
}

export function settings(env: NodeJS.ProcessEnv): Settings {
  return {
    redisURL: env.REDIS_URL || "redis://localhost:6379",
    stream: env.REDIS_STREAM_KEY || "firehose:events",
    group: env.WORKER_GROUP || "firehose-processors",
    deadLetters: "firehose:dead-letters",
    name: env.WORKER_NAME || "worker-0",
    pipelines: whole(env, "WORKER_PIPELINES", 5),
    count: whole(env, "WORKER_COUNT", 300),
    blockMs: whole(env, "WORKER_BLOCK_MS", 100),
    claimIdleMs: whole(env, "WORKER_CLAIM_IDLE_MS", 10_000),
    maxDeliveries: whole(env, "REDIS_MAX_DELIVERIES", 10),
  };
}

function whole(env: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  const text = env[name];
  if (text === undefined || text === "") return otherwise;
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw new Error(`${name}: ${JSON.stringify(text)} is not a whole number above 0`);
  return n;
}
