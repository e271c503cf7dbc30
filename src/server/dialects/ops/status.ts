import { monitorEventLoopDelay } from "node:perf_hooks";
import { z } from "zod";
import type { RunningModel } from "../../../core/index.js";
import { route } from "../../route.js";
import { version } from "../../version.js";

const count = z.number().int().min(0);

const request = z.object({
  id: z.string(),
  route: z.string(),
  model: z.string().optional(),
  state: z.enum(["reading", "loading", "waiting", "answering"]),
  since: z.number().meta({ description: "milliseconds since 1970" }),
  prompt_tokens: count,
  completion_tokens: count,
});

const model = z.object({
  model: z.string(),
  revision: z.string().optional(),
  dtype: z.string(),
  device: z.string(),
  state: z.enum(["loading", "ready", "restarting", "failed"]),
  reason: z.string().optional().meta({ description: "why it restarts or failed" }),
  pid: count.optional(),
  memory_bytes: count.optional(),
  unresponsive: z.boolean().optional(),
  since: z.number(),
  last_used: z.number(),
  in_use: count.meta({ description: "requests that use it now" }),
  keep_alive_until: z.number().optional(),
  pinned: z.boolean(),
});

const schema = z
  .object({
    state: z.enum(["starting", "ready", "draining", "stopped"]),
    version: z.string(),
    uptime_seconds: z.number(),
    requests: z.object({
      active: z.array(request),
      totals: z.object({
        received: count,
        completed: count,
        refused: count,
        failed: count,
        cancelled: count,
        prompt_tokens: count,
        completion_tokens: count,
      }),
    }),
    models: z.array(model),
    process: z.object({ rss_bytes: count, heap_bytes: count, event_loop_delay_p99_ms: z.number() }),
  })
  .meta({ id: "Status" });

export const status = route({
  method: "GET",
  paths: ["/status"],
  scope: "infer",
  tag: "Operations",
  summary: "show what is being answered, and the models in memory",
  description: "This request counts itself. The delay of the event loop is that of the last minute.",
  response: schema,
  async handle({ server }): Promise<z.infer<typeof schema>> {
    const { activities, engine, lifecycle } = server;
    const models = await engine.ps();
    const { rss, heapUsed } = process.memoryUsage();
    return {
      state: lifecycle.state,
      version,
      uptime_seconds: Math.round((Date.now() - lifecycle.since) / 1000),
      requests: {
        active: activities.active.map((one) => ({
          id: one.id,
          route: one.route,
          model: one.model,
          state: one.state,
          since: one.since,
          prompt_tokens: one.promptTokens,
          completion_tokens: one.completionTokens,
        })),
        totals: activities.totals,
      },
      models: models.map(describe),
      process: { rss_bytes: rss, heap_bytes: heapUsed, event_loop_delay_p99_ms: loopDelay() },
    };
  },
});

function describe(running: RunningModel): z.infer<typeof model> {
  return {
    model: running.model,
    revision: running.revision,
    dtype: running.dtype,
    device: running.device,
    state: running.state,
    reason: running.reason,
    pid: running.pid,
    memory_bytes: running.memory,
    unresponsive: running.unresponsive,
    since: running.since,
    last_used: running.lastUsed,
    in_use: running.inUse,
    keep_alive_until: running.keepAliveUntil,
    pinned: running.pinned,
  };
}

const MINUTE_MS = 60_000;
/** Node's own histogram has no window: it is begun again every minute. */
let delays: ReturnType<typeof monitorEventLoopDelay> | undefined;
let begun = 0;

/** Milliseconds that 99 of 100 turns of the event loop came late, at most. 0 at the first question. */
function loopDelay(): number {
  const now = Date.now();
  if (!delays) {
    delays = monitorEventLoopDelay({ resolution: 10 });
    delays.enable();
    begun = now;
    return 0;
  }
  const nanoseconds = delays.count > 0 ? delays.percentile(99) : 0;
  if (now - begun > MINUTE_MS) {
    delays.reset();
    begun = now;
  }
  // The timer's own ten milliseconds are no delay.
  return Math.max(0, Math.round(nanoseconds / 1e4 - 1000) / 100);
}
