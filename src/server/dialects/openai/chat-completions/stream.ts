import type { GenerateEvent } from "../../../../core/index.js";
import { usageOf } from "../answers.js";
import { writtenLogprobs } from "../logprobs.js";
import type { AnswerHead, ChatCompletion, ChatCompletionChunk, ChatLogprobs } from "./answer-schemas.js";

/** What the engine says behind `ready`. */
export type ChatEvent = Exclude<GenerateEvent, { type: "notice" | "progress" | "ready" }>;

export interface AnswerOptions {
  /** Answers that were asked for. */
  n?: number;
  logprobs?: boolean;
}

/**
 * The chunks of a stream: for each answer its role, then its pieces as they come, at last why it ended; behind all of
 * them the usage, where it was asked for. The pieces' deltas put together are the message that `completion` makes.
 */
export async function* chunks(
  events: AsyncIterable<ChatEvent>,
  head: AnswerHead,
  { n = 1, logprobs = false, includeUsage = false }: AnswerOptions & { includeUsage?: boolean } = {},
): AsyncGenerator<ChatCompletionChunk> {
  const chunk = (
    index: number,
    delta: ChatCompletionChunk["choices"][number]["delta"],
    more: Partial<ChatCompletionChunk["choices"][number]> = {},
  ): ChatCompletionChunk => ({
    ...opened(head),
    choices: [{ index, delta, logprobs: null, finish_reason: null, ...more }],
    ...(includeUsage && { usage: null }),
  });
  for (let index = 0; index < n; index++) yield chunk(index, { role: "assistant", content: "" });
  let reasoningTokens = 0;
  for await (const event of events) {
    if (event.type === "text") {
      const noted = logprobs && { logprobs: logprobsOf(event.logprobs) };
      yield chunk(event.index, { content: event.text }, noted || {});
    } else if (event.type === "reasoning") {
      reasoningTokens += event.tokens.length;
      yield chunk(event.index, { reasoning_content: event.text });
    } else if (event.type === "tool_call") {
      const { index, call, id, name, arguments: json } = event;
      const opening = id === undefined ? {} : { id, type: "function" as const };
      const called = { ...(name !== undefined && { name }), arguments: json };
      yield chunk(index, { tool_calls: [{ index: call, ...opening, function: called }] });
    } else {
      for (const { index, finishReason, stop } of event.choices)
        yield chunk(index, {}, { finish_reason: finishReason, ...stopReason(stop) });
      if (includeUsage) yield { ...opened(head), choices: [], usage: usageOf(event, reasoningTokens) };
    }
  }
}

/** The answer as a whole. */
export async function completion(
  events: AsyncIterable<ChatEvent>,
  head: AnswerHead,
  { logprobs = false }: AnswerOptions = {},
): Promise<ChatCompletion> {
  let reasoningTokens = 0;
  const noted = new Map<number, ChatLogprobs["content"]>();
  for await (const event of events) {
    if (event.type === "text" && logprobs) {
      noted.set(event.index, [...(noted.get(event.index) ?? []), ...writtenLogprobs(event.logprobs ?? [])]);
    } else if (event.type === "reasoning") {
      reasoningTokens += event.tokens.length;
    } else if (event.type === "done") {
      return {
        ...head,
        object: "chat.completion",
        choices: event.choices.map(({ index, text, reasoning, toolCalls, finishReason, stop }) => ({
          index,
          message: {
            role: "assistant",
            content: text === "" && toolCalls ? null : text,
            refusal: null,
            annotations: [],
            ...(reasoning !== undefined && { reasoning_content: reasoning }),
            ...(toolCalls && {
              tool_calls: toolCalls.map(({ id, ...called }) => ({ id, type: "function", function: called })),
            }),
          },
          logprobs: logprobs ? { content: noted.get(index) ?? [], refusal: null } : null,
          finish_reason: finishReason,
          ...stopReason(stop),
        })),
        usage: usageOf(event, reasoningTokens),
      };
    }
  }
  throw new TypeError("an answer ended without its end");
}

function opened(head: AnswerHead): Omit<ChatCompletionChunk, "choices"> {
  return { ...head, object: "chat.completion.chunk" };
}

function logprobsOf(logprobs: Parameters<typeof writtenLogprobs>[0] = []): ChatLogprobs {
  return { content: writtenLogprobs(logprobs), refusal: null };
}

function stopReason(stop: string | undefined): { stop_reason?: string } {
  return stop === undefined ? {} : { stop_reason: stop };
}
