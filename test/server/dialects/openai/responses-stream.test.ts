import type OpenAI from "openai";
import { accumulateResponse } from "openai/lib/responses/ResponseAccumulator";
import { describe, expect, it } from "vitest";
import { type GenerateEvent, HfmsError, type SpelledLogprob } from "../../../../src/core/index.js";
import { newResponse } from "../../../../src/server/dialects/openai/responses/response.js";
import {
  type ResponseEvent,
  type ResponseObject,
  responseEvent,
  responseObject,
} from "../../../../src/server/dialects/openai/responses/response-schemas.js";
import { responseRequest } from "../../../../src/server/dialects/openai/responses/schemas.js";
import { ResponseStream, wholeResponse } from "../../../../src/server/dialects/openai/responses/stream.js";
import fc from "../../../property.js";

type Answered = Exclude<GenerateEvent, { type: "notice" | "progress" | "ready" }>;
type Done = Extract<Answered, { type: "done" }>;

const usage = { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8, cached_tokens: 2 };
const timings = {
  load_ms: 0,
  queue_ms: 0,
  prompt_ms: 1,
  generate_ms: 1,
  prompt_per_second: 1,
  generate_per_second: 1,
};

/** Runs of pieces of one kind. A call that is broken off comes as text once more, whole, and is no call in the end. */
type Run =
  | { kind: "text" | "reasoning"; pieces: string[] }
  | { kind: "call"; id: string; name: string; pieces: string[]; broken: boolean };

const pieces = fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 4,
});
const object = fc
  .tuple(fc.dictionary(fc.string({ maxLength: 3 }), fc.integer()), fc.array(fc.nat(20), { maxLength: 3 }))
  .map(([value, cuts]) => cut(JSON.stringify(value), cuts));
const call = fc.record({
  kind: fc.constant("call" as const),
  id: fc.uuid(),
  name: fc.constantFrom("f", "g"),
  pieces: object,
  broken: fc.boolean(),
});
const text = fc.record({ kind: fc.constant("text" as const), pieces });
const reasoning = fc.record({ kind: fc.constant("reasoning" as const), pieces });
const answer = fc.record({
  thought: fc.option(reasoning, { nil: undefined }),
  runs: fc.array<Run>(fc.oneof(text, call), { maxLength: 5 }),
  cut: fc.boolean(),
});
type Answer = typeof answer extends fc.Arbitrary<infer T> ? T : never;

/** A text in pieces; some may be empty. */
function cut(whole: string, cuts: readonly number[]): string[] {
  const at = [0, ...cuts.map((place) => Math.min(place, whole.length)).sort((a, b) => a - b), whole.length];
  return at.slice(1).map((end, i) => whole.slice(at[i], end));
}

function runsOf({ thought, runs }: Answer): Run[] {
  const all = runs.flatMap((run): Run[] => {
    if (run.kind !== "call" || !run.broken) return [run];
    const [, ...most] = run.pieces.join("");
    return [
      { ...run, pieces: [most.join("").slice(0, -1)] },
      { kind: "text", pieces: [run.pieces.join("")] },
    ];
  });
  return thought ? [thought, ...all] : all;
}

function eventsOf(answer: Answer): Answered[] {
  const runs = runsOf(answer);
  let calls = 0;
  const events = runs.flatMap((run): Answered[] => {
    if (run.kind !== "call") {
      return run.pieces.map((text) => ({
        type: run.kind,
        index: 0,
        text,
        tokens: [1, 2],
        logprobs: [logprob(text)],
      }));
    }
    const { id, name, pieces } = run;
    const index = calls++;
    const [first = "", ...rest] = pieces;
    return [
      { type: "tool_call", index: 0, call: index, id, name, arguments: first },
      ...rest.map((piece) => ({ type: "tool_call", index: 0, call: index, arguments: piece }) as const),
    ];
  });
  return [...events, doneOf(answer, runs)];
}

function doneOf(answer: Answer, runs: readonly Run[]): Done {
  const toolCalls = runs.flatMap((run) =>
    run.kind === "call" && !run.broken
      ? [{ id: run.id, name: run.name, arguments: run.pieces.join("") }]
      : [],
  );
  const finishReason = answer.cut ? "length" : toolCalls.length > 0 ? "tool_calls" : "stop";
  const choice: Done["choices"][number] = { index: 0, text: "", tokens: [1], finishReason, toolCalls };
  return { type: "done", text: "", tokens: [1], finishReason, choices: [choice], usage, timings };
}

function logprob(text: string): SpelledLogprob {
  const token = { token: 1, text, bytes: [...Buffer.from(text)], logprob: -1 };
  return { ...token, top: [token] };
}

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

const begun = () => newResponse(responseRequest.parse({ model: "m", input: "hi" }), 1);

/** The data of a stream's events. Each is named by its type. */
async function streamed(events: AsyncIterable<Answered>): Promise<ResponseEvent[]> {
  const found: ResponseEvent[] = [];
  const stream = new ResponseStream(begun(), events);
  const explain = (thrown: unknown) => thrown as HfmsError;
  try {
    for await (const { event, data } of stream.events(explain)) {
      expect((data as ResponseEvent).type).toBe(event);
      // As it goes over the wire, at that moment.
      found.push(JSON.parse(JSON.stringify(data)));
    }
  } catch (error) {
    found.push(stream.error(error as HfmsError).data as ResponseEvent);
  }
  return found;
}

/** Ids and the time of the end, which are never the same twice, left out. */
function comparable({ id: _, completed_at, output, ...rest }: ResponseObject): object {
  return {
    ...rest,
    completed: completed_at !== null,
    output: output.map(({ id: _, ...item }) => item),
  };
}

const isCall = ({ type }: { type: string }) => type === "function_call";

describe("a streamed response", () => {
  it("is, added up by the official client, what it ends with, however its pieces come", async () => {
    await fc.assert(
      fc.asyncProperty(answer, async (given) => {
        const events = await streamed(each(eventsOf(given)));
        let snapshot: OpenAI.Responses.Response | undefined;
        for (const event of events.slice(0, -1))
          snapshot = accumulateResponse(event as OpenAI.Responses.ResponseStreamEvent, snapshot);
        const last = events.at(-1)!;
        expect(last.type).toBe(given.cut ? "response.incomplete" : "response.completed");
        const { response } = last as Extract<ResponseEvent, { type: "response.completed" }>;
        const statuses = response.output.map(({ status }) => status);
        const added = snapshot!.output.map((item, i) => ({ ...item, status: statuses[i] }));
        expect(added).toEqual(response.output);
        expect(snapshot!.output_text).toBe(response.output_text);
      }),
      { numRuns: 40 },
    );
  });

  it("is the response that is not streamed; only the beginning of a call that came to nothing is left out there", async () => {
    await fc.assert(
      fc.asyncProperty(answer, async (given) => {
        const whole = await wholeResponse(begun(), each(eventsOf(given)));
        const events = await streamed(each(eventsOf(given)));
        const { response } = events.at(-1) as Extract<ResponseEvent, { type: "response.completed" }>;
        const output = response.output.filter((item) => !isCall(item) || item.status === "completed");
        expect(comparable(whole)).toEqual(comparable({ ...response, output }));
        expect(whole.output.filter(isCall)).toHaveLength(
          given.runs.filter((run) => run.kind === "call" && !run.broken).length,
        );
      }),
      { numRuns: 40 },
    );
  });

  it("has no gap, opens one item after the other, and ends each with all that came of it", async () => {
    await fc.assert(
      fc.asyncProperty(answer, async (given) => {
        const events = await streamed(each(eventsOf(given)));
        expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, i) => i));
        expect(events.slice(0, 2).map(({ type }) => type)).toEqual([
          "response.created",
          "response.in_progress",
        ]);
        let open: { id: string; deltas: string } | undefined;
        let count = 0;
        for (const event of events.slice(2, -1)) {
          if (event.type === "response.output_item.added") {
            expect(open).toBeUndefined();
            expect([event.output_index, event.item.status]).toEqual([count++, "in_progress"]);
            open = { id: event.item.id, deltas: "" };
            continue;
          }
          expect((event as { output_index: number }).output_index).toBe(count - 1);
          if ("content_index" in event) expect(event.content_index).toBe(0);
          if ("item_id" in event) expect(event.item_id).toBe(open!.id);
          if ("delta" in event) open!.deltas += event.delta;
          if ("text" in event) expect(event.text).toBe(open!.deltas);
          if ("arguments" in event) expect(event.arguments).toBe(open!.deltas);
          if (event.type === "response.output_item.done") {
            expect(event.item.id).toBe(open!.id);
            expect(event.item.status).not.toBe("in_progress");
            open = undefined;
          }
        }
        expect(open).toBeUndefined();
      }),
      { numRuns: 40 },
    );
  });

  it("keeps to the schemas that are published", async () => {
    await fc.assert(
      fc.asyncProperty(answer, async (given) => {
        const whole = await wholeResponse(begun(), each(eventsOf(given)));
        expect(responseObject.parse(whole)).toEqual(whole);
        for (const event of await streamed(each(eventsOf(given))))
          expect(responseEvent.parse(event)).toEqual(event);
      }),
      { numRuns: 40 },
    );
  });

  it("that fails ends what is open, says so with what there was, and throws in the official client", async () => {
    await fc.assert(
      fc.asyncProperty(answer, fc.nat(), async (given, after) => {
        const before = eventsOf(given).slice(0, -1);
        const kept = before.slice(0, after % (before.length + 1));
        const events = await streamed(
          (async function* () {
            yield* kept;
            throw new HfmsError("overloaded", "the server stops", { hint: "try again later" });
          })(),
        );
        const added = events.filter(({ type }) => type === "response.output_item.added");
        const done = events.filter(({ type }) => type === "response.output_item.done");
        expect(done).toHaveLength(added.length);
        const [failed, error] = events.slice(-2);
        expect(failed).toMatchObject({
          type: "response.failed",
          response: { status: "failed", error: { code: "server_error", message: "the server stops" } },
        });
        const { output } = (failed as Extract<ResponseEvent, { type: "response.failed" }>).response;
        expect(output.map(({ id }) => id)).toEqual(added.map((event) => "item" in event && event.item.id));
        expect(error).toEqual({
          type: "error",
          sequence_number: events.length - 1,
          code: "overloaded",
          message: "the server stops: try again later",
          param: null,
        });
        expect(responseEvent.parse(failed)).toEqual(failed);
        expect(responseEvent.parse(error)).toEqual(error);
      }),
      { numRuns: 40 },
    );
  });
});

describe("a response", () => {
  const none = { thought: undefined, runs: [], cut: false };

  it("without a word is an empty message, also behind reasoning", async () => {
    const types = async (given: Answer) =>
      (await wholeResponse(begun(), each(eventsOf(given)))).output.map(({ type, status }) => [type, status]);
    const thought = { kind: "reasoning" as const, pieces: ["hm"] };
    expect(await types(none)).toEqual([["message", "completed"]]);
    expect(await types({ ...none, thought })).toEqual([
      ["reasoning", "completed"],
      ["message", "completed"],
    ]);
    expect(await types({ ...none, thought, cut: true })).toEqual([["reasoning", "incomplete"]]);
    expect(await types({ ...none, cut: true })).toEqual([["message", "incomplete"]]);
  });

  it("counts real tokens, and those of reasoning", async () => {
    const thought = { kind: "reasoning" as const, pieces: ["h", "m"] };
    const response = await wholeResponse(begun(), each(eventsOf({ ...none, thought })));
    expect(response.usage).toEqual({
      input_tokens: 3,
      input_tokens_details: { cached_tokens: 2, cache_write_tokens: 0 },
      output_tokens: 5,
      output_tokens_details: { reasoning_tokens: 4 },
      total_tokens: 8,
    });
  });

  it("has the official types, and so have its events", () => {
    // The compiler is who checks this.
    const response = (ours: ResponseObject): OpenAI.Responses.Response => ours;
    const event = (ours: ResponseEvent): OpenAI.Responses.ResponseStreamEvent => ours;
    expect([response, event]).toBeDefined();
  });
});
