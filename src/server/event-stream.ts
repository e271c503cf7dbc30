import type { HfmsError } from "../core/index.js";
import { explained, outcomeOf } from "./failure.js";
import type { RouteRequest } from "./route.js";

/** One event of a stream: its name, where the dialect names events, and its data, sent as JSON. */
export interface StreamEvent {
  event?: string;
  data: unknown;
}

export interface EventStreamOptions {
  /** Sent at the end as it is: OpenAI's `[DONE]`. */
  last?: string;
  /** The event that tells of an error. Nothing comes behind it. */
  error(error: HfmsError): StreamEvent;
}

/**
 * Server-sent events (WHATWG HTML, 9.2). Events are asked for as fast as the client reads: a slow reader stops the work,
 * one that leaves ends it. An error becomes the last event. In silence, comments keep the connection.
 */
export function eventStream(
  events: AsyncIterable<StreamEvent>,
  request: RouteRequest,
  { last, error }: EventStreamOptions,
): Response {
  const { pingInterval } = request.server.config;
  const iterator = events[Symbol.asyncIterator]();
  let ping: NodeJS.Timeout | undefined;
  let left = false;
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        if (pingInterval <= 0) return;
        ping = setInterval(() => {
          // Only to a reader who waits: the others have enough to read.
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue(bytes(": ping\n\n"));
        }, pingInterval);
        ping.unref();
      },
      async pull(controller) {
        let step: IteratorResult<StreamEvent>;
        try {
          step = await iterator.next();
        } catch (thrown) {
          clearInterval(ping);
          if (left) return;
          const cause = explained(thrown, request.signal);
          request.end(outcomeOf(cause), cause);
          controller.enqueue(bytes(written(error(cause))));
          controller.close();
          return;
        }
        if (left) return;
        if (!step.done) {
          ping?.refresh();
          controller.enqueue(bytes(written(step.value)));
          return;
        }
        clearInterval(ping);
        request.end("completed");
        if (last !== undefined) controller.enqueue(bytes(`data: ${last}\n\n`));
        controller.close();
      },
      async cancel() {
        left = true;
        clearInterval(ping);
        request.stop.abort();
        request.end("cancelled");
        await iterator.return?.();
      },
    },
    // One event is under way at a time.
    { highWaterMark: 1 },
  );
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    },
  });
}

const encoder = new TextEncoder();

function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

function written({ event, data }: StreamEvent): string {
  return `${event === undefined ? "" : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`;
}
