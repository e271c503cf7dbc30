import { HfmsError, type ModelChoice, type ProgressEvent, type ReadyEvent } from "../core/index.js";
import { LoadProgress } from "./load-progress.js";
import type { RouteRequest } from "./route.js";

/** An answer on its way. */
export interface ModelRun<E> {
  /** The model that answers; undefined in a stream that began before it was loaded. */
  ready?: ReadyEvent;
  /** What comes behind `ready`; without notices and progress. Leaving them early ends the work. */
  events: AsyncIterable<Answering<E>>;
}

/** Events of an answer. */
type Answering<E> = Exclude<E, { type: "notice" | "progress" | "ready" }>;

/** A stream begins before its first event when that takes longer than this; comments then keep the connection. */
const STREAM_PATIENCE_MS = 3000;
/** A model that is there says so sooner, however busy the machine is; one that is not tells of its loading. */
const SILENCE_MS = 2000;

/**
 * Begins work on a model and waits until the model is loaded, and in a stream until there is something to send. What
 * takes longer than `loadTimeout` throws `model_loading`, and the model is loaded nevertheless: the next try will find
 * it.
 */
export async function runModel<E extends { type: string }>(
  request: RouteRequest,
  choice: ModelChoice,
  begin: (signal: AbortSignal) => AsyncGenerator<E>,
  { streaming = false }: { streaming?: boolean } = {},
): Promise<ModelRun<E>> {
  const { activity, server, signal, stop } = request;
  activity.model = choice.model;
  activity.state = "loading";
  await server.models.admit(choice);
  const events = begin(signal);
  let ready: ReadyEvent | undefined;
  const progress = new LoadProgress();
  const first = untilReady<E>(events, progress).then(async (found) => {
    activity.state = "waiting";
    ready = found.ready;
    // What is refused now still has a status of its own: in a stream it would be an event.
    return streaming && !found.step ? { ready, step: await events.next() } : found;
  });
  // A client may leave before anybody waits for it.
  first.catch(() => {});
  const { loadTimeout } = server.config;
  const patience = streaming ? Math.min(STREAM_PATIENCE_MS, loadTimeout) : loadTimeout;
  let found = await within(first, patience);
  if (!found && streaming) return { ready, events: late(request, first, events) };
  found ??= (await within(Promise.race([first, progress.begun]), SILENCE_MS)) || undefined;
  if (found) return { ready: found.ready, events: counted(request, found.step, events) };
  const { secondsLeft } = server.models.keepLoading(choice, progress);
  const error = new HfmsError("model_loading", `${choice.model} is being loaded`, {
    hint: `try again in ${secondsLeft < 2 ? "a second" : `${Math.ceil(secondsLeft)} seconds`}`,
    param: "model",
    retryAfter: secondsLeft,
  });
  stop.abort(error);
  await first.catch(() => {});
  throw error;
}

interface Found<E> {
  ready?: ReadyEvent;
  /** The first event of the answer, where it came without `ready`. */
  step?: IteratorResult<E>;
}

async function untilReady<E extends { type: string }>(
  events: AsyncGenerator<E>,
  progress: LoadProgress,
): Promise<Found<E>> {
  for (;;) {
    const step = await events.next();
    if (step.done) return { step };
    const { type } = step.value;
    if (type === "ready") return { ready: step.value as unknown as ReadyEvent };
    if (type === "progress") progress.hear(step.value as unknown as ProgressEvent);
    else if (type !== "notice") return { step };
  }
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  const { promise: over, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}

function late<E extends { type: string }>(
  request: RouteRequest,
  first: Promise<Found<E>>,
  events: AsyncGenerator<E>,
): AsyncIterable<Answering<E>> {
  return {
    [Symbol.asyncIterator]() {
      let inner: AsyncIterator<Answering<E>> | undefined;
      return {
        async next() {
          inner ??= counted(request, (await first).step, events)[Symbol.asyncIterator]();
          return inner.next();
        },
        async return() {
          await leave(request, events);
          return { done: true, value: undefined };
        },
      };
    },
  };
}

/** The events of an answer; /status sees what they bring. */
function counted<E extends { type: string }>(
  request: RouteRequest,
  first: IteratorResult<E> | undefined,
  events: AsyncGenerator<E>,
): AsyncIterable<Answering<E>> {
  const { activity } = request;
  const count = (event: E): void => {
    const { type, tokens, usage } = event as unknown as Partial<CountedEvent>;
    if (type !== "done") {
      activity.state = "answering";
      if (Array.isArray(tokens)) activity.completionTokens += tokens.length;
      return;
    }
    activity.promptTokens = usage?.prompt_tokens ?? activity.promptTokens;
    activity.completionTokens = usage?.completion_tokens ?? activity.completionTokens;
  };
  let pending = first;
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        for (;;) {
          const step = pending ?? (await events.next());
          pending = undefined;
          if (step.done) return { done: true, value: undefined };
          const { type } = step.value;
          if (type === "notice" || type === "progress" || type === "ready") continue;
          count(step.value);
          return { done: false, value: step.value as Answering<E> };
        }
      },
      async return() {
        await leave(request, events);
        return { done: true, value: undefined };
      },
    }),
  };
}

interface CountedEvent {
  type: string;
  tokens: unknown;
  usage: { prompt_tokens?: number; completion_tokens?: number };
}

/** A generator that waits for its next event hears only of the signal. */
async function leave(request: RouteRequest, events: AsyncGenerator<unknown>): Promise<void> {
  request.stop.abort();
  await events.return(undefined).catch(() => {});
}
