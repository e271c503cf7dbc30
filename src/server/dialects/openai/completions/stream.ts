import type { Choice } from "../../../../core/index.js";
import { usageOf } from "../answers.js";
import { LogprobsWriter } from "./logprobs.js";
import type { CompletionChunk, CompletionHead, CompletionResponse } from "./schemas.js";
import type { CompletionEvent } from "./together.js";

/** What the engine says behind `ready`. */
type AnswerEvent = Exclude<CompletionEvent, { type: "notice" | "progress" | "ready" }>;

/**
 * The chunks of a stream: the pieces of each answer as they come, then why it ended; behind all of them the usage,
 * where it was asked for.
 */
export async function* completionChunks(
  events: AsyncIterable<AnswerEvent>,
  head: CompletionHead,
  { logprobs, includeUsage = false }: { logprobs?: number; includeUsage?: boolean },
): AsyncGenerator<CompletionChunk> {
  const writers = new Map<number, LogprobsWriter>();
  const writer = (index: number): LogprobsWriter => {
    const known = writers.get(index) ?? new LogprobsWriter({ likeliest: logprobs !== 0 });
    writers.set(index, known);
    return known;
  };
  const chunk = (choice: CompletionChunk["choices"][number]): CompletionChunk => ({
    ...head,
    choices: [choice],
    ...(includeUsage && { usage: null }),
  });
  for await (const event of events) {
    if (event.type === "text") {
      const { index, text } = event;
      const written = logprobs === undefined ? null : writer(index).write(event.logprobs ?? [], text);
      yield chunk({ index, text, logprobs: written, finish_reason: null });
    } else if (event.type === "finished") {
      for (const { index, finishReason, stop, logprobs: all = [] } of event.choices) {
        // A token that ends the answer has no text, and so was in no piece.
        const rest = logprobs === undefined ? [] : all.slice(writer(index).count);
        const written = rest.length > 0 ? writer(index).write(rest, "") : null;
        yield chunk({ index, text: "", logprobs: written, finish_reason: finishReason, ...stopReason(stop) });
      }
    } else if (event.type === "done" && includeUsage) {
      yield { ...head, choices: [], usage: usageOf(event) };
    }
  }
}

/** The answers as a whole. */
export async function completionOf(
  events: AsyncIterable<AnswerEvent>,
  head: CompletionHead,
  { logprobs }: { logprobs?: number },
): Promise<CompletionResponse> {
  for await (const event of events) {
    if (event.type !== "done") continue;
    const choices = event.choices.map((choice) => written(choice, logprobs));
    return { ...head, choices, usage: usageOf(event) };
  }
  throw new TypeError("an answer ended without its end");
}

function written(
  { index, text, finishReason, stop, logprobs: all = [] }: Choice,
  logprobs: number | undefined,
): CompletionResponse["choices"][number] {
  const writer = new LogprobsWriter({ likeliest: logprobs !== 0 });
  return {
    index,
    text,
    logprobs: logprobs === undefined ? null : writer.write(all, text),
    finish_reason: finishReason,
    ...stopReason(stop),
  };
}

function stopReason(stop: string | undefined): { stop_reason?: string } {
  return stop === undefined ? {} : { stop_reason: stop };
}
