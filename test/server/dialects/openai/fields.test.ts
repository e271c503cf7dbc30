import { describe, expect, it } from "vitest";
import { z } from "zod";
import { parseSampling } from "../../../../src/core/runtime/sampling-params.js";
import {
  callerFields,
  samplingFields,
  samplingOf,
  schedulingFields,
  unsupported,
} from "../../../../src/server/dialects/openai/fields.js";
import { tokenText, writtenLogprobs } from "../../../../src/server/dialects/openai/logprobs.js";
import fc from "../../../property.js";

const body = z.object({ ...samplingFields, ...schedulingFields, ...callerFields });
const asked = (given: object) => samplingOf(body.parse(given));
const wrong = (given: object) => body.safeParse(given).error?.issues.map(({ path }) => path.join("."));

describe("sampling fields", () => {
  it("leave to the model's authors what is absent or null", () => {
    expect(asked({})).toEqual({});
    expect(asked({ temperature: null, stop: null, seed: null, keep_alive: null, user: null })).toEqual({});
  });

  it("become the engine's own", () => {
    const all = {
      temperature: 0.5,
      top_p: 0.9,
      top_k: 3,
      min_p: 0.1,
      typical_p: 0.7,
      repetition_penalty: 1.1,
      frequency_penalty: -1,
      presence_penalty: 1,
      logit_bias: { 7: -100 },
      seed: 5,
      stop: ["a", "b"],
      min_tokens: 2,
      ignore_eos: true,
      keep_alive: "5m",
      priority: -3,
      deterministic: true,
    };
    expect(asked(all)).toEqual({
      temperature: 0.5,
      topP: 0.9,
      topK: 3,
      minP: 0.1,
      typicalP: 0.7,
      repetitionPenalty: 1.1,
      frequencyPenalty: -1,
      presencePenalty: 1,
      logitBias: { 7: -100 },
      seed: 5,
      stop: ["a", "b"],
      minTokens: 2,
      ignoreEos: true,
      keepAlive: 300_000,
      priority: -3,
      deterministic: true,
    });
  });

  it.each([
    [{ stop: "." }, { stop: ["."] }],
    [{ top_k: -1 }, { topK: 0 }],
    [{ seed: -1 }, {}],
    [{ seed: -2 }, { seed: Number.MAX_SAFE_INTEGER - 1 }],
    [{ seed: 2 ** 60 }, { seed: 0 }],
    [{ keep_alive: -1 }, { keepAlive: -1 }],
    [{ keep_alive: "-5m" }, { keepAlive: -1 }],
    [{ keep_alive: 0 }, { keepAlive: 0 }],
    [{ keep_alive: "30" }, { keepAlive: 30_000 }],
    [{ keep_alive: "1h30m" }, { keepAlive: 5_400_000 }],
  ])("may be written as other servers have them: %j", (given, request) => {
    expect(asked(given)).toEqual(request);
  });

  it.each([
    [{ temperature: 2.1 }, "temperature"],
    [{ temperature: "1" }, "temperature"],
    [{ top_p: -0.1 }, "top_p"],
    [{ logit_bias: { 7: 101 } }, "logit_bias.7"],
    [{ logit_bias: { hello: 1 } }, "logit_bias.hello"],
    [{ stop: "" }, "stop"],
    [{ stop: Array(17).fill("x") }, "stop"],
    [{ seed: 0.5 }, "seed"],
    [{ keep_alive: "soon" }, "keep_alive"],
    [{ keep_alive: "" }, "keep_alive"],
    [{ keep_alive: "400d" }, "keep_alive"],
    [{ service_tier: "priority" }, "service_tier"],
    [{ metadata: { a: 1 } }, "metadata.a"],
  ])("are refused by name: %j", (given, field) => {
    expect(wrong(given)).toEqual([field]);
  });

  it("are never refused by the engine once they were taken here", () => {
    const number = fc.oneof(fc.double({ min: -3, max: 3 }), fc.integer(), fc.constantFrom(0, 1, -1, 2 ** 63));
    const fields = fc.record(
      Object.fromEntries(
        Object.keys(samplingFields)
          .filter((name) => !["stop", "logit_bias", "ignore_eos"].includes(name))
          .map((name) => [name, number]),
      ),
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fields, (given) => {
        const result = body.safeParse(given);
        if (result.success) parseSampling(samplingOf(result.data));
      }),
    );
  });
});

it("a field that is not supported passes where it asks for nothing", () => {
  const field = z.object({ modalities: unsupported("answers are text", ["text"]) });
  for (const given of [{}, { modalities: null }, { modalities: ["text"] }])
    expect(field.safeParse(given).success).toBe(true);
  const { error } = field.safeParse({ modalities: ["audio"] });
  expect(error?.issues[0]).toMatchObject({
    path: ["modalities"],
    message: "not supported here: answers are text",
  });
});

describe("a token", () => {
  it("is written as its text, and bytes that are none as the original writes them", () => {
    const bytes = (text: string) => [...Buffer.from(text)];
    expect(tokenText(bytes(" Grüße 👋"))).toBe(" Grüße 👋");
    expect(tokenText([0xf0, 0x9f, 0x91])).toBe("\\xf0\\x9f\\x91");
    expect(tokenText([0x20, 0xf0, 0x9f, ...bytes("ü")])).toBe(" \\xf0\\x9fü");
    expect(tokenText([0xef, 0xbb, 0xbf])).toBe("\ufeff");
    expect(tokenText([])).toBe("");
  });

  it("that is impossible has a log probability that JSON can write", () => {
    const spelled = { token: 1, text: "a", bytes: [97] };
    const [written] = writtenLogprobs([
      { ...spelled, logprob: -Infinity, top: [{ ...spelled, logprob: -1 }] },
    ]);
    expect(written).toEqual({
      token: "a",
      bytes: [97],
      logprob: -9999,
      top_logprobs: [{ token: "a", bytes: [97], logprob: -1 }],
    });
  });
});
