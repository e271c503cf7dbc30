import { describe, expect, it } from "vitest";
import type { Choice, SpelledLogprob } from "../../../../src/core/index.js";
import {
  type ChatCompletion,
  type ChatCompletionChunk,
  chatCompletion,
  chatCompletionChunk,
} from "../../../../src/server/dialects/openai/chat-completions/answer-schemas.js";
import {
  type ChatEvent,
  chunks,
  completion,
} from "../../../../src/server/dialects/openai/chat-completions/stream.js";
import fc from "../../../property.js";
import { collect } from "../../../tiny-model.js";

const head = { id: "chatcmpl-1", created: 1, model: "m", system_fingerprint: "hfms-fp32-0123abcd" };
const usage = { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8, cached_tokens: 2 };
const timings = {
  load_ms: 0,
  queue_ms: 0,
  prompt_ms: 1,
  generate_ms: 1,
  prompt_per_second: 1,
  generate_per_second: 1,
};

/** What one answer is made of: pieces of reasoning, of text and of calls, in the order in which models write them. */
interface Answer {
  reasoning: string[];
  text: string[];
  calls: { id: string; name: string; arguments: string[] }[];
  stop?: string;
}

const pieces = fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 4 }), { maxLength: 4 });
const answer: fc.Arbitrary<Answer> = fc.record({
  reasoning: pieces,
  text: pieces,
  calls: fc.array(fc.record({ id: fc.uuid(), name: fc.constantFrom("f", "g"), arguments: pieces }), {
    maxLength: 3,
  }),
  stop: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
});

function logprob(text: string): SpelledLogprob {
  const token = { token: 1, text, bytes: [...Buffer.from(text)], logprob: -1 };
  return { ...token, top: [token] };
}

function eventsOf({ reasoning, text, calls }: Answer, index: number): ChatEvent[] {
  const piece =
    (type: "reasoning" | "text") =>
    (text: string): ChatEvent => ({ type, index, text, tokens: [1, 2], logprobs: [logprob(text)] });
  return [
    ...reasoning.map(piece("reasoning")),
    ...text.map(piece("text")),
    ...calls.flatMap(({ id, name, arguments: [first = "", ...rest] }, call): ChatEvent[] => [
      { type: "tool_call", index, call, id, name, arguments: first },
      ...rest.map((fragment) => ({ type: "tool_call" as const, index, call, arguments: fragment })),
    ]),
  ];
}

function choiceOf({ reasoning, text, calls, stop }: Answer, index: number): Choice {
  return {
    index,
    text: text.join(""),
    tokens: [1],
    finishReason: calls.length > 0 ? "tool_calls" : "stop",
    ...(stop !== undefined && { stop }),
    ...(reasoning.length > 0 && { reasoning: reasoning.join("") }),
    ...(calls.length > 0 && {
      toolCalls: calls.map((call) => ({ ...call, arguments: call.arguments.join("") })),
    }),
  };
}

/** Events of several answers, mixed in any way that keeps the order of each. */
const run = fc
  .tuple(fc.array(answer, { minLength: 1, maxLength: 3 }), fc.array(fc.nat(2), { maxLength: 60 }))
  .map(([answers, turns]) => {
    const queues = answers.map(eventsOf);
    const events: ChatEvent[] = [];
    for (const turn of turns) {
      const event = queues[turn % queues.length].shift();
      if (event) events.push(event);
    }
    events.push(...queues.flat());
    const choices = answers.map(choiceOf);
    const [{ text, tokens, finishReason }] = choices;
    events.push({ type: "done", text, tokens, finishReason, choices, usage, timings });
    return { answers, events };
  });

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

/** Puts deltas together as clients do. */
function joined(all: readonly ChatCompletionChunk[]): ChatCompletion["choices"] {
  const choices: ChatCompletion["choices"] = [];
  for (const { index, delta, finish_reason, logprobs, stop_reason } of all.flatMap((one) => one.choices)) {
    choices[index] ??= {
      index,
      message: { role: "assistant", content: "", refusal: null, annotations: [] },
      logprobs: null,
      finish_reason: "length",
    };
    const choice = choices[index];
    const { message } = choice;
    message.content += delta.content ?? "";
    if (delta.reasoning_content !== undefined) {
      message.reasoning_content = (message.reasoning_content ?? "") + delta.reasoning_content;
    }
    for (const { index: at, id, type, function: part } of delta.tool_calls ?? []) {
      message.tool_calls ??= [];
      if (id !== undefined) {
        message.tool_calls[at] = { id, type: type!, function: { name: part.name!, arguments: "" } };
      }
      message.tool_calls[at].function.arguments += part.arguments;
    }
    if (logprobs) {
      choice.logprobs ??= { content: [], refusal: null };
      choice.logprobs.content.push(...logprobs.content);
    }
    if (finish_reason) choice.finish_reason = finish_reason;
    if (stop_reason !== undefined) choice.stop_reason = stop_reason;
  }
  return choices;
}

describe("a streamed answer", () => {
  it("is, put together, the answer that is not streamed, however its pieces come", async () => {
    await fc.assert(
      fc.asyncProperty(run, fc.boolean(), async ({ answers, events }, logprobs) => {
        const n = answers.length;
        const whole = await completion(each(events), head, { logprobs });
        const streamed = joined(await collect(chunks(each(events), head, { n, logprobs })));
        const expected = whole.choices.map(({ message, ...choice }) => ({
          ...choice,
          // Without a text there is nothing to tell an empty one from none.
          message: { ...message, content: message.content ?? "" },
          logprobs: choice.logprobs?.content.length ? choice.logprobs : null,
        }));
        expect(streamed).toEqual(expected);
      }),
    );
  });

  it("keeps to the schema that is published", async () => {
    await fc.assert(
      fc.asyncProperty(run, fc.boolean(), async ({ answers, events }, logprobs) => {
        const whole = await completion(each(events), head, { logprobs });
        expect(chatCompletion.parse(whole)).toEqual(whole);
        const options = { n: answers.length, logprobs, includeUsage: true };
        for await (const chunk of chunks(each(events), head, options))
          expect(chatCompletionChunk.parse(chunk)).toEqual(chunk);
      }),
    );
  });

  it("begins with the role and ends with the reason, the usage behind them", async () => {
    await fc.assert(
      fc.asyncProperty(run, fc.boolean(), async ({ answers, events }, includeUsage) => {
        const n = answers.length;
        const all = await collect(chunks(each(events), head, { n, includeUsage }));
        const indexes = answers.map((_, index) => index);
        const first = all.slice(0, n).map(({ choices }) => choices[0]);
        expect(first.map(({ index, delta }) => [index, delta])).toEqual(
          indexes.map((index) => [index, { role: "assistant", content: "" }]),
        );
        const last = includeUsage ? all.slice(-n - 1, -1) : all.slice(-n);
        expect(last.map(({ choices: [{ index, delta }] }) => [index, delta])).toEqual(
          indexes.map((index) => [index, {}]),
        );
        const reasons = all.filter(({ choices }) => choices[0]?.finish_reason);
        expect(reasons).toEqual(last);
        const usages = all.map((chunk) => ("usage" in chunk ? chunk.usage : undefined));
        expect(new Set(usages.slice(0, -1))).toEqual(new Set([includeUsage ? null : undefined]));
        if (!includeUsage) return;
        const reasoned = answers.flatMap(({ reasoning }) => reasoning).length * 2;
        expect(all.at(-1)).toMatchObject({
          choices: [],
          usage: {
            prompt_tokens: 3,
            completion_tokens: 5,
            total_tokens: 8,
            prompt_tokens_details: { cached_tokens: 2 },
            completion_tokens_details: { reasoning_tokens: reasoned },
          },
        });
      }),
    );
  });
});

describe("an answer", () => {
  const done = (choice: Partial<Choice>, more: object = {}): ChatEvent => {
    const whole: Choice = { index: 0, text: "", tokens: [1], finishReason: "stop", ...choice };
    const { text, tokens, finishReason } = whole;
    const ending = { text, tokens, finishReason, choices: [whole], usage, timings: { ...timings, ...more } };
    return { type: "done", ...ending };
  };

  it("has null for its content only where there are calls instead", async () => {
    const calls = [{ id: "call_1", name: "f", arguments: "{}" }];
    const content = async (choice: Partial<Choice>) =>
      (await completion(each([done(choice)]), head)).choices[0].message.content;
    expect(await content({ toolCalls: calls })).toBeNull();
    expect(await content({ toolCalls: calls, text: "Well:" })).toBe("Well:");
    expect(await content({ reasoning: "hm" })).toBe("");
  });

  it("counts guesses where there were any", async () => {
    const details = async (more: object) =>
      (await completion(each([done({}, more)]), head)).usage.completion_tokens_details;
    expect(await details({})).toEqual({ reasoning_tokens: 0 });
    expect(await details({ drafted_tokens: 5, accepted_tokens: 3 })).toEqual({
      reasoning_tokens: 0,
      accepted_prediction_tokens: 3,
      rejected_prediction_tokens: 2,
    });
  });
});
