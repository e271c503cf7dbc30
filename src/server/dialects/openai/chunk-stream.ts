import { eventStream, type StreamEvent } from "../../event-stream.js";
import type { RouteRequest } from "../../route.js";
import { errorBody } from "./error-body.js";

/** Chunks as nameless events behind each other, `[DONE]` at the end: how chat and text completions stream. */
export function chunkStream(chunks: AsyncIterable<object>, request: RouteRequest): Response {
  return eventStream(data(chunks), request, {
    last: "[DONE]",
    error: (error) => ({ data: errorBody(error) }),
  });
}

async function* data(chunks: AsyncIterable<object>): AsyncGenerator<StreamEvent> {
  for await (const chunk of chunks) yield { data: chunk };
}
