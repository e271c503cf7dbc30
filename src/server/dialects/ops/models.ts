import { z } from "zod";
import type { NoticeEvent, ProgressEvent, ReadyEvent } from "../../../core/index.js";
import { eventStream, type StreamEvent } from "../../event-stream.js";
import { route } from "../../route.js";
import { unlessStopped } from "../../unless-stopped.js";
import { errorBody } from "../openai/error-body.js";
import { modelName, schedulingFields } from "../openai/fields.js";

const loaded = z
  .object({
    type: z.literal("ready"),
    model: z.string(),
    revision: z.string(),
    task: z.string(),
    device: z.string(),
    dtype: z.string(),
    context_length: z.number(),
    load_ms: z.number(),
  })
  .meta({ id: "LoadedModel" });

const progress = z.object({
  type: z.literal("progress"),
  phase: z.enum(["resolve", "download", "convert", "load"]),
  what: z.string(),
  done: z.number(),
  total: z.number().optional(),
  unit: z.enum(["bytes", "tensors"]),
});

const notice = z.object({ type: z.literal("notice"), message: z.string() });

export const loadModel = route({
  method: "POST",
  paths: ["/models/load"],
  scope: "admin",
  tag: "Operations",
  summary: "load a model before it is needed",
  example: { model: "smollm2", keep_alive: "1h" },
  description:
    "With `stream` (or `accept: text/event-stream`) the way there comes as events; the last is `ready`.",
  body: z
    .object({ model: modelName, keep_alive: schedulingFields.keep_alive, stream: z.boolean().nullish() })
    .meta({ id: "LoadModelRequest" }),
  response: loaded,
  events: z.discriminatedUnion("type", [notice, progress, loaded]),
  async handle(request) {
    const { body, headers, server, signal, activity } = request;
    const choice = server.models.choice(body.model, { keepAlive: body.keep_alive });
    activity.model = body.model;
    activity.state = "loading";
    await server.models.admit(choice);
    const events = server.engine.load(choice, undefined, signal);
    if (body.stream ?? headers.get("accept")?.includes("text/event-stream")) {
      return eventStream(told(events), request, { error: (error) => ({ data: errorBody(error) }) });
    }
    for await (const event of events) if (event.type === "ready") return toLoaded(event);
  },
});

const unloaded = z.object({ model: z.string(), unloaded: z.number().int() }).meta({ id: "UnloadedModel" });

export const unloadModel = route({
  method: "POST",
  paths: ["/models/unload"],
  scope: "admin",
  tag: "Operations",
  summary: "take a model out of memory once its requests have ended",
  example: { model: "smollm2" },
  description: "`unloaded` counts its processes: one for each dtype, device and revision.",
  body: z.object({ model: modelName }).meta({ id: "UnloadModelRequest" }),
  response: unloaded,
  async handle({ body, server, activity, signal }): Promise<z.infer<typeof unloaded>> {
    activity.model = body.model;
    const { model } = server.models.choice(body.model);
    return { model, unloaded: await unlessStopped(server.engine.unload(model), signal) };
  },
});

async function* told(
  events: AsyncIterable<NoticeEvent | ProgressEvent | ReadyEvent>,
): AsyncGenerator<StreamEvent> {
  for await (const event of events) yield { data: event.type === "ready" ? toLoaded(event) : event };
}

function toLoaded(event: ReadyEvent): z.infer<typeof loaded> {
  const { type, model, revision, task, device, dtype, contextLength, loadMs } = event;
  return {
    type,
    model,
    revision,
    task,
    device,
    dtype,
    context_length: contextLength,
    load_ms: Math.round(loadMs),
  };
}
