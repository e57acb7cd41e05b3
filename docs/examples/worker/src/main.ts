// The worker process: some pipelines, until SIGTERM or SIGINT. What is being
// handled is finished and acknowledged; a process that is killed instead leaves
// its entries to be claimed by the others.

import { Pipeline } from "./pipeline.js";
import { settings } from "./settings.js";

const s = settings(process.env);
const pipelines = Array.from({ length: s.pipelines }, (_, i) => new Pipeline(s, i));
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => pipelines.forEach((p) => p.stop()));
}
await Promise.all(pipelines.map((p) => p.run()));
